"""The notebooks of examples/ run from top to bottom, show what the files show, and have pictures."""

import nbformat
import pytest

pytest.importorskip(
    "nbclient", reason="Jupyter's current kernel, of the extra `notebooks`, needs Python 3.11 or later."
)

from suites.notebooks.executing import NOTEBOOKS, executed

PICTURES = {
    "gradient_flow": "image/png",
    "pruning_to_litert": "text/html",
    "sparse_layers": "text/html",
    "study": "image/png",
}


def kinds(notebook):
    """The kinds of output of each cell of code, but logs and progress."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        {kind for output in cell.outputs if output.output_type == "execute_result" for kind in output.data}
        for cell in cells
    ]


def test_every_notebook_is_known():
    assert {path.stem for path in NOTEBOOKS} == set(PICTURES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_its_file_shows(path, tmp_path):
    kept, found = kinds(nbformat.read(path, as_version=4)), kinds(executed(path, tmp_path))
    assert found == kept
    assert any(PICTURES[path.stem] in shown for shown in kept)
