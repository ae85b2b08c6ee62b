"""Against density, as in figures 4, 5 and 24 of the paper: variants beside each other, and methods."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_sparseflow.analysis.colours import line_styles
from keras_sparseflow.analysis.frames.cells import require_columns
from keras_sparseflow.analysis.frames.densities import arrange_densities, dense_levels, mean_by_density, one_run_each
from keras_sparseflow.analysis.frames.labels import value_label
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.frames.readings import reading_of
from keras_sparseflow.analysis.panels import (
    NotApplicableError,
    cross_at_edge,
    draw_line,
    finish,
    make_grid,
    require_finite,
    styled,
)
from keras_sparseflow.analysis.scales import label_densities, scale_decades, spans_decades

_MANY = 4
"""More lines than these want a larger panel, and more panels in a single row are folded."""

_FOLDED = 3
"""Panels beside each other where many of one row are folded."""

_WIDE = (6.2, 3.8)


@styled
def variants_by_density(results: pd.DataFrame, value: str = "test_accuracy") -> Figure:
    """Returns a value against density: a line per variant, a column of panels per optimizer, a row per method.

    A line is the mean over the seeds, its band the 95% bootstrap interval of that mean (of three seeds,
    their range), each dot a run. A thin dotted line continues the level of the dense network, of density 1,
    where one was trained. All panels share their scales; that of values other than an accuracy is
    logarithmic where the means span more than a factor of ten. A cross at the foot of a panel marks a
    density at which runs of that variant diverged; those are no part of mean, band and dots.

    Args:
        results: the runs of one table of a density study.
        value: the column to draw: an accuracy, a loss or a flow measure.

    Raises:
        NotApplicableError: no run that did not diverge has a finite `value`; or there is one variant of many methods,
            which `methods_by_density` shows beside each other.
        ValueError: `results` is empty or holds several tables, or has no such column.

    Example:
        >>> frame = pd.DataFrame({"dataset": "cifar100", "model": "wide_resnet", "depth": 28, "width": 10,
        ...                       "learning_rate": 0.1, "activation": "relu", "variant": "NR", "optimizer": "sgd",
        ...                       "method": "random", "density": [0.1, 1.0], "seed": 0,
        ...                       "test_accuracy": [0.5, 0.75], "diverged": False})
        >>> [axes.get_title() for axes in variants_by_density(frame).axes]
        ['sgd, random masks']

    References:
        Tessera, Hooker, Rosman 2021, figures 4, 5 and 24.
    """
    require_columns(results, ["method"])
    if results["method"].nunique() > _MANY and arrange_densities(results)["line"].nunique() == 1:
        raise NotApplicableError("`results` must hold several variants of so many methods; received one.")
    return _by_density(results, value, rows="method", columns="panel", lines="line")


@styled
def methods_by_density(results: pd.DataFrame, value: str = "test_accuracy") -> Figure:
    """Returns a value against density: a line per method, a column of panels per variant, a row per optimizer.

    Arguments, errors and everything else are those of `variants_by_density`.

    Raises:
        NotApplicableError: there is only one method, or no run that did not diverge has a finite `value`.

    Example:
        >>> frame = pd.DataFrame({"dataset": "cifar100", "model": "wide_resnet", "depth": 28, "width": 10,
        ...                       "learning_rate": 0.1, "activation": "relu", "variant": "NR", "optimizer": "sgd",
        ...                       "method": ["random", "magnitude"], "density": 0.1, "seed": 0,
        ...                       "test_accuracy": [0.5, 0.75], "diverged": False})
        >>> figure = methods_by_density(frame)
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['random masks', 'magnitude pruning']
    """
    require_columns(results, ["method"])
    if results["method"].nunique() == 1:
        raise NotApplicableError(
            f"`results` must hold several methods to compare; received {results['method'].iloc[0]!r} alone."
        )
    return _by_density(results, value, rows="panel", columns="line", lines="method")


def require_one_density_table(placed: pd.DataFrame) -> None:
    """Raises a ValueError unless the rows, placed by `arrange_densities`, are those of one table."""
    tables = placed["table"].unique()
    if len(tables) != 1:
        raise ValueError(
            "`results` must hold the runs of one dataset, architecture and training; received "
            f"{len(tables)} tables{': ' if len(tables) else ''}{'; '.join(tables)}. Select one of them."
        )


def _by_density(results: pd.DataFrame, value: str, rows: str, columns: str, lines: str) -> Figure:
    placed = _in_words(one_run_each(arrange_densities(results)))
    require_one_density_table(placed)
    means = mean_by_density(results, value).rename(columns={"ci_low": "low", "ci_high": "high"})
    require_finite(means["mean"], value)
    levels, means = _in_words(dense_levels(means)), _in_words(means)
    names = list(placed[lines].unique())
    figure, panels = _panels(placed, rows, columns, many=len(names) > _MANY)
    for (row, column), axes in panels.items():
        inside = {
            name: frame[(frame[rows] == row) & (frame[columns] == column)]
            for name, frame in (("means", means), ("runs", placed), ("levels", levels))
        }
        _draw_lines(axes, **inside, value=value, by=lines, names=names)
        label_densities(axes, list(placed["density"].unique()))
        if not value.endswith("accuracy") and spans_decades(means["mean"]):
            scale_decades(axes, "y")
    finish(figure, "Density (share of weights that are active)", value_label(value, reading_of(results)), names)
    return figure


def _panels(placed: pd.DataFrame, rows: str, columns: str, many: bool) -> tuple[Figure, dict[Any, Axes]]:
    """Returns a figure and its panels by (row, column); where there is one row of many panels, it is folded."""
    down, across = list(placed[rows].unique()), list(placed[columns].unique())
    present = dict.fromkeys(zip(placed[rows], placed[columns], strict=True))
    width = 3.4 if len(across) <= _FOLDED else 2.6

    def title(row: str, column: str) -> str:
        return ", ".join([column, row] if rows == "method" else [row, column])

    if len(down) > 1 or len(across) <= _MANY:
        size = _WIDE if len(across) == 1 and many else (width, 2.6)
        return make_grid(down, across, present, size, title=title)
    places = {divmod(place, _FOLDED): names for place, names in enumerate(present)}
    figure, panels = make_grid(
        range(-(-len(places) // _FOLDED)), range(_FOLDED), places, (3.4, 2.6), title=lambda *at: title(*places[at])
    )
    return figure, {places[at]: axes for at, axes in panels.items()}


def _in_words(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(method=frame["method"].map(method_name))


def _draw_lines(
    axes: Axes,
    means: pd.DataFrame,
    runs: pd.DataFrame,
    levels: pd.DataFrame,
    value: str,
    by: str,
    names: Sequence[str],
) -> None:
    styles = line_styles(names)
    trained = runs[~runs["diverged"].astype(bool)]
    for index, name in enumerate(names):
        style, line, dots = styles[name], means[means[by] == name], trained[trained[by] == name]
        for level in levels.loc[levels[by] == name, "mean"]:
            axes.axhline(level, color=style["color"], linestyle=":", linewidth=0.8, alpha=0.6, zorder=1)
        draw_line(axes, line, "density", name, style, opacity=0.12)
        values = pd.to_numeric(dots[value]).astype(float)
        axes.plot(dots["density"], values, ".", color=style["color"], alpha=0.4, markersize=3, markeredgewidth=0)
        _mark_lost(axes, line, style, name, aside=(index - (len(names) - 1) / 2) / len(names))


def _mark_lost(axes: Axes, line: pd.DataFrame, style: Mapping[str, Any], name: str, aside: float) -> None:
    lost = line.loc[line["diverged"] > 0, "density"]
    cross_at_edge(axes, lost * 10 ** (0.12 * aside), style["color"], f"{name}: diverged")
