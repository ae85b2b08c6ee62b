"""Along training and through the network: gradient flow and diagnostics at the measured epochs, and layer by layer."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from keras_sparseflow.analysis.figures.drawing import scales
from keras_sparseflow.analysis.figures.drawing.colours import INK, line_styles
from keras_sparseflow.analysis.figures.drawing.facets import Facets, NotApplicableError
from keras_sparseflow.analysis.figures.drawing.marks import draw_line
from keras_sparseflow.analysis.figures.gallery import figure
from keras_sparseflow.analysis.figures.placing import (
    Part,
    Placing,
    lines_to_compare,
    measured,
    part_of,
    place,
    several_lines,
)
from keras_sparseflow.analysis.frames.diagnostic_means import last_epochs
from keras_sparseflow.analysis.frames.formats import format_percent
from keras_sparseflow.analysis.frames.labels import is_share, measure_label
from keras_sparseflow.analysis.frames.readings import reading_of
from keras_sparseflow.analysis.statistics.intervals import bootstrap_by
from keras_sparseflow.flow.measure_table import TOTAL

Lines = Literal["arm", "variant", "density", "layer"]
"""The kinds of lines; a variant is taken with its activation and tweaks."""

_OF_PAIRS, _OF_DENSITIES = ("arm", "layer"), ("variant", "density")

BAND = "in its 95 percent bootstrap interval (of three runs, their range)."
LINES = {
    "arm": f"Both arms: mean over all widths and seeds, {BAND}",
    "variant": f"A line per variant, with its tweaks and activation, a panel per density: mean over the seeds, {BAND}",
    "density": "A line per density, the darker (on a dark page: the brighter), the denser, dashed for the dense "
    f"network: mean over the seeds, {BAND}",
    "layer": f"A line per layer: mean over all widths and seeds, {BAND}",
}
"""Sentences of captions, by the kind of lines."""

_PRUNED = "magnitude"
"""The method that trains a dense network until it prunes it."""

_MEANINGS = {
    "top_eigenvalue": "The eigenvalue of largest absolute value of the Hessian of the loss on a fixed sample of "
    "training images, by power iteration: how sharply the loss bends at the weights in the direction in which it does "
    "so most.",
    "activation_sparsity": "The share of activations that are exactly zero, through which no gradient passes back.",
    "near_zero_activations": "The share of activations on test images that are no larger than `near_zero`.",
}


def _few_panels(results: pd.DataFrame) -> str:
    """Returns what lines stand for where panels are to be few: arms; or densities, unless there are more variants."""
    if "arm" in results:
        return "arm"
    placing = place(results)
    return "variant" if len(placing.names("line")) > len(placing.names("size")) else "density"


def _second(results: pd.DataFrame) -> str:
    """Returns what lines stand for in a second figure beside that of `_few_panels`: layers of pairs, or variants."""
    few = _few_panels(results)
    if few == "variant":
        raise NotApplicableError("`results` must hold networks over more densities than variants.")
    return "layer" if few == "arm" else "variant"


def _caption(
    flow: pd.DataFrame, results: pd.DataFrame, measure: str, lines: str | None = None, epochs: str = ""
) -> str:
    lines = lines or lines_to_compare(flow, results)
    when = {"": "", "mean": "Mean over all measured epochs.", "last": "After the last epoch that was measured."}[epochs]
    residual = _residual(flow[flow["run_id"].isin(results["run_id"])]) if measure == "top_eigenvalue" else ""
    pruned = not epochs and lines == "density" and _PRUNED in set(results.get("method", ()))
    marked = "A vertical line marks where pruning begins; until then all densities are the dense network."
    return " ".join(filter(None, [_MEANINGS.get(measure), residual, when, LINES[lines], marked * pruned]))


def diagnostics_of(measure: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Returns a function that takes those rows of a report's diagnostics that are of a measure."""

    def rows(diagnostics: pd.DataFrame) -> pd.DataFrame:
        names = [measure, f"{measure}_residual"]
        found = diagnostics[diagnostics["measure"].isin(names)] if len(diagnostics) else diagnostics
        if found.empty:
            raise NotApplicableError(f"`diagnostics` must hold {measure!r}; received none.")
        return found

    return rows


