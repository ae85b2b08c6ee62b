"""The code of README and docs runs as it stands there, and their figures are what their program draws."""

from xml.etree import ElementTree

import pytest

from tests import processes
from tests.test_docs import PAGES, ROOT, python_blocks


@pytest.mark.parametrize("page", [p for p in PAGES if python_blocks(p)], ids=lambda page: page.stem)
def test_code_of_a_page_runs_from_top_to_bottom(page, tmp_path):
    done = processes.run("\n".join(python_blocks(page)), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


FROM_FILES = ("p_values.svg", "pairs.svg", "sparse_execution.svg")
"""Figures of numbers that lie in files; the others train networks, whose last bits depend on the machine."""


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
