"""Scales: when an axis is logarithmic, and which of its ticks are labelled."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogFormatter


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