@figure("flow", "{measure}_over_epochs", "{Measure} over the epochs", _caption, lines=_few_panels)
@figure("flow", "{measure}_of_{lines}s_over_epochs", "{Measure} of {lines}s over the epochs", _caption, lines=_second)
@figure(
    "diagnostics", "{measure}_over_epochs", "{Measure} over the epochs", _caption,
    flow=diagnostics_of("top_eigenvalue"), measure="top_eigenvalue",
)  # fmt: skip
@figure(
    "diagnostics", "{measure}_over_epochs", "{Measure} over the epochs", _caption,
    flow=diagnostics_of("activation_sparsity"), measure="activation_sparsity",
)  # fmt: skip
@figure(
    "diagnostics", "{measure}_over_epochs", "{Measure} over the epochs", _caption,
    flow=diagnostics_of("near_zero_activations"), measure="near_zero_activations",
)  # fmt: skip
def over_epochs(
    flow: pd.DataFrame, results: pd.DataFrame, measure: str = "egf_2", lines: Lines | None = None
) -> Facets:
    """Returns gradient flow, or a diagnostic, at the measured epochs.

    A line is the mean over the runs of a place: of pairs over all widths and seeds, else over the seeds. Its band is
    the 95% bootstrap interval of that mean. Where networks are pruned by magnitude, a vertical line marks the epoch
    before which that begins. Diverged runs are left out.

    Args:
        flow: one row per run, epoch, measure and layer, as `keras_sparseflow.records.read_flow` and `read_diagnostics`
            give it; of two readings, the one that a study is judged by is drawn.
        results: the runs of one table.
        measure: which of the measures in `flow` to draw.
        lines: what a line stands for. Of pairs: an "arm", with a panel per cell, or a "layer", with a panel per cell
            and arm. Over densities: a "density", with a panel per configuration, or a "variant", with a panel per
            density. None for arms of pairs, else variants where there are several.

    Raises:
        NotApplicableError: `flow` has no row of these runs and that measure, no run did not diverge, or variants are to
            be compared of which there is one.
        ValueError: `results` is empty or holds several tables, a column is missing, or `lines` is unknown.

    Example:
        >>> from keras_sparseflow.records import read_flow, read_results
        >>> figure = over_epochs(read_flow("runs/demo"), read_results("runs/demo"))
        >>> [axes.get_title() for axes in figure.axes]
        ['adam, NR', 'adam, BN']

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, figures 2 and 9.
    """
    rows, placing = measured(flow, results, measure)
    by = part_of(lines or lines_to_compare(rows, results), _OF_PAIRS if placing.pairs else _OF_DENSITIES)
    rows = _single_layers(rows, measure) if by == "layer" else rows[rows["layer"] == TOTAL]
    labels = ("Epoch (the first is 0)", measure_label(measure, reading_of(rows)))
    scale = scales.epochs(rows["epoch"])
    return draw_lines(rows, placing, by, "epoch", scale, labels, _mark_pruning, share=is_share(measure))


@figure("flow", "{measure}_by_layer", "{Measure} layer by layer", _caption, lines=_few_panels, epochs="mean")
@figure(
    "diagnostics", "{measure}_by_layer", "{Measure} layer by layer", _caption,
    flow=diagnostics_of("activation_sparsity"), measure="activation_sparsity", epochs="last",
)  # fmt: skip
@figure(
    "diagnostics", "{measure}_by_layer", "{Measure} layer by layer", _caption,
    flow=diagnostics_of("near_zero_activations"), measure="near_zero_activations", epochs="last",
)  # fmt: skip
def by_layer(
    flow: pd.DataFrame,
    results: pd.DataFrame,
    measure: str = "egf_2",
    lines: Lines | None = None,
    epochs: Literal["mean", "last"] = "mean",
) -> Facets:
    """Returns gradient flow, or a diagnostic, in each layer, from input to output.

    A line is the mean over runs and measured epochs, in its 95% bootstrap interval.

    Args:
        flow: as for `over_epochs`.
        results: one row per finished run.
        measure: as for `over_epochs`.
        lines: as for `over_epochs`, but not "layer".
        epochs: "mean" of all measured epochs, or the "last" of each run, when it is trained.

    Example:
        >>> from keras_sparseflow.records import read_flow, read_results
        >>> figure = by_layer(read_flow("runs/demo"), read_results("runs/demo"))
        >>> figure.get_supxlabel()
        'Layer, from input to output'
    """
    if epochs not in ("mean", "last"):
        raise ValueError(f"`epochs` must be 'mean' or 'last'; received {epochs!r}.")
    rows, placing = measured(flow, results, measure)
    by = part_of(lines or lines_to_compare(rows, results), _OF_PAIRS[:1] if placing.pairs else _OF_DENSITIES)
    rows = _single_layers(rows, measure)
    names = list(rows["layer"].unique())
    rows = (last_epochs(rows) if epochs == "last" else rows).assign(position=rows["layer"].map(names.index))
    by_run = ["panel", "line", "side", "size", "run_id", "position"]
    means = rows.groupby(by_run, sort=False)["value"].mean().reset_index()
    labels = ("Layer, from input to output", measure_label(measure, reading_of(rows)))
    return draw_lines(means, placing, by, "position", scales.layers(names), labels, share=is_share(measure))


