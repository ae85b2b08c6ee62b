"""The pages of the API on the site: one for each module that offers public names, which make_api.py lists."""

import re
import sys
from importlib import import_module
from inspect import getdoc, isclass, isfunction
from pathlib import Path
from typing import Any

import make_api


def api_pages() -> dict[str, str]:
    """Returns each page and its text: directives from which mkdocstrings makes it of the docstrings."""
    names: dict[str, list[str]] = {}
    for full_name, item in make_api.public_items().items():
        module, name = full_name.rsplit(".", 1)
        names.setdefault(module, []).append(definition(module, name, item))
    return {
        f"api/{module.removeprefix('keras_sparseflow.')}.md": api_page(module, names[module])
        for module in sorted(names)
    }


def api_page(module: str, definitions: list[str]) -> str:
    """Returns the page of one module."""
    summary = getdoc(import_module(module)) or ""
    return "\n\n".join([f"# {module}", summary, *(f"::: {definition}" for definition in definitions)])


def definition(module: str, name: str, item: Any) -> str:
    """Returns where a public name of a module is defined, which for a package is one of its modules."""
    if isclass(item) or isfunction(item):
        return f"{item.__module__}.{item.__qualname__}"
    assigned = re.compile(rf"^{name}(?:: .*)? = ", re.MULTILINE)
    homes = [
        other
        for other in sorted(sys.modules)
        if (other == module or other.startswith(f"{module}."))
        and assigned.search(Path(str(sys.modules[other].__file__)).read_text())
    ]
    if len(homes) != 1:
        raise ValueError(f"`{module}.{name}` must be assigned in one module; found: {homes}.")
    return f"{homes[0]}.{name}"


def contents(pages: dict[str, str]) -> str:
    """Returns the table of the pages, with the first paragraph of each."""
    rows = []
    for uri, text in pages.items():
        title, summary = text.split("\n\n", 2)[:2]
        rows.append(f"| [`{title[2:]}`]({uri}) | {' '.join(summary.split())} |")
    return "\n".join(["", "| module | what it holds |", "|---|---|", *rows, ""])
