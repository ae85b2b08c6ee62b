"""The report's page: how numbers, colours and figures become one HTML file that needs nothing else."""

import re
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.panels import ARM_STYLES, FAINT, INK, figure_bytes
from keras_sparseflow.analysis.summary import duration, in_words

_GREEN, _YELLOW, _RED = (99, 190, 123), (255, 235, 132), (248, 121, 116)
NOTHING = "\N{EN DASH}"
"""What stands where there is no number."""


def render(view: Mapping[str, Any]) -> str:
    """Returns the page for a view, every text in it escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_sparseflow.analysis"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        colour=p_colour,
        p=format_p,
        number=format_number,
        fixed=format_fixed,
        signed=format_signed,
        words=in_words,
        duration=duration,
    )
    environment.tests["missing"] = lambda value: bool(pd.isna(value))
    return environment.get_template("report.html.j2").render(view)


def p_colour(p_value: float) -> str:
    """Returns the paper's colour for a p-value: green at 0, yellow at 0.5, red at 1, continuous between.

    Every colour of the scale is light enough for black text; NaN is transparent.

    Example:
        >>> p_colour(0.5)
        '#ffeb84'
    """
    if pd.isna(p_value):
        return "transparent"
    start, end, share = (_GREEN, _YELLOW, 2 * p_value) if p_value < 0.5 else (_YELLOW, _RED, 2 * p_value - 1)
    mixed = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def format_p(p_value: float) -> str:
    """Returns a p-value with three decimals, as the paper prints it, or "<0.001"."""
    if pd.isna(p_value):
        return NOTHING
    return "<0.001" if 0 <= p_value < 0.0005 else f"{p_value:.3f}"


def format_number(value: float, digits: int = 4) -> str:
    """Returns a number with that many significant digits, or a dash for a missing one."""
    if pd.isna(value):
        return NOTHING
    if np.isinf(value):
        return "infinity" if value > 0 else "\N{MINUS SIGN}infinity"
    return f"{value:.{digits}g}".replace("-", "\N{MINUS SIGN}")


def format_fixed(value: float, decimals: int = 4, sign: str = "-") -> str:
    """Returns a number with that many decimals, so that a column of them lines up."""
    if pd.isna(value) or np.isinf(value):
        return format_number(value)
    return f"{value:{sign}.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def format_signed(value: float, decimals: int = 4) -> str:
    """Returns a difference: as `format_fixed`, with its sign even where it is a plus."""
    return format_fixed(value, decimals, sign="+")


def inline_svg(figure: Any, prefix: str, title: str) -> Any:
    """Returns a figure as markup to stand in a page: ids made unique, colours taken from the page's theme.

    Args:
        figure: a matplotlib figure from `keras_sparseflow.analysis.figures`.
        prefix: what tells this figure's ids from those of the page's other figures.
        title: the text for those who do not see it.
    """
    from markupsafe import Markup

    text = figure_bytes(figure, "svg").decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'href="#', f'href="#{prefix}-', text)
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    theme = {INK: "ink", FAINT: "faint", **{style["color"]: arm for arm, style in ARM_STYLES.items()}}
    for colour, name in theme.items():
        text = re.sub(rf"(fill|stroke): {colour}\b", rf"\1: var(--{name})", text)
    return Markup(text.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1))
