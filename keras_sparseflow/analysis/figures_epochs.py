"""Gradient flow along training: of the whole network and of each layer, at the measured epochs and on average."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_sparseflow.analysis.colours import line_styles
from keras_sparseflow.analysis.frames.cells import arrange, columns_in_order, require_columns
from keras_sparseflow.analysis.frames.labels import flow_name
from keras_sparseflow.analysis.frames.pairs import ARMS
from keras_sparseflow.analysis.frames.readings import of_one_reading, reading_of
from keras_sparseflow.analysis.panels import (
    NotApplicableError,
    draw_arms,
    draw_grid,
    draw_line,
    finish,
    make_grid,
    require_one_table,
    styled,
)
from keras_sparseflow.analysis.scales import scale_decades, spans_decades
from keras_sparseflow.analysis.statistics.intervals import bootstrap_by
from keras_sparseflow.flow.measure_table import TOTAL


@styled
def flow_over_epochs(flow: pd.DataFrame, results: pd.DataFrame, measure: str = "egf_2") -> Figure:
    """Returns both arms' gradient flow at the measured epochs: the mean over the runs of a cell.

    The band goes from the smallest to the largest run (all widths and seeds); diverged runs are left out.

    Args:
        flow: one row per run, epoch, measure and layer, as `keras_sparseflow.records.read_flow` gives it; of two
            readings, the one that a study is judged by is drawn, "end".
        results: the runs of one table.
        measure: which of the measures in `flow` to draw.

    Raises:
        NotApplicableError: `flow` has no row of these runs and that measure, or no run did not diverge.
        ValueError: `results` is empty or holds several tables, or a column is missing.

    Example:
        >>> from keras_sparseflow.records import read_flow, read_results
        >>> figure = flow_over_epochs(read_flow("runs/demo"), read_results("runs/demo"))
        >>> [axes.get_title() for axes in figure.axes]
        ['adam, NR', 'adam, BN']
    """
    rows = _flow_rows(flow, results, measure)
    lines = _spread(rows[rows["layer"] == TOTAL], "epoch")
    figure, panels = draw_grid(arrange(results))
    for panel, axes in panels.items():
        draw_arms(axes, _select(lines, panel), "epoch")
        _label_epochs(axes, lines["epoch"])
        if spans_decades(lines["mean"]):
            scale_decades(axes, "y")
    finish(figure, "Epoch (the first is 0)", flow_name(measure, reading_of(rows)), ARMS)
    return figure


@styled
def layers_over_epochs(flow: pd.DataFrame, results: pd.DataFrame, measure: str = "egf_2") -> Figure:
    """Returns the gradient flow of each layer at the measured epochs: a line per layer, a panel per cell and arm.

    A line is the mean over the runs of a cell (all widths and seeds), its band the 95% bootstrap interval
    of that mean; diverged runs are left out. The arms stand below each other, and an optimizer's panels
    share their scale. Arguments and errors are those of `flow_over_epochs`.

    Example:
        >>> from keras_sparseflow.records import read_flow, read_results
        >>> figure = layers_over_epochs(read_flow("runs/demo"), read_results("runs/demo"))
        >>> [axes.get_title() for axes in figure.axes]
        ['adam, NR, sparse', 'adam, BN, sparse', 'adam, NR, dense', 'adam, BN, dense']
    """
    rows, names = _single_layers(_flow_rows(flow, results, measure), measure)
    placed = arrange(results)
    lines = bootstrap_by(rows, ["row", "column", "arm", "position", "epoch"], "value")
    arms = [arm for arm in ARMS if (lines["arm"] == arm).any()]
    columns = columns_in_order(placed)
    figure, panels = make_grid(
        [(row, arm) for row in placed["row"].unique() for arm in arms],
        columns,
        {((row, arm), column) for row, column, arm in zip(lines["row"], lines["column"], lines["arm"], strict=True)},
        panel_size=(3.1 if len(columns) <= 3 else 2.4, 1.9),
        share_y="row",
        title=lambda row_and_arm, column: f"{row_and_arm[0]}, {column}, {row_and_arm[1]}",
    )
    styles = line_styles(names)
    for ((row, arm), column), axes in panels.items():
        inside = lines[(lines["row"] == row) & (lines["column"] == column) & (lines["arm"] == arm)]
        for position, name in enumerate(names):
            draw_line(axes, inside[inside["position"] == position], "epoch", name, styles[name], opacity=0.1)
        _label_epochs(axes, lines["epoch"])
    for row, inside in lines.groupby("row"):
        _share_scale([axes for ((own, _), _), axes in panels.items() if own == row], inside["mean"])
    finish(figure, "Epoch (the first is 0)", flow_name(measure, reading_of(rows)), names)
    return figure


@styled
def flow_per_layer(flow: pd.DataFrame, results: pd.DataFrame, measure: str = "egf_2") -> Figure:
    """Returns both arms' gradient flow in each layer, from input to output: the mean over runs and epochs.

    The band goes from the smallest to the largest run; diverged runs are left out. Arguments and errors
    are those of `flow_over_epochs`.

    Example:
        >>> from keras_sparseflow.records import read_flow, read_results
        >>> figure = flow_per_layer(read_flow("runs/demo"), read_results("runs/demo"))
        >>> [axes.get_title() for axes in figure.axes]
        ['adam, NR', 'adam, BN']
    """
    rows = _flow_rows(flow, results, measure)
    rows, names = _single_layers(rows, measure)
    by_run = ["table", "row", "column", "arm", "run_id", "position"]
    lines = _spread(rows.groupby(by_run, sort=False)["value"].mean().reset_index(), "position")
    figure, panels = draw_grid(arrange(results))
    for panel, axes in panels.items():
        draw_arms(axes, _select(lines, panel), "position")
        axes.set_xticks(range(len(names)), names, rotation=30 if len(names) > 2 else 0)
        axes.set_xlim(-0.3, len(names) - 0.7)
        if spans_decades(lines["mean"]):
            scale_decades(axes, "y")
    finish(figure, "Layer, from input to output", flow_name(measure, reading_of(rows)), ARMS)
    return figure


def _flow_rows(flow: pd.DataFrame, results: pd.DataFrame, measure: str) -> pd.DataFrame:
    require_columns(flow, ["run_id", "epoch", "measure", "layer", "value"], "flow")
    flow, placed = of_one_reading(flow), arrange(results)
    require_one_table(placed)
    placed = placed.loc[~placed["diverged"].astype(bool), ["run_id", "table", "row", "column", "arm"]]
    rows = flow[flow["measure"] == measure].merge(placed, on="run_id")
    rows = rows[np.isfinite(rows["value"].astype(float))]
    if rows.empty:
        known = ", ".join(sorted(flow["measure"].unique())) or "none"
        raise NotApplicableError(f"`flow` must hold {measure!r} of these runs; received the measures {known}.")
    return rows


def _spread(rows: pd.DataFrame, x: str) -> pd.DataFrame:
    groups = rows.groupby(["row", "column", "arm", x], sort=False)["value"]
    return groups.agg(mean="mean", low="min", high="max").reset_index()


def _single_layers(rows: pd.DataFrame, measure: str) -> tuple[pd.DataFrame, list[str]]:
    """Returns the rows of single layers, each with its `position`, and the layers' names from input to output."""
    rows = rows[rows["layer"] != TOTAL]
    if rows.empty:
        raise NotApplicableError(f"`flow` must have rows of single layers for {measure!r}; received only {TOTAL!r}.")
    names = list(rows["layer"].unique())  # in the order written, which is that of the network
    return rows.assign(position=rows["layer"].map(names.index)), names


def _share_scale(panels: Sequence[Axes], values: pd.Series) -> None:
    """Gives panels one y-axis, logarithmic where the values span decades."""
    for axes in panels:
        if spans_decades(values):
            scale_decades(axes, "y")
    limits = np.array([axes.get_ylim() for axes in panels])
    for axes in panels:
        axes.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def _select(lines: pd.DataFrame, panel: tuple[str, str]) -> pd.DataFrame:
    return lines[(lines["row"] == panel[0]) & (lines["column"] == panel[1])]


def _label_epochs(axes: Axes, epochs: pd.Series) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    margin = max(0.04 * (epochs.max() - epochs.min()), 0.5)
    axes.set_xlim(epochs.min() - margin, epochs.max() + margin)
