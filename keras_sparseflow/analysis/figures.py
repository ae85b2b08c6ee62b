"""Figures of a table's cells: a panel per cell, both arms in it, in the order of the paper's tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_sparseflow.analysis.cells import arrange, cell_columns, require_columns
from keras_sparseflow.analysis.pairs import mean_by_width
from keras_sparseflow.analysis.panels import (
    draw_arms,
    draw_grid,
    figure_bytes,
    finish,
    mark_diverged,
    styled,
)

__all__ = ["accuracy_by_width", "figure_bytes", "flow_by_width", "flow_over_epochs", "flow_per_layer"]

FLOW_NAMES = {
    "egf_1": "EGF (1-norm)",
    "egf_2": "EGF (2-norm)",
    "grad_norm_1": "gradient 1-norm",
    "grad_norm_2": "gradient 2-norm",
}


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
    label = f"{value.replace('_', ' ').capitalize()} (fraction)" if "accuracy" in value else _words(value)
    return _by_width(results, value, label, log=False)


@styled
def flow_by_width(results: pd.DataFrame, measure: str = "egf_2") -> Figure:
    """Returns both arms' average gradient flow against dense width, drawn as `accuracy_by_width` is.

    The scale is logarithmic where the means span more than a factor of ten.
    """
    return _by_width(results, measure, f"Average {_words(measure)}", log=True)


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
    finish(figure, "Epoch (the first is 0)", _words(measure), log=_spans_decades(lines["mean"]))
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
    finish(figure, "Layer, from input to output", _words(measure), log=_spans_decades(lines["mean"]))
    return figure


def _by_width(results: pd.DataFrame, value: str, label: str, log: bool) -> Figure:
    cell = cell_columns(results)
    placed = arrange(results, cell)
    figure, panels = draw_grid(placed)
    table = arrange(mean_by_width(results, value), cell)
    table = table.rename(columns={"min": "low", "max": "high"})
    widths = sorted(table["dense_width"].unique())
    for panel, axes in panels.items():
        lines = _select(table, panel)
        draw_arms(axes, lines, "dense_width")
        mark_diverged(axes, lines, nudge=0.012 * (max(widths) - min(widths)))
        axes.set_xticks(_readable(widths))
        margin = 0.06 * (max(widths) - min(widths)) or 1.0
        axes.set_xlim(min(widths) - margin, max(widths) + margin)
    finish(figure, "Dense width (units)", label, log and _spans_decades(table["mean"]))
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


def _spans_decades(values: pd.Series) -> bool:
    values = values[np.isfinite(values)]
    return len(values) > 0 and bool(values.min() > 0) and bool(values.max() > 10 * values.min())


def _readable(widths: Sequence[int]) -> list[int]:
    """Returns the widths to label: all, or, where two would touch, those a label's breadth apart."""
    room = 0.12 * (max(widths) - min(widths))
    kept = [widths[0]]
    for width in widths[1:]:
        if width - kept[-1] >= room:
            kept.append(width)
    return kept


def _words(measure: str) -> str:
    return FLOW_NAMES.get(measure, measure.replace("_", " "))
