"""Panels: the grid of small figures that every figure here is, its style, and how an arm is drawn.

Figures are drawn with matplotlib's own defaults and the style below, whatever the user's settings are,
and nothing of pyplot's global state is touched: the same data give the same bytes.
"""

import functools
import io
from collections.abc import Callable
from typing import Any

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogFormatter

from keras_sparseflow.analysis.cells import columns_in_order
from keras_sparseflow.analysis.pairs import ARMS

INK, FAINT = "#1f2429", "#d5d9de"
ARM_STYLES: dict[str, dict[str, Any]] = {
    "sparse": {"color": "#0072b2", "linestyle": "-", "marker": "o"},
    "dense": {"color": "#d55e00", "linestyle": "--", "marker": "s"},
}
"""Okabe and Ito's blue and vermilion, told apart by line and marker too."""

_STYLE: list[Any] = [
    "default",
    {
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
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


class _BetweenDecades(LogFormatter):
    """Labels for ticks between decades, where there is room for them: 0.02, not 2e-02."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


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


def draw_grid(placed: pd.DataFrame) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """Returns a figure and its panels by (row, column); a combination that was not run has none."""
    tables = placed["table"].unique()
    if len(tables) != 1:
        raise ValueError(
            "`results` must hold the runs of one dataset, depth, learning rate and activation; received "
            f"{len(tables)} tables{': ' if len(tables) else ''}{'; '.join(tables)}. Select one of them."
        )
    rows, columns = list(placed["row"].unique()), columns_in_order(placed)
    width = 3.1 if len(columns) <= 3 else 2.4
    size = (max(width * len(columns), 4.2) + 0.5, 2.2 * len(rows) + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), len(columns), sharex=True, sharey="row", squeeze=False)
    run = set(zip(placed["row"], placed["column"], strict=True))
    panels = {}
    for (i, row), (j, column) in ((r, c) for r in enumerate(rows) for c in enumerate(columns)):
        axes = grid[i, j]
        if (row, column) not in run:
            axes.set_axis_off()
            continue
        axes.set_title(f"{row}, {column}")
        # Shared axes are labelled at the edge of the grid, which a row or column may not reach.
        axes.tick_params(which="both", labelleft=all((row, left) not in run for left in columns[:j]))
        axes.tick_params(labelbottom=all((below, column) not in run for below in rows[i + 1 :]))
        panels[row, column] = axes
    return figure, panels


def draw_arms(axes: Axes, lines: pd.DataFrame, x: str) -> None:
    """Draws each arm's `mean` against `x`, in a band from `low` to `high`."""
    for arm, style in ARM_STYLES.items():
        line = lines[(lines["arm"] == arm) & np.isfinite(lines["mean"])].sort_values(x)
        if line.empty:
            continue
        axes.fill_between(line[x], line["low"], line["high"], color=style["color"], alpha=0.18, linewidth=0)
        axes.plot(line[x], line["mean"], label=arm, **style)


def mark_diverged(axes: Axes, lines: pd.DataFrame, nudge: float) -> None:
    """Draws a cross at the foot of the panel at each width where runs of an arm diverged."""
    for arm, side in zip(ARMS, (-nudge, nudge), strict=True):
        widths = lines.loc[(lines["arm"] == arm) & (lines["diverged"] > 0), "dense_width"]
        if len(widths):
            foot = axes.get_xaxis_transform()
            color = ARM_STYLES[arm]["color"]
            axes.plot(
                widths + side,
                np.full(len(widths), 0.04),
                "x",
                color=color,
                transform=foot,
                label=f"{arm}: diverged",
            )


def finish(figure: Figure, x_label: str, y_label: str, log: bool) -> None:
    """Labels the axes and adds one legend, above all panels, of what was drawn in any of them."""
    handles: dict[str, Line2D] = {}
    for axes in figure.axes:
        if log:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(_BetweenDecades(minor_thresholds=(1.2, 0.5)))
            axes.tick_params(axis="y", which="minor", labelsize=7)
        for line in axes.get_lines():
            handles.setdefault(str(line.get_label()), line)
    figure.supxlabel(x_label, fontsize=9)
    figure.supylabel(y_label, fontsize=9)
    order = [name for name in (*ARMS, *(f"{arm}: diverged" for arm in ARMS)) if name in handles]
    figure.legend([handles[name] for name in order], order, loc="outside upper center", ncols=4)
