"""Variants at a glance: both arms' means beside each other, with their uncertainty and every run."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_sparseflow.analysis.colours import ARM_STYLES
from keras_sparseflow.analysis.frames.cells import arrange, columns_in_order, require_columns
from keras_sparseflow.analysis.frames.labels import value_label
from keras_sparseflow.analysis.frames.pairs import ARMS
from keras_sparseflow.analysis.frames.readings import reading_of
from keras_sparseflow.analysis.panels import (
    cross_at_edge,
    finish,
    make_grid,
    require_finite,
    require_one_table,
    styled,
)
from keras_sparseflow.analysis.scales import scale_decades, spans_decades
from keras_sparseflow.analysis.statistics.intervals import bootstrap_by

_LEGEND = (*ARMS, *(f"{arm}: diverged" for arm in ARMS))
_OFFSET = {"sparse": -0.18, "dense": 0.18}


@styled
def accuracy_by_variant(results: pd.DataFrame, value: str = "test_accuracy") -> Figure:
    """Returns both arms' mean over widths and seeds, a line per variant and a panel per optimizer.

    The bar is the 95% bootstrap interval of the mean, each faint dot a run. Where activations were
    varied, the lines are the activations. Diverged runs are no part of the means; a cross at the left
    edge says that there were some.

    Args:
        results: the runs of one table (one dataset, depth, learning rate and activation).
        value: the column to draw.

    Raises:
        NotApplicableError: no run that did not diverge has a finite `value`.
        ValueError: `results` is empty or holds several tables, or has no such column.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> figure = accuracy_by_variant(read_results("runs/demo"))
        >>> [axes.get_title() for axes in figure.axes]
        ['adam']
    """
    return _by_variant(results, value, log=False)


@styled
def flow_by_variant(results: pd.DataFrame, measure: str = "egf_2") -> Figure:
    """Returns both arms' average gradient flow, drawn as `accuracy_by_variant` is.

    The scale is logarithmic where the runs span more than a factor of ten.

    Args:
        results: the runs of one table (one dataset, depth, learning rate and activation).
        measure: the flow measure to draw, a column of the results.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> figure = flow_by_variant(read_results("runs/demo"))
        >>> [axes.get_title() for axes in figure.axes]
        ['adam']
    """
    return _by_variant(results, measure, log=True)


def _by_variant(results: pd.DataFrame, value: str, log: bool) -> Figure:
    require_columns(results, ["arm", "diverged", value])
    placed = arrange(results)
    require_one_table(placed)
    placed["value"] = pd.to_numeric(placed[value]).astype(float).mask(placed["diverged"].astype(bool))
    placed["value"] = placed["value"].where(np.isfinite(placed["value"]))
    require_finite(placed["value"], value)
    names = columns_in_order(placed)
    means = bootstrap_by(placed, ["row", "column", "arm"], "value")
    rows = list(placed["row"].unique())
    figure, panels = make_grid(
        [""],
        rows,
        [("", row) for row in rows],
        panel_size=(3.1 if len(rows) <= 3 else 2.4, 0.32 * len(names) + 0.5),
        title=lambda _, row: row,
    )
    for (_, row), axes in panels.items():
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        for arm in ARMS:
            runs = placed[(placed["row"] == row) & (placed["arm"] == arm)]
            _draw_runs(axes, runs, means[(means["row"] == row) & (means["arm"] == arm)], names, arm)
        if log and spans_decades(placed["value"]):
            scale_decades(axes, "x")
    finish(figure, value_label(value, reading_of(results)), "", _LEGEND)
    return figure


def _draw_runs(axes: Axes, runs: pd.DataFrame, means: pd.DataFrame, names: list[str], arm: str) -> None:
    if runs.empty:
        return
    color, marker = ARM_STYLES[arm]["color"], ARM_STYLES[arm]["marker"]

    def height(frame: pd.DataFrame) -> pd.Series:
        return frame["column"].map(names.index).astype(float) + _OFFSET[arm]

    axes.plot(runs["value"], height(runs), ".", color=color, alpha=0.3, markersize=4, markeredgewidth=0)
    axes.hlines(height(means), means["low"], means["high"], color=color, linewidth=1.6)
    axes.plot(means["mean"], height(means), linestyle="none", marker=marker, color=color, markersize=5, label=arm)
    lost = runs[runs["diverged"].astype(bool)].drop_duplicates("column")
    cross_at_edge(axes, height(lost), color, f"{arm}: diverged", edge="left")
