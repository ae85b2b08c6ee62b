"""Panels: the grid of small figures that every figure here is, its style, its axes and its legend.

Figures are drawn with matplotlib's own defaults and the style below, whatever the user's settings are,
and nothing of pyplot's global state is touched: the same data give the same bytes.
"""

import functools
import io
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_sparseflow.analysis.colours import ARM_STYLES, FAINT, INK
from keras_sparseflow.analysis.frames.cells import PLACE, columns_in_order, require_columns

__all__ = ["ARM_STYLES", "FAINT", "INK", "NotApplicableError", "figure_bytes"]

_STYLE: list[Any] = [
    "default",
    {
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "axes.axisbelow": True,
        "axes.edgecolor": FAINT,
        "axes.grid": True,
        "axes.labelcolor": INK,
        "axes.labelsize": 9,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": INK,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "font.size": 9,
        "grid.color": FAINT,
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "lines.linewidth": 1.6,
        "lines.markersize": 4.5,
        "svg.hashsalt": "keras_sparseflow",
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
    },
]
Share = Literal["none", "all", "row", "col"]
_BOLD_LETTER = 0.095  # inches, about the mean breadth of a letter of a panel's title
_LEGEND_LINE = 0.2  # inches; two lines have their place beside the panels
_LETTER, _HANDLE = 0.075, 0.65  # inches, of a letter of the legend and of a line and the space beside it


class NotApplicableError(ValueError):
    """The data hold nothing that this figure could show: no such measure, or no run that did not diverge."""


def styled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `function`, run under the style of this module whatever the user's own is."""

    @functools.wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with matplotlib.style.context(_STYLE, after_reset=True):
            return function(*args, **kwargs)

    return inside


@styled
def figure_bytes(figure: Figure, format: str = "svg", dpi: int = 150) -> bytes:
    """Returns the figure as a file's content, the same for the same figure.

    Args:
        figure: any matplotlib figure.
        format: "svg" (no date, no version in it) or "png" (on white).
        dpi: dots per inch of a PNG.

    Example:
        >>> figure_bytes(Figure(figsize=(1, 1)), "png")[1:4]
        b'PNG'
    """
    if format not in ("svg", "png"):
        raise ValueError(f"`format` must be 'svg' or 'png'; received {format!r}.")
    content = io.BytesIO()
    if format == "svg":
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(content, format="svg", metadata=nothing)
    else:
        figure.savefig(content, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return content.getvalue()


def require_one_table(placed: pd.DataFrame, argument: str = "results") -> None:
    """Raises a ValueError unless the rows, placed by `arrange`, are those of one table."""
    require_columns(placed, PLACE, argument)
    tables = placed["table"].unique()
    if len(tables) != 1:
        raise ValueError(
            f"`{argument}` must hold the runs of one dataset, depth, learning rate and activation; received "
            f"{len(tables)} tables{': ' if len(tables) else ''}{'; '.join(tables)}. Select one of them."
        )


def require_finite(values: Any, value: str) -> None:
    """Raises a NotApplicableError unless at least one of the values, those of runs that did not diverge, is finite."""
    if not np.isfinite(np.asarray(values, float)).any():
        raise NotApplicableError(
            f"`results` must hold a finite {value!r} of a run that did not diverge; received {len(values)} rows "
            "without one."
        )


def draw_grid(placed: pd.DataFrame) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """Returns a figure and its panels by (row, column); a combination that was not run has none."""
    require_one_table(placed)
    rows, columns = list(placed["row"].unique()), columns_in_order(placed)
    present = set(zip(placed["row"], placed["column"], strict=True))
    width = 3.1 if len(columns) <= 3 else 2.4
    return make_grid(rows, columns, present, (width, 2.2), share_x="all", share_y="row")


def make_grid(
    rows: Sequence[Any],
    columns: Sequence[Any],
    present: Iterable[tuple[Any, Any]],
    panel_size: tuple[float, float],
    share_x: Share = "all",
    share_y: Share = "all",
    title: Callable[[Any, Any], str] = lambda row, column: f"{row}, {column}",
) -> tuple[Figure, dict[tuple[Any, Any], Axes]]:
    """Returns a figure and its panels by (row, column), titled, for the combinations that are `present`.

    Args:
        rows: what the rows of panels stand for, from above.
        columns: what the columns stand for, from the left.
        present: the combinations to draw; the places of others stay empty.
        panel_size: breadth and height of a panel in inches.
        share_x: as in matplotlib's `subplots`; shared axes are labelled at the edge of the grid.
        share_y: likewise.
        title: of a panel; broken into lines where it is broader than the panel.
    """
    width, height = panel_size
    size = (max(width * len(columns), 4.2) + 0.5, height * len(rows) + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), len(columns), sharex=share_x, sharey=share_y, squeeze=False)
    present = set(present)
    letters = int((size[0] - 0.5) / len(columns) / _BOLD_LETTER)
    panels = {}
    for (i, row), (j, column) in ((r, c) for r in enumerate(rows) for c in enumerate(columns)):
        axes = grid[i, j]
        if (row, column) not in present:
            axes.set_axis_off()
            continue
        axes.set_title(wrapped(title(row, column), letters))
        # The edge of the grid is not reached by every row and column.
        if share_y in ("all", "row"):
            axes.tick_params(which="both", labelleft=all((row, left) not in present for left in columns[:j]))
        if share_x in ("all", "col"):
            axes.tick_params(which="both", labelbottom=all((below, column) not in present for below in rows[i + 1 :]))
        panels[row, column] = axes
    return figure, panels


