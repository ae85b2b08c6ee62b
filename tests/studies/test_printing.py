"""The output of launchers: the plan of a study, what studies cost, and a finished run."""

import dataclasses
import io

import pytest
from rich.console import Console

from keras_sparseflow.studies.executors.study_plan import StudyPlan
from keras_sparseflow.studies.prepare import prepare
from keras_sparseflow.studies.printing import print_presets, print_study
from keras_sparseflow.studies.size.cost import Cost
from keras_sparseflow.studies.study import Study
from keras_sparseflow.twins.sparse_twins import default_density

STUDY = Study(
    name="table_9",
    title="Which is better [here]",
    reproduces="Table 9",
    notes=["Not told."],
    grids=[{"variant": ("NR", "BN"), "hidden_layers": (1,)}],
    base={"image_size": 4, "train_size": 200},
    width_fractions=(0.5,),
    seeds=(0, 1),
)


def text(show, *arguments, width=200):
    console = Console(file=io.StringIO(), width=width)
    show(*arguments, console)
    return console.file.getvalue()


def prepared(tmp_path, executor="auto", **plan):
    found = prepare(STUDY.with_choices({"epochs": 3}), runs_dir=tmp_path, executor=executor)
    return dataclasses.replace(found, plan=dataclasses.replace(found.plan, **plan))


def test_a_study_is_told_with_what_it_repeats_what_is_open_and_what_is_changed(tmp_path):
    lines = text(print_study, prepared(tmp_path)).splitlines()
    assert lines[:4] == [
        "table_9: Which is better [here]", "Reproduces: Table 9.", "Note: Not told.",
        "Changed: epochs 3 (preset: 100).",
    ]  # fmt: skip
    assert lines[4].startswith("Cost: 8 networks, 24 gradient steps; ")
    told = [line.split(maxsplit=1) for line in lines[5:]]
    assert ["variant", "NR, BN"] in [[name, *map(str.strip, value)] for name, *value in told]


def test_the_plan_is_a_table_of_populations(tmp_path):
    shown = text(print_study, prepared(tmp_path))
    assert "Networks that train together" in shown and "8 networks in 2 populations" in shown
    rows = [line.split() for line in shown.splitlines() if line.strip()[:1].isdigit()]
    assert [row[:4] for row in rows[:2]] == [["1", "4", "sgd", "NR"], ["2", "4", "sgd", "BN"]]
    assert [row[4:-2] for row in rows[:2]] == [["2x20,", "2x10"]] * 2, "widths, and how many networks have each"
    assert "One after the other" not in shown and "Finished before" not in shown


def test_networks_alone_finished_ones_and_reasons_are_told(tmp_path):
    alone = prepared(tmp_path, "serial")
    assert text(print_study, alone).splitlines()[-3:] == [
        "One after the other: 8 networks.",
        f"Computed masked: no large kernel of a product has a density of at most {default_density():g}: 4 networks.",
        "Computed dense: 4 networks.",
    ]
    plan = StudyPlan((), alone.plan.alone[:1], {"optimizer 'odd'": "it is odd"}, 1)
    assert text(print_study, dataclasses.replace(alone, plan=plan)).splitlines()[-3:] == [
        "One after the other: 1 network.", "Networks with optimizer 'odd' can't be stacked: it is odd.",
        "Finished before: 1 network.",
    ]  # fmt: skip


def test_presets_stand_by_paper_a_line_each_and_a_refused_one_says_why():
    good = Cost(30, 1500, 2 * 10**6, 3 * 10**6, 10**15, 10**14)
    papers = {"A paper": [(STUDY, good), (Study(name="other", title="t"), "`image_size` must be [1, 8]; received 9.")]}
    lines = text(print_presets, papers, width=80).splitlines()
    assert lines[0].startswith("A paper")
    assert lines[1].split() == ["table_9", *["Which", "is", "better", "[here]"], "30", "1", "P"]
    assert lines[2].split() == ["other", "t", "-", "-"]
    assert lines[3:] == ["other: `image_size` must be [1, 8]; received 9."]


@pytest.mark.parametrize("width", [80, 120])
def test_presets_keep_to_the_terminal(width):
    long = Study(name="a_name_of_average_length", title="A question that is longer than what is left of a line " * 3)
    shown = text(print_presets, {"A paper": [(long, Cost(3900, *[1.52e9] * 3, 3.26e19, 1e19))]}, width=width)
    assert max(map(len, shown.splitlines())) <= width and "32.6 E" in shown and "\N{HORIZONTAL ELLIPSIS}" in shown
