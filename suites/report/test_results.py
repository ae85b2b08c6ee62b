"""The numbers of docs/results, which can be computed again from the rows that stand beside them."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

from keras_sparseflow.records import damaged_runs, read_results, read_study

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_results", DOCS / "make_results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_table_and_file_of_results_is_what_the_rows_beside_it_give(script):
    names = script.studies()
    assert "table_5b" in names
    for path, content in script.files(names).items():
        assert content == path.read_text(), f"PYTHONPATH=. python docs/make_results.py writes {path.name} anew"


def test_every_study_of_results_is_whole_and_was_trained_with_the_settings_that_stand_there(script):
    for name in script.studies():
        assert damaged_runs(script.RESULTS / name) == {}
        study = read_study(script.RESULTS / name)
        lines = (script.SETTINGS / f"{name}.flags").read_text().splitlines()[1:]
        settings = dict(line.removeprefix("--").split("=") for line in lines if "=" in line)
        # Of density, a whole number is written as 1 in the settings, and as 1.0 in the study.
        changed = {each["choice"]: each["here"].replace(", ", ",").removesuffix(".0") for each in study["overrides"]}
        if settings.get("model") == "mlp":  # in place of a ResNet; it begins at its own depth and width
            changed = {choice: value for choice, value in changed.items() if choice not in ("depth", "width")}
        expected = {"preset": study["preset"], "study": name, **changed}
        assert expected.items() <= settings.items()
        results = read_results(script.RESULTS / name)
        for flag in settings.keys() - expected.keys():  # what the preset has anyway
            assert {str(value) for value in results[flag]} == {settings[flag]}
        assert len(study["run_ids"]) == study["runs_planned"]


def test_results_are_no_burden_to_who_clones():
    listed = subprocess.run(["git", "ls-files", "-z", "results"], cwd=DOCS, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git checkout, so which files are committed is not known")
    sizes = {name: (DOCS / name).stat().st_size for name in listed.stdout.split("\0")[:-1]}
    assert sum(sizes.values()) < 8e6, sorted(sizes.items(), key=lambda each: -each[1])[:20]