def wrapped(text: str, letters: int) -> str:
    """Returns the text in lines of at most that many letters, unless a word is longer."""
    return textwrap.fill(text, max(letters, 8), break_long_words=False, break_on_hyphens=False)


def draw_arms(axes: Axes, lines: pd.DataFrame, x: str) -> None:
    """Draws each arm's `mean` against `x`, in a band from `low` to `high`."""
    for arm, style in ARM_STYLES.items():
        draw_line(axes, lines[lines["arm"] == arm], x, arm, style)


def draw_line(
    axes: Axes, line: pd.DataFrame, x: str, label: str, style: Mapping[str, Any], opacity: float = 0.18
) -> None:
    """Draws `mean` against `x`, in a band from `low` to `high`; points that are not finite are left out."""
    line = line[np.isfinite(line["mean"])].sort_values(x)
    if line.empty:
        return
    axes.fill_between(line[x], line["low"], line["high"], color=style["color"], alpha=opacity, linewidth=0)
    axes.plot(line[x], line["mean"], label=label, **style)


def cross_at_edge(
    axes: Axes, positions: Any, color: str, label: str, edge: str = "bottom", offset: float = 0.0
) -> None:
    """Marks runs that diverged: a cross at each position along the panel's "bottom", or along its "left" edge.

    Args:
        axes: the panel.
        positions: where along the edge, in data coordinates.
        color: of the crosses.
        label: their name in the legend.
        edge: "bottom" or "left".
        offset: how much farther from the edge, as a fraction of the panel.
    """
    if not len(positions):
        return
    away = np.full(len(positions), 0.04 + offset)
    x, y = (positions, away) if edge == "bottom" else (away, positions)
    place = axes.get_xaxis_transform() if edge == "bottom" else axes.get_yaxis_transform()
    axes.plot(x, y, linestyle="none", marker="x", color=color, transform=place, label=label)


def finish(figure: Figure, x_label: str, y_label: str, order: Sequence[str] = ()) -> None:
    """Labels the axes and adds one legend, above all panels, of what was drawn in any of them.

    Args:
        figure: a figure from `make_grid`, drawn.
        x_label: for all panels.
        y_label: for all panels.
        order: the names that stand first in the legend, where they were drawn; others follow as drawn.
    """
    figure.supxlabel(x_label, fontsize=9)
    figure.supylabel(y_label, fontsize=9)
    handles: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    names = [*(name for name in order if name in handles), *(name for name in handles if name not in order)]
    if names:
        breadth = max(map(len, names)) * _LETTER + _HANDLE
        lines = math.ceil(len(names) / max(int(figure.get_figwidth() / breadth), 1))
        columns = math.ceil(len(names) / lines)
        figure.set_figheight(figure.get_figheight() + max(lines - 2, 0) * _LEGEND_LINE)
        figure.legend([handles[name] for name in names], names, loc="outside upper center", ncols=columns)
