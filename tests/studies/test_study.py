"""Studies: grids of matched pairs."""

import json

import pytest

from keras_sparseflow.studies.presets.preset_table import PRESETS
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study


def study(**values):
    return Study(
        **{"name": "s", "title": "t", "base": {"epochs": 2}, "seeds": (0, 1), "width_fractions": (0.5,), **values}
    )


def test_the_demo_is_120_networks():
    """Two optimizers x two variants x five widths x three seeds x two arms, four hidden layers."""
    specs = PRESETS.get("demo").specs(inputs=64, classes=10)
    assert len(specs) == len({spec.run_id for spec in specs}) == 120
    assert {spec.optimizer for spec in specs} == {"sgd", "adam"} and {spec.variant for spec in specs} == {"NR", "BN"}
    assert {spec.dense_width for spec in specs} == {7, 20, 34, 48, 61}
    assert {(spec.max_width, spec.hidden_layers, spec.dataset) for spec in specs} == {(68, 4, "digits")}


def test_arms_of_a_pair_stand_together_and_differ_in_their_arm_alone():
    specs = study(grids=[{"variant": ("NR", "L2")}]).specs(6, 3)
    assert len(specs) == 8
    for sparse, dense in zip(specs[::2], specs[1::2], strict=True):
        assert (sparse.arm, dense.arm) == ("sparse", "dense")
        assert {**sparse.to_dict(), "arm": "dense"} == dense.to_dict()


def test_base_and_max_width_reach_every_spec():
    specs = study(base={"dataset": "cifar10", "epochs": 9}, max_width=20).specs(6, 3)
    assert {(s.dataset, s.epochs, s.max_width, s.dense_width) for s in specs} == {("cifar10", 9, 20, 10)}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"grids": [{"epochs": (1, 2)}]}, "`grids` takes .*received epochs"),
        ({"base": {"arm": "dense"}}, "`base` takes .*received arm"),
        ({"base": {"optimizer": "sgd"}}, "`base` takes .*received optimizer"),
        ({"seeds": ()}, "`seeds` must list at least one"),
        ({"grids": [{"variant": ("BN", "BN")}]}, "`variant` must list .*each once"),
        ({"name": "../elsewhere"}, "`name` names a folder.*received '../elsewhere'"),
        ({"name": ""}, "`name` names a folder"),
        ({"grids": ()}, "`grids` must list at least one grid; received none"),
        ({"measure": "egf"}, "Unknown `measure` 'egf'; expected one of grad_norm_1"),
        ({"max_width": 0}, "`max_width` must be at least 1; received 0"),
    ],
)
def test_a_misplaced_or_empty_field_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        study(**values)


def test_a_bad_value_is_refused_before_any_run():
    with pytest.raises(ValueError, match="Unknown optimizer 'sdg'"):
        study(grids=[{"optimizer": ("sgd", "sdg")}]).specs(6, 3)
    with pytest.raises(ValueError, match=r"in \(0, 1\]; received 90"):
        study(width_fractions=(90,)).specs(6, 3)


def test_a_configuration_that_several_grids_name_is_taken_once_whatever_its_spelling():
    planned = study(grids=[{"variant": ("L2_BN", "NR")}, {"variant": ("BN_L2", "BN")}, {"hidden_layers": (4,)}])
    specs = planned.specs(6, 3)
    assert [spec.variant for spec in specs[::4]] == ["L2_BN", "NR", "BN"] and len(specs) == 3 * 2 * 2


def test_the_choices_of_several_grids_are_their_union():
    planned = study(grids=[{"optimizer": ("adam",), "variant": ("BN",)}, {"optimizer": ("lion",)}])
    choices = {choice["choice"]: choice for choice in planned.choices()}
    assert choices["optimizer"]["value"] == "adam, lion" and choices["variant"]["value"] == "BN, NR"
    assert choices["learning_rate"]["value"] == "0.001" and choices["learning_rate"]["source"] != "set for this study"
    assert choices["variant"]["source"] == "set for this study"


