"""`RunSpec`: pinned names, fields that apply or not, round trips, and values that are refused."""

import copy
import dataclasses
import json

import pytest

from keras_sparseflow.studies.spec.algorithms import ALGORITHMS, algorithm_versions
from keras_sparseflow.studies.spec.data_spec import DataSpec
from keras_sparseflow.studies.spec.model_spec import ModelSpec
from keras_sparseflow.studies.spec.run_spec import LEAVES, RunSpec
from keras_sparseflow.studies.spec.sparsity_spec import PruningSpec, SparsitySpec
from keras_sparseflow.studies.spec.training_spec import TrainingSpec


def spec(**values):
    return RunSpec.of(**{"width": 68, **values})


def sparse(**values):
    return spec(**{"density": 0.1, **values})


def test_run_ids_are_pinned():
    """A change of one of these makes every study on users' disks train again."""
    assert spec().run_id == "sgd-NR-mlp_4_68-dense-s0-bba1b0df45"
    matched = {"dataset": "cifar10", "image_size": 8, "variant": "BN_L2", "optimizer": "adam", "seed": 2}
    assert spec(**matched, matched_fraction=20 / 68).run_id == "adam-L2_BN-mlp_4_68-random-m20-s2-def5f8c23d"
    image = {"model": "wide_resnet", "width": 1, "depth": 10, "variant": "SC_BN", "flow_epochs": 2}
    pruned = spec(**image, method="magnitude", density=0.05)
    assert pruned.run_id == "sgd-SC_BN-wide_resnet_10_1-magnitude-d0.05-s0-eb135b8399"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "mlp_4_68-random-d0.1"),
        ({"density": 1.0}, "mlp_4_68-dense"),
        ({"hidden_layers": 2, "score": "snip", "distribution": "global"}, "mlp_2_68-snip-global-d0.1"),
        ({"method": "set", "distribution": "erk"}, "mlp_4_68-set-erk-d0.1"),
        ({"method": "rigl", "score": "synflow"}, "mlp_4_68-rigl-synflow-d0.1"),
        ({"method": "magnitude"}, "mlp_4_68-magnitude-d0.1"),
        ({"score": "magnitude"}, "mlp_4_68-magnitude_masks-d0.1"),
        ({"method": "lottery", "distribution": "global"}, "mlp_4_68-lottery-global-d0.1"),
        ({"method": "lottery", "density": 1.0}, "mlp_4_68-lottery-d1"),
        ({"tweaks": "LS_GSk"}, "GSk_LS-mlp_4_68-random-d0.1"),
        ({"matched_fraction": 20 / 68}, "mlp_4_68-random-m20"),
        ({"matched_fraction": 20 / 68, "method": "rigl", "score": "snip"}, "mlp_4_68-rigl-snip-m20"),
        ({"model": "resnet", "depth": 8, "width": 2, "matched_fraction": 0.3}, "resnet_8_2-random-m0.3"),
        ({"model": "vgg", "depth": 16, "width": 2, "width_fraction": 0.3, "density": 1.0}, "vgg_16_2x0.3-dense"),
    ],
)
def test_a_run_is_named_after_its_network_and_how_that_becomes_sparse(values, words):
    named = sparse(**values, seed=7)
    assert named.run_id.startswith(f"sgd-NR-{words}-s7-")
    assert named.name == f"sgd NR {words.replace('-', ' ')} seed 7"


# --- every field ------------------------------------------------------------------------------------------------

SPARSE = {"density": 0.1}
MAGNITUDE = {**SPARSE, "method": "magnitude"}
MATCHED = {"matched_fraction": 0.3}
IMAGE = {"model": "wide_resnet", "width": 1}
TICKET = {**SPARSE, "method": "lottery"}
FLOWLESS = ({"flow_epochs": 0},)
DENSE = ({}, {"method": "rigl", "score": "snip", "distribution": "erk"})

