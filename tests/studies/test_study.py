"""Studies: grids of configurations, their record, and what is refused before anything is trained."""

import json

import pytest

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.spec.run_spec import LEAVES
from keras_sparseflow.studies.study import GRID_FIELDS, Study, cells, choose, values_of

SIZE = DataSize((2, 3, 1), 3, 100, 10)


def study(**values):
    return Study(
        **{"name": "s", "title": "t", "base": {"epochs": 2}, "seeds": (0, 1), "width_fractions": (0.5,), **values}
    )


def densities(**values):
    return study(**{"comparison": "densities", **values})


def test_every_field_of_a_spec_can_be_chosen_somewhere():
    """Each stands in a grid or in the base of either comparison, or follows from the study's own fields."""
    assert set(GRID_FIELDS) <= set(LEAVES)
    follow = set(study().derived_fields) & set(densities().derived_fields)
    assert follow == {"seed", "earlier_densities", "matched_fraction", "width_fraction"}


def test_base_reaches_every_spec():
    specs = study(base={"dataset": "cifar10", "epochs": 9}, max_width=20).specs(SIZE)
    assert {(s.data.dataset, s.training.epochs) for s in specs} == {("cifar10", 9)}
    assert {s.model.width for s in specs} == {20, 10}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"grids": [{"epochs": (1, 2)}]}, "`grids` takes .*received epochs"),
        ({"grids": [{"density": (0.1,)}]}, "`grids` takes .*received density"),
        ({"base": {"matched_fraction": 0.5}}, "`base` takes .*received matched_fraction"),
        ({"base": {"optimizer": "sgd"}}, "`base` takes .*received optimizer"),
        ({"base": {"seed": 1}}, "`base` takes .*received seed"),
        ({"seeds": ()}, "`seeds` must list at least one"),
        ({"seeds": (0, 0)}, "`seeds` must list .*each once"),
        ({"grids": [{"variant": ("BN", "BN")}]}, "`variant` must list .*each once"),
        ({"name": "../elsewhere"}, "`name` names a folder.*received '../elsewhere'"),
        ({"name": ""}, "`name` names a folder"),
        ({"grids": ()}, "`grids` must list at least one grid; received none"),
        ({"measure": "egf"}, "Unknown `measure` 'egf'; expected one of grad_norm_1"),
        ({"max_width": 0}, "`max_width` must be a whole number of at least 1; received 0"),
    ],
)
def test_a_misplaced_or_empty_field_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        study(**values)


def test_a_bad_value_is_refused_before_any_run():
    with pytest.raises(ValueError, match="Unknown optimizer 'sdg'"):
        study(grids=[{"optimizer": ("sgd", "sdg")}]).specs(SIZE)
    with pytest.raises(ValueError, match=r"above 0 and at most 1; received 90"):
        study(width_fractions=(90,)).specs(SIZE)


def test_a_configuration_that_several_grids_name_is_taken_once_whatever_its_spelling():
    planned = study(grids=[{"variant": ("L2_BN", "NR")}, {"variant": ("BN_L2", "BN")}, {"hidden_layers": (4,)}])
    specs = planned.specs(SIZE)
    assert [spec.training.variant for spec in specs[::4]] == ["L2_BN", "NR", "BN"] and len(specs) == 3 * 2 * 2
    assert len(planned.members(SIZE)) == len(specs)


def choices(planned, *specs):
    return {row["choice"]: row for row in planned.choices(*specs)}


def test_the_choices_of_several_grids_are_their_union():
    found = choices(study(grids=[{"optimizer": ("adam",), "variant": ("BN",)}, {"optimizer": ("sgd",)}]))
    assert found["optimizer"]["value"] == "adam, sgd" and found["variant"]["value"] == "BN, NR"
    assert found["learning_rate"]["value"] == "0.001" and found["learning_rate"]["source"] != "set for this study"
    assert found["variant"]["source"] == "set for this study"


