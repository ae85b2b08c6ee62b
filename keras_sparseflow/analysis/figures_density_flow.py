"""Gradient flow and diagnostics by density or by variant: over the epochs, and layer by layer."""

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_sparseflow.analysis.colours import INK
from keras_sparseflow.analysis.figures_density_curves import Lines, draw_curves, measured_rows
from keras_sparseflow.analysis.frames.densities import PLACE
from keras_sparseflow.analysis.frames.diagnostic_means import last_epochs
from keras_sparseflow.analysis.frames.labels import is_share, measure_label
from keras_sparseflow.analysis.frames.readings import reading_of
from keras_sparseflow.analysis.panels import NotApplicableError, styled
from keras_sparseflow.analysis.scales import label_layers, room_for_layers
from keras_sparseflow.flow.measure_table import TOTAL

_PRUNED = "magnitude"
"""The method that trains a dense network until it prunes it."""


@styled
def densities_over_epochs(
    flow: pd.DataFrame, results: pd.DataFrame, measure: str = "egf_2", lines: Lines = "density"
) -> Figure:
    """Returns gradient flow, or a diagnostic, at the measured epochs, by density or by variant.

    A line is the mean over the seeds, its band goes from the smallest to the largest; the darker, the denser.
    Where networks are pruned by magnitude, a vertical line marks the epoch before which that begins.
    Diverged runs are left out.

    Args:
        flow: one row per run, epoch, measure and layer, as `keras_sparseflow.records.read_flow` and
            `read_diagnostics` give it.
        results: the runs of one table of a density study.
        measure: which of the measures in `flow` to draw.
        lines: what a line stands for: a "density", with a panel per configuration, or a "variant", with its
            activation and tweaks, with a panel per density, optimizer and method.

    Raises:
        NotApplicableError: `flow` has no row of these runs and that measure, no run did not diverge, or variants are to
            be compared of which there is one.
        ValueError: `results` is empty or holds several tables, a column is missing, or `lines` is unknown.

    Example:
        >>> runs = pd.DataFrame({"run_id": list("abc"), "dataset": "cifar100", "model": "wide_resnet", "depth": 28,
        ...                      "width": 10, "learning_rate": 0.1, "activation": "relu", "variant": "NR",
        ...                      "optimizer": "sgd", "method": "random", "density": [0.1, 0.5, 1.0], "seed": 0,
        ...                      "test_accuracy": [0.5, 0.6, 0.7], "test_loss": [3.0, 2.0, 1.0],
        ...                      "egf_2": [1.0, 2.0, 3.0], "diverged": False})
        >>> flow = pd.DataFrame({"run_id": "a", "epoch": [0, 0, 0], "measure": "egf_2",
        ...                      "layer": ["conv", "classifier", "total"], "value": [1.0, 3.0, 2.0]})
        >>> figure = densities_over_epochs(flow, runs)
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['10%']

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, figures 2 and 9.
    """
    rows = measured_rows(flow, results, measure)
    rows = rows[rows["layer"] == TOTAL]
    labels = ("Epoch (the first is 0)", measure_label(measure, reading_of(rows)))
    return draw_curves(rows, results, "epoch", labels, lines, _complete_epochs, share=is_share(measure))


@styled
def densities_by_layer(
    flow: pd.DataFrame,
    results: pd.DataFrame,
    measure: str = "egf_2",
    lines: Lines = "density",
    epochs: Literal["mean", "last"] = "mean",
) -> Figure:
    """Returns gradient flow, or a diagnostic, in each layer, from input to output, by density or by variant.

    A line is the mean over seeds and measured epochs, those before pruning included; its band goes from the
    smallest to the largest run. Arguments and errors are those of `densities_over_epochs`, and:

    Args:
        flow: see there.
        results: see there.
        measure: see there.
        lines: see there.
        epochs: "mean" of all measured epochs, or the "last" of each run, when it is trained.

    Example:
        >>> runs = pd.DataFrame({"run_id": list("abc"), "dataset": "cifar100", "model": "wide_resnet", "depth": 28,
        ...                      "width": 10, "learning_rate": 0.1, "activation": "relu", "variant": "NR",
        ...                      "optimizer": "sgd", "method": "random", "density": [0.1, 0.5, 1.0], "seed": 0,
        ...                      "test_accuracy": [0.5, 0.6, 0.7], "test_loss": [3.0, 2.0, 1.0],
        ...                      "egf_2": [1.0, 2.0, 3.0], "diverged": False})
        >>> flow = pd.DataFrame({"run_id": "a", "epoch": [0, 0, 0], "measure": "egf_2",
        ...                      "layer": ["conv", "classifier", "total"], "value": [1.0, 3.0, 2.0]})
        >>> [label.get_text() for label in densities_by_layer(flow, runs).axes[0].get_xticklabels()]
        ['conv', 'classifier']
    """
    if epochs not in ("mean", "last"):
        raise ValueError(f"`epochs` must be 'mean' or 'last'; received {epochs!r}.")
    rows = measured_rows(flow, results, measure)
    rows = rows[rows["layer"] != TOTAL]
    if rows.empty:
        raise NotApplicableError(f"`flow` must have rows of single layers for {measure!r}; received only {TOTAL!r}.")
    names = list(rows["layer"].unique())  # in the order written, which is that of the network
    rows = rows.assign(position=rows["layer"].map(names.index))
    if epochs == "last":
        rows = last_epochs(rows)
    by_run = rows.groupby([*PLACE, "density", "run_id", "position"], sort=False)["value"].mean().reset_index()
    figure = draw_curves(
        by_run,
        results,
        "position",
        ("Layer, from input to output", measure_label(measure, reading_of(rows))),
        lines,
        lambda axes, _: label_layers(axes, names),
        share=is_share(measure),
    )
    room_for_layers(figure, names)
    return figure


def _complete_epochs(axes: Axes, runs: pd.DataFrame) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    for epoch in _pruning_epochs(runs):
        axes.axvline(epoch - 0.5, color=INK, linestyle=(0, (2, 2)), linewidth=1, label="pruning begins")


def _pruning_epochs(runs: pd.DataFrame) -> list[float]:
    """Returns the numbers of epochs before pruning, of networks that are pruned while they are trained."""
    if not {"prune_from", "epochs"} <= set(runs.columns):
        return []
    pruned = runs[(runs["method"] == _PRUNED) & (runs["density"] < 1)]
    return sorted(np.unique((pruned["prune_from"] * pruned["epochs"]).astype(float)))
