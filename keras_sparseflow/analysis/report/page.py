"""The report's page: one HTML file that needs nothing else, in which every text is escaped."""

import base64
import functools
import gzip
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.figures.drawing.colours import ON_DARK, SEQUENCE
from keras_sparseflow.analysis.figures.gallery import Drawing
from keras_sparseflow.analysis.report.made_sections import MadeSection
from keras_sparseflow.analysis.report.section import GROUPS, Content
from keras_sparseflow.analysis.report.tables.table import Table
from keras_sparseflow.analysis.report.words import abbreviations_in, explained

FOLDER = "report"
"""The folder of tables and figures beside the page."""

_PLAIN = str.maketrans("&<>", ",.:")
"""Letters of base 85 that HTML would take for its own, and those that stand for them."""


def render(shown: Mapping[str, Any], sections: Sequence[MadeSection], effects: Drawing | None, files: bool) -> str:
    """Returns the page.

    Args:
        shown: texts of the first screen by the names that the template knows them by.
        sections: those of the page, in order.
        effects: the figure of the first screen, or None.
        files: whether figures stand beside the page as files too.
    """
    environment = _templates()
    read: list[str] = []  # every text that may hold an abbreviation, in the order of the page
    environment.filters["explain"] = functools.partial(_explain, read)
    environment.globals["legend"] = lambda: abbreviations_in(read)
    environment.tests["missing"] = lambda value: bool(pd.isna(value))
    colours = {**ON_DARK, **SEQUENCE}
    environment.globals["figure_colours"] = {colour.lstrip("#"): (colour, dark) for colour, dark in colours.items()}
    numbers = itertools.count(1)
    groups = [
        {"heading": heading, "sections": [_section(one, numbers) for one in sections if one.group == group]}
        for group, heading in GROUPS.items()
    ]
    first = None if effects is None else _figure(effects, next(numbers))
    return environment.get_template("page.html.j2").render(
        **shown,
        groups=[group for group in groups if group["sections"]],
        effects=first,
        figure_files=files,
        folder=FOLDER,
    )


def compressed(page: str, title: str) -> str:
    """Returns a page that unpacks itself in a browser, about a fifth as large as the page that it holds.

    Args:
        page: HTML, as `render` returns it.
        title: of the page.
    """
    packed = base64.b85encode(gzip.compress(page.encode(), mtime=0)).decode().translate(_PLAIN)
    return _templates().get_template("compressed.html.j2").render(title=title, base85=packed)


def _templates() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("keras_sparseflow.analysis.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _section(section: MadeSection, numbers: "itertools.count[int]") -> dict[str, Any]:
    content = section.content
    return {
        "id": section.id,
        "heading": section.heading,
        "html": section.html,
        "error": section.error,
        "content": None if content is None else _content(content, numbers),
    }


def _content(content: Content, numbers: "itertools.count[int]") -> dict[str, Any]:
    printed = [block.file for block in content.blocks if isinstance(block, Table) and block.file]
    return {
        "before": content.before,
        "blocks": [_block(block, numbers) for block in content.blocks],
        "csv_files": [name for name in content.files if not name.startswith("pairs_")],
        "printed_files": list(dict.fromkeys(printed)),
    }


def _block(block: Any, numbers: "itertools.count[int]") -> dict[str, Any]:
    if isinstance(block, Table):
        grouped = itertools.groupby(column.group for column in block.columns)
        groups = [(name, len(list(inside))) for name, inside in grouped]
        return {"kind": "table", **vars(block), "groups": groups if any(name for name, _ in groups) else []}
    if isinstance(block, Drawing):
        return {"kind": "figure", **_figure(block, next(numbers))}
    return {"kind": "text", "text": block}


def _figure(drawing: Drawing, number: int) -> dict[str, Any]:
    return {
        "name": drawing.name,
        "title": drawing.title,
        "caption": drawing.caption,
        "svg": drawing.markup(f"f{number}"),
    }


def _explain(read: list[str], text: str) -> Any:
    """Returns text as markup in which abbreviations say what they stand for, and notes it for the legend."""
    from markupsafe import Markup, escape

    read.append(text)
    return Markup(explained(str(escape(text))))
