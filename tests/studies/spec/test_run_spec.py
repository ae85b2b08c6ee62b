"""`RunSpec`: pinned names, and values that are refused."""

import dataclasses

import pytest

from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.spec.algorithms import ALGORITHMS, algorithm_versions
from keras_sparseflow.studies.spec.combined import PARTS, canonical_variant, parse_variant
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.spec.saved import saved_specs


def spec(**values):
    return RunSpec(**{"dense_width": 20, "max_width": 68, **values})


def test_run_ids_are_pinned():
    """If one of these changes, every study on users' disks is trained again."""
    assert spec().run_id == "sgd-NR-h4-w20-sparse-s0-b6c005195b"
    changed = spec(dataset="cifar10", image_size=8, variant="BN_L2", optimizer="adam", arm="dense", seed=2)
    assert changed.run_id == "adam-L2_BN-h4-w20-dense-s2-e6e4707faf"


def extended(*fields, base=RunSpec):
    """Returns specs of code that has these fields, new ones or with other defaults."""
    return dataclasses.make_dataclass("Extended", fields, bases=(base,), frozen=True, kw_only=True)


def whole(default, **limits):
    return dataclasses.field(default=default, metadata={"minimum": 0, **limits})


def test_a_changed_default_changes_run_ids_and_the_value_alone_counts():
    small = {"dense_width": 20, "max_width": 68}
    later = extended(("batch_size", int, whole(256)))
    assert later(**small).run_id != spec().run_id
    assert later(**small, batch_size=128).run_id == spec().run_id
    assert later(**small).run_id == spec(batch_size=256).run_id


def test_a_new_field_changes_run_ids():
    assert extended(("novelty", int, whole(3)))(dense_width=20, max_width=68).run_id != spec().run_id


def test_defaults_of_fields_that_change_nothing_are_in_no_run_id():
    later = extended(("score_samples", int, whole(11)))(dense_width=20, max_width=68)
    assert later.score_samples == 11 and later.run_id == spec().run_id
    looking = extended(("score_samples", int, whole(11)))(dense_width=20, max_width=68, score="snip")
    assert looking.run_id != spec(score="snip").run_id


def test_a_field_that_begins_to_matter_enters_the_run_id():
    assert dataclasses.replace(spec(), score="snip").run_id == spec(score="snip").run_id
    assert dataclasses.replace(spec(score="snip", score_samples=3), score="random").run_id == spec().run_id


@pytest.mark.parametrize(
    ("algorithm", "uses"),
    [
        (("variant", "DA"), {"variant": "DA_BN"}),
        (("optimizer", "adagrad"), {"optimizer": "adagrad"}),
        (("score", "synflow"), {"score": "synflow"}),
        (("flow_measures", "egf_2"), {"flow_measures": ("egf_1", "egf_2")}),
        (("l2_form", "loss"), {"l2_form": "loss"}),
    ],
)
def test_another_version_of_an_algorithm_changes_the_run_ids_that_use_it_alone(algorithm, uses, monkeypatch):
    without = spec(flow_measures=("egf_1",), variant="BN")
    before = spec(**uses).run_id, without.run_id
    monkeypatch.setitem(ALGORITHMS, algorithm, 99)
    after = spec(**uses).run_id, without.run_id
    assert before[0] != after[0] and before[1] == after[1]
    assert algorithm_versions(spec(**uses)) == {" ".join(algorithm): 99} and not algorithm_versions(without)


def test_algorithms_are_those_of_values_that_fields_take():
    for field, name in ALGORITHMS:
        assert f"{field} {name}" in algorithm_versions(spec(**{field: name}))


def test_saved_specs_whose_runs_are_named_otherwise_today_are_left_out(tmp_path, monkeypatch):
    specs = [spec(), spec(optimizer="adagrad")]
    for one in specs:
        RunFolder(tmp_path, one.run_id).start({"run_id": one.run_id, "spec": one.to_dict(), "plugins": []})
    names = [one.run_id for one in specs]
    assert saved_specs(tmp_path, [*names, "planned-only"], RunSpec) == specs
    monkeypatch.setitem(ALGORITHMS, ("optimizer", "adagrad"), 99)
    assert saved_specs(tmp_path, names, RunSpec) == specs[:1]


