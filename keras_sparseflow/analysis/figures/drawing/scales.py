"""Scales: where an axis begins and ends, whether it is logarithmic, and which of its places are labelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter, NullLocator

from keras_sparseflow.analysis.frames.formats import format_percent

_MOST_TICKS = 6
_FAR = 30
"""So many times the median size, values with signs want decades."""

_BEYOND = 3.0
"""A logarithmic axis goes no farther than this factor beyond its lines: a band of outliers would fill the panel."""

_BETWEEN: tuple[tuple[float, ...], ...] = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
"""Places within a decade, the fewest that give three ticks are labelled."""


@dataclass(frozen=True)
class Scale:
    """An axis: its ends, its ticks and their labels. Panels with equal scales share their labels.

    Attributes:
        ends: the least and the largest place that is seen.
        ticks: the labelled places.
        labels: what stands there.
        kind: "linear", "log", or "symlog", which is logarithmic on both sides of zero.
        linear: up to where a "symlog" scale is linear.
        names: what the places 0, 1, and so on are called, where they are no numbers.
        percent: whether places are shares, to be said in percent.
    """

    ends: tuple[float, float]
    ticks: tuple[float, ...]
    labels: tuple[str, ...]
    kind: Literal["linear", "log", "symlog"] = "linear"
    linear: float = 1.0
    names: tuple[str, ...] = ()
    percent: bool = False

    def apply(self, axes: Axes, axis: Literal["x", "y"], labelled: bool) -> None:
        """Makes the "x" or "y" axis of a panel this one; inner panels of a grid have no labels, and so no ticks."""
        options = {"linthresh": self.linear, "linscale": 0.5} if self.kind == "symlog" else {}
        getattr(axes, f"set_{axis}scale")(self.kind, **options)
        getattr(axes, f"set_{axis}lim")(self.ends)
        one = getattr(axes, f"{axis}axis")
        one.set_major_locator(FixedLocator(self.ticks if labelled else []))
        one.set_major_formatter(FixedFormatter(self.labels))
        one.set_minor_locator(NullLocator())
        one.set_minor_formatter(NullFormatter())

    def say(self, place: float) -> str:
        """Returns a place of the axis in words.

        Example:
            >>> layers(["conv", "classifier"]).say(1), densities([0.1, 1.0]).say(0.1), widths([7, 20]).say(7)
            ('classifier', '10%', '7')
        """
        if self.names:
            return self.names[round(place)]
        return format_percent(place) if self.percent else f"{place:.5g}"


def spans_decades(values: Any) -> bool:
    """Returns whether the finite values are positive and the largest is more than ten times the smallest.

    Example:
        >>> spans_decades([0.1, 2.0, float("nan")]), spans_decades([1.0, 2.0]), spans_decades([0.0, 50.0])
        (True, False, False)
    """
    values = _finite(values)
    return len(values) > 0 and bool(values.min() > 0) and bool(values.max() > 10 * values.min())


def spans_decades_with_signs(values: Any) -> bool:
    """Returns whether some finite values are not positive, and the largest of them outgrow the middle ones by far.

    Example:
        >>> spans_decades_with_signs([-1000.0, 2.0, 3.0, 90000.0]), spans_decades_with_signs([-1.0, 2.0, 5.0])
        (True, False)
        >>> spans_decades_with_signs([1.0, 2.0, 90000.0])
        False
    """
    values = _finite(values)
    sizes = np.abs(values[values != 0])
    return len(sizes) > 0 and bool(values.min() < 0) and bool(sizes.max() > _FAR * np.median(sizes))


def of_values(means: Any, around: Any = (), log: bool = True, share: bool = False) -> Scale:
    """Returns the scale of lines and what is around them: bands, bars and single runs.

    It is logarithmic where the means span decades. Then it goes no farther than three times beyond the means.

    Args:
        means: the values of the lines.
        around: the values of what is around them.
        log: whether the scale may be logarithmic; that of an accuracy never is.
        share: whether values are shares: the scale begins just below 0, and is never logarithmic.

    Example:
        >>> scale = of_values([0.01, 2.0], around=[0.00001, 3.0])
        >>> scale.kind, round(scale.ends[0], 4)
        ('log', 0.003)
    """
    means, around = _finite(means), _finite(around)
    both = np.concatenate([means, around]) if len(means) + len(around) else np.array([0.0, 1.0])
    if share:
        top = float(both.max()) * 1.05 or 1.0
        return _linear(-0.02 * top, top)
    if log and spans_decades(means):
        low, high = float(means.min()), float(means.max())
        return decades(
            max(low / _BEYOND, float(both[both > 0].min())) * 0.9, min(high * _BEYOND, float(both.max())) * 1.1
        )
    if log and spans_decades_with_signs(means):
        return _signed_decades(means)
    low, high = float(both.min()), float(both.max())
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return _linear(low - margin, high + margin)


def decades(low: float, high: float) -> Scale:
    """Returns a logarithmic scale with plain numbers at some of its places, at least at three if there are three."""
    powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for within in _BETWEEN:
        ticks = [step * 10.0**power for power in powers for step in within if low <= step * 10.0**power <= high]
        if len(ticks) >= 3:
            break
    else:
        ticks = list(_round_places(low, high))
    ticks = ticks[:: -(-len(ticks) // _MOST_TICKS)]
    return Scale((low, high), tuple(ticks), tuple(f"{tick:g}" for tick in ticks), "log")


def widths(places: Sequence[float]) -> Scale:
    """Returns a scale with a tick at each dense width, or, where labels would touch, at those a label's breadth apart.

    Example:
        >>> widths([8, 9, 10, 60, 61, 100]).labels
        ('8', '60', '100')
    """
    places = sorted(set(places))
    breadth = places[-1] - places[0]
    kept = [places[0]]
    for place in places[1:]:
        if place - kept[-1] >= 0.12 * breadth:
            kept.append(place)
    margin = 0.06 * breadth or 1.0
    return Scale((places[0] - margin, places[-1] + margin), tuple(kept), tuple(f"{place:g}" for place in kept))


def densities(places: Sequence[float]) -> Scale:
    """Returns a logarithmic scale with a tick at each density in percent, or, where labels would touch, at some.

    The largest density, which is the dense network where one was trained, always has its label.

    Example:
        >>> densities([0.01, 0.9, 0.95, 1.0]).labels
        ('1%', '100%')
    """
    places = sorted(set(places), reverse=True)
    breadth = np.log10(places[0] / places[-1])
    kept = [places[0]]
    for place in places[1:]:
        if np.log10(kept[-1] / place) >= 0.13 * breadth:
            kept.append(place)
    margin = 10 ** (0.06 * breadth or 0.1)
    labels = tuple(format_percent(place) for place in kept[::-1])
    return Scale((places[-1] / margin, places[0] * margin), tuple(kept[::-1]), labels, "log", percent=True)


def epochs(places: Any) -> Scale:
    """Returns the scale of epochs, ticks at whole numbers."""
    low, high = float(np.min(places)), float(np.max(places))
    margin = max(0.04 * (high - low), 0.5)
    ends = (low - margin, high + margin)
    found = MaxNLocator(nbins=5, integer=True, min_n_ticks=1).tick_values(*ends)
    ticks = tuple(float(tick) for tick in found if max(ends[0], 0) <= tick <= ends[1])
    return Scale(ends, ticks, tuple(f"{tick:g}" for tick in ticks))


def layers(names: Sequence[str], most: int = 10) -> Scale:
    """Returns a scale with the layers' names, the first and the last, and as many between as there is room for.

    Args:
        names: of the layers at 0, 1, and so on.
        most: how many names there is room for, at least two.

    Example:
        >>> layers([f"layer_{number}" for number in range(29)], most=3).labels
        ('layer_0', 'layer_14', 'layer_28')
    """
    count = len(names)
    kept = sorted({round(place) for place in np.linspace(0, count - 1, min(count, most))})
    ends = (-0.03 * count - 0.2, count - 0.8 + 0.03 * count)
    return Scale(ends, tuple(map(float, kept)), tuple(names[place] for place in kept), names=tuple(names))


def rows(names: Sequence[str]) -> Scale:
    """Returns the scale of a vertical axis that has a name at each place, the first at the top."""
    return Scale((len(names) - 0.5, -0.5), tuple(map(float, range(len(names)))), tuple(names), names=tuple(names))


def plain(values: pd.Series | Sequence[float], margin: float = 0.03) -> Scale:
    """Returns a linear scale that holds the values."""
    low, high = float(np.min(values)), float(np.max(values))
    wide = margin * (high - low) if high > low else 0.5
    return _linear(low - wide, high + wide)


def _linear(low: float, high: float) -> Scale:
    ticks = _round_places(low, high)
    return Scale((low, high), ticks, _numbers(ticks))


def _round_places(low: float, high: float) -> tuple[float, ...]:
    found = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return tuple(float(tick) for tick in found if low <= tick <= high)


def _signed_decades(values: np.ndarray) -> Scale:
    """Returns a scale that is logarithmic on both sides of zero, and linear up to the decade below the middle size."""
    linear = float(10 ** np.floor(np.log10(np.median(np.abs(values[values != 0])))))
    low, high = (float(end) for end in (min(values.min(), 0.0), max(values.max(), 0.0)))
    ticks = {0.0}
    for sign, end in ((-1, -low), (1, high)):
        powers = np.arange(np.log10(linear), np.floor(np.log10(end)) + 1 if end > linear else np.log10(linear))
        ticks |= {float(sign * 10**power) for power in powers[:: -(-len(powers) // 3) or 1]}
    shown = tuple(sorted(tick for tick in ticks if low <= tick <= high))
    return Scale((low * 1.3 - 0.3 * linear, high * 1.3 + 0.3 * linear), shown, _numbers(shown), "symlog", linear)


def _numbers(ticks: Sequence[float]) -> tuple[str, ...]:
    """Returns numbers with as many digits behind the point as the finest of them needs."""
    texts = [f"{tick:.6g}" for tick in ticks]
    if not any("e" in text for text in texts):
        digits = max((len(text.partition(".")[2]) for text in texts), default=0)
        texts = [f"{tick:.{digits}f}" for tick in ticks]
    return tuple(text.replace("-", "\N{MINUS SIGN}") for text in texts)


def _finite(values: Any) -> np.ndarray:
    values = np.asarray(values, float).ravel()
    return values[np.isfinite(values)]
