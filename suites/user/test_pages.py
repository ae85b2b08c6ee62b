"""The code of README and docs runs as it stands there, and their figures are what their program draws."""

from xml.etree import ElementTree

import pytest

from tests import processes
from tests.analysis.pages import Page
from tests.analysis.pairs import make_results, write_study
from tests.test_docs import PAGES, ROOT, python_blocks


@pytest.mark.parametrize("page", [p for p in PAGES if python_blocks(p)], ids=lambda page: page.stem)
def test_code_of_a_page_runs_from_top_to_bottom(page, tmp_path):
    done = processes.run("\n".join(python_blocks(page)), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


FROM_FILES = ("p_values.svg", "pairs.svg", "sparse_execution.svg")
"""Figures of numbers that lie in files; the others train networks, whose last bits depend on the machine."""


@pytest.fixture
def reported(tmp_path):
    """Returns the page and the folder of a made-up study's report, written after a piece of a page's code has run."""

    def report(page, first):
        (block,) = [block for block in python_blocks(ROOT / "docs" / page) if first in block]
        folder = write_study(tmp_path / "study", make_results(("adam",), widths=(7, 20)).assign(seconds=range(24)))
        recipe = block.partition("\n\n\nfound = ")[0]  # what follows is of the page's own results
        end = "from keras_sparseflow.analysis import write_report\nwrite_report('study')"
        done = processes.run(f"{recipe}\n{end}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return Page((folder / "report.html").read_text()), folder / "report"

    return report


def test_the_section_of_the_recipe_stands_on_the_page_and_in_files(reported):
    page, folder = reported("recipes.md", '@register("report_section", "longest")')
    assert "own-longest" in page.sections and "Slowest networks" in [text for _, text in page.find("h3")]
    slowest = page.text("table", id="longest")
    assert all(text in slowest for text in ("adam-BN-20-2-dense", "23.0", "21.0")) and "20.0" not in slowest
    assert {"longest.csv", "longest.md", "longest.tex"} <= {path.name for path in folder.iterdir()}


def test_the_figure_of_the_recipe_stands_on_the_page_and_in_files(reported):
    page, folder = reported("figures.md", '@figure("performance", "{value}_of_time"')
    titles = [attrs["aria-label"] for attrs, _ in page.find("svg")]
    assert "Test accuracy against training time" in titles
    assert {"test_accuracy_of_time.png", "test_accuracy_of_time.svg"} <= {
        p.name for p in (folder / "figures").iterdir()
    }


def test_figures_of_the_pages_are_what_their_program_draws(tmp_path):
    done = processes.run(ROOT / "docs" / "make_figures.py", str(tmp_path))
    assert done.returncode == 0, done.stderr
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {path.name for path in (ROOT / "docs" / "figures").glob("*.svg")}
    for name in FROM_FILES:
        same = (tmp_path / name).read_bytes() == (ROOT / "docs" / "figures" / name).read_bytes()
        assert same, f"{name} has changed: run `python docs/make_figures.py`"
    for name in drawn:
        sizes = [
            ElementTree.parse(folder / name).getroot().get("viewBox") for folder in (tmp_path, ROOT / "docs/figures")
        ]
        assert sizes[0] == sizes[1], f"{name} has changed: run `python docs/make_figures.py`"
        assert any(f"figures/{name}" in page.read_text() for page in (ROOT / "docs").glob("*.md")), name
