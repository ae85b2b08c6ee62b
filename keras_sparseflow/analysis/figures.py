"""Figures of a table's cells: a panel per cell, both arms in it, in the order of the paper's tables."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_sparseflow.analysis.cells import arrange, cell_columns, require_columns
from keras_sparseflow.analysis.colours import ARM_STYLES
from keras_sparseflow.analysis.labels import FLOW_NAMES, flow_name, value_label
from keras_sparseflow.analysis.pairs import ARMS, mean_by_width
from keras_sparseflow.analysis.panels import cross_at_edge, draw_arms, draw_grid, figure_bytes, finish, styled
from keras_sparseflow.analysis.scales import label_widths, scale_decades, spans_decades

__all__ = ["FLOW_NAMES", "accuracy_by_width", "figure_bytes", "flow_by_width", "flow_over_epochs", "flow_per_layer"]

_LEGEND = (*ARMS, *(f"{arm}: diverged" for arm in ARMS))


@styled
def accuracy_by_width(results: pd.DataFrame, value: str = "test_accuracy") -> Figure:
    """Returns both arms' accuracy against dense width: the mean over seeds, in a band from min to max.

    A cross at the foot of a panel marks a width at which runs of that arm diverged; those are no part of
    mean and band.

    Args:
        results: the runs of one table (one dataset, depth, learning rate and activation).
        value: the column to draw, a fraction in [0, 1].

    Raises:
        ValueError: `results` is empty or holds several tables.
    """
    return _by_width(results, value, value_label(value), log=False)


@styled
def flow_by_width(results: pd.DataFrame, measure: str = "egf_2") -> Figure:
    """Returns both arms' average gradient flow against dense width, drawn as `accuracy_by_width` is.

    The scale is logarithmic where the means span more than a factor of ten.
    """
    return _by_width(results, measure, f"Average {flow_name(measure)}", log=True)


@styled
def flow_over_epochs(flow: pd.DataFrame, results: pd.DataFrame, measure: str = "egf_2") -> Figure:
    """Returns both arms' gradient flow at the measured epochs: the mean over the runs of a cell.

    The band goes from the smallest to the largest run (all widths and seeds); diverged runs are left out.

    Args:
        flow: one row per run, epoch, measure and layer, as `keras_sparseflow.records.read_flow` gives it.
        results: the runs of one table.
        measure: which of the measures in `flow` to draw.

    Raises:
        ValueError: `results` holds several tables, or `flow` has no row for them and that measure.
    """
    rows = _flow_rows(flow, results, measure)
    lines = _spread(rows[rows["layer"] == "total"], "epoch")
    figure, panels = draw_grid(arrange(results))
    for panel, axes in panels.items():
        draw_arms(axes, _select(lines, panel), "epoch")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
        margin = max(0.04 * (lines["epoch"].max() - lines["epoch"].min()), 0.5)
        axes.set_xlim(lines["epoch"].min() - margin, lines["epoch"].max() + margin)
    _finish(figure, "Epoch (the first is 0)", flow_name(measure), log=spans_decades(lines["mean"]))
    return figure


@styled
def flow_per_layer(flow: pd.DataFrame, results: pd.DataFrame, measure: str = "egf_2") -> Figure:
    """Returns both arms' gradient flow in each layer, from input to output: the mean over runs and epochs.

    The band goes from the smallest to the largest run; diverged runs are left out. Arguments and errors
    are those of `flow_over_epochs`.
    """
    rows = _flow_rows(flow, results, measure)
    rows = rows[rows["layer"] != "total"]
    if rows.empty:
        raise ValueError(f"`flow` must have rows of single layers for {measure!r}; received only 'total'.")
    names = list(rows["layer"].unique())  # in the order written, which is that of the network
    rows = rows.assign(position=rows["layer"].map(names.index))
    by_run = ["table", "row", "column", "arm", "run_id", "position"]
    lines = _spread(rows.groupby(by_run, sort=False)["value"].mean().reset_index(), "position")
    figure, panels = draw_grid(arrange(results))
    for panel, axes in panels.items():
        draw_arms(axes, _select(lines, panel), "position")
        axes.set_xticks(range(len(names)), names, rotation=30 if len(names) > 2 else 0)
        axes.set_xlim(-0.3, len(names) - 0.7)
    _finish(figure, "Layer, from input to output", flow_name(measure), log=spans_decades(lines["mean"]))
    return figure


def _by_width(results: pd.DataFrame, value: str, label: str, log: bool) -> Figure:
    cell = cell_columns(results)
    placed = arrange(results, cell)
    figure, panels = draw_grid(placed)
    table = arrange(mean_by_width(results, value), cell)
    table = table.rename(columns={"min": "low", "max": "high"})
    widths = sorted(table["dense_width"].unique())
    nudge = 0.012 * (max(widths) - min(widths)) or 0.03
    for panel, axes in panels.items():
        lines = _select(table, panel)
        draw_arms(axes, lines, "dense_width")
        for arm, side in zip(ARMS, (-nudge, nudge), strict=True):
            lost = lines.loc[(lines["arm"] == arm) & (lines["diverged"] > 0), "dense_width"]
            cross_at_edge(axes, lost + side, ARM_STYLES[arm]["color"], f"{arm}: diverged")
        label_widths(axes, widths)
    _finish(figure, "Dense width (units)", label, log and spans_decades(table["mean"]))
    return figure


def _flow_rows(flow: pd.DataFrame, results: pd.DataFrame, measure: str) -> pd.DataFrame:
    require_columns(flow, ["run_id", "epoch", "measure", "layer", "value"], "flow")
    placed = arrange(results)
    placed = placed.loc[~placed["diverged"].astype(bool), ["run_id", "table", "row", "column", "arm"]]
    rows = flow[flow["measure"] == measure].merge(placed, on="run_id")
    rows = rows[np.isfinite(rows["value"].astype(float))]
    if rows.empty:
        known = ", ".join(sorted(flow["measure"].unique())) or "none"
        raise ValueError(f"`flow` must hold {measure!r} of these runs; received the measures {known}.")
    return rows


def _spread(rows: pd.DataFrame, x: str) -> pd.DataFrame:
    groups = rows.groupby(["row", "column", "arm", x], sort=False)["value"]
    return groups.agg(mean="mean", low="min", high="max").reset_index()


def _select(lines: pd.DataFrame, panel: tuple[str, str]) -> pd.DataFrame:
    return lines[(lines["row"] == panel[0]) & (lines["column"] == panel[1])]


def _finish(figure: Figure, x_label: str, y_label: str, log: bool) -> None:
    if log:
        for axes in figure.axes:
            scale_decades(axes, "y")
    finish(figure, x_label, y_label, _LEGEND)