FIELDS = {
    "dataset": ("cifar10", {}),
    "image_size": (8, {}),
    "train_size": (100, {}),
    "subset_seed": (1, {"train_size": 100}, {}),
    "validation_size": (10, {}),
    "validation_seed": (5, {"validation_size": 10}, {}),
    "augment_pad": (2, {"variant": "DA_BN"}, {"variant": "BN"}),
    "augment_flip": ("never", {"variant": "DA"}, {}),
    "model": ("resnet", {}),
    "hidden_layers": (2, {}, IMAGE),
    "depth": (16, IMAGE, {}),
    "width": (69, {}),
    "width_fraction": (0.5, {}),
    "activation": ("tanh", {}),
    "activation_options": (("prelu.slope=0.1",), {"activation": "prelu"}),
    "dropout": (0.3, {}),
    "norm_place": ("after", {"variant": "BN"}, {}, {**IMAGE, "variant": "BN"}),
    "skip_span": (1, {"variant": "SC"}, {"variant": "BN"}, {**IMAGE, "variant": "SC"}),
    "skip_place": ("after", {"variant": "SC"}, {"variant": "BN"}, {**IMAGE, "variant": "SC"}),
    "patch_size": (2, {"model": "vit"}, {}, IMAGE),
    "heads": (2, {"model": "vit"}, {}, IMAGE),
    "init_fan_in": ("active", MATCHED, {}, SPARSE),
    "density": (0.2, {}, MATCHED),
    "matched_fraction": (0.4, {}),
    "method": ("set", SPARSE, *DENSE),
    "distribution": ("erk", SPARSE, {}, MATCHED, MAGNITUDE, {"method": "lottery"}),
    "ends": ("dense", SPARSE, {}, MATCHED),
    "score": ("synflow", SPARSE, {}, MAGNITUDE, TICKET),
    "score_samples": (3, {**SPARSE, "score": "snip"}, SPARSE, {"score": "snip"}, {**MAGNITUDE, "score": "snip"}),
    "prune_from": (0.4, MAGNITUDE, SPARSE, {"method": "magnitude"}),
    "prune_until": (0.7, MAGNITUDE, SPARSE, TICKET),
    "prune_frequency": (7, {**MAGNITUDE, "prune_until": 0.7}, MAGNITUDE, SPARSE),
    "move_until": (0.5, {**SPARSE, "method": "rigl"}, SPARSE, MAGNITUDE, TICKET),
    "move_frequency": (7, {**SPARSE, "method": "set"}, SPARSE, {"method": "set"}),
    "move_fraction": (0.1, {**MATCHED, "method": "rigl"}, MATCHED, MAGNITUDE),
    "earlier_densities": ((1.0, 0.5), TICKET, SPARSE),
    "rewind_step": (7, {"method": "lottery"}, SPARSE),
    "variant": ("BN", {}),
    "optimizer": ("adam", {}),
    "optimizer_options": (("sgd.nesterov=true",), {}),
    "learning_rate": (0.1, {}),
    "schedule": ("cosine", {}),
    "loss": ("squared_error", {}),
    "batch_size": (64, {}),
    "epochs": (7, {}),
    "l2": (0.1, {"variant": "L2"}, {}, {"variant": "DA_SC_BN"}),
    "l2_form": ("decoupled", {"variant": "L2_BN"}, {"variant": "BN"}),
    "precision": ("mixed_bfloat16", {}),
    "tweaks": ("GSk", {}),
    "ghost_decay": ("linear", {"tweaks": "GSk"}, {}, {"tweaks": "LRsI_LS"}),
    "ghost_until": (0.2, {"tweaks": "tost"}, {}, {"tweaks": "GSw", "ghost_decay": "none"}),
    "ghost_activation": ("mish", {"tweaks": "GSw"}, {"tweaks": "GSk"}),
    "label_smoothing": (0.2, {"tweaks": "LS"}, {"tweaks": "GSk_GSw_LRsI"}),
    "smoothing_over": ("others", {"tweaks": "GSk_LS"}, {}),
    "rescale_iterations": (9, {"tweaks": "LRsI"}, {"tweaks": "LS"}),
    "flow_epochs": (3, {}),
    "flow_measures": (("egf_2",), {}, *FLOWLESS),
    "flow_tensors": ("all", {}, *FLOWLESS),
    "flow_cost": ("data", {}, *FLOWLESS),
    "flow_readings": (("end",), {}, *FLOWLESS),
    "flow_mode": ("inference", {}, {"flow_readings": ("steps",)}, *FLOWLESS),
    "diagnostics": (("top_eigenvalue",), {}),
    "diagnostic_epochs": (3, {"diagnostics": ("activation_sparsity",)}, {}, {"diagnostics": ("loss_surface",)}),
    "near_zero": (0.01, {"diagnostics": ("activation_sparsity",)}, {}, {"diagnostics": ("loss_surface",)}),
    "diagnostic_samples": (9, {"diagnostics": ("loss_surface",)}, {}, {"diagnostics": ("none",)}),
    "eigenvalue_iterations": (9, {"diagnostics": ("loss_along",)}, {"diagnostics": ("loss_surface",)}),
    "landscape_steps": (9, {"diagnostics": ("loss_along",)}, {"diagnostics": ("top_eigenvalue",)}),
    "seed": (5, {}),
}
"""Another value than the default of each field, fields beside which it applies, and some beside which it does not."""


