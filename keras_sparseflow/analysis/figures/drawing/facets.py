"""Facets: the grid of panels that every figure here is, laid out by arithmetic, its style and its legend.

Figures are drawn with matplotlib's own defaults and the style below, not with the user's settings,
and nothing of pyplot's global state is touched: the same data give the same bytes.
"""

import functools
import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from keras_sparseflow.analysis.figures.drawing.colours import FAINT, INK
from keras_sparseflow.analysis.figures.drawing.scales import Scale

WIDTH = 10.4
"""The breadth of a report's page in inches, which a figure takes if it has panels enough."""

_STYLE: list[Any] = [
    "default",
    {
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "axes.axisbelow": True,
        "axes.edgecolor": FAINT,
        "axes.grid": False,  # see _draw_grid
        "axes.labelcolor": INK,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": INK,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "font.family": ["sans-serif"],
        "font.sans-serif": ["DejaVu Sans"],  # SVG files name it with every text
        "font.size": 9,
        "grid.color": FAINT,
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "lines.linewidth": 1.6,
        "lines.markersize": 4.5,
        "path.simplify": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "keras_sparseflow",
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.major.pad": 4,
        "ytick.major.pad": 4,
    },
]
_SMALL, _NORMAL, _TITLE = 8, 9, 10
_NARROWEST = 1.8
_EDGE, _GAP, _LINE = 0.08, 0.16, 0.165  # inches: of the picture, between panels, of text
_HANDLE = 0.55  # inches: a line of the legend and the space beside it


class NotApplicableError(ValueError):
    """The data hold nothing that this figure could show: no such measure, or no run that did not diverge."""


def styled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `function`, run under the style of this module in place of the user's."""

    @functools.wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with matplotlib.style.context(_STYLE, after_reset=True):
            return function(*args, **kwargs)

    return inside


def of_both(row: Any, column: Any) -> str:
    """Returns the title of a panel that says its row and its column."""
    return f"{row}, {column}"