OTHER_VALUES = {
    "dataset": "cifar10", "image_size": 8, "train_size": 100, "subset_seed": 1, "dense_width": 21, "max_width": 69,
    "hidden_layers": 2, "arm": "dense", "variant": "BN", "activation": "tanh", "init_fan_in": "active",
    "optimizer": "adam", "learning_rate": 0.1, "batch_size": 64, "epochs": 7, "l2": 0.1, "augment_pad": 2, "seed": 5,
    "flow_measures": ("egf_2",), "flow_epochs": 3, "flow_tensors": "all", "flow_cost": "data",
    "flow_readings": ("end",), "flow_mode": "inference",
    "norm_place": "after", "skip_span": 1, "skip_place": "after", "schedule": "cosine", "loss": "squared_error",
    "l2_form": "decoupled", "augment_flip": "never", "optimizer_options": ("sgd.nesterov=true",),
    "activation_options": ("prelu.slope=0.1",), "precision": "mixed_bfloat16",
    "score": "synflow", "score_samples": 3,
}  # fmt: skip


def test_every_field_has_another_value_here():
    assert set(OTHER_VALUES) == {field.name for field in dataclasses.fields(RunSpec)}


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_every_field_changes_the_run_id_and_survives_a_dict(name):
    same = {"activation_options": {"activation": "prelu"}, "score_samples": {"score": "snip"}}.get(name, {})
    changed = spec(**same, **{name: OTHER_VALUES[name]})
    assert getattr(changed, name) == OTHER_VALUES[name]
    assert changed.run_id != spec(**same).run_id
    assert RunSpec.from_dict(changed.to_dict()) == changed


def test_the_mode_of_an_end_that_is_not_read_names_no_run():
    assert spec(flow_readings=("steps",), flow_mode="inference") == spec(flow_readings=("steps",))
    assert spec(flow_readings=("end", "steps")) == spec(), "both, in whatever order, are the default"


def test_from_dict_refuses_an_unknown_field():
    with pytest.raises(ValueError, match="Unknown field of a spec 'epoch'.*Did you mean 'epochs'"):
        RunSpec.from_dict({"dense_width": 1, "max_width": 2, "epoch": 3})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("arm", "sparce", "Unknown `arm` 'sparce'; expected one of sparse, dense. Did you mean 'sparse'"),
        ("variant", "BM", "Unknown variant part 'BM'; expected one of NR, DA, L2, SC, BN"),
        ("variant", "BN_BN", "each part once; received 'BN_BN'"),
        ("variant", "", "Unknown variant part ''"),
        ("optimizer", "sdg", "Unknown optimizer 'sdg'; expected one of sgd, momentum, adam, adamw, adagrad, rmsprop"),
        ("activation", "rellu", "Unknown activation 'rellu'.*Did you mean 'relu'"),
        ("learning_rate", 0, "`learning_rate` must be a number above 0; received 0"),
        ("learning_rate", "fast", "received 'fast'"),
        ("learning_rate", float("nan"), "received nan"),
        ("learning_rate", float("inf"), "received inf"),
        ("epochs", 1.5, "`epochs` must be a whole number of at least 1; received 1.5"),
        ("epochs", True, "received True"),
        ("batch_size", 0, "at least 1; received 0"),
        ("seed", -1, "at least 0; received -1"),
        ("image_size", 0, "at least 1; received 0"),
        ("l2", -0.1, "at least 0; received -0.1"),
        ("dataset", "", "`dataset` must be a name; received ''"),
        ("flow_measures", ("egf_3",), "Unknown flow measure 'egf_3'.*grad_norm_1, grad_norm_2, egf_1, egf_2"),
        ("flow_measures", (), "`flow_measures` must list at least one name"),
        ("flow_measures", "egf_2", "at least one name; received 'egf_2'"),
        ("variant", None, "Unknown variant part 'None'"),
        ("flow_readings", ("steps", "all"), "Unknown `flow_readings` 'all'; expected one of steps, end"),
        ("flow_readings", (), "`flow_readings` must list at least 1 of steps, end; received none"),
        ("flow_readings", "end", "`flow_readings` must be a list of steps, end; received 'end'"),
        ("flow_mode", "eval", "Unknown `flow_mode` 'eval'; expected one of training, inference"),
        ("init_fan_in", "He", "expected one of dense, sparse, active"),
        ("schedule", "cosin", "Unknown schedule 'cosin'; expected one of constant, cosine, step, wide.*'cosine'"),
        ("loss", "mse", "Unknown loss 'mse'; expected one of cross_entropy, squared_error"),
        ("norm_place", "behind", "Unknown `norm_place` 'behind'; expected one of before, after"),
        ("skip_span", 0, "`skip_span` must be a whole number of at least 1; received 0"),
        ("precision", "float16", "Unknown `precision` 'float16'; expected one of float32, mixed_b"),
        ("l2_form", "adamw", "expected one of auto, loss, decoupled"),
        ("optimizer_options", ("rho=0.9",), "`optimizer_options` must be of the form name.argument=value.*'rho=0.9'"),
        ("optimizer_options", ("sgd.nesterov=yes",), "with a number, true or false; received 'sgd.nesterov=yes'"),
        ("optimizer_options", ("adm.beta_1=0.9",), "Unknown optimizer 'adm'.*Did you mean 'adam'"),
        ("optimizer_options", ("sgd.a=1", "sgd.a=2"), "give each argument once; received sgd.a 2 times"),
        ("optimizer_options", "sgd.a=1", "must be a list of texts such as sgd.argument=0.5; received 'sgd.a=1'"),
        ("activation_options", ("swsh.beta=1",), "Unknown activation 'swsh'"),
    ],
)
def test_bad_values_are_refused_with_argument_expected_and_received(name, value, message):
    with pytest.raises(ValueError, match=message):
        spec(**{name: value})


