"""Marks: lines with bands, points, intervals and crosses, each known to the legend and to the pointer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from keras_sparseflow.analysis.figures.drawing.facets import Facets
from keras_sparseflow.analysis.figures.drawing.scales import Scale

_MOST_MARKERS = 8
"""A line with more points has markers at some of them: they would hide it."""


def draw_line(
    axes: Axes,
    line: pd.DataFrame,
    x: str,
    label: str,
    style: Mapping[str, Any],
    opacity: float = 0.14,
    place: int = 0,
    key: bool = True,
) -> None:
    """Draws `mean` against `x`, in a band from `low` to `high`; points that are not finite are left out.

    Args:
        axes: the panel.
        line: its points, with the columns `mean` and, for a band, `low` and `high`.
        x: the column along the horizontal axis.
        label: of the line.
        style: arguments of matplotlib's `plot`.
        opacity: of the band.
        place: of the line among others: those of a long one have markers at places of their own, as lines may coincide.
        key: whether the legend shows this line for `label`.
    """
    line = line[np.isfinite(line["mean"])].sort_values(x)
    if line.empty:
        return
    apart = -(-len(line) // _MOST_MARKERS)
    if "low" in line and line["low"].notna().any():  # one run has no interval
        low, high = (line[end].fillna(line["mean"]) for end in ("low", "high"))
        band = axes.fill_between(line[x], low, high, color=style["color"], alpha=opacity, linewidth=0)
        _know(axes, band, label)
    (drawn,) = axes.plot(line[x], line["mean"], label=label, **{"markevery": (place % apart, apart), **style})
    _know(axes, drawn, label, key=key)


def draw_points(
    axes: Axes, x: Any, y: Any, label: str, style: Mapping[str, Any], runs: Any = (), key: bool = False
) -> None:
    """Draws a point per run.

    Args:
        axes: the panel.
        x: horizontal positions of the points.
        y: their vertical positions.
        label: of the line or group that they belong to.
        style: arguments of matplotlib's `plot`.
        runs: the name of each run, told under the pointer.
        key: whether the legend shows these points for `label`, as no line does.
    """
    if not len(x):
        return
    look = {"linestyle": "none", "markeredgewidth": 0, **style}
    (drawn,) = axes.plot(x, y, label=label if key else f"_{label}", **look)
    _know(axes, drawn, label, key, runs)


def draw_dots(axes: Axes, x: Any, y: Any, label: str, color: str, runs: Any = ()) -> None:
    """Draws faint dots, one for each run behind a mean."""
    draw_points(axes, x, y, label, {"marker": "o", "color": color, "alpha": 0.4, "markersize": 2.4}, runs)


def draw_intervals(axes: Axes, line: pd.DataFrame, y: Any, label: str, style: Mapping[str, Any]) -> None:
    """Draws `mean` as points beneath each other, each on a bar from `low` to `high`.

    Args:
        axes: the panel.
        line: the points, with the columns `mean`, `low` and `high`.
        y: their heights.
        label: in the legend.
        style: arguments of matplotlib's `plot`, `color` and `marker` among them.
    """
    if line.empty:
        return
    bars = axes.hlines(y, line["low"], line["high"], color=style["color"], linewidth=1.6)
    _know(axes, bars, label)
    (drawn,) = axes.plot(line["mean"], y, label=label, **{"linestyle": "none", "markersize": 5.5, **style})
    _know(axes, drawn, label, key=True)


def draw_crosses(
    axes: Axes, positions: Any, color: str, label: str, edge: str = "bottom", offset: float = 0.04
) -> None:
    """Marks runs that diverged: a cross at each position along the panel's "bottom", or along its "left" edge."""
    if not len(positions):
        return
    away = np.full(len(positions), offset)
    x, y = (positions, away) if edge == "bottom" else (away, positions)
    place = axes.get_xaxis_transform() if edge == "bottom" else axes.get_yaxis_transform()
    (drawn,) = axes.plot(x, y, linestyle="none", marker="x", color=color, transform=place, label=label)
    _know(axes, drawn, label, key=True, told=False)


def explain(figure: Facets, label: str, style: Mapping[str, Any]) -> None:
    """Adds to the legend, without drawing anything, what a colour or a marker stands for."""
    figure.handles.setdefault(label, Line2D([], [], **{"linestyle": "none", **style}))


def _know(axes: Axes, artist: Artist, label: str, key: bool = False, runs: Any = (), told: bool = True) -> None:
    """Gives a mark an id, under which the figure remembers whose it is and what is told of its points."""
    figure = axes.get_figure()
    if not isinstance(figure, Facets):
        raise TypeError(f"`axes` must be a panel of Facets; received one of {type(figure).__name__}.")
    if key:
        figure.handles.setdefault(label, artist)
    gid = f"curve-{len(figure.curves)}"
    artist.set_gid(gid)
    known = {"label": label, "panel": " ".join(axes.get_title().split())}
    if isinstance(artist, Line2D) and told:
        x, y = (np.asarray(values, float) for values in artist.get_data())
        scales = figure.scales_of(axes)
        known |= {"x": _said(scales[0], x), "y": _said(scales[1], y)}
        if len(runs):
            known["runs"] = ";".join(map(str, runs))
    figure.curves[gid] = known


def _said(scale: Scale, places: np.ndarray) -> str:
    return ";".join(scale.say(place) for place in places)
