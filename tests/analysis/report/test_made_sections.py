"""Sections of a report: those for which a study has what they need, and those of other packages, which may fail."""

from pathlib import Path

import pandas as pd
import pytest

from keras_sparseflow.analysis.report.made_sections import make_sections
from keras_sparseflow.analysis.report.page import render
from keras_sparseflow.analysis.report.section import GROUPS, Content
from keras_sparseflow.analysis.report.sections import index
from keras_sparseflow.analysis.report.sections.index import SECTIONS
from keras_sparseflow.analysis.report.tables.table import Shown, table_of
from tests.analysis.densities import make_densities
from tests.analysis.sources import numbers_of
from tests.plugins.packages import install, registered

pytestmark = pytest.mark.usefixtures("undrawn")

KINDS = ("pairs", "densities")
SHOWN = dict.fromkeys(("title", "name", "created", "networks", "reproduces", "preset"), "text") | {
    "changes": 0, "answer": ["An answer."], "warnings": [],
}  # fmt: skip


@pytest.fixture
def made(make_results):
    """Returns the sections of a small study by their ids."""

    def make(kind):
        pairs = make_results(("sgd",), ("NR",), (7, 20), (0,))
        results = pairs if kind == "pairs" else make_densities(("sgd",), ("NR",), (0.1, 1.0), (0,), ("random",))
        return {section.id: section for section in make_sections(numbers_of(results))}

    return make


def test_every_section_is_in_a_group_and_says_what_it_shows():
    sections = [SECTIONS.get(name) for name in SECTIONS.builtins]
    assert {section.group for section in sections} <= set(GROUPS)
    assert all(section.help and section.heading for section in sections)


@pytest.mark.parametrize("kind", KINDS)
def test_a_study_has_the_sections_that_it_has_numbers_for_in_the_order_of_the_table(kind, made):
    ids = list(made(kind))
    assert ids == [name for name in SECTIONS.builtins if name in ids]
    assert {"correlations", "means", "choices", "made"} <= set(ids)
    assert ("p_values" in ids, "densities" in ids) == (kind == "pairs", kind == "densities")
    assert not {"diverged", "changes", "published", "published_sparsity"} & set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_sections_of_other_packages_stand_with_them(kind, made, monkeypatch):
    seen = []

    def slowest(source):
        seen.append(source)
        return "The slowest <runs>", f"<p class='mine'>{source.results['seconds'].max():.0f} s</p>"

    registered(monkeypatch, SECTIONS, slowest=slowest, silent=lambda source: None)
    sections = made(kind)
    assert "own-silent" not in sections and ("arm" in seen[0].results) == (kind == "pairs")
    html = render(SHOWN, list(sections.values()), None, files=False)
    assert "The slowest &lt;runs&gt;" in html and "<runs>" not in html, "headings are text"
    assert f"<p class='mine'>{seen[0].results['seconds'].max():.0f} s</p>" in html
    assert html.index('id="means"') < html.index('id="own-slowest"') < html.index('id="choices"')
    assert 'href="#own-slowest"' in html


def test_sections_of_other_packages_may_be_tables(made, monkeypatch):
    frame = pd.DataFrame({"run": ["a<b"], "seconds": [1.5]})
    table = table_of(frame, [Shown("run", "run", text=True), Shown("seconds", "seconds")], "mine", "Mine.", "mine")
    registered(monkeypatch, SECTIONS, mine=lambda source: ("Mine", Content([table, "A <text>."], {"mine": frame})))
    section = made("pairs")["own-mine"]
    assert section.content.files["mine"] is frame
    html = render(SHOWN, [section], None, files=False)
    assert 'id="mine"' in html and "a&lt;b" in html and "A &lt;text&gt;." in html and "report/mine.tex" in html


def test_one_that_is_broken_is_named_with_its_error_and_the_rest_goes_on(made, monkeypatch):
    install(monkeypatch, SECTIONS, "pages 0.2", gone="no_such_module:section")

    def failing(source):
        raise KeyError("no such column")

    registered(
        monkeypatch, SECTIONS, failing=failing, odd=lambda source: "<p>no heading</p>", good=lambda s: ("G", "H")
    )
    sections = made("pairs")
    assert [name for name in sections if name.startswith("own-")] == [
        "own-failing", "own-gone", "own-good", "own-odd"
    ]  # fmt: skip
    failing, gone, good, odd = (sections[f"own-{name}"] for name in ("failing", "gone", "good", "odd"))
    assert "registered in tests.plugins.packages) failed: KeyError: 'no such column'." in failing.error
    assert "(pages 0.2, no_such_module:section) is broken: ModuleNotFoundError" in gone.error
    assert "failed: ValueError: too many values to unpack" in odd.error
    assert (good.heading, good.html, good.error) == ("G", "H", "") and "p_values" in sections
    html = render(SHOWN, [failing], None, files=False)
    assert "KeyError: &#39;no such column&#39;" in html and 'role="note"' in html


def test_every_file_of_sections_is_found_by_being_there():
    files = {path.stem for path in Path(index.__file__).parent.glob("[a-z]*.py")} - {"index"}
    assert {SECTIONS.get(name).make.__module__.rpartition(".")[2] for name in SECTIONS.builtins} == files
