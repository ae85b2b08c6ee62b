"""What the launchers print about studies."""

import io

import pytest
from keras_sparseflow.studies.size.estimate import Estimate
from rich.console import Console

from keras_sparseflow.studies.printing import calibration_bar, print_estimates, print_study
from keras_sparseflow.studies.size.cost import Cost
from keras_sparseflow.studies.study import Study


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=120)


def text(console):
    return console.file.getvalue()


STUDY = Study(name="table_9", title="Which is better [here]", reproduces="Table 9", notes=["Not told."])


def test_a_study_is_told_with_what_it_repeats_what_is_open_and_what_is_changed(console):
    print_study(STUDY.with_choices({"epochs": 3}), "1 network.", 5400, console)
    lines = text(console).splitlines()
    assert lines[:5] == [
        "table_9: Which is better [here]", "Reproduces: Table 9.", "Note: Not told.",
        "Changed: epochs 3 (preset: 100).", "Cost: 1 network.",
    ]  # fmt: skip
    assert lines[5].startswith("Estimated time for what is left: 1.5 h.")


def test_estimates_stand_in_rows_and_a_refused_study_says_why(console):
    good = Estimate(STUDY, Cost(30, 1500, 2 * 10**6, 3 * 10**6, 10**15, 10**14), 7200)
    refused = Estimate(Study(name="other", title="t"), refusal="`image_size` must be [1, 8]")
    print_estimates([good, refused], console)
    rows = [line.split() for line in text(console).splitlines()]
    assert ["table_9", "30", "1.5", "k", "2", "M", "3", "M", "1", "P", "2", "h"] in rows
    assert ["other", *"------"] in rows and "Which is better [here]" in text(console)
    assert "`image_size` must be [1, 8]" in " ".join(text(console).split())


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_keeps_to_the_terminal(width):
    console = Console(file=io.StringIO(), width=width)
    print_estimates([Estimate(STUDY, Cost(3900, *[1.52e9] * 3, 3.26e19, 1e19), 15 * 365 * 86_400)], console)
    assert max(map(len, text(console).splitlines()[:-1])) <= width and "32.6 E" in text(console)


def test_the_bar_of_a_calibration_shows_on_terminals_alone():
    for terminal in (False, True):
        console = Console(file=io.StringIO(), width=100, force_terminal=terminal)
        with calibration_bar(console) as on_progress:
            on_progress(1, 3)
        assert ("Calibrating" in text(console)) == terminal
