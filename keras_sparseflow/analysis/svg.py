"""Figures as small SVG markup: what matplotlib writes, without what a page does not need."""

import re
from collections.abc import Mapping
from itertools import groupby
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_COMMAND = re.compile(r"\s*([A-Za-z])\s*")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_DRAWING = ("d", "points", "transform", "viewBox", "x", "y", "width", "height")
_FONTS = re.compile(r"font-family:[^;]*;?\s*")
_FONT = re.compile(r"font:\s*(?:(?P<weight>\w+)\s+)?(?P<size>[\d.]+px)[^;]*")


def compact_svg(text: str, prefix: str, title: str, colours: Mapping[str, str]) -> str:
    """Returns an SVG file of matplotlib's as markup that can stand in a page beside others.

    What is seen changes in one thing: the lettering takes the page's font. Coordinates keep a tenth of a
    point (below ten, three digits), each style is written once, and names and groups that nothing refers
    to go.

    Args:
        text: an SVG file, with its text as text (`svg.fonttype` "none").
        prefix: begins every id and class, so that those of a page's figures differ.
        title: what the figure shows, for those who do not see it.
        colours: what stands in place of each colour, such as {"#1f2429": "var(--ink)"}.
    """
    root = ElementTree.fromstring(text)
    _drop_namespaces(root)
    _remove(root, ("metadata", "style"))
    _rename_ids(root, prefix)
    sheet = _share_styles(root, prefix, colours)
    for element in root.iter():
        _shorten(element)
    _unwrap_groups(root)
    for element in list(root.iter()):
        _group_alike(element)
    style = Element("style")
    style.text = "".join(f".{name}{{{rule}}}" for rule, name in sheet.items())
    root.insert(0, style)
    root.attrib.update({"xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-label": title})
    return ElementTree.tostring(root, encoding="unicode").replace(" />", "/>")


def _drop_namespaces(root: Element) -> None:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}


def _remove(root: Element, tags: tuple[str, ...]) -> None:
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in tags]:
            parent.remove(child)


def _rename_ids(root: Element, prefix: str) -> None:
    """Gives each id that something refers to a short name, and takes away the others."""
    used = {element.get("href", "").removeprefix("#") for element in root.iter()}
    used |= {name for element in root.iter() for value in element.attrib.values() for name in _REFERENCE.findall(value)}
    names: dict[str, str] = {}
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in used:
            element.set("id", names.setdefault(name, f"{prefix}-{len(names)}"))
    for element in root.iter():
        if element.get("href", "").startswith("#"):  # others are images, in the figure themselves
            element.set("href", f"#{names[element.attrib['href'][1:]]}")
        for key, value in element.attrib.items():
            element.set(key, _REFERENCE.sub(lambda found: f"url(#{names[found[1]]})", value))


def _share_styles(root: Element, prefix: str, colours: Mapping[str, str]) -> dict[str, str]:
    """Moves each element's style into a class and returns the class of each style."""
    classes: dict[str, str] = {}
    for element in root.iter():
        rule = element.attrib.pop("style", None)
        if rule is not None:
            rule = _themed(_without_fonts(rule), colours)
            element.set("class", classes.setdefault(rule, f"{prefix}-c{len(classes)}"))
    return classes


def _without_fonts(rule: str) -> str:
    rule = _FONT.sub(lambda found: f"font-size: {found['size']}; font-weight: {found['weight'] or 'normal'}", rule)
    return _FONTS.sub("", rule)


def _themed(rule: str, colours: Mapping[str, str]) -> str:
    for colour, replacement in colours.items():
        rule = re.sub(rf"\b(fill|stroke): {colour}\b", rf"\1: {replacement}", rule)
    return rule.replace(": ", ":").replace("; ", ";")


def _shorten(element: Element) -> None:
    for name in _DRAWING:
        if name in element.attrib:
            value = _NUMBER.sub(lambda found: _rounded(float(found[0])), element.attrib[name])
            element.set(name, _COMMAND.sub(r"\1", value).strip() if name == "d" else value)
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    if element.tag not in ("text", "tspan") and not (element.text or "").strip():
        element.text = None
    if element.tag != "tspan":
        element.tail = None


def _rounded(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if abs(value) >= 10 else f"{value:.3g}"


def _unwrap_groups(parent: Element) -> None:
    """Puts the children of groups that say nothing in those groups' place."""
    children: list[Element] = []
    for child in list(parent):
        _unwrap_groups(child)
        children += list(child) if child.tag == "g" and not child.attrib else [child]
    if parent.tag not in ("text", "tspan"):
        parent[:] = children


def _group_alike(parent: Element) -> None:
    """Says once for all of them what neighbours have in common: their class and what they are clipped to."""
    if parent.tag not in ("svg", "g"):
        return
    children: list[Element] = []
    for look, inside in groupby(parent, key=_look):
        alike = list(inside)
        if len(alike) == len(parent) and not look.keys() & parent.attrib.keys():
            _move_look(look, alike, parent)
        elif len(alike) > 1 and look:
            group = Element("g")
            group.extend(alike)
            _move_look(look, alike, group)
            alike = [group]
        children += alike
    parent[:] = children


def _move_look(look: dict[str, str], members: list[Element], group: Element) -> None:
    group.attrib.update(look)
    for member in members:
        for name in look:
            del member.attrib[name]


def _look(element: Element) -> dict[str, str]:
    """Returns what a group can say for its members."""
    return {name: element.attrib[name] for name in ("class", "clip-path") if name in element.attrib}
