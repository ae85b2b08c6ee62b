"""Against dense width: each cell with both arms in it, or, as in the paper, each arm with all variants in it."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_sparseflow.analysis.colours import ARM_STYLES, line_styles
from keras_sparseflow.analysis.frames.cells import arrange, cell_columns, columns_in_order
from keras_sparseflow.analysis.frames.labels import flow_name, value_label
from keras_sparseflow.analysis.frames.pairs import ARMS, mean_by_width
from keras_sparseflow.analysis.frames.readings import reading_of
from keras_sparseflow.analysis.panels import (
    cross_at_edge,
    draw_arms,
    draw_grid,
    draw_line,
    finish,
    make_grid,
    require_finite,
    require_one_table,
    styled,
)
from keras_sparseflow.analysis.scales import label_widths, scale_decades, spans_decades

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
        NotApplicableError: no run that did not diverge has a finite `value`.
        ValueError: `results` is empty or holds several tables.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> figure = accuracy_by_width(read_results("runs/demo"))
        >>> [axes.get_title() for axes in figure.axes]
        ['adam, NR', 'adam, BN']
    """
    return _by_width(results, value, value_label(value), log=False)


@styled
def flow_by_width(results: pd.DataFrame, measure: str = "egf_2") -> Figure:
    """Returns both arms' average gradient flow against dense width, drawn as `accuracy_by_width` is.

    The scale is logarithmic where the means span more than a factor of ten.

    Args:
        results: the runs of one table (one dataset, depth, learning rate and activation).
        measure: the flow measure to draw, a column of the results.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> figure = flow_by_width(read_results("runs/demo"))
        >>> [axes.get_title() for axes in figure.axes]
        ['adam, NR', 'adam, BN']
    """
    return _by_width(results, measure, f"Average {flow_name(measure, reading_of(results))}", log=True)


@styled
def variants_by_width(results: pd.DataFrame, value: str = "test_accuracy") -> Figure:
    """Returns a value against dense width: a line per variant, a column of panels per optimizer, a row per arm.

    Each line is the mean over the seeds, in a band from the lowest to the highest. All panels share one
    scale, so that arms and optimizers can be compared; other than for an accuracy it is logarithmic where
    the means span more than a factor of ten. Where activations were varied, the lines are the activations.
    A cross at the foot of a panel marks a width at which runs of that variant diverged; those are no part
    of mean and band.

    Args:
        results: the runs of one table (one dataset, depth, learning rate and activation).
        value: the column to draw: an accuracy, a loss or a flow measure.

    Raises:
        NotApplicableError: no run that did not diverge has a finite `value`.
        ValueError: `results` is empty or holds several tables, or has no such column.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> figure = variants_by_width(read_results("runs/demo"))
        >>> len(figure.axes)
        2

    References:
        Tessera, Hooker, Rosman 2021, figures 2, 3, 8 to 13 and 15 to 23.
    """
    table = arrange(mean_by_width(results, value), cell_columns(results))
    require_one_table(table)
    require_finite(table["mean"], value)
    names = columns_in_order(table)
    arms = [arm for arm in ARMS if (table["arm"] == arm).any()]
    figure, panels = make_grid(
        arms,
        list(table["row"].unique()),
        zip(table["arm"], table["row"], strict=True),
        panel_size=(3.1 if table["row"].nunique() <= 3 else 2.5, 2.5),
        title=lambda arm, row: f"{row}, {arm}",
    )
    for (arm, row), axes in panels.items():
        _draw_variants(axes, table[(table["arm"] == arm) & (table["row"] == row)], names)
        label_widths(axes, list(table["dense_width"].unique()))
        if not value.endswith("accuracy") and spans_decades(table["mean"]):
            scale_decades(axes, "y")
    finish(figure, _width_label(table), value_label(value, reading_of(results)), names)
    return figure


def _by_width(results: pd.DataFrame, value: str, label: str, log: bool) -> Figure:
    cell = cell_columns(results)
    placed = arrange(results, cell)
    figure, panels = draw_grid(placed)
    table = arrange(mean_by_width(results, value), cell)
    require_finite(table["mean"], value)
    table = table.rename(columns={"min": "low", "max": "high"})
    widths = sorted(table["dense_width"].unique())
    nudge = 0.012 * (max(widths) - min(widths)) or 0.03
    for panel, axes in panels.items():
        lines = table[(table["row"] == panel[0]) & (table["column"] == panel[1])]
        draw_arms(axes, lines, "dense_width")
        for arm, side in zip(ARMS, (-nudge, nudge), strict=True):
            lost = lines.loc[(lines["arm"] == arm) & (lines["diverged"] > 0), "dense_width"]
            cross_at_edge(axes, lost + side, ARM_STYLES[arm]["color"], f"{arm}: diverged")
        label_widths(axes, widths)
        if log and spans_decades(table["mean"]):
            scale_decades(axes, "y")
    finish(figure, _width_label(table), label, _LEGEND)
    return figure


def _draw_variants(axes: Axes, lines: pd.DataFrame, names: list[str]) -> None:
    lines = lines.rename(columns={"min": "low", "max": "high"})
    styles = line_styles(names)
    step = 0.05 * (lines["dense_width"].max() - lines["dense_width"].min()) / len(names) or 0.1 / len(names)
    for index, name in enumerate(names):
        line = lines[lines["column"] == name]
        draw_line(axes, line, "dense_width", name, styles[name], opacity=0.12)
        lost = line.loc[line["diverged"] > 0, "dense_width"]
        side = (index - (len(names) - 1) / 2) * step
        cross_at_edge(axes, lost + side, styles[name]["color"], f"{name}: diverged")


def _width_label(table: pd.DataFrame) -> str:
    """Returns the label of the axis: perceptrons have a width in units, other networks a factor of their channels."""
    whole = (table["dense_width"] % 1 == 0).all()
    return "Dense width (units)" if whole else "Dense width (times the base's channels)"