class Facets(Figure):
    """A figure of panels in rows and columns, as broad as a page at most; more columns are folded.

    Args:
        rows: what the rows of panels stand for, from above.
        columns: what the columns stand for, from the left.
        present: the combinations to draw; the places of others stay empty.
        x: the scale of the horizontal axes, or a function that returns it for a row and a column. Panels with equal
            scales have labels at the edge of the grid alone.
        y: scale of the vertical axes, or a function that returns it.
        labels: of the horizontal and the vertical axes of all panels.
        height: of a panel in inches.
        broadest: a panel's greatest breadth in inches.
        width: the figure's greatest breadth in inches.
        title: of a panel; broken into lines where it is broader than the panel.
        notes: lines of small text between each panel and its title.

    Attributes:
        panels: the panels by (row, column).
        curves: by the id that they have in an SVG file, marks of the panels that the legend names: label, panel, and
            what the pointer is told of their places.
        narrow: the same figure for narrow windows, where scrolling alone would not do; else None.

    Example:
        >>> scale = Scale((0, 1), (0.0, 1.0), ("0", "1"))
        >>> figure = Facets(["above", "below"], ["only"], [("above", "only")], scale, scale, ("x", "y")).finish()
        >>> [axes.get_title() for axes in figure.axes]
        ['above, only']
    """

    def __init__(
        self,
        rows: Sequence[Any],
        columns: Sequence[Any],
        present: Iterable[tuple[Any, Any]],
        x: Scale | Callable[[Any, Any], Scale],
        y: Scale | Callable[[Any, Any], Scale],
        labels: tuple[str, str],
        height: float = 2.1,
        broadest: float = 4.6,
        width: float = WIDTH,
        title: Callable[[Any, Any], str] = of_both,
        notes: int = 0,
    ) -> None:
        super().__init__(figsize=(1, 1))
        self.panels: dict[tuple[Any, Any], Axes] = {}
        self.curves: dict[str, dict[str, str]] = {}
        self.handles: dict[str, Artist] = {}
        self.narrow: Facets | None = None
        self._axis_labels, self._height, self._notes = labels, height, notes
        shown = set(present)
        places = [(row, column) for row in rows for column in columns if (row, column) in shown]
        self._scales = {
            place: tuple(scale if isinstance(scale, Scale) else scale(*place) for scale in (x, y)) for place in places
        }
        left = _EDGE + (0.2 if labels[1] else 0.0)
        widest_label = max((_tick_width(y) for _, y in self._scales.values()), default=0.0)
        room = width - left - widest_label - _EDGE
        self._at, across = _folded(rows, columns, places, most=int((room + _GAP) / (_NARROWEST + _GAP)))
        self._breadth = min((room - (across - 1) * _GAP) / across, broadest)
        self._titles = {place: title(*place) for place in places}
        for place in places:
            self.panels[place] = self._panel(place)

    def finish(self, order: Sequence[str] = ()) -> "Facets":
        """Lays the figure out, adds the labels and one legend above all panels, and returns the figure.

        Args:
            order: the names that stand first in the legend, where they were drawn; others follow as drawn.
        """
        lefts, across = self._columns()
        legend = self._legend_lines(order, across - _EDGE)
        tops, height = self._lines(0.06 + len(legend) * 0.19)
        self.set_size_inches(across + max(map(self._overhang, self.panels)), height)
        for place, axes in self.panels.items():
            line, column = self._at[place]
            box = (lefts[column], height - tops[line] - self._height, self._breadth, self._height)
            axes.set_position((box[0] / self.get_figwidth(), box[1] / height, box[2] / self.get_figwidth(),
                               box[3] / height))  # fmt: skip
        self._add_labels(lefts[0], across, tops, height)
        self._add_legend(legend, height)
        return self

    @property
    def axis_labels(self) -> tuple[str, str]:
        """The labels along the horizontal and the vertical axes."""
        return self._axis_labels

    def scales_of(self, axes: Axes) -> tuple[Scale, ...]:
        """Returns the horizontal and the vertical scale of a panel."""
        return next(self._scales[place] for place, panel in self.panels.items() if panel is axes)

    def _panel(self, place: tuple[Any, Any]) -> Axes:
        axes = self.add_axes((0.0, 0.0, 1.0, 1.0), label=str(len(self.panels)))
        for axis, scale, labelled in zip("xy", self._scales[place], self._shows_labels(place), strict=True):
            scale.apply(axes, axis, labelled)  # type: ignore[arg-type]
            getattr(axes, f"{axis}axis").set_label_coords(0, 0)  # no label: to find a place for it takes time
        if self._upright(place):
            axes.tick_params(axis="x", rotation=90)
        _draw_grid(axes, *self._scales[place])
        axes.set_title(_wrapped(self._titles[place], self._breadth), y=1.0, pad=5 + 10.5 * self._notes)
        return axes

    def _shows_labels(self, place: tuple[Any, Any]) -> tuple[bool, bool]:
        """Returns whether a panel has labels of its own at its x-axis and at its y-axis: none like it is at an edge."""
        line, column = self._at[place]
        x, y = self._scales[place]
        below = [self._scales[other][0] for other, (i, j) in self._at.items() if j == column and i > line]
        beside = [self._scales[other][1] for other, (i, j) in self._at.items() if i == line and j < column]
        return x not in below[:1], y not in beside[-1:]

    def _upright(self, place: tuple[Any, Any]) -> bool:
        labels = self._scales[place][0].labels
        return sum(text_width(text, _SMALL) + 0.08 for text in labels) > 1.15 * self._breadth

    def _columns(self) -> tuple[dict[int, float], float]:
        """Returns where the panels of each column begin, and where the last of them ends, in inches."""
        right, lefts = _EDGE + (0.2 if self._axis_labels[1] else 0.0) - _GAP, {}
        for column in sorted({column for _, column in self._at.values()}):
            inside = [place for place, (_, j) in self._at.items() if j == column]
            labels = max((_tick_width(self._scales[p][1]) for p in inside if self._shows_labels(p)[1]), default=0.0)
            lefts[column] = right + _GAP + labels
            right = lefts[column] + self._breadth
        return lefts, right

    def _lines(self, top: float) -> tuple[dict[int, float], float]:
        """Returns how far below the upper edge each line of panels begins, and the height of the figure, in inches."""
        tops = {}
        for line in sorted({line for line, _ in self._at.values()}):
            inside = [place for place, (i, _) in self._at.items() if i == line]
            titles = max(len(_wrapped(self._titles[p], self._breadth).splitlines()) for p in inside)
            tops[line] = top + titles * _LINE + 0.08 + self._notes * 0.145
            below = max((self._tick_height(place) for place in inside if self._shows_labels(place)[0]), default=0.0)
            top = tops[line] + self._height + below + 0.1
        return tops, top + (0.18 if self._axis_labels[0] else 0.0)

    def _overhang(self, place: tuple[Any, Any]) -> float:
        """Returns by how much the last label beneath a panel reaches beyond it, in inches, the edge at least."""
        axes, scale = self.panels[place], self._scales[place][0]
        if not self._shows_labels(place)[0] or self._upright(place) or not scale.labels:
            return _EDGE
        end = axes.transLimits.transform(axes.transScale.transform((scale.ticks[-1], axes.get_ylim()[0])))[0]
        return max(text_width(scale.labels[-1], _SMALL) / 2 - (1 - end) * self._breadth + 0.04, _EDGE)

    def _tick_height(self, place: tuple[Any, Any]) -> float:
        labels = self._scales[place][0].labels
        if self._upright(place):
            return max(text_width(text, _SMALL) for text in labels) + 0.1
        return 0.06 + 0.14 * max((text.count("\n") + 1 for text in labels), default=0)

    def _add_labels(self, left: float, right: float, tops: dict[int, float], height: float) -> None:
        if self._axis_labels[0]:
            x = (left + right) / 2 / self.get_figwidth()
            self.supxlabel(self._axis_labels[0], x=x, y=0.05 / height, va="bottom", fontsize=_NORMAL)
        if self._axis_labels[1]:
            first, last = tops[min(tops)], tops[max(tops)] + self._height
            half = text_width(self._axis_labels[1], _NORMAL) / 2
            centre = max((first + last) / 2, half + _EDGE)
            self.supylabel(self._axis_labels[1], x=_EDGE / self.get_figwidth(), y=1 - centre / height, ha="left",
                           va="center", fontsize=_NORMAL)  # fmt: skip

    def _legend_lines(self, order: Sequence[str], room: float) -> list[list[str]]:
        """Returns the names of the legend by line."""
        names = [name for name in order if name in self.handles]
        names += [name for name in self.handles if name not in order]
        if not names:
            return []
        columns = max(int((room + 0.2) / (max(text_width(name, _NORMAL) for name in names) + _HANDLE + 0.2)), 1)
        lines = math.ceil(len(names) / columns)
        columns = math.ceil(len(names) / lines)
        return [names[start : start + columns] for start in range(0, len(names), columns)]

    def _add_legend(self, lines: list[list[str]], height: float) -> None:
        if not lines:
            return
        # matplotlib fills a legend column by column: names are given so that they read line by line.
        names = [line[column] for column in range(len(lines[0])) for line in lines if column < len(line)]
        legend = self.legend(
            [self.handles[name] for name in names], names, loc="upper left", ncols=len(lines[0]), borderpad=0.0,
            bbox_to_anchor=(_EDGE / self.get_figwidth(), 1 - _EDGE / height), borderaxespad=0.0, labelspacing=0.42,
            fontsize=_NORMAL, columnspacing=1.6,
        )  # fmt: skip
        for number, (handle, text) in enumerate(zip(legend.legend_handles, legend.get_texts(), strict=True)):
            for artist, part in ((handle, "mark"), (text, "name")):
                if artist is not None:
                    artist.set_gid(f"key-{number}-{part}")
                    self.curves[f"key-{number}-{part}"] = {"label": text.get_text()}