def test_what_differs_from_the_preset_is_recorded_and_nothing_else():
    preset = study(
        name="table_9", grids=[{"optimizer": ("sgd", "adam")}], base={"epochs": 500}, reproduces="Table 9",
        notes=["Open."], measure="egf_1",
    )  # fmt: skip
    values = {"epochs": 10, "image_size": 14, "train_size": 5000, "optimizer": ("adam",), "batch_size": 128}
    small = preset.with_choices(values, seeds=(0,), name="mine")
    record = json.loads(json.dumps(small.record(small.specs(784, 10), "")))
    assert (record["name"], record["preset"], record["reproduces"]) == ("mine", "table_9", "Table 9")
    assert record["notes"] == ["Open."] and record["measure"] == "egf_1"
    assert {row["choice"]: (row["preset"], row["here"]) for row in record["overrides"]} == {
        "image_size": ("none", "14"), "train_size": ("none", "5000"), "optimizer": ("sgd, adam", "adam"),
        "epochs": ("500", "10"), "seeds": ("0, 1", "0"),
    }  # fmt: skip
    assert preset.with_choices({}).overrides() == [] and preset.with_choices({}).preset is preset


def test_a_study_of_its_own_reproduces_nothing():
    record = study().record([], "")
    assert (record["preset"], record["reproduces"], record["published"], record["overrides"]) == (None, None, None, [])


def test_the_record_of_single_networks_tells_their_own_choices():
    specs = [
        RunSpec(dense_width=5, max_width=10, variant=variant, optimizer="adam", epochs=epochs, seed=4)
        for variant, epochs in (("NR", 2), ("BN", 7))
    ]
    choices = {
        choice["choice"]: choice["value"] for choice in Study.of_networks("n", specs).record(specs, "")["choices"]
    }
    assert choices["variant"] == "NR, BN" and choices["optimizer"] == "adam" and choices["epochs"] == "2, 7"
    assert choices["seeds"] == "4" and choices["width_fractions"] == "0.5" and choices["max_width"] == "10"
    assert choices["flow_measures"] == "grad_norm_1, grad_norm_2, egf_1, egf_2"


def test_the_record_holds_the_plan_and_every_choice():
    planned = study(grids=[{"variant": ("NR", "BN")}])
    specs = planned.specs(6, 3)
    record = json.loads(json.dumps(planned.record(specs, "python x.py")))
    assert record["run_ids"] == [spec.run_id for spec in specs] and record["runs_planned"] == 8
    choices = {choice["choice"]: choice for choice in record["choices"]}
    assert choices["variant"]["value"] == "NR, BN" and choices["variant"]["source"] == "set for this study"
    assert choices["init_fan_in"]["value"] == "dense" and "our default" in choices["init_fan_in"]["source"]
    assert choices["epochs"]["value"] == "2" and choices["seeds"]["value"] == "0, 1"
    assert {"schedule", "loss", "RMSprop", "flow_cost", "flow_readings", "flow_mode", "batch_size"} <= set(choices)
    assert record["versions"]["keras"] and record["machine"]["cores"] and record["command"] == "python x.py"


def test_options_of_an_optimizer_that_is_not_trained_are_refused():
    study = Study(
        name="s", title="", grids=[{"optimizer": ("sgd", "adam")}], base={"optimizer_options": ("rmsprop.rho=0.5",)}
    )
    with pytest.raises(ValueError, match="`optimizer_options` must be of what is trained here, sgd, adam; .*rmsprop"):
        study.specs(inputs=64, classes=10)
    used = Study(
        name="s", title="", grids=[{"optimizer": ("sgd", "adam")}], base={"optimizer_options": ("adam.beta_1=0.5",)}
    )
    assert {s.optimizer_options for s in used.specs(64, 10)} == {(), ("adam.beta_1=0.5",)}
