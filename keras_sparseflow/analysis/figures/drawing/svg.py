"""Figures as SVG: files whose marks say what they are of, and the same as markup that stands in a page."""

import io
import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

from matplotlib.figure import Figure

from keras_sparseflow.analysis.figures.drawing.colours import ON_DARK, SEQUENCE
from keras_sparseflow.analysis.figures.drawing.facets import Facets, styled

_NOT_SEEN = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|<\?xml.*?\?>|<!DOCTYPE.*?>|(?<=>)\s+(?=<)", re.DOTALL)
_PLACES = re.compile(r' (?:d|x|y|transform|width|height)="[^"]*"')
_BREAK = re.compile(r" ?\n?([MLCQz]) ?")
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_MARKERS = re.compile(r"<g([^<>]*)>((?:<use [^<>]*/>){2,})</g>")
_MARKER_STYLE = re.compile(r' style="([^"]*)"')
_OWN_ID = re.compile(r' id="((?:curve|key)-[\w-]+)"')
_GROUP_ID = re.compile(r' id="(?!curve-|key-)[A-Za-z0-9_.]+_\d+"')
_UNTURNED = re.compile(r' transform="rotate\(-0 [^"]*"')
_ID = re.compile(r' id="([^"]+)"')
_REFERRED = re.compile(r'(href="#|url\(#)([^")]+)')
_FONT = re.compile(r"font: (?:(\w+) )?([\d.]+px) 'DejaVu Sans', sans-serif|font-family: 'DejaVu Sans', sans-serif; ")
_STYLE = re.compile(r"<defs><style.*?</style></defs>", re.DOTALL)  # it would hold for the whole page
_THEMED = re.compile(r"#(" + "|".join(colour[1:] for colour in (*ON_DARK, *SEQUENCE)) + r")\b")


@styled
def figure_bytes(figure: Figure, format: str = "svg", dpi: int = 150) -> bytes:
    """Returns the figure as a file's content, the same for the same figure.

    Args:
        figure: any matplotlib figure.
        format: "svg" (no date, no version in it; its text is text) or "png" (on white).
        dpi: dots per inch of a PNG.

    Example:
        >>> figure_bytes(Figure(figsize=(1, 1)), "png")[1:4]
        b'PNG'
    """
    if format not in ("svg", "png"):
        raise ValueError(f"`format` must be 'svg' or 'png'; received {format!r}.")
    content = io.BytesIO()
    if format == "png":
        figure.savefig(content, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
        return content.getvalue()
    figure.savefig(content, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return _said(content.getvalue().decode(), figure).encode()


def page_markup(svg: bytes, prefix: str, title: str, window: str = "") -> Any:
    """Returns an SVG file of `figure_bytes` as markup that stands in a page: the page's colours and its lettering.

    Args:
        svg: the file.
        prefix: begins every id, so that those of a page's figures differ.
        title: what the figure shows, for those who do not see it.
        window: "broad" or "narrow" for the one of two that windows of this kind show.
    """
    from markupsafe import Markup

    text = svg[svg.index(b"<svg") :].decode()
    text = text.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "").replace("xlink:href", "href")
    names: dict[str, str] = {}  # short ones: they are written with every marker
    for _, name in _REFERRED.findall(text):
        names.setdefault(name, f"{prefix}-{len(names)}")
    text = _ID.sub(lambda found: f' id="{names[found[1]]}"' if found[1] in names else "", text)
    text = _REFERRED.sub(lambda found: found[1] + names[found[2]], text)
    text = _THEMED.sub(r"var(--c\1)", text)
    text = _STYLE.sub("", text)
    text = _FONT.sub(_without_family, text)
    shown = f' class="{window}"' if window else ""
    head = f'<svg role="img"{shown} aria-label={quoteattr(title)} style="{_breadth(text)}" '
    return Markup(text.replace("<svg ", head, 1))


def _breadth(text: str) -> str:
    """Returns the style by which a figure is as broad as its page, its letters neither tiny nor huge.

    Where a window is narrow a broad figure is to be scrolled.
    """
    (points,) = re.findall(r'<svg [^>]*width="([\d.]+)pt"', text)
    pixels = float(points) / 0.75
    return f"width: 100%; min-width: {pixels * 0.82:.0f}px; max-width: {pixels * 1.4:.0f}px"


def _said(text: str, figure: Figure) -> str:
    """Returns matplotlib's SVG without what nobody sees, its marks with what `Facets` knows of them."""
    head, start, body = text.partition("<svg ")
    body = _NOT_SEEN.sub("", body)
    body = _PLACES.sub(lambda found: _NUMBER.sub(_rounded, _BREAK.sub(r"\1", found[0])), body)
    body = _UNTURNED.sub("", _GROUP_ID.sub("", body)).replace("<g/>", "")
    body = _MARKERS.sub(_styled_once, body)
    if isinstance(figure, Facets):
        start += "".join(f"data-{n}={quoteattr(t)} " for n, t in zip("xy", figure.axis_labels, strict=True))
        body = _OWN_ID.sub(lambda found: f"{found[0]} {_attributes(found[1], figure.curves[found[1]])}", body)
    return head + start + body


def _styled_once(markers: re.Match[str]) -> str:
    """Returns the markers of a line with their style, where they have but one, said once: it is half of their text."""
    styles = set(_MARKER_STYLE.findall(markers[2]))
    if len(styles) != 1:
        return markers[0]
    return f'<g{markers[1]} style="{styles.pop()}">{_MARKER_STYLE.sub("", markers[2])}</g>'


def _without_family(font: re.Match[str]) -> str:
    return f"font-weight: {font[1] or 'normal'}; font-size: {font[2]}" if font[2] else ""


def _rounded(number: re.Match[str]) -> str:
    value = float(number[0])
    return f"{value:.1f}".removesuffix(".0") if abs(value) >= 10 else f"{value:.3g}"


def _attributes(name: str, known: Mapping[str, str]) -> str:
    kind = name.partition("-")[0]
    return " ".join([f'class="{kind}"', *(f"data-{key}={quoteattr(value)}" for key, value in known.items())])