def test_every_field_and_every_condition_stands_here():
    assert set(FIELDS) == set(LEAVES)
    assert {name for name, (_, _, *without) in FIELDS.items() if without} == {
        name for name, leaf in LEAVES.items() if leaf.conditions
    }


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_changes_the_run_id_and_survives_dict_and_parts(name):
    value, beside, *_ = FIELDS[name]
    before, changed = spec(**beside), spec(**{**beside, name: value})
    assert LEAVES[name].of(changed) == changed.values[name] == changed.given[name] == value
    assert changed.run_id != before.run_id and before.but(**{name: value}) == changed
    assert RunSpec.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed
    assert RunSpec.of(**changed.given) == changed
    assert RunSpec(**{item.name: getattr(changed, item.name) for item in dataclasses.fields(RunSpec)}) == changed


@pytest.mark.parametrize(
    ("name", "without"), [(name, values) for name, (_, _, *several) in FIELDS.items() for values in several], ids=str
)
def test_a_field_that_does_not_apply_is_none_and_in_no_dict_and_no_run_id(name, without):
    plain, given = spec(**without), spec(**{**without, name: FIELDS[name][0]})
    assert given == plain and given.run_id == plain.run_id and given.values[name] is None
    assert name not in given.given and name not in str(given.to_dict())


def test_every_field_explains_itself():
    for leaf in LEAVES.values():
        assert len(leaf.help) > 10, leaf.name


# --- ways to make one -------------------------------------------------------------------------------------------


def test_parts_and_names_of_fields_make_the_same_spec():
    pruned = SparsitySpec(density=0.1, method="magnitude", pruning=PruningSpec(prune_from=0.2))
    made = RunSpec(data=DataSpec(dataset="cifar10"), model=ModelSpec(width=68), sparsity=pruned, seed=3)
    assert made == spec(dataset="cifar10", density=0.1, method="magnitude", prune_from=0.2, seed=3)
    assert made.training == TrainingSpec(l2=None, l2_form=None) and made.sparsity.score is None
    assert made.sparsity.pruning.prune_frequency == 100 and made.sparsity.moving is made.sparsity.tickets is None
    assert dataclasses.replace(made, seed=1) == made.but(seed=1) != made
    assert hash(made) == hash(made.but(seed=1).but(seed=3))


def test_but_keeps_what_is_given_and_drops_what_no_longer_applies():
    looking = sparse(score="snip", score_samples=3, variant="L2")
    assert looking.but(epochs=2) == sparse(score="snip", score_samples=3, variant="L2", epochs=2)
    assert looking.but(density=1.0, variant="NR") == spec()
    assert looking.but(score="random").but(score="snip").sparsity.score_samples == 10, "its default again"
    assert spec(matched_fraction=0.3).but(matched_fraction=None, density=0.1) == sparse()


def test_a_dense_network_is_the_same_by_every_method():
    dense = spec(seed=3)
    assert dense == spec(method="rigl", score="snip", distribution="global", ends="dense", seed=3)
    assert dense == spec(method="magnitude", prune_from=0.2, rewind_step=5, seed=3) and dense.sparsity.is_dense
    assert dense != spec(method="lottery", seed=3), "what a later round begins with is kept"
    assert dense.but(tweaks="tost") != dense, "dense networks have tweaks too"


