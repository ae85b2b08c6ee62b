"""Unions of grids, and choices made in them."""

import pytest

from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study, cells, values_of
from keras_sparseflow.studies.study import choose as choose_among

GRIDS = (
    {"optimizer": ("adam", "rmsprop"), "variant": ("DA_BN",), "learning_rate": (0.1,)},
    {"optimizer": ("sgd",), "variant": ("L2_BN",), "learning_rate": (0.1,)},
)

DEFAULTS = {name: RunSpec.__dataclass_fields__[name].default for name in Study.grid_fields}


def choose(grids, chosen):
    return choose_among(grids, chosen, DEFAULTS)


def pairs(grids):
    return [(cell["optimizer"], cell["variant"]) for cell in cells(grids)]


def test_cells_are_those_of_each_grid_and_of_no_other():
    assert pairs(GRIDS) == [("adam", "DA_BN"), ("rmsprop", "DA_BN"), ("sgd", "L2_BN")]
    assert list(cells([{}])) == [{}]


def test_a_field_that_a_grid_leaves_out_has_its_default():
    assert values_of([{"variant": ("BN",)}, {}], "variant", "NR") == ("BN", "NR")
    assert values_of([{}], "hidden_layers", 4) == (4,)


def test_a_chosen_value_keeps_the_company_that_it_has():
    assert pairs(choose(GRIDS, {"optimizer": ("adam", "sgd")})) == [("adam", "DA_BN"), ("sgd", "L2_BN")]


def test_a_value_that_no_grid_names_goes_into_all_of_them():
    assert [cell["learning_rate"] for cell in cells(choose(GRIDS, {"learning_rate": (0.01,)}))] == [0.01] * 3
    assert pairs(choose(GRIDS, {"variant": ("BN",)})) == [("adam", "BN"), ("rmsprop", "BN"), ("sgd", "BN")]
    assert pairs(choose(GRIDS, {"optimizer": ("adagrad", "sgd")})) == [
        ("adagrad", "DA_BN"), ("adagrad", "L2_BN"), ("sgd", "L2_BN"),
    ]  # fmt: skip


def test_grids_that_become_alike_are_taken_once():
    alike = choose([{"learning_rate": (0.1,)}, {"learning_rate": (0.001,)}], {"learning_rate": (0.01,)})
    assert alike == ({"learning_rate": (0.01,)},)


@pytest.mark.parametrize(
    "chosen",
    [
        {"optimizer": ("sgd",), "variant": ("DA_BN",)},
        {"variant": ("DA_BN",), "optimizer": ("sgd",)},
    ],
)
def test_choices_that_no_grid_unites_are_still_made(chosen):
    assert pairs(choose(GRIDS, chosen)) == [("sgd", "DA_BN")]


def test_nothing_chosen_changes_nothing():
    assert choose(GRIDS, {}) == GRIDS and set(GRIDS[0]) <= set(DEFAULTS)
