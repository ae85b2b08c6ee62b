"""Pages that the site has beside those of docs/: the API, examples, and lists of the files of results.

mkdocs calls the functions `on_...` while it builds (mkdocs.yml, `hooks`).
"""

import json
import logging
import re
import shutil
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from site_api import api_pages, contents
from site_links import dead_links

ROOT = Path(__file__).parents[1]
OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "examples")
"""Files and folders outside docs/ to which pages link."""

BUILT = ("build", "*.egg-info", "__pycache__")
"""Folders that building a package leaves in it."""

LANGUAGES = {".py": "python", ".toml": "toml"}
"""Languages of files that are shown as code, by ending."""

NOTEBOOK = ".ipynb"


def on_config(config: MkDocsConfig) -> None:
    """Puts the pages of the API into the navigation, behind the one that lists them."""
    reference = next(section["Reference"] for section in config.nav or [] if "Reference" in section)
    reference.insert(1, {"Modules": [{PurePosixPath(page).stem: page} for page in api_pages()]})


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


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links from a page to what lies elsewhere in the checkout into links to the site's pages."""
    if page.file.src_uri in OUTSIDE:
        markdown = markdown.replace("](docs/", "](")
    elif "/" not in page.file.src_uri:
        markdown = markdown.replace("](../", "](")
    markdown = re.sub(r"\]\(([\w/]+/report)\)", r"](\1/index.md)", markdown)
    return re.sub(r"\]\(([\w/]+\.(?:py|toml|ipynb))\)", r"](\1.md)", markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Copies the tables of results, to which reports link, as they are, and warns of links that lead nowhere."""
    site = Path(config.site_dir)
    for table in Path(config.docs_dir).glob("results/*/report/*.md"):
        shutil.copy(table, site / table.relative_to(config.docs_dir))
    for link in dead_links(site):
        logging.getLogger("mkdocs.hooks.links").warning("A link leads nowhere: %s", link)


def outside() -> list[Path]:
    """Returns the files outside docs/ that the site has pages of."""
    found = [path for name in OUTSIDE for path in [ROOT / name, *sorted((ROOT / name).rglob("*"))]]
    return [
        path for path in found if path.suffix in (".md", NOTEBOOK, *LANGUAGES) and not built(path.relative_to(ROOT))
    ]


def built(path: PurePath) -> bool:
    """Returns whether a file is what building a package left there."""
    return any(PurePath(part).match(pattern) for part in path.parts for pattern in BUILT)


def page_of(uri: str) -> str:
    """Returns the page that shows a file: itself, or one beside a program."""
    return uri if uri.endswith(".md") else f"{uri}.md"


def shown(path: Path) -> str:
    """Returns the text of a page, or of one that shows a program."""
    text = path.read_text()
    if path.suffix == NOTEBOOK:
        return markdown_of(json.loads(text))
    return text if path.suffix == ".md" else f"# {path.name}\n\n```{LANGUAGES[path.suffix]}\n{text}```\n"


def markdown_of(notebook: dict[str, Any]) -> str:
    """Returns a notebook's cells as Markdown: text, code, and what the code showed, pictures among it."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        parts += [_output(output.get("data", {}), "".join(output.get("text", []))) for output in cell["outputs"]]
    return "\n\n".join(parts) + "\n"


def _output(data: dict[str, Any], text: str) -> str:
    """Returns an output in the richest form that a page can show."""
    if "image/png" in data:
        return f"![What the cell draws](data:image/png;base64,{data['image/png'].strip()})"
    if "text/html" in data:
        html = "".join(data["text/html"])
        return (
            '<div style="overflow-x: auto">' + re.sub(r"<style.*?</style>|\n\s*", "", html, flags=re.DOTALL) + "</div>"
        )
    return f"```text\n{text or ''.join(data['text/plain'])}\n```"


def listed(folder: PurePosixPath, uris: list[str]) -> str:
    """Returns a page that links to all files in a folder."""
    names = sorted(PurePosixPath(uri).name for uri in uris if PurePosixPath(uri).parent == folder)
    return "\n".join([f"# Tables of {folder.parent.name}", "", *(f"- [{name}]({name})" for name in names)])