def test_networks_for_images_have_a_default_width_and_an_mlp_none():
    assert RunSpec.of(model="vgg", depth=16).model.width == 10
    for make in (RunSpec, RunSpec.of):
        with pytest.raises(ValueError, match="`width` must be given for an mlp.*received none"):
            make()


def test_unknown_fields_are_refused_with_the_nearest():
    for make in (lambda: spec(epoch=3), lambda: RunSpec.from_dict({"training": {"epoch": 3}})):
        with pytest.raises(ValueError, match="Unknown field of a spec 'epoch'.*Did you mean 'epochs'"):
            make()


# --- names that change ------------------------------------------------------------------------------------------


def with_default(monkeypatch, name, default):
    """Lets a field have another default, as in later code."""
    item = copy.copy(LEAVES[name].item)
    item.default = default
    monkeypatch.setitem(LEAVES, name, dataclasses.replace(LEAVES[name], item=item))


def test_a_changed_default_changes_run_ids_and_the_value_alone_counts(monkeypatch):
    before = {size: spec(batch_size=size).run_id for size in (128, 256)}
    assert spec().run_id == before[128]
    with_default(monkeypatch, "batch_size", 256)
    assert spec().run_id == before[256] and spec(batch_size=128).run_id == before[128]


def test_a_changed_default_of_a_field_changes_no_run_to_which_it_does_not_apply(monkeypatch):
    before = sparse().run_id, sparse(score="snip").run_id
    with_default(monkeypatch, "score_samples", 11)
    assert sparse().run_id == before[0] and sparse(score="snip").run_id != before[1]


@pytest.mark.parametrize(
    ("algorithm", "uses"),
    [
        (("variant", "DA"), {"variant": "DA_BN"}),
        (("optimizer", "adagrad"), {"optimizer": "adagrad"}),
        (("score", "synflow"), {"score": "synflow"}),
        (("tweaks", "LS"), {"tweaks": "tost"}),
        (("flow_measures", "egf_2"), {"flow_measures": ("egf_1", "egf_2")}),
        (("l2_form", "loss"), {"variant": "L2", "l2_form": "loss"}),
    ],
)
def test_another_version_of_an_algorithm_changes_the_run_ids_that_use_it_alone(algorithm, uses, monkeypatch):
    using, without = (sparse(**values) for values in (uses, {"flow_measures": ("egf_1",), "variant": "BN"}))
    before = using.run_id, without.run_id
    monkeypatch.setitem(ALGORITHMS, algorithm, 99)
    after = sparse(**using.given).run_id, sparse(**without.given).run_id
    assert before[0] != after[0] and before[1] == after[1]
    assert algorithm_versions(using.values) == {" ".join(algorithm): 99} and not algorithm_versions(without.values)


def test_algorithms_are_those_of_values_that_fields_take():
    for field, name in ALGORITHMS:
        assert f"{field} {name}" in algorithm_versions(sparse(**{field: name}).values)


def test_order_and_spelling_of_lists_and_numbers_change_nothing():
    assert (
        sparse(variant="BN_L2") == sparse(variant="L2_BN")
        and sparse(tweaks="LS_GSk_GSw_LRsI").training.tweaks == "tost"
    )
    assert spec(flow_readings=("end", "steps")) == spec(), "both, in either order, are the default"
    assert spec(diagnostics=("none",)) == spec()
    along = ("loss_along", "top_eigenvalue")
    assert spec(diagnostics=along).measurement.diagnostics == along[::-1]
    assert spec(learning_rate=1) == spec(learning_rate=1.0) and spec(density=1).run_id == spec().run_id


def test_options_are_kept_for_the_optimizer_and_activation_that_take_them():
    options = ("rmsprop.rho=.9", "adam.beta_1=0.8")
    assert spec(optimizer="adam", optimizer_options=options).training.optimizer_options == ("adam.beta_1=0.8",)
    assert spec(optimizer="rmsprop", optimizer_options=options).training.optimizer_arguments == {"rho": 0.9}
    assert spec(optimizer_options=options) == spec(), "another optimizer's arguments change nothing, and no run_id"
    both = ("srelu.left_slope=0", "srelu.right_threshold=2")
    assert spec(activation="srelu", activation_options=both[::-1]) == spec(activation="srelu", activation_options=both)
    assert spec(activation="srelu", activation_options=both).model.activation_arguments == {
        "left_slope": 0, "right_threshold": 2,
    }  # fmt: skip


