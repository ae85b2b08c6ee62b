"""The table of p-values as a picture: the paper's rows and columns, in colours that everyone can tell apart."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from keras_sparseflow.analysis.figures.drawing.colours import ON_COLOUR, p_colour
from keras_sparseflow.analysis.figures.drawing.facets import Facets, NotApplicableError
from keras_sparseflow.analysis.figures.drawing.marks import explain
from keras_sparseflow.analysis.figures.drawing.scales import Scale
from keras_sparseflow.analysis.figures.gallery import figure
from keras_sparseflow.analysis.figures.placing import require_one_table
from keras_sparseflow.analysis.frames.cells import PLACE, columns_in_order, require_columns
from keras_sparseflow.analysis.statistics.signed_rank import ALPHA

_CELL = (0.95, 0.55)  # inches
_COLOURS = {
    0.0: "0: sparse ranks above dense",
    0.25: "0.25",
    0.5: "0.5: neither",
    0.75: "0.75",
    1.0: "1: dense ranks above sparse",
}


@figure(
    "tests",
    "p_values",
    "p-values",
    "One-tailed Wilcoxon signed-rank test of each cell, not corrected, as in the paper: blue (p near 0) where sparse "
    "ranks above dense, orange (p near 1) where dense ranks above sparse; bold and framed where p < 0.05.",
)
def p_value_heatmap(comparison: pd.DataFrame, alpha: float = ALPHA) -> Facets:
    """Returns the p-values of one table as coloured cells: a row per optimizer, a column per variant.

    The p-values are one-tailed and not corrected. Colours go from blue (0: sparse ranks above dense) over white (0.5)
    to orange (1: dense ranks above sparse). A p-value below `alpha` is bold and framed. The published p-value stands
    beneath where `published_p` has one, with a star where the paper does not say for which variant. A cell without a
    p-value holds a dash; one that is not part of the study is empty.

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
    require_columns(comparison, PLACE, "comparison")
    require_one_table(comparison, "comparison")
    require_columns(comparison, ["p_value"], "comparison")
    if comparison["p_value"].isna().all():
        raise NotApplicableError(
            f"`comparison` must hold a p-value; received {len(comparison)} cells without a complete pair."
        )
    rows, columns = list(comparison["row"].unique()), columns_in_order(comparison)
    assumed = "published_assumed" in comparison and bool(comparison["published_assumed"].any())
    drawn = Facets(
        [""], [""], [("", "")],
        _names(columns, (-0.5, len(columns) - 0.5), _broken), _names(rows, (len(rows) - 0.5, -0.5), _in_lines),
        ("* its variant is not published" if assumed else "", ""),
        height=_CELL[1] * len(rows), broadest=max(_CELL[0] * len(columns), 3.0), title=lambda *_: "",
    )  # fmt: skip
    (axes,) = drawn.panels.values()
    for line in list(axes.lines):
        line.remove()  # the grid
    axes.spines[:].set_visible(False)
    for cell in comparison.to_dict("records"):
        _draw_cell(axes, columns.index(cell["column"]), rows.index(cell["row"]), cell, alpha)
    for p_value, words in _COLOURS.items():
        explain(drawn, words, {"marker": "s", "markersize": 10, "color": p_colour(p_value)})
    return drawn.finish()


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


def _names(names: list[str], ends: tuple[float, float], broken: Any) -> Scale:
    labels = tuple(broken(name) for name in names)
    return Scale(ends, tuple(map(float, range(len(names)))), labels, names=tuple(names))


def _printed(p_value: float) -> str:
    return "<0.001" if p_value < 0.0005 else f"{p_value:.3f}"


def _in_lines(name: str) -> str:
    return name.replace(", ", "\n")


def _broken(name: str) -> str:
    """Returns a long variant's name in two lines, broken where the halves are nearest to equal."""
    breaks = [index for index, letter in enumerate(name) if letter == "_"]
    if len(name) <= 8 or not breaks:
        return name
    middle = min(breaks, key=lambda index: abs(index - len(name) / 2))
    return f"{name[: middle + 1]}\n{name[middle + 1 :]}"
