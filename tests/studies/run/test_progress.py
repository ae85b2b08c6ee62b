"""Progress of a study: runs done, time left, current accuracy."""

import io
import re

import pytest
from rich.console import Console

from keras_sparseflow.studies.run import progress as progress_module
from keras_sparseflow.studies.run.progress import StudyProgress


@pytest.fixture
def specs(spec):
    """Four runs of 2 epochs."""
    return [spec(epochs=2, seed=seed) for seed in range(4)]


def test_without_a_terminal_it_is_lines_with_runs_time_and_accuracy(specs, monkeypatch):
    monkeypatch.setattr(progress_module, "LINE_SECONDS", 0)
    output = io.StringIO()
    with StudyProgress(specs, Console(file=output, width=200)) as shown:
        shown.skip(specs[0])
        shown.epoch_of(specs[1])(0, {"val_accuracy": 0.4567})
        shown.finish(specs[1], {"epochs_run": 1, "diverged": True})
        shown.refuse(specs[2], "There is no room.")
    lines = output.getvalue().splitlines()
    assert lines[0].startswith("1/4 runs, -:--:-- left; sgd NR mlp_1_20 random m6 seed 0: finished before")
    assert "epoch 1/2, test accuracy 0.457" in lines[1] and lines[2].endswith("diverged")
    assert lines[3] == f"Not trained: {specs[2].name}. There is no room."
    assert (shown.done, shown.skipped, shown.diverged) == (2, 1, 1)


def test_time_left_is_that_of_the_epochs_left(spec, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    specs = [spec(epochs=2, seed=seed) for seed in range(8)]
    shown = StudyProgress(specs, Console(file=io.StringIO()))
    assert shown.time_left() == "-:--:--"
    shown.skip(specs[0])
    now[0] = 160.0
    shown.epoch_of(specs[1])(0, {})
    assert shown.time_left() == "0:13:00"  # 13 epochs left, one a minute
    shown.finish(specs[1], {"epochs_run": 1, "diverged": True})
    assert shown.time_left() == "0:12:00"
    shown.epoch_of(specs[2])(1, {})  # taken up at its second and last epoch
    assert shown.time_left() == "0:05:00"  # 10 epochs left, two a minute


def test_at_80_columns_bar_runs_and_time_left_stand_in_one_line(specs):
    output = io.StringIO()
    with StudyProgress(specs, Console(file=output, force_terminal=True, width=80, color_system=None)) as shown:
        shown.finish(specs[0], {"epochs_run": 2, "diverged": False})
    bars = [line for line in re.split(r"[\r\n]", output.getvalue()) if "1/4 runs" in line]
    assert bars and all("━" * 10 in line and line.endswith("left") for line in bars)


def test_on_a_terminal_it_is_a_bar(specs):
    output = io.StringIO()
    with StudyProgress(specs, Console(file=output, force_terminal=True, width=120)) as shown:
        shown.finish(specs[0], {"epochs_run": 2, "diverged": False})
    assert "1/4" in output.getvalue() and "left" in output.getvalue()