def test_choices_that_decide_nothing_here_are_not_recorded():
    plain, regular = choices(study()), choices(study(grids=[{"variant": ("NR", "L2")}]))
    assert "l2" not in plain and regular["l2"]["value"] == "0.0001", "the one value of those that have it"
    assert {"norm_place", "depth", "prune_from", "ghost_until", "density"}.isdisjoint(plain)
    assert {"hidden_layers", "score", "init_fan_in"} <= set(plain)
    assert {"hidden_layers", "init_fan_in", "width_fractions"}.isdisjoint(
        choices(densities(base={"model": "vgg", "depth": 11}))
    )
    pruned = choices(densities(grids=[{"density": (0.1, 1.0), "method": ("magnitude",)}]))
    assert pruned["prune_from"]["value"] == "0.5" and "score" not in pruned and pruned["density"]["value"] == "0.1, 1.0"


def test_what_differs_from_the_preset_is_recorded_and_nothing_else():
    preset = study(
        name="table_9", grids=[{"optimizer": ("sgd", "adam")}], base={"epochs": 500}, reproduces="Table 9",
        notes=["Open."], measure="egf_1",
    )  # fmt: skip
    values = {"epochs": 10, "image_size": 14, "train_size": 5000, "optimizer": ("adam",), "batch_size": 128}
    small = preset.with_choices(values, seeds=(0,), name="mine")
    record = json.loads(json.dumps(small.record(small.members(SIZE), "")))
    assert (record["name"], record["preset"], record["reproduces"]) == ("mine", "table_9", "Table 9")
    assert record["notes"] == ["Open."] and record["measure"] == "egf_1"
    assert {row["choice"]: (row["preset"], row["here"]) for row in record["overrides"]} == {
        "image_size": ("none", "14"), "train_size": ("none", "5000"), "optimizer": ("sgd, adam", "adam"),
        "epochs": ("500", "10"), "seeds": ("0, 1", "0"),
    }  # fmt: skip
    assert preset.with_choices({}).overrides() == [] and preset.with_choices({}).preset is preset


def test_fields_that_follow_from_a_choice_are_no_changes_of_their_own():
    preset = densities(base={"width": 8, "l2": 0.01}, grids=[{"variant": ("L2",)}])
    wider = preset.with_choices({"density": (0.5,), "width": 9})
    assert [row["choice"] for row in wider.overrides()] == ["width", "density"], "nor method and score"
    plain = preset.with_choices({"variant": ("NR",)})
    assert {row["choice"]: (row["preset"], row["here"]) for row in plain.overrides()} == {
        "variant": ("L2", "NR"), "l2": ("0.01", "none"),
    }  # fmt: skip


def test_a_study_of_its_own_reproduces_nothing():
    record = study().record([], "")
    assert (record["preset"], record["reproduces"], record["published"], record["overrides"]) == (None, None, None, [])


@pytest.mark.parametrize("comparison", ["pairs", "densities"])
def test_the_record_holds_the_plan_and_every_choice(comparison):
    planned = study(grids=[{"variant": ("NR", "BN")}], comparison=comparison)
    members, specs = planned.members(SIZE), planned.specs(SIZE)
    record = json.loads(json.dumps(planned.record(members, "python x.py")))
    assert record["run_ids"] == [spec.run_id for spec in specs] and record["runs_planned"] == len(specs)
    assert record["comparison"] == comparison
    assert record["members"] == [{"run_id": member.spec.run_id, **member.labels} for member in members]
    found = {choice["choice"]: choice for choice in record["choices"]}
    assert found["variant"]["value"] == "NR, BN" and found["variant"]["source"] == "set for this study"
    assert found["epochs"]["value"] == "2" and found["seeds"]["value"] == "0, 1"
    assert {"schedule", "loss", "RMSprop", "flow_cost", "flow_readings", "flow_mode", "batch_size"} <= set(found)
    assert record["defaults"]["epochs"] == 100 and set(record["defaults"]) == set(LEAVES)
    assert record["versions"]["keras"] and record["machine"]["cores"] and record["command"] == "python x.py"


def test_choices_of_a_preset_name_it_as_their_source():
    preset = study(base={"epochs": 7, "l2": 0.01}, grids=[{"variant": ("L2",)}])
    changed = preset.with_choices({"epochs": 9, "batch_size": 10}, seeds=(5,))
    sources = {row["choice"]: row["source"] for row in changed.choices()}
    assert sources["l2"] == sources["variant"] == f"preset {preset.name}"
    assert sources["epochs"] == sources["batch_size"] == sources["seeds"] == "set for this study"
    again = changed.with_choices({"epochs": 7})
    assert again.preset is preset and {row["choice"] for row in again.overrides()} == {"batch_size", "seeds"}


