"""The table of p-values as a picture: the paper's rows, columns and colours."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from keras_sparseflow.analysis.colours import ON_COLOUR, p_colour
from keras_sparseflow.analysis.frames.cells import columns_in_order, require_columns
from keras_sparseflow.analysis.panels import NotApplicableError, require_one_table, styled
from keras_sparseflow.analysis.statistics.signed_rank import ALPHA

_CELL = (0.95, 0.55)  # inches


@styled
def p_value_heatmap(comparison: pd.DataFrame, alpha: float = ALPHA) -> Figure:
    """Returns the p-values of one table as coloured cells: a row per optimizer, a column per variant.

    Colours are the paper's, from green (0, sparse is likely better) over yellow (0.5) to red (1). As not
    everyone tells red from green, each cell prints its p-value too, and one below `alpha` is bold and
    framed. The published p-value stands beneath where `published_p` has one, with a star
    where the paper does not say for which variant. A cell without a p-value
    holds a dash; one that is not part of the study is empty.

    Args:
        comparison: what `compare_arms` returns, placed by `arrange`, with or without `published_p` and
            `published_assumed`: the rows of one table.
        alpha: significance level in (0, 1).

    Raises:
        NotApplicableError: no cell has a p-value, which takes a complete pair.
        ValueError: `comparison` is empty, holds several tables, or lacks a column.

    Example:
        >>> from keras_sparseflow.analysis import arrange, compare_arms
        >>> from keras_sparseflow.records import read_results
        >>> figure = p_value_heatmap(arrange(compare_arms(read_results("runs/demo"))))
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['adam']

    References:
        Tessera, Hooker, Rosman 2021, tables 3 to 6.
    """
    require_one_table(comparison, "comparison")
    require_columns(comparison, ["p_value"], "comparison")
    if comparison["p_value"].isna().all():
        raise NotApplicableError(
            f"`comparison` must hold a p-value; received {len(comparison)} cells without a complete pair."
        )
    rows, columns = list(comparison["row"].unique()), columns_in_order(comparison)
    size = (_CELL[0] * len(columns) + 1.6, _CELL[1] * len(rows) + 1.5)
    figure = Figure(figsize=(max(size[0], 4.2), size[1]), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xticks(range(len(columns)), [_broken(name) for name in columns])
    axes.set_yticks(range(len(rows)), [row.replace(", ", "\n") for row in rows])
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    for cell in comparison.to_dict("records"):
        _draw_cell(axes, columns.index(cell["column"]), rows.index(cell["row"]), cell, alpha)
    _add_scale(figure, axes, note="* its variant is not published" if _any_assumed(comparison) else "")
    return figure


def _draw_cell(axes: Axes, x: int, y: int, cell: Mapping[Hashable, Any], alpha: float) -> None:
    p_value, published = cell["p_value"], cell.get("published_p", np.nan)
    if pd.isna(p_value):
        axes.text(x, y, "\N{EN DASH}", ha="center", va="center")
        return
    axes.add_patch(Rectangle((x - 0.47, y - 0.46), 0.94, 0.92, facecolor=p_colour(p_value), edgecolor="none"))
    significant = p_value < alpha
    if significant:
        axes.add_patch(Rectangle((x - 0.44, y - 0.41), 0.88, 0.82, fill=False, edgecolor=ON_COLOUR, linewidth=1.4))
    centred: dict[str, Any] = {"ha": "center", "va": "center", "color": ON_COLOUR}
    beneath = not pd.isna(published)
    weight = "bold" if significant else "normal"
    axes.text(x, y - 0.13 * beneath, _printed(p_value), size=10, weight=weight, **centred)
    if beneath:
        star = "*" if cell.get("published_assumed", False) else ""
        axes.text(x, y + 0.2, f"paper {_printed(published)}{star}", size=7, **centred)


def _add_scale(figure: Figure, axes: Axes, note: str) -> None:
    colours = ListedColormap([p_colour(share) for share in np.linspace(0, 1, 256)])
    mappable = ScalarMappable(Normalize(0, 1), colours)
    bar = figure.colorbar(mappable, ax=axes, location="bottom", shrink=0.85, aspect=28, pad=0.06, ticks=[0, 0.5, 1])
    bar.set_ticklabels(["0: likely\nsparse better", "p = 0.5:\nneither", "1: sparse\nnot better"])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.set_label(note, size=7)


def _any_assumed(comparison: pd.DataFrame) -> bool:
    return "published_assumed" in comparison and bool(comparison["published_assumed"].any())


def _printed(p_value: float) -> str:
    return "<0.001" if p_value < 0.0005 else f"{p_value:.3f}"


def _broken(name: str) -> str:
    """Returns a long variant's name in two lines, broken where the halves are nearest to equal."""
    if len(name) <= 8:
        return name
    breaks = [index for index, letter in enumerate(name) if letter == "_"]
    if not breaks:
        return name
    middle = min(breaks, key=lambda index: abs(index - len(name) / 2))
    return f"{name[: middle + 1]}\n{name[middle + 1 :]}"