# --- what follows from a spec -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "pad"), [(32, 4), (28, 4), (14, 2), (8, 1)])
def test_augmentation_follows_the_images_unless_told(side, pad):
    shape = (side, side, 3)
    assert spec(variant="DA").batch_augment_pad(shape) == pad
    assert spec(variant="DA", augment_pad=3).batch_augment_pad(shape) == 3
    assert spec(variant="DA", augment_pad=0).batch_augment_pad(shape) == 0
    assert spec(variant="BN").batch_augment_pad(shape) is None


@pytest.mark.parametrize(("until", "epochs", "first"), [(0.5, 4, 2), (0.5, 5, 2), (0.75, 2, 1), (0.0, 3, 0)])
def test_the_best_accuracy_is_of_the_sparse_network(until, epochs, first):
    pruned = sparse(method="magnitude", prune_from=until, prune_until=until, epochs=epochs)
    assert pruned.sparse_from == first and sparse(epochs=epochs).sparse_from == 0


def test_a_round_knows_the_one_before_and_the_first():
    ticket = sparse(method="lottery", density=0.25, earlier_densities=(1.0, 0.5), rewind_step=4, tweaks="LS")
    before, first = ticket.round_before, ticket.first_round
    assert before == ticket.but(density=0.5, earlier_densities=(1.0,), tweaks="none"), (
        "tickets are found without tweaks"
    )
    assert before == ticket.but(density=0.5, earlier_densities=(), tweaks="none"), (
        "a round of its own follows the dense"
    )
    assert before.round_before == first == spec(method="lottery", rewind_step=4)
    assert first.round_before is None is sparse().round_before
    assert (ticket.first_step, first.first_step, ticket.sparse_from) == (4, 0, 0)
    assert ticket.but(earlier_densities=(1.0,)).run_id != ticket.run_id, "another way to that density"


def test_sizes_and_details_are_those_that_architectures_take():
    assert spec(variant="SC_BN").model.size == {"depth": 5, "width": 68, "fraction": 1.0}
    assert spec(variant="SC_BN").model.details == {"norm_place": "before", "skip_span": 2, "skip_place": "before"}
    image = spec(model="resnet", depth=8, width=2, width_fraction=0.5, variant="BN").model
    assert image.size == {"depth": 8, "width": 2, "fraction": 0.5} and image.details == {}