def test_rounds_that_a_preset_has_not_are_an_override():
    tickets = densities().with_choices({}, rounds=2)
    assert {row["choice"]: row["here"] for row in tickets.overrides()}["rounds"] == "2"


def test_an_error_is_explained_by_the_preset_where_something_else_was_changed():
    preset = study(base={"epochs": 7})
    message = "`epochs` must be even, for `batch_size` 128."
    assert preset.explained(message) == preset.with_choices({}).explained(message) == message
    assert preset.with_choices({"epochs": 9}).explained(message) == message
    explained = preset.with_choices({"batch_size": 64}).explained(message)
    assert explained == f"{message} From preset {preset.name}: `epochs` 7; give --epochs too."


def test_sources_of_defaults_are_told():
    fan_in = choices(study())["init_fan_in"]
    assert fan_in["value"] == "dense" and "our default" in fan_in["source"]
    assert choices(study())["width_fractions"]["value"] == "0.5"


def test_options_of_an_optimizer_that_is_not_trained_are_refused():
    grids = [{"optimizer": ("sgd", "adam")}]
    unused, used = (
        study(grids=grids, base={"optimizer_options": (f"{name}=0.5",)}) for name in ("rmsprop.rho", "adam.beta_1")
    )
    with pytest.raises(ValueError, match="`optimizer_options` must be of what is trained here, sgd, adam; .*rmsprop"):
        unused.specs(SIZE)
    assert {spec.training.optimizer_options for spec in used.specs(SIZE)} == {(), ("adam.beta_1=0.5",)}


# --- grids ------------------------------------------------------------------------------------------------------------

GRIDS = (
    {"optimizer": ("adam", "rmsprop"), "variant": ("DA_BN",), "learning_rate": (0.1,)},
    {"optimizer": ("sgd",), "variant": ("L2_BN",), "learning_rate": (0.1,)},
)

DEFAULTS = {name: LEAVES[name].default for name in GRID_FIELDS}


def chosen_among(grids, chosen):
    return choose(grids, chosen, DEFAULTS)


def pairs(grids):
    return [(cell["optimizer"], cell["variant"]) for cell in cells(grids)]


def test_cells_are_those_of_each_grid_and_of_no_other():
    assert pairs(GRIDS) == [("adam", "DA_BN"), ("rmsprop", "DA_BN"), ("sgd", "L2_BN")]
    assert list(cells([{}])) == [{}]


def test_a_field_that_a_grid_leaves_out_has_its_default():
    assert values_of([{"variant": ("BN",)}, {}], "variant", "NR") == ("BN", "NR")
    assert values_of([{}], "hidden_layers", 4) == (4,)


def test_a_chosen_value_keeps_the_company_that_it_has():
    assert pairs(chosen_among(GRIDS, {"optimizer": ("adam", "sgd")})) == [("adam", "DA_BN"), ("sgd", "L2_BN")]


def test_a_value_that_no_grid_names_goes_into_all_of_them():
    assert [cell["learning_rate"] for cell in cells(chosen_among(GRIDS, {"learning_rate": (0.01,)}))] == [0.01] * 3
    assert pairs(chosen_among(GRIDS, {"variant": ("BN",)})) == [("adam", "BN"), ("rmsprop", "BN"), ("sgd", "BN")]
    assert pairs(chosen_among(GRIDS, {"optimizer": ("adagrad", "sgd")})) == [
        ("adagrad", "DA_BN"), ("adagrad", "L2_BN"), ("sgd", "L2_BN"),
    ]  # fmt: skip


def test_grids_that_become_alike_are_taken_once():
    alike = chosen_among([{"learning_rate": (0.1,)}, {"learning_rate": (0.001,)}], {"learning_rate": (0.01,)})
    assert alike == ({"learning_rate": (0.01,)},)


@pytest.mark.parametrize(
    "chosen",
    [
        {"optimizer": ("sgd",), "variant": ("DA_BN",)},
        {"variant": ("DA_BN",), "optimizer": ("sgd",)},
    ],
)
def test_choices_that_no_grid_unites_are_still_made(chosen):
    assert pairs(chosen_among(GRIDS, chosen)) == [("sgd", "DA_BN")]


def test_nothing_chosen_changes_nothing():
    assert chosen_among(GRIDS, {}) == GRIDS and set(GRIDS[0]) <= set(DEFAULTS)
