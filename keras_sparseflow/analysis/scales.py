"""Scales: when an axis is logarithmic, and which of its ticks are labelled."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatter, NullLocator

from keras_sparseflow.analysis.frames.formats import format_percent

_MOST_LEVEL = 3
"""More names of layers than these stand upright."""

_SMALL_LETTER = 0.055  # inches, about the mean breadth of a letter of a layer's name


_FAR = 30
"""So many times the median size, values with signs want decades."""


class _BetweenDecades(LogFormatter):
    """Labels for ticks between decades, where there is room for them: 0.02, not 2e-02."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def spans_decades(values: Any) -> bool:
    """Returns whether the finite values are positive and the largest is more than ten times the smallest.

    Example:
        >>> spans_decades([0.1, 2.0, float("nan")]), spans_decades([1.0, 2.0]), spans_decades([0.0, 50.0])
        (True, False, False)
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    return len(values) > 0 and bool(values.min() > 0) and bool(values.max() > 10 * values.min())


def scale_decades(axes: Axes, axis: Literal["x", "y"]) -> None:
    """Makes the "x" or "y" axis logarithmic, with plain numbers at its decades and, where there is room, between."""
    axes.set(**{f"{axis}scale": "log"})
    one = getattr(axes, f"{axis}axis")
    one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    one.set_minor_formatter(_BetweenDecades(minor_thresholds=(1.2, 0.5)))
    axes.tick_params(axis=axis, which="minor", labelsize=7)


def spans_decades_with_signs(values: Any) -> bool:
    """Returns whether some finite values are not positive, and the largest of them outgrow the middle ones by far.

    Example:
        >>> spans_decades_with_signs([-1000.0, 2.0, 3.0, 90000.0]), spans_decades_with_signs([-1.0, 2.0, 5.0])
        (True, False)
        >>> spans_decades_with_signs([1.0, 2.0, 90000.0])
        False
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    sizes = np.abs(values[values != 0])
    return len(sizes) > 0 and bool(values.min() < 0) and bool(sizes.max() > _FAR * np.median(sizes))


def scale_decades_with_signs(axes: Axes, values: Any) -> None:
    """Makes the y-axis logarithmic on both sides of zero, and linear up to the decade below the middle size."""
    sizes = np.abs(np.asarray(values, float))
    linear = 10 ** np.floor(np.log10(np.median(sizes[np.isfinite(sizes) & (sizes > 0)])))
    axes.set_yscale("symlog", linthresh=linear, linscale=0.5)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def label_widths(axes: Axes, widths: Sequence[int]) -> None:
    """Puts a tick at each dense width, or, where labels would touch, at those a label's breadth apart."""
    widths = sorted(widths)
    breadth = widths[-1] - widths[0]
    kept = [widths[0]]
    for width in widths[1:]:
        if width - kept[-1] >= 0.12 * breadth:
            kept.append(width)
    axes.set_xticks(kept)
    margin = 0.06 * breadth or 1.0
    axes.set_xlim(widths[0] - margin, widths[-1] + margin)


def label_densities(axes: Axes, densities: Sequence[float]) -> None:
    """Makes the x-axis logarithmic, with a tick at each density in percent, or, where labels would touch, at some.

    The largest density, which is the dense network where one was trained, always has its label.
    """
    densities = sorted(densities, reverse=True)
    axes.set_xscale("log")
    decades = np.log10(densities[0] / densities[-1])
    kept = [densities[0]]
    for density in densities[1:]:
        if np.log10(kept[-1] / density) >= 0.11 * decades:
            kept.append(density)
    axes.set_xticks(kept[::-1], [format_percent(density) for density in kept[::-1]])
    axes.xaxis.set_minor_locator(NullLocator())
    margin = 10 ** (0.06 * decades or 0.1)
    axes.set_xlim(densities[-1] / margin, densities[0] * margin)


def label_layers(axes: Axes, names: Sequence[str], most: int = 10) -> None:
    """Puts the layers' names along the x-axis, the first and the last, and as many between as there is room for.

    Args:
        axes: the panel.
        names: of the layers at 0, 1, and so on.
        most: how many names there is room for, at least two.
    """
    count = min(len(names), most)
    kept = sorted({round(place) for place in np.linspace(0, len(names) - 1, count)})
    axes.set_xticks(kept, [names[place] for place in kept], rotation=90 if len(names) > _MOST_LEVEL else 0, fontsize=7)
    axes.set_xlim(-0.03 * len(names) - 0.2, len(names) - 0.8 + 0.03 * len(names))


def room_for_layers(figure: Figure, names: Sequence[str]) -> None:
    """Makes a figure higher by what the names of layers take beneath its panels, where they stand upright."""
    if len(names) > _MOST_LEVEL:
        figure.set_figheight(figure.get_figheight() + _SMALL_LETTER * max(map(len, names)))
