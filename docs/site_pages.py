"""Pages that the site has beside those of docs/: the API, a page for each module, and files from outside docs/.

mkdocs calls the functions `on_...` while it builds (mkdocs.yml, `hooks`). What is public is listed in make_api.py.
"""

import re
import sys
from importlib import import_module
from inspect import getdoc, isclass, isfunction
from pathlib import Path, PurePosixPath
from typing import Any

import make_api
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "examples")
"""What pages link to and docs/ does not hold."""


def on_config(config: MkDocsConfig) -> None:
    """Puts the pages of the API into the navigation, behind the one that lists them."""
    section = next(section for section in config.nav or [] if "Reference" in section)
    section["Reference"].insert(1, {"Modules": sorted(api_pages())})


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Adds the pages of the API, those of files outside docs/, and a list of the files of each study's results."""
    pages = api_pages()
    overview = files.src_uris["api.md"]
    pages["api.md"] = overview.content_string + contents(pages)
    files.remove(overview)
    for path in outside():
        pages[page_of(path.relative_to(ROOT).as_posix())] = shown(path)
    for folder in {PurePosixPath(file.src_uri).parent for file in files if "/report/" in file.src_uri}:
        pages[f"{folder}/index.md"] = listed(folder, [file.src_uri for file in files])
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turns links from a page to what lies elsewhere in the checkout into links to the site's pages."""
    if page.file.src_uri in OUTSIDE:
        markdown = markdown.replace("](docs/", "](")
    markdown = markdown.replace("](../", "](") if "/" not in page.file.src_uri else markdown
    markdown = re.sub(r"\]\(([\w/]+/report)\)", r"](\1/index.md)", markdown)
    return re.sub(r"\]\(([\w/]+\.(?:py|toml))\)", r"](\1.md)", markdown)


def outside() -> list[Path]:
    """Returns the files outside docs/ that the site has pages of."""
    found = [path for name in OUTSIDE for path in [ROOT / name, *sorted((ROOT / name).rglob("*"))]]
    return [path for path in found if path.suffix in (".md", ".py", ".toml") and path.is_file()]


def page_of(uri: str) -> str:
    """Returns the page that shows a file: itself, or one beside a program."""
    return uri if uri.endswith(".md") else f"{uri}.md"


def shown(path: Path) -> str:
    """Returns the text of a page, or of one that shows a program."""
    text = path.read_text()
    return (
        text if path.suffix == ".md" else f"# {path.name}\n\n```{path.suffix[1:].replace('py', 'python')}\n{text}```\n"
    )


def listed(folder: PurePosixPath, uris: list[str]) -> str:
    """Returns a page that links to all files in a folder."""
    names = sorted(PurePosixPath(uri).name for uri in uris if PurePosixPath(uri).parent == folder)
    return "\n".join([f"# Tables of {folder.parent.name}", "", *(f"- [{name}]({name})" for name in names)])


def api_pages() -> dict[str, str]:
    """Returns the pages of the API: for each module the directives from which mkdocstrings makes it."""
    names: dict[str, list[str]] = {}
    for full_name, item in make_api.public_items().items():
        module, name = full_name.rsplit(".", 1)
        names.setdefault(module, []).append(definition(module, name, item))
    return {page_name(module): api_page(module, found) for module, found in names.items()}


def page_name(module: str) -> str:
    """Returns the page of a module."""
    return f"api/{module.removeprefix('keras_sparseflow.')}.md"


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
    """Returns the table of the pages of the API, with the first line of each."""
    rows = []
    for uri, text in sorted(pages.items()):
        title, summary = text.split("\n\n", 2)[:2]
        rows.append(f"| [{title[2:]}]({uri}) | {' '.join(summary.split())} |")
    return "\n".join(["", "| module | what it holds |", "|---|---|", *rows, ""])
