"""Dead links of a built site, also those of pages that mkdocs copies as they are."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Links(HTMLParser):
    """Links of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps the values of the attributes `href` and `src` of a tag."""
        self.found |= {value for name, value in attrs if name in ("href", "src") and value}


def dead_links(site: Path) -> list[str]:
    """Returns page and link of each link to a file that the site lacks; other sites are not asked."""
    dead = []
    for page in sorted(site.rglob("*.html")):
        for link in sorted(Links(page.read_text()).found):
            target = urlsplit(link)
            within = not target.scheme and not target.netloc and target.path
            if within and not _leads_somewhere(page.parent, unquote(target.path), site):
                dead.append(f"{page.relative_to(site)}: {link}")
    return dead


def _leads_somewhere(folder: Path, path: str, site: Path) -> bool:
    place = site / path.lstrip("/") if path.startswith("/") else folder / path
    return (place / "index.html").is_file() if place.is_dir() else place.is_file()
