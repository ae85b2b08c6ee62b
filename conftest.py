"""Where the examples of docstrings run: a folder that holds a small finished study, `runs/demo`."""

import pytest

from tests.analysis import pairs


@pytest.fixture(scope="session")
def folder_of_examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    write_demo(folder)
    return folder


@pytest.fixture(autouse=True)
def examples_run_beside_a_study(request, monkeypatch):
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(request.getfixturevalue("folder_of_examples"))


def write_demo(folder):
    """Writes a made-up study of pairs into `runs/demo`: two variants, two widths and three seeds."""
    results = pairs.make_results(optimizers=("adam",), widths=(7, 34))
    pairs.write_study(folder / "runs" / "demo", results, pairs.make_flow(results, epochs=(0, 14, 29)))