@functools.cache
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Returns the breadth of a text in inches, in the font that figures are laid out for, which is a broad one.

    Args:
        text: one line or several.
        size: of its letters in points.
        bold: whether it is bold.
    """
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    lines = text.splitlines() or [""]
    return max(float(text_to_path.get_text_width_height_descent(line, font, ismath=False)[0]) for line in lines) / 72


def _folded(
    rows: Sequence[Any], columns: Sequence[Any], places: Sequence[tuple[Any, Any]], most: int
) -> tuple[dict[tuple[Any, Any], tuple[int, int]], int]:
    """Returns line and column of each panel, and the number of columns; a single row or column goes on in the next."""
    single = len(rows) == 1 or len(columns) == 1
    count = len(places) if single else len(columns)
    across = math.ceil(count / math.ceil(count / max(most, 1)))
    if single:
        return {place: divmod(number, across) for number, place in enumerate(places)}, across
    lines = math.ceil(count / across)
    at = {}
    for row, column in places:
        line, beside = divmod(list(columns).index(column), across)
        at[row, column] = (list(rows).index(row) * lines + line, beside)
    return at, across


def _wrapped(title: str, room: float) -> str:
    """Returns a title in lines that fit into the room in inches, unless a word is longer."""
    letters = max(int(len(title) * room / max(text_width(title, _TITLE, bold=True), 1e-6)), 8)
    return textwrap.fill(title, letters, break_long_words=False, break_on_hyphens=False)


def _tick_width(scale: Scale) -> float:
    return max((text_width(label, _SMALL) for label in scale.labels), default=0.0) + 0.08


def _draw_grid(axes: Axes, x: Scale, y: Scale) -> None:
    """Draws each axis' grid as one line, which takes a tenth of the time that matplotlib's takes."""
    look: dict[str, Any] = {"color": FAINT, "linewidth": 0.6, "zorder": 0.5, "marker": ""}
    for ticks, place in ((x.ticks, axes.get_xaxis_transform()), (y.ticks, axes.get_yaxis_transform())):
        along = np.ravel([[tick, tick, np.nan] for tick in ticks])
        across = np.tile([0.0, 1.0, np.nan], len(ticks))
        upright = ticks is x.ticks
        axes.plot(*((along, across) if upright else (across, along)), transform=place, label="_grid", **look)