def draw_lines(
    rows: pd.DataFrame,
    placing: Placing,
    by: Any,
    x: str,
    scale: scales.Scale,
    labels: tuple[str, str],
    complete: Callable[[Axes, pd.DataFrame], None] = lambda axes, runs: None,
    share: bool = False,
) -> Facets:
    """Returns values against `x`: the mean over the runs of a place, in a band that is its 95% bootstrap interval.

    Args:
        rows: placed rows with the columns `x` and `value`, one per run and x.
        placing: their places.
        by: what a line stands for: "side", "line", "size" or "layer".
        x: the column along the horizontal axis.
        scale: of that axis.
        labels: of both axes.
        complete: called with each panel and the runs, placed, that it is of.
        share: whether values are shares.
    """
    rows = several_lines(rows) if by == "line" else rows
    row = ["panel"] if by == "side" else ["panel", "side"]
    column: Part = "size" if by == "line" else "line"
    styles = line_styles(list(rows["layer"].unique())) if by == "layer" else placing.styles(by)
    curves = bootstrap_by(rows, [*row, column, by, x], "value")
    present = {(tuple(at[:-1]), at[-1]) for at in curves[[*row, column]].itertuples(index=False, name=None)}
    every = dict.fromkeys(placing.runs[row].itertuples(index=False, name=None))
    drawn = Facets(
        [at for at in every if any(at == other for other, _ in present)],
        [name for name in placing.names(column) if any(name == other for _, other in present)],
        present,
        scale,
        # The panels of an optimizer of pairs share their scale, all panels over densities do.
        lambda at, _: _values(curves[curves["panel"] == at[0]] if placing.pairs else curves, share),
        labels,
        title=lambda at, name: placing.title(
            at[0], f"{format_percent(name)} density" if column == "size" else name, *at[1:]
        ),
    )
    for (at, name), axes in drawn.panels.items():
        inside, own = (f[(f[[*row, column]] == [*at, name]).all(axis=1)] for f in (curves, placing.runs))
        for index, (key, style) in enumerate(styles.items()):
            look = {**style, "markersize": 3.4, "linewidth": 1.4}
            draw_line(axes, inside[inside[by] == key], x, placing.words(by, key), look, place=index)
        complete(axes, own)
    return drawn.finish([placing.words(by, key) for key in styles])


def _values(curves: pd.DataFrame, share: bool) -> scales.Scale:
    return scales.of_values(curves["mean"], curves[["low", "high"]], share=share)


def _single_layers(rows: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Returns the rows of single layers, in the order written, which is that of the network."""
    rows = rows[rows["layer"] != TOTAL]
    if rows.empty:
        raise NotApplicableError(f"`flow` must have rows of single layers for {measure!r}; received only {TOTAL!r}.")
    return rows


def _mark_pruning(axes: Axes, runs: pd.DataFrame) -> None:
    for epoch in _pruning_epochs(runs):
        mark = axes.axvline(epoch - 0.5, color=INK, linestyle=(0, (2, 2)), linewidth=1, label="pruning begins")
        axes.get_figure().handles.setdefault("pruning begins", mark)  # type: ignore[union-attr]


def _pruning_epochs(runs: pd.DataFrame) -> Sequence[float]:
    """Returns the numbers of epochs before pruning, of networks that are pruned while they are trained."""
    if not {"prune_from", "epochs", "method"} <= set(runs.columns):
        return []
    pruned = runs[(runs["method"] == _PRUNED) & (runs["density"] < 1)]
    return sorted(np.unique((pruned["prune_from"] * pruned["epochs"]).astype(float)))


def _residual(diagnostics: pd.DataFrame) -> str:
    """Returns in a sentence how near power iteration came to eigenvalues; nothing where no residual was recorded."""
    rows = diagnostics[diagnostics["measure"].isin(["top_eigenvalue", "top_eigenvalue_residual"])]
    both = rows.astype({"value": float}).pivot_table("value", ["run_id", "epoch", "layer"], "measure").dropna()
    if both.shape[1] < 2 or both.empty:
        return ""
    share: Any = (both["top_eigenvalue_residual"] / both["top_eigenvalue"].abs()).median()
    return f"The median residual of the iteration is {format_percent(float(f'{share:.2g}'))} of the value."
