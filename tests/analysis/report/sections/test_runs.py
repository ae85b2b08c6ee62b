"""Diverged runs, and the choices, versions, machine and cost behind a study."""

import pytest

from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.runs import changes, choices, diverged_runs, provenance
from tests.analysis.densities import make_densities
from tests.analysis.sources import numbers_of

PRESET = {
    "preset": "table_4",
    "reproduces": "Table 4",
    "notes": ["The paper leaves the batch size open.", "And the loss."],
    "overrides": [{"choice": "epochs", "preset": 500, "here": 25}, {"choice": "seeds", "preset": [0, 1], "here": [0]}],
}


@pytest.fixture
def small(make_results):
    return make_results(("adam",), ("NR",), widths=(7, 20))


def _texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_diverged_runs_are_named_and_counted(small):
    assert diverged_runs(numbers_of(small)) is None
    small.loc[[3, 7], "diverged"] = True
    small.loc[3, "epochs_run"] = 4
    content = diverged_runs(numbers_of(small))
    assert content.before.startswith("2 of 12 runs")
    rows = _texts(tables_of(content)[0])
    assert {row[0] for row in rows} == set(small.loc[[3, 7], "run_id"]) and {row[-1] for row in rows} == {"4", "30"}


def test_diverged_runs_over_densities_have_their_density():
    results = make_densities(("sgd",), ("NR",), (0.05, 1.0), (0,), ("random",))
    results.loc[0, "diverged"] = True
    (row,) = _texts(tables_of(diverged_runs(numbers_of(results)))[0])
    assert row[2:5] == ["sgd, NR", "5%", "0"]


def test_what_was_changed_against_the_preset_is_listed(small):
    content = changes(numbers_of(small, PRESET))
    said = [block for block in content.blocks if isinstance(block, str)]
    assert "preset table_4 (Table 4) with 2 choices changed" in said[0] and said[1:] == PRESET["notes"]
    assert _texts(tables_of(content)[0]) == [["epochs", "500", "25"], ["seeds", "0, 1", "0"]]


def test_a_preset_at_full_size_says_so_and_a_study_without_one_says_nothing(small):
    content = changes(numbers_of(small, {"preset": "table_4", "overrides": []}))
    assert "at full size and unchanged" in content.blocks[0] and tables_of(content) == []
    assert changes(numbers_of(small)) is None


def test_choices_have_their_source_and_the_rest_its_values(small):
    made = [
        {"choice": "batch_size", "value": 128, "meaning": "images a step", "source": "the paper is silent"},
        {"choice": "loss", "value": None},
    ]
    named, besides = tables_of(choices(numbers_of(small, {"choices": made})))
    assert _texts(named) == [["batch_size", "128", "images a step", "the paper is silent"], ["loss", "none", "", ""]]
    settings = dict(_texts(besides))
    assert settings["dense_width"] == "7, 20" and settings["arm"] == "dense, sparse" and "batch_size" not in settings
    assert [table.label for table in tables_of(choices(numbers_of(small)))] == ["settings"]


def test_cost_versions_machine_and_command_are_listed(small):
    study = {
        "runs_planned": 14,
        "command": "python launchers/scsdc.py",
        "created": "2026-01-02T03:04:05",
        "versions": {"keras": "3.12"},
        "machine": {"cpu": "2 cores", "gpu": None},
        "cost": {"networks": 12, "steps": 1234567, "flops": 1.5e15},
    }
    (table,) = tables_of(provenance(numbers_of(small, study)))
    facts = dict(_texts(table))
    assert facts["networks"] == "12 of 14 planned" and facts["training time"].startswith("18.0 s")
    assert facts["gradient steps, planned"] == "1,234,567"
    assert facts["floating-point operations, planned"] == "1.50 \N{MULTIPLICATION SIGN} 10¹⁵"
    assert facts["command"] == "python launchers/scsdc.py" and facts["started"] == "2026-01-02 03:04:05"
    assert (facts["keras"], facts["machine: cpu"], facts["machine: gpu"]) == ("3.12", "2 cores", "none")


def test_the_least_that_a_study_says_is_enough(small):
    (table,) = tables_of(provenance(numbers_of(small.drop(columns="seconds"))))
    assert dict(_texts(table)) == {"networks": "12"}