@pytest.mark.parametrize("span", [1, 2, 3])
def test_skip_connections_need_more_layers_than_they_span(span):
    assert spec(variant="SC", hidden_layers=span + 1, skip_span=span).parts == {"SC"}
    with pytest.raises(ValueError, match=f"at least {span + 1} hidden layers, or a smaller `skip_span`; .* {span}"):
        spec(variant="SC_BN", hidden_layers=span, skip_span=span)


def test_options_are_kept_for_the_optimizer_and_activation_that_take_them():
    options = ("rmsprop.rho=.9", "adam.beta_1=0.8")
    assert spec(optimizer="adam", optimizer_options=options).optimizer_options == ("adam.beta_1=0.8",)
    assert spec(optimizer="rmsprop", optimizer_options=options).optimizer_arguments == {"rho": 0.9}
    assert spec(optimizer_options=options) == spec(), "another optimizer's arguments change nothing, and no run_id"
    both = ("srelu.left_slope=0", "srelu.right_threshold=2")
    assert spec(activation="srelu", activation_options=both[::-1]) == spec(activation="srelu", activation_options=both)


@pytest.mark.parametrize(("side", "pad"), [(32, 4), (28, 4), (14, 2), (8, 1)])
def test_augmentation_follows_the_images_unless_told(side, pad):
    shape = (side, side, 3)
    assert spec(variant="DA").batch_augment_pad(shape) == pad
    assert spec(variant="DA", augment_pad=3).batch_augment_pad(shape) == 3
    assert spec(variant="DA", augment_pad=0).batch_augment_pad(shape) == 0
    assert spec(variant="BN").batch_augment_pad(shape) is None


def test_variants_have_one_spelling():
    assert canonical_variant("BN_SC_L2_DA") == "DA_L2_SC_BN" == "_".join(PARTS)
    assert canonical_variant("NR") == "NR" and parse_variant("NR") == frozenset()
    assert spec(variant="BN_L2") == spec(variant="L2_BN")


def test_every_field_explains_itself():
    for field in dataclasses.fields(RunSpec):
        assert len(field.metadata["help"]) > 10, field.name
