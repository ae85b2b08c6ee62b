"""The checks of `make docs` itself: links of the built site, and which files it has pages of."""

import re
import sys
from pathlib import Path

import pytest

from tests import processes

ROOT = Path(__file__).parents[1]


@pytest.fixture(name="dead_links")
def _dead_links(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    yield __import__("site_links").dead_links
    sys.modules.pop("site_links")


def test_links_that_lead_nowhere_are_found(dead_links, tmp_path):
    (tmp_path / "report").mkdir()
    for name in ("a page.md", "index.html", "style.css"):
        (tmp_path / "report" / name).write_text("")
    (tmp_path / "page.html").write_text(
        '<link href="report/style.css"><a href="report/a%20page.md#part"></a><a href="#here"></a><a href="report/"></a>'
        '<a href="https://example.org/x.html"></a><a href="/page.html?a=b"></a><img src="data:image/png;base64,AA">'
        '<a href="report/gone.md"></a><img src=missing.svg><script src="/gone.js"></script>'
    )
    assert dead_links(tmp_path) == ["page.html: /gone.js", "page.html: missing.svg", "page.html: report/gone.md"]


@pytest.mark.parametrize(
    ("word", "page"),
    [("load_model", "layers"), ("TFLite", "deploy"), ("prune_low_magnitude", "coming_from"), ("wandb", "tracking")],
)
def test_the_search_finds_what_users_of_others_look_for(word, page):
    """It looks for words that begin with what is typed, in text that is cut into words by the separator."""
    separator = re.search(r"^ +separator: '(.*)'$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)[1]
    text = (ROOT / "docs" / f"{page}.md").read_text()
    assert any(part.lower().startswith(word.lower()) for part in re.split(separator, text))


BUILT = """
from site_pages import built
from pathlib import Path
found = ["build/lib/extras/scores.py", "sparseflow_extras.egg-info/SOURCES.md", "sparseflow_extras/scores.py"]
assert [built(Path("examples/plugin", name)) for name in found] == [True, True, False]
"""


def test_files_that_a_build_has_left_have_no_page():
    pytest.importorskip("mkdocs", reason="of the docs extra")
    done = processes.run(f"import sys\nsys.path.insert(0, {str(ROOT / 'docs')!r})\n{BUILT}", cwd=ROOT)
    assert done.returncode == 0, done.stderr
