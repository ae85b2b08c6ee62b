"""Colours and line styles: what tells arms, variants and p-values apart, in colour, in grey and on a dark page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

INK, FAINT = "#1f2429", "#d5d9de"
ON_COLOUR = "#16191c"
"""Text on the coloured cells of `p_colour`, which are light on every page, dark or not."""

BLUE, VERMILION, GREY = "#0072b2", "#d55e00", "#8a8a8a"
_GREEN, _ORANGE, _PURPLE, _SKY = "#009e73", "#e69f00", "#cc79a7", "#56b4e9"

ON_DARK = {
    INK: "#e4e7ea",
    FAINT: "#3a4148",
    BLUE: "#4a9df0",
    VERMILION: "#f08a3c",
    _GREEN: "#1fc796",
    _ORANGE: "#ffd04d",
    _PURPLE: "#e8a3c8",
    _SKY: "#a5dcfa",
    GREY: "#8f979e",
}
"""For each colour that a figure is drawn in, the one to take its place on a dark page; all differ."""

SEQUENCE = {
    "#f2844b": "#b12a90",
    "#e26561": "#c7427c",
    "#cc4977": "#da5a6a",
    "#b32c8e": "#e97158",
    "#9410a2": "#f58c46",
    "#6f00a8": "#fca934",
    "#48039f": "#fdca26",
    "#1b068d": "#f4ed27",
}
"""The colours of a quantity that grows, each with the one for a dark page: more stands out more on either.

From matplotlib's plasma, whose lightness alone orders them, for every kind of colour vision.
"""

ARM_STYLES: dict[str, dict[str, Any]] = {
    "sparse": {"color": BLUE, "linestyle": "-", "marker": "o"},
    "dense": {"color": VERMILION, "linestyle": "--", "marker": "s"},
}
"""Okabe and Ito's blue and vermilion, told apart by line and marker too."""

# Okabe and Ito's palette, its yellow, which hardly shows on white, replaced by grey.
_PALETTE = (INK, _ORANGE, VERMILION, _GREEN, BLUE, _PURPLE, _SKY, GREY)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))

# What a variant has besides BatchNorm sets its colour and marker.
_FAMILIES = ("", "DA", "L2", "SC", "DA_SC", "DA_L2_SC", "DA_L2", "L2_SC")

_SPARSE_BETTER, _NEITHER, _SPARSE_NOT_BETTER = (98, 168, 222), (245, 243, 238), (240, 150, 72)


def line_styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns, for each name, the arguments of matplotlib's `plot` that tell its line from the others'.

    Variants that differ in BatchNorm alone share colour and marker: with it the line is solid and the
    marker filled, without it dashed and open. Other names (activations, optimizers, layers) get
    colours, markers and dashes in turn; up to 64 of them differ.

    Args:
        names: what the lines are named, without repetition, in the order of the legend.

    Example:
        >>> styles = line_styles(["NR", "BN", "L2_BN"])
        >>> styles["NR"]["color"] == styles["BN"]["color"], styles["NR"]["fillstyle"], styles["BN"]["fillstyle"]
        (True, 'none', 'full')
    """
    families = {name: _family(name) for name in names}
    if all(family in _FAMILIES for family in families.values()):
        normed = {name: "BN" in name.split("_") for name in names}
        return {
            name: _style(_FAMILIES.index(family), dash=0 if normed[name] else 1, filled=normed[name])
            for name, family in families.items()
        }
    count = len(_PALETTE)
    return {
        name: _style(index % count, dash=(index + index // (2 * count)) % len(_DASHES), filled=index // count % 2 == 0)
        for index, name in enumerate(names)
    }


def sequence_styles(count: int) -> list[dict[str, Any]]:
    """Returns the arguments of matplotlib's `plot` for lines of a quantity that grows, least first.

    Colours go from light to dark, and markers differ; both repeat from nine lines on.

    Args:
        count: the number of lines.

    Example:
        >>> [style["color"] for style in sequence_styles(2)]
        ['#f2844b', '#1b068d']
    """
    shades = np.linspace(0, len(SEQUENCE) - 1, count).round().astype(int) if count > 1 else [len(SEQUENCE) - 1]
    return [
        {"color": list(SEQUENCE)[shade], "marker": _MARKERS[index % len(_MARKERS)], "linestyle": "-"}
        for index, shade in enumerate(shades)
    ]


def density_styles(densities: Sequence[float]) -> dict[float, dict[str, Any]]:
    """Returns the look of each density; that of the dense network, which has no mask, is dashed."""
    styles = dict(zip(densities, sequence_styles(len(densities)), strict=True))
    return {d: {**style, "linestyle": (0, (4, 2))} if d == 1 else style for d, style in styles.items()}


def p_colour(p_value: float) -> str:
    """Returns the colour of a p-value: blue at 0, nearly white at 0.5, orange at 1, continuous between.

    The paper has green and red, which many people cannot tell apart. Every colour of the scale is light enough for
    black text; NaN is transparent.

    Example:
        >>> p_colour(0.5)
        '#f5f3ee'
    """
    if pd.isna(p_value):
        return "transparent"
    if not 0 <= p_value <= 1:
        raise ValueError(f"`p_value` must be in [0, 1] or NaN; received {p_value}.")
    channels = zip(_SPARSE_BETTER, _NEITHER, _SPARSE_NOT_BETTER, strict=True)
    mixed = (round(np.interp(p_value, (0.0, 0.5, 1.0), channel)) for channel in channels)
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _family(variant: str) -> str | None:
    """Returns the parts of a variant besides BatchNorm, or None where it is no variant."""
    parts = set(variant.split("_"))
    if not parts <= {"NR", "DA", "L2", "SC", "BN"}:
        return None
    return "_".join(sorted(parts - {"NR", "BN"}))


def _style(index: int, dash: int, filled: bool) -> dict[str, Any]:
    return {
        "color": _PALETTE[index],
        "marker": _MARKERS[index],
        "linestyle": _DASHES[dash],
        "fillstyle": "full" if filled else "none",
    }