# --- values that are refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("variant", "BM", "Unknown variant part 'BM'; expected one of NR, DA, L2, SC, BN"),
        ("variant", "BN_BN", "each part once; received 'BN_BN'"),
        ("variant", "", "Unknown variant part ''"),
        ("variant", None, "`variant` must be a name; received None"),
        ("optimizer", "sdg", "Unknown optimizer 'sdg'; expected one of sgd, momentum, adam, adamw, adagrad, rmsprop"),
        ("activation", "rellu", "Unknown activation 'rellu'.*Did you mean 'relu'"),
        ("learning_rate", 0, "`learning_rate` must be a number above 0; received 0"),
        ("learning_rate", "fast", "received 'fast'"),
        ("learning_rate", float("nan"), "received nan"),
        ("learning_rate", float("inf"), "received inf"),
        ("epochs", 0, "`epochs` must be a whole number of at least 1; received 0"),
        ("epochs", 1.5, "`epochs` must be a whole number of at least 1; received 1.5"),
        ("epochs", True, "received True"),
        ("batch_size", 0, "at least 1; received 0"),
        ("seed", -1, "at least 0 and at most 9223372036854775807; received -1"),
        ("image_size", 0, "at least 1; received 0"),
        ("l2", -0.1, "at least 0; received -0.1"),
        ("dataset", "", "`dataset` must be a name; received ''"),
        ("flow_measures", ("egf_3",), "Unknown flow measure 'egf_3'.*grad_norm_1, grad_norm_2, egf_1, egf_2"),
        ("flow_measures", (), "`flow_measures` must list at least one name"),
        ("flow_measures", "egf_2", "at least one name; received 'egf_2'"),
        ("flow_readings", ("steps", "all"), "Unknown `flow_readings` 'all'; expected one of steps, end"),
        ("flow_readings", (), "`flow_readings` must list at least 1 of steps, end; received none"),
        ("flow_readings", "end", "`flow_readings` must be a list of steps, end; received 'end'"),
        ("flow_mode", "eval", "Unknown `flow_mode` 'eval'; expected one of training, inference"),
        ("flow_tensors", "biases", "expected one of kernels, all"),
        ("flow_cost", "l2", "expected one of total, data"),
        ("init_fan_in", "He", "expected one of dense, sparse, active"),
        ("schedule", "cosin", "Unknown schedule 'cosin'; expected one of constant, cosine, step, wide.*'cosine'"),
        ("loss", "mse", "Unknown loss 'mse'; expected one of cross_entropy, squared_error"),
        ("norm_place", "behind", "Unknown `norm_place` 'behind'; expected one of before, after"),
        ("skip_place", "behind", "expected one of before, after"),
        ("skip_span", 0, "`skip_span` must be a whole number of at least 1; received 0"),
        ("augment_flip", "always", "expected one of random, never"),
        ("precision", "float16", "Unknown `precision` 'float16'; expected one of float32, mixed_b"),
        ("l2_form", "adamw", "expected one of auto, loss, decoupled"),
        ("optimizer_options", ("rho=0.9",), "`optimizer_options` must be of the form name.argument=value.*'rho=0.9'"),
        ("optimizer_options", ("sgd.nesterov=yes",), "a finite number, true or false; received 'sgd.nesterov=yes'"),
        ("optimizer_options", ("adm.beta_1=0.9",), "Unknown optimizer 'adm'.*Did you mean 'adam'"),
        ("optimizer_options", ("sgd.a=1", "sgd.a=2"), "give each argument once; received sgd.a 2 times"),
        ("optimizer_options", "sgd.a=1", "must be a list of texts such as sgd.argument=0.5; received 'sgd.a=1'"),
        ("activation_options", ("swsh.beta=1",), "Unknown activation 'swsh'"),
        ("model", "wide_resnt", "Unknown model 'wide_resnt'.*Did you mean 'wide_resnet'"),
        ("hidden_layers", 0, "`hidden_layers` must be a whole number of at least 1; received 0"),
        ("depth", 0, "`depth` must be a whole number of at least 1; received 0"),
        ("width", 0, "`width` must be a whole number of at least 1; received 0"),
        ("width_fraction", 0, "`width_fraction` must be a number above 0 and at most 1; received 0"),
        ("matched_fraction", 1.1, "`matched_fraction` must be a number above 0 and at most 1; received 1.1"),
        ("dropout", 1.0, "`dropout` must be a number of at least 0 and below 1; received 1.0"),
        ("density", 90, "`density` must be a number above 0 and at most 1; received 90"),
        ("density", 0, "above 0 and at most 1; received 0"),
        ("method", "snap", "Unknown mask schedule 'snap'; expected one of static, magnitude, rigl, set, lottery"),
        ("score", "snap", "Unknown mask score 'snap'; expected one of random, magnitude, snip, grasp, synflow"),
        ("distribution", "erc", "Unknown sparsity distribution 'erc'; expected one of uniform, erk, er, global"),
        ("ends", "both", "expected one of sparse, dense, dense_classifier"),
        ("score_samples", 0, "`score_samples` must be a whole number of at least 1; received 0"),
        ("move_until", 0, "`move_until` must be a number above 0 and at most 1; received 0"),
        ("prune_from", 1.0, "of at least 0 and below 1; received 1.0"),
        ("prune_frequency", 0, "at least 1; received 0"),
        ("earlier_densities", (1.0, 0), "`earlier_densities` must be a number above 0 and at most 1; received 0"),
        ("rewind_step", -1, "`rewind_step` must be a whole number of at least 0; received -1"),
        ("tweaks", "GSW", "Unknown tweak 'GSW'; expected one of none, tost, GSk, GSw, LRsI, LS. Did you mean 'GSw'"),
        ("tweaks", "LS_LS", "`tweaks` must name each part once; received 'LS_LS'"),
        ("ghost_decay", "exponential", "expected one of cosine, linear, abrupt, none"),
        ("ghost_until", 2, "`ghost_until` must be a number above 0 and at most 1; received 2"),
        ("ghost_activation", "relu", "expected one of swish, mish"),
        ("label_smoothing", 0, "`label_smoothing` must be a number above 0 and at most 1; received 0"),
        ("smoothing_over", "none", "expected one of all, others"),
        ("diagnostics", ("eigenvalue",), "Unknown `diagnostics` 'eigenvalue'.*Did you mean 'top_eigenvalue'"),
        ("diagnostics", "loss_along", "`diagnostics` must be a list of top_eigenvalue, .*; received 'loss_along'"),
        ("diagnostics", ("none", "loss_along"), "Unknown `diagnostics` 'none'.*`none` stands alone"),
        ("diagnostic_samples", 0, "`diagnostic_samples` must be a whole number of at least 1; received 0"),
        ("landscape_steps", 2, "`landscape_steps` must be a whole number of at least 3; received 2"),
    ],
)  # fmt: skip
def test_bad_values_are_refused_with_argument_expected_and_received(name, value, message):
    with pytest.raises(ValueError, match=message):
        spec(**{name: value})


