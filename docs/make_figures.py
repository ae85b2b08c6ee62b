"""Draws the figures of docs/concepts.md with the package itself, from tiny networks and from docs/results.

    python docs/make_figures.py
    python docs/make_figures.py DIR

Without a folder they are written to docs/figures.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure

from keras_sparseflow import GradientFlow, SparseModel, load_images, mlp
from keras_sparseflow.analysis import activation_functions, against_size, figure_bytes, p_value_heatmap, tabulate
from keras_sparseflow.analysis.figures.drawing import scales
from keras_sparseflow.analysis.figures.drawing.colours import GREY, line_styles
from keras_sparseflow.analysis.figures.drawing.facets import Facets, styled
from keras_sparseflow.analysis.figures.drawing.marks import draw_line
from keras_sparseflow.data import DataSize
from keras_sparseflow.layers import GhostSwish, random_mask
from keras_sparseflow.masks import erk, uniform
from keras_sparseflow.models.residual import WIDE_RESNET
from keras_sparseflow.records import read_results, write_atomic
from keras_sparseflow.studies.size.kernel_counts import matched_kernels
from keras_sparseflow.studies.spec.run_spec import RunSpec

HERE = Path(__file__).parent
TABLE_5B = HERE / "results" / "table_5b"
MEASURES = ("grad_norm_2", "egf_2")


@styled
def matched_pair() -> Figure:
    """Returns the kernels of a dense network of width 8 and of a sparse one of width 20, as many weights active."""
    spec = RunSpec.of(width=20, matched_fraction=8 / 20, hidden_layers=2)
    pair = matched_kernels(spec, DataSize((4, 4, 1), classes=4, train_images=1, test_images=1))
    names = ["first", "hidden", "last"]
    masks: dict[tuple[str, str], np.ndarray] = {}
    for seed, (name, (dense, sparse)) in enumerate(zip(names, pair, strict=True)):
        masks["dense", name] = np.ones(dense.shape, bool)
        masks["sparse", name] = random_mask(sparse.shape, dense.size, seed)
    empty = scales.Scale((-1, 20), (), ())
    figure = Facets(
        ["dense", "sparse"],
        names,
        masks,
        empty,
        scales.Scale((20, -1), (), ()),
        ("Inputs of the kernel", "Units of the kernel"),
        height=2.0,
        broadest=2.0,
        title=lambda arm, name: f"{arm}, {name}: {masks[arm, name].sum()} of {masks[arm, name].size}",
    )
    for place, mask in masks.items():
        axes = figure.panels[place]
        axes.imshow(np.where(mask.T, 0.35, 0.93), cmap="gray", vmin=0, vmax=1, aspect="auto")
        axes.set(xlim=(-1, 20), ylim=(20, -1))
        axes.spines[:].set_visible(False)
    return figure.finish()


@styled
def distributions() -> Figure:
    """Returns the density of each kernel of WRN-10-2 where a tenth of all weights is active, shared out in two ways."""
    kernels = WIDE_RESNET.kernels((32, 32, 3), 10, depth=10, width=2, skip_connections=True)
    shapes = {kernel.name: kernel.shape for kernel in kernels}
    names = scales.layers(list(shapes), most=len(shapes))
    place, height = ("", ""), scales.of_values([0.0, 1.0], share=True)
    figure = Facets(
        [""], [""], [place], names, height, ("", "Density of the kernel"), broadest=6.0, title=lambda *_: ""
    )
    rules: dict[str, Callable[..., list[int]]] = {"uniform": uniform, "ERK": erk}
    for (name, style), rule in zip(line_styles(list(rules)).items(), rules.values(), strict=True):
        counts = rule(list(shapes.values()), 0.1)
        densities = [count / np.prod(shape) for count, shape in zip(counts, shapes.values(), strict=True)]
        line = pd.DataFrame({"x": range(len(shapes)), "mean": densities})
        draw_line(figure.panels[place], line, "x", name, {**style, "markevery": 1})
    return figure.finish()


def trained_flow(density: float, epochs: int) -> pd.DataFrame:
    """Returns the flow of a perceptron on digits whose kernels all have one density, along its training."""
    data = load_images("digits", train_size=500)
    counts = [round(density * size) for size in (64 * 60, 60 * 60, 60 * 10)]
    model = mlp((8, 8, 1), 10, [60, 60], active=counts, seed=0, model_class=SparseModel)
    model.compile(keras.optimizers.SGD(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    flow = GradientFlow(measures=MEASURES, epochs=range(epochs))
    model.fit(data.train_images, data.train_labels, batch_size=50, epochs=epochs, verbose=0, callbacks=[flow])
    return flow.to_frame().query("layer == 'total'").assign(density=density)


@styled
def effective_flow(epochs: int = 10) -> Figure:
    """Returns the raw norm of the gradient and EGF beside each other, along the training of three networks."""
    keras.utils.set_random_seed(0)
    flows = pd.concat([trained_flow(density, epochs) for density in (0.05, 0.2, 1.0)])
    figure = Facets(
        [""],
        MEASURES,
        [("", measure) for measure in MEASURES],
        scales.epochs([1, epochs]),
        scales.of_values(flows["value"]),
        ("Epoch", "Gradient flow"),
        title=lambda _, measure: measure,
    )
    for (density, style), (_, lines) in zip(
        line_styles(["5%", "20%", "100%"]).items(), flows.groupby("density"), strict=True
    ):
        for measure, line in lines.groupby("measure"):
            points = pd.DataFrame({"epoch": line["epoch"] + 1, "mean": line["value"]})
            draw_line(figure.panels["", measure], points, "epoch", f"density {density}", style)
    return figure.finish()


@styled
def ghosts() -> Figure:
    """Returns Swish as a ghost: at the betas through which it becomes ReLU, with its derivative."""
    return activation_functions(pd.concat([ghost_curve(beta) for beta in (1.0, 2.0, 8.0, float("inf"))]))


def ghost_curve(beta: float) -> pd.DataFrame:
    """Returns the values and derivatives of GhostSwish at one beta, as `activation_functions` takes them."""
    x = tf.linspace(-4.0, 4.0, 161)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = GhostSwish(beta)(x)
    name = "beta infinite: ReLU" if np.isinf(beta) else f"beta {beta:g}"
    return pd.DataFrame({"activation": name, "x": x, "value": value, "derivative": tape.gradient(value, x)})


@styled
def sparse_execution() -> Figure:
    """Returns the time of a training step over that of the masked network, by density, of both benchmarked networks."""
    times = pd.read_csv(HERE / "results" / "sparse_execution.csv")
    networks = list(dict.fromkeys(times["network"]))
    figure = Figure(figsize=(7, 3), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(networks), sharey=True), networks, strict=True):
        for by, style in zip(("numba", "tensorflow"), ("o-", "s--"), strict=True):
            rows = times[times["network"] == name]
            axes.plot(rows["density"], rows[by], style, label=f"by {by}")
        axes.axhline(1, color=GREY)
        axes.set(xscale="log", ylim=(0, 1.6), title=name)
        axes.legend()
    figure.supxlabel("Density")
    figure.supylabel("Time over that of the masked step")
    return figure


def p_values() -> Figure:
    """Returns the p-values of our small Table 5b, the published ones beneath."""
    return p_value_heatmap(tabulate(read_results(TABLE_5B)))


def pairs() -> Figure:
    """Returns both arms of four cells of our small Table 5b by dense width: what their p-values are computed from."""
    runs = read_results(TABLE_5B)
    shown = runs["variant"].isin(["BN", "L2_BN"]) & runs["optimizer"].isin(["adam", "momentum"])
    return against_size(runs[shown], lines="arm")


FIGURES: dict[str, Callable[..., Any]] = {
    "matched_pair": matched_pair,
    "distributions": distributions,
    "effective_flow": effective_flow,
    "ghosts": ghosts,
    "p_values": p_values,
    "pairs": pairs,
    "sparse_execution": sparse_execution,
}


def on_white(svg: bytes) -> bytes:
    """Returns a figure with a ground, as a page that shows it as an image may be dark."""
    head, start, rest = svg.partition(b"<defs>")
    return head + b'<rect width="100%" height="100%" fill="#ffffff"/>\n ' + start + rest


def main(folder: Path) -> None:
    """Writes every figure as an SVG file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        write_atomic(folder / f"{name}.svg", on_white(figure_bytes(draw())))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "figures")
