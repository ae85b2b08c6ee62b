"""Sections of reports: each kind of study has its own, and those of other packages stand with them or say why not."""

import re

import pytest

from keras_sparseflow.analysis.report.sections import SECTIONS
from keras_sparseflow.analysis.report.writing import write_report
from tests.analysis.densities import make_densities, write_densities
from tests.plugins.packages import install, registered

KINDS = ("pairs", "density")


pytestmark = pytest.mark.usefixtures("unrendered")


@pytest.fixture(name="reported")
def _reported(tmp_path, make_results, write_study):
    """Writes the report of a small study of a kind; returns its page and the contents, id and heading of each."""

    def report(kind):
        if kind == "pairs":
            write_study(tmp_path / kind, make_results(("sgd",), ("NR",), (0.3, 0.6), (0,)))
        else:
            write_densities(tmp_path / kind, make_densities(("sgd",), ("NR",), (0.1, 1.0), (0,), ("random",)))
        html = write_report(tmp_path / kind, figures=False).read_text()
        return html, re.findall(r'<li><a href="#([^"]+)">([^<]+)</a>', html)

    return report


def test_every_section_is_of_a_kind_of_report():
    assert all(set(SECTIONS.get(name).studies) <= set(KINDS) for name in SECTIONS.builtins)


@pytest.mark.parametrize("kind", KINDS)
def test_pages_have_the_sections_of_their_kind_and_of_other_packages(kind, reported, monkeypatch):
    seen = []

    def slowest(source):
        seen.append(source)
        return "The slowest <runs>", f"<p class='mine'>{source.results['seconds'].max():.0f} s</p>"

    registered(monkeypatch, SECTIONS, slowest=slowest, silent=lambda source: None)
    html, contents = reported(kind)
    ids = [id for id, _ in contents]
    assert ids == re.findall(r'<h2 id="([^"]+)"', html), "the contents list every section in its order"
    assert ids[0] == {"pairs": "claims", "density": "densities"}[kind]
    assert ids[ids.index("means") :] in (
        ["means", "own-slowest", "choices", "made"],
        ["means", "own-slowest", "scaled", "choices", "made"],
    )
    assert ("own-slowest", "The slowest &lt;runs&gt;") in contents, "headings are text"
    assert f"<p class='mine'>{seen[0].results['seconds'].max():.0f} s</p>" in html and "own-silent" not in html
    assert ("arm" in seen[0].results) == (kind == "pairs"), "what was trained decides"


def test_one_that_is_broken_is_named_with_its_error_and_the_rest_goes_on(reported, monkeypatch):
    install(monkeypatch, SECTIONS, "pages 0.2", gone="no_such_module:section")

    def failing(source):
        raise KeyError("no such column")

    registered(
        monkeypatch, SECTIONS, failing=failing, odd=lambda source: "<p>no heading</p>", good=lambda s: ("G", "H")
    )
    html, contents = reported("pairs")
    assert [id for id, _ in contents if id.startswith("own-")] == [
        "own-failing", "own-gone", "own-good", "own-odd"
    ]  # fmt: skip
    errors = re.findall(r'<h2 id="own-\w+">\w+</h2>\s*<p class="warning" role="note">([^<]+)</p>', html)
    assert "registered in tests.plugins.packages) failed: KeyError: &#39;no such column&#39;." in errors[0]
    assert "(pages 0.2, no_such_module:section) is broken: ModuleNotFoundError" in errors[1]
    assert "failed: ValueError: too many values to unpack" in errors[2] and len(errors) == 3
    assert 'id="claims"' in html and '<h2 id="own-good">G</h2>\nH' in html
