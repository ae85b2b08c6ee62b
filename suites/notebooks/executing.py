"""Runs the notebooks of examples/, and keeps what they show.

python suites/notebooks/executing.py                         all of them anew
python suites/notebooks/executing.py examples/study.ipynb    this one
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))


def executed(path, folder):
    """Returns a notebook with the outputs of its cells, run from top to bottom in a folder of its own."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def kept(notebook):
    """Returns a notebook without what differs from one run to the next: times, logs and progress."""
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata = {name: notebook.metadata[name] for name in ("kernelspec", "language_info")}
    notebook.metadata.language_info = {"name": "python"}
    return notebook


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:] or NOTEBOOKS):
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(kept(executed(path, folder)), path)
        print(path.name, flush=True)