def test_bad_values_in_parts_are_refused_too():
    with pytest.raises(ValueError, match="`epochs` must be a whole number of at least 1; received 0"):
        RunSpec(model=ModelSpec(width=68), training=TrainingSpec(epochs=0))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"matched_fraction": 0.3, "method": "magnitude"}, "must be static, rigl or set .* received 'magnitude'"),
        ({"matched_fraction": 0.3, "method": "lottery"}, "must be static, rigl or set .* received 'lottery'"),
        ({"matched_fraction": 0.3, "width_fraction": 0.5}, "`width_fraction` must be 1 for .* matched .* 0.5"),
        ({"method": "magnitude", "prune_until": 0.4}, "`prune_until` must be at least `prune_from`, 0.5; received 0.4"),
        *(
            ({"method": "lottery", "density": 0.25, "earlier_densities": earlier}, "begin with 1, .* and fall")
            for earlier in ((0.5,), (1.0, 0.2), (1.0, 0.25), (1.0, 0.4, 0.6))
        ),
        ({"tweaks": "LS", "loss": "squared_error"}, "LS smooths the labels of `loss` cross_entropy; received 'squared"),
        ({"tweaks": "tost", "activation": "swish"}, "GSw takes the place of `activation` relu; received 'swish'"),
        ({"diagnostics": ("loss_along",), "landscape_steps": 4}, "`landscape_steps` must be odd.*received 4"),
        ({"diagnostics": ("loss_along",), "precision": "mixed_float16"}, "received mixed_float16 with loss_along"),
        ({"diagnostics": ("activation_sparsity",), "activation": "linear"}, "have some; received `activation` linear"),
    ],
)  # fmt: skip
def test_values_that_do_not_go_together_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        sparse(**values)


def test_what_does_not_apply_is_not_in_the_way():
    assert spec(tweaks="GSk", loss="squared_error") and spec(tweaks="GSk", activation="swish")
    assert spec(prune_until=0.1) == spec() == spec(landscape_steps=4, earlier_densities=(0.5,))
    assert spec(diagnostics=("activation_sparsity",), precision="mixed_float16")


@pytest.mark.parametrize("span", [1, 2, 3])
def test_skip_connections_need_more_layers_than_they_span(span):
    assert spec(variant="SC", hidden_layers=span + 1, skip_span=span).training.parts == {"SC"}
    with pytest.raises(ValueError, match=f"at least {span + 1} hidden layers, or a smaller `skip_span`; .* {span}"):
        spec(variant="SC_BN", hidden_layers=span, skip_span=span)


def test_a_sparsity_in_place_of_a_density_is_answered_with_the_density():
    with pytest.raises(TypeError, match=r"write density = 1 - sparsity, here density=0\.1\."):
        RunSpec.of(width=9, sparsity=0.9)


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("flow_readings", "section 3.1"),
        ("optimizer_options", "equation 13"),
        ("skip_span", "first version, 2.3"),
        ("l2_form", "4.1.2"),
        ("augment_flip", "Tessera et al. 2021"),
    ],
)
def test_a_choice_of_which_the_text_speaks_names_its_place(field, place):
    assert place in LEAVES[field].source and "left open" not in LEAVES[field].source
