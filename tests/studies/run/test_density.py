"""Density studies: specs, grids, costs by hand, and runs whose masks are there from the start or pruned midway."""

import dataclasses
import functools
import json

import numpy as np
import pytest
from keras_sparseflow.studies.density_study import DensityStudy
from keras_sparseflow.studies.executors.dashboard import hyperparameters
from keras_sparseflow.studies.launch import run_study
from keras_sparseflow.studies.size.estimate import estimate_plan, estimate_studies
from keras_sparseflow.studies.spec.density_spec import DensitySpec

from keras_sparseflow import records
from keras_sparseflow.data import DataSize
from keras_sparseflow.layers import MaskedKernel, structure
from keras_sparseflow.masks import make_masks, samples_per_class
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.executors import executors
from keras_sparseflow.studies.executors.executors import Options
from keras_sparseflow.studies.presets.preset_table import DENSITY_PRESETS
from keras_sparseflow.studies.run.mask_changes import mask_callbacks
from keras_sparseflow.studies.run.network import build_network
from keras_sparseflow.studies.size.cost import cost
from keras_sparseflow.studies.size.kernel_counts import counted_kernels
from keras_sparseflow.studies.spec.name_tables import MASK_SCHEDULES, MODELS
from tests.studies.executing import interrupted_after, train

CIFAR100 = DataSize((32, 32, 3), 100, 50_000, 10_000)


def network(**values):
    small = {"depth": 10, "width": 1, "variant": "SC_BN", "batch_size": 16, "epochs": 4, "learning_rate": 0.05}
    return DensitySpec(**{**small, "flow_epochs": 2, **values})


# --- specs ------------------------------------------------------------------------------------------------------


def test_run_ids_are_pinned():
    """If one of these changes, every study on users' disks is trained again."""
    assert DensitySpec().run_id == "sgd-NR-wide_resnet_28_10-random-d0.1-s0-ec8dfcff0f"
    changed = network(method="magnitude", density=0.05, optimizer="adam", seed=2)
    assert changed.run_id == "adam-SC_BN-wide_resnet_10_1-magnitude-d0.05-s2-e9f012879d"


OTHER_VALUES = {
    "density": 0.2, "ends": "dense", "depth": 16, "width": 2, "dropout": 0.3, "method": "set",
    "prune_from": 0.4, "prune_until": 0.7, "prune_frequency": 7,
    "move_until": 0.5, "move_frequency": 7, "move_fraction": 0.1, "distribution": "erk",
    "earlier_densities": (1.0, 0.5), "rewind_step": 7, "tweaks": "GSk", "ghost_decay": "linear",
    "ghost_until": 0.2, "ghost_activation": "mish", "label_smoothing": 0.2,
    "smoothing_over": "others", "rescale_iterations": 9, "model": "mlp",
    "diagnostics": ("top_eigenvalue",), "diagnostic_epochs": 3, "diagnostic_samples": 9, "eigenvalue_iterations": 9,
    "landscape_steps": 9,
}  # fmt: skip


def test_every_field_changes_the_run_id_and_survives_a_dict():
    common = {field.name for field in dataclasses.fields(DensitySpec.__mro__[1])}
    assert set(OTHER_VALUES) | common == {field.name for field in dataclasses.fields(DensitySpec)}
    for name, value in OTHER_VALUES.items():
        method = {"prune": "magnitude", "move": "rigl", "earlier": "lottery", "rewind": "lottery"}.get(
            name.partition("_")[0], "static"
        )
        tweaks = "none" if name == "tweaks" else "tost"
        base = DensitySpec(method=method, prune_until=0.6, tweaks=tweaks, diagnostics=("top_eigenvalue", "loss_along"))
        changed = dataclasses.replace(base, **{name: value})
        assert getattr(changed, name) == value and changed.run_id != base.run_id, name
        assert DensitySpec.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed


def test_fields_that_change_nothing_under_a_method_are_their_defaults():
    nothing = {"prune_from": 0.2, "prune_until": 0.8, "prune_frequency": 5, "move_until": 0.1, "move_fraction": 0.5}
    assert DensitySpec(**nothing, move_frequency=3, score_samples=4) == DensitySpec()
    moving = DensitySpec(method="rigl", score="snip", score_samples=4, **nothing)
    assert (moving.move_until, moving.score_samples, moving.prune_from) == (0.1, 4, 0.5)
    at_once = DensitySpec(
        method="magnitude", prune_from=0.2, prune_until=0.2, prune_frequency=5, score="snip", distribution="erk"
    )
    assert at_once.prune_from == 0.2 and at_once.prune_frequency == DensitySpec().prune_frequency
    assert (at_once.score, at_once.distribution, at_once.move_until) == ("random", "uniform", 0.75)
    assert not DensitySpec(method="magnitude", density=1.0).prunes and at_once.prunes


def test_a_dense_network_is_the_same_by_every_method_and_trained_once():
    dense = DensitySpec(density=1.0, ends="dense", seed=3)
    assert dense == DensitySpec(density=1.0, method="rigl", score="snip", distribution="global", seed=3)
    assert dense == DensitySpec(density=1.0, method="magnitude", prune_from=0.2, rewind_step=5, seed=3)
    planned = study(grids=[{"density": (0.1, 1.0), "method": ("static", "magnitude", "set")}]).specs(64, 10)
    assert [spec.density for spec in planned].count(1.0) == 1 and len(planned) == 4


@pytest.mark.parametrize(("until", "epochs", "first"), [(0.5, 4, 2), (0.5, 5, 2), (0.75, 2, 1), (0.0, 3, 0)])
def test_the_best_accuracy_is_of_the_sparse_network(until, epochs, first):
    pruned = DensitySpec(method="magnitude", prune_from=until, prune_until=until, epochs=epochs)
    assert pruned.sparse_from == first and DensitySpec(epochs=epochs).sparse_from == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "random"),
        ({"score": "snip", "distribution": "global"}, "snip-global"),
        ({"method": "set", "distribution": "erk"}, "set-erk"),
        ({"method": "rigl", "score": "synflow"}, "rigl-synflow"),
        ({"method": "magnitude"}, "magnitude"),
        ({"score": "magnitude"}, "magnitude_masks"),
    ],
)
def test_a_run_is_named_after_how_it_becomes_sparse(values, words):
    assert DensitySpec(**values).run_id.startswith(f"sgd-NR-wide_resnet_28_10-{words}-d0.1-s0-")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("density", 90, "`density` must be a number above 0 and at most 1; received 90"),
        ("density", 0, "above 0 and at most 1; received 0"),
        ("method", "snap", "Unknown mask schedule 'snap'; expected one of static, magnitude, rigl, set, lottery"),
        ("score", "snap", "Unknown mask score 'snap'; expected one of random, magnitude, snip, grasp, synflow"),
        ("distribution", "erc", "Unknown sparsity distribution 'erc'; expected one of uniform, erk, er, global"),
        ("score_samples", 0, "`score_samples` must be a whole number of at least 1; received 0"),
        ("move_until", 0, "`move_until` must be a number above 0 and at most 1; received 0"),
        ("model", "wide_resnt", "Unknown model 'wide_resnt'.*Did you mean 'wide_resnet'"),
        ("tweaks", "GSW", "Unknown tweak 'GSW'; expected one of none, tost, GSk, GSw, LRsI, LS. Did you mean 'GSw'"),
        ("tweaks", "LS_LS", "`tweaks` must name each part once; received 'LS_LS'"),
        ("label_smoothing", 0, "`label_smoothing` must be a number above 0 and at most 1; received 0"),
        ("ghost_until", 2, "`ghost_until` must be a number above 0 and at most 1; received 2"),
        ("ends", "both", "expected one of sparse, dense"),
        ("dropout", 1.0, "`dropout` must be a number of at least 0 and below 1; received 1.0"),
        ("prune_from", 1.0, "of at least 0 and below 1; received 1.0"),
        ("prune_frequency", 0, "at least 1; received 0"),
        ("epochs", 0, "`epochs` must be a whole number of at least 1; received 0"),
    ],
)
def test_bad_values_are_refused_with_argument_expected_and_received(name, value, message):
    with pytest.raises(ValueError, match=message):
        DensitySpec(**{name: value})


def test_pruning_cannot_end_before_it_begins():
    with pytest.raises(ValueError, match="`prune_until` must be at least `prune_from`, 0.5; received 0.4"):
        DensitySpec(method="magnitude", prune_until=0.4)


# --- studies ----------------------------------------------------------------------------------------------------


def study(**values):
    base = {"depth": 10, "width": 1, "batch_size": 32, "epochs": 2, "train_size": 300, "flow_epochs": 1}
    return DensityStudy(**{"name": "s", "title": "t", "base": base, "seeds": (0,), **values})


def test_a_study_crosses_densities_methods_and_seeds():
    planned = study(
        grids=[{"density": (0.1, 0.5), "method": ("static", "magnitude"), "variant": ("BN",)}], seeds=(3, 4)
    )
    specs = planned.specs(64, 10)
    assert [(s.density, s.method, s.seed) for s in specs] == [
        (density, method, seed) for density in (0.1, 0.5) for method in ("static", "magnitude") for seed in (3, 4)
    ]
    assert {(s.depth, s.width, s.variant, s.epochs) for s in specs} == {(10, 1, "BN", 2)}


def test_the_record_holds_the_kind_the_plan_every_choice_and_what_differs_from_the_preset():
    preset = study(reproduces="Figure 9", notes=["Open."])
    planned = preset.with_choices({"density": (0.5,), "width": 2}, name="mine")
    record = json.loads(json.dumps(planned.record(planned.specs(64, 10), "")))
    assert (record["kind"], record["name"], record["preset"], record["runs_planned"]) == ("density", "mine", "s", 1)
    choices = {row["choice"]: row["value"] for row in record["choices"]}
    assert choices["density"] == "0.5" and choices["depth"] == "10" and choices["seeds"] == "0"
    assert {row["choice"]: (row["preset"], row["here"]) for row in record["overrides"]} == {
        "density": ("0.1", "0.5"), "width": ("1", "2"),
    }  # fmt: skip


def test_a_seed_is_no_choice_of_a_base():
    with pytest.raises(ValueError, match="`base` takes .*received seed"):
        study(base={"seed": 1})


def test_the_dashboard_shows_how_a_network_is_sparse():
    shown = hyperparameters(network(method="magnitude", density=0.05))
    assert (shown["method"], shown["density"], shown["model"], shown["depth"]) == ("magnitude", 0.05, "wide_resnet", 10)
    assert "arm" not in shown and "prune_from" not in shown


def test_the_preset_of_masks_has_every_method_and_score_at_the_same_densities():
    specs = DENSITY_PRESETS.get("masks").specs(3072, 10)
    kinds = {(spec.method, spec.score, spec.distribution) for spec in specs if spec.density < 1}
    assert {method for method, _, _ in kinds} == set(MASK_SCHEDULES.builtins)
    assert {score for _, score, _ in kinds} >= {"random", "magnitude", "snip", "grasp", "synflow"} and len(kinds) == 10
    tickets = [spec for spec in specs if spec.method == "lottery"]
    assert [spec.density for spec in tickets[:7]] == [1.0, 0.7, 0.4, 0.2, 0.1, 0.05, 0.02] and len(tickets) == 7 * 3
    assert len(specs) - len(tickets) == 9 * 4 * 3 and len({spec.run_id for spec in specs}) == len(specs)


@pytest.mark.parametrize(("name", "networks"), [("single_density", 3), ("wrn_random", 138), ("wrn_magnitude", 88)])
def test_presets_are_of_the_published_network_and_recipe(name, networks):
    preset = DENSITY_PRESETS.get(name)
    specs = preset.specs(CIFAR100.inputs, CIFAR100.classes)
    assert len(specs) == len({spec.run_id for spec in specs}) == networks
    assert {(spec.depth, spec.width) for spec in specs} == {(28, 10)}
    if name != "single_density":
        assert {(s.dataset, s.epochs, s.schedule, s.l2, s.learning_rate, s.batch_size) for s in specs} == {
            ("cifar100", 200, "wide_resnet", 5e-4, 0.1, 128)
        }
        assert min(s.density for s in specs) == 0.01 and max(s.density for s in specs) == 1


# --- costs ------------------------------------------------------------------------------------------------------


def test_kernels_are_counted_at_their_density():
    kernels = {kernel.name: kernel for kernel in counted_kernels(network(density=0.1), CIFAR100)}
    assert kernels["stem"].active == 43 and kernels["stem"].size == 432 and kernels["stem"].positions == 1024
    assert kernels["output"].shape == (64, 100) and kernels["output"].active == 640
    ends = {kernel.name: kernel for kernel in counted_kernels(network(density=0.1, ends="dense"), CIFAR100)}
    assert ends["stem"].active == 432 and ends["output"].active == 6400 and ends["group2_block1_conv1"].active == 461


def test_operations_by_hand():
    """3 batches of 16 in each of 4 epochs, and 20 test images: 6 * 192 + 2 * 80 for each product.

    On 4x4 images the groups of blocks stand at 4x4, 2x2 and 1x1; the kernels of 16, 32 and 64 channels are 3x3, the
    shortcuts 1x1, the stem has one input channel and the classifier 3 outputs.
    """
    size = DataSize((4, 4, 1), 3, 50, 20)
    of_steps = functools.partial(network, flow_readings=("steps",))  # measured in the training itself
    products = 16 * (9 * 16 + 2 * 9 * 16**2) + 4 * (9 * 16 * 32 + 9 * 32**2 + 16 * 32)
    products += 9 * 32 * 64 + 9 * 64**2 + 32 * 64 + 64 * 3
    an_image = 6 * 192 + 2 * 80
    dense = cost([of_steps(density=1.0)], size)
    assert (dense.steps, dense.flops, dense.active_flops) == (12, an_image * products, an_image * products)
    sparse = cost([of_steps(density=0.25)], size)
    assert sparse.flops == dense.flops and sparse.active_flops == pytest.approx(dense.flops / 4, rel=1e-3)
    erk = {kernel.name: kernel for kernel in counted_kernels(network(density=0.25, distribution="erk"), size)}
    total = sum(kernel.size for kernel in erk.values())
    assert sum(kernel.active for kernel in erk.values()) == round(0.25 * total) and erk["stem"].active == 144
    together = counted_kernels(network(density=0.25, distribution="global", score="snip"), size)
    assert sum(kernel.active for kernel in together) == round(0.25 * total)
    at_once, gradual = (of_steps(density=0.25, method="magnitude", prune_until=until) for until in (0.5, 0.9))
    assert cost([at_once], size).active_flops == pytest.approx(dense.flops * (1 + 0.25) / 2, rel=1e-3)
    decaying = dense.flops * (0.5 + 0.4 * (0.25 + 0.75 * 0.25) + 0.1 * 0.25)
    assert cost([gradual], size).active_flops == pytest.approx(decaying, rel=1e-3)
    measured = cost([network(density=1.0)], size)  # at the end of two epochs, on all 50 training images
    assert measured.flops == (an_image + 6 * 2 * 50) * products


def test_networks_that_there_are_not_are_refused_before_training():
    with pytest.raises(ValueError, match="`depth` must be 6 n \\+ 4 .* received 12"):
        cost([network(depth=12)], CIFAR100)
    with pytest.raises(ValueError, match="leave every kernel at least one active weight; 0.001 leaves none of the 432"):
        cost([network(density=0.001)], CIFAR100)


def test_studies_are_estimated_from_a_small_relative(tmp_path):
    planned = study(grids=[{"density": (0.1, 1.0)}], base={"depth": 16, "epochs": 3, "train_size": 300, "width": 1})
    size = DataSize((8, 8, 1), 10, 300, 359)
    specs = planned.specs(64, 10)
    left = executors.plan(specs, tmp_path, size.input_shape, size.classes, "serial", Options(tensorboard=False))
    assert estimate_plan(left, size, Options(tensorboard=False)) > 0
    other = study(base={"depth": 12})
    found = estimate_studies([other], data_dir=None, executor="serial", options=Options(tensorboard=False))
    assert found[0].seconds is None and "6 n + 4" in found[0].refusal


# --- runs -------------------------------------------------------------------------------------------------------


def masks_at(checkpoint):
    arrays, _ = checkpoint
    return {name: array for name, array in arrays.items() if name.endswith("mask")}


@pytest.fixture(scope="module")
def pruned(data, tmp_path_factory):
    """A run that is pruned midway, stopped after its first epoch and after its third, and finished."""
    folder = tmp_path_factory.mktemp("pruned")
    spec, states = network(method="magnitude", density=0.1), []
    for epoch in (0, 2):
        with interrupted_after(epoch, 1):
            train("serial", [spec], folder, data, checkpoint_seconds=0, tensorboard=False)
        states.append(RunFolder(folder, spec.run_id).load_checkpoint())
    train("serial", [spec], folder, data, tensorboard=False)
    return spec, states, folder


def test_magnitude_pruning_is_dense_for_half_the_epochs_then_at_its_density(pruned):
    spec, (before, after), folder = pruned
    assert all(mask.all() for mask in masks_at(before).values()) and len(masks_at(before)) == 10
    for name, mask in masks_at(after).items():
        assert mask.sum() == round(0.1 * mask.size), name
        kernel = after[0][name.replace("mask", "kernel")]
        assert np.all(kernel[~mask] == 0) and np.any(kernel[mask] != 0)
    result = records.read_json(RunFolder(folder, spec.run_id).path / "result.json")
    history = np.genfromtxt(RunFolder(folder, spec.run_id).path / "history.csv", delimiter=",", names=True)
    assert result["best_test_accuracy"] == pytest.approx(max(history["test_accuracy"][2:])), "not of the dense network"
    assert result["active_weights"] == sum(int(mask.sum()) for mask in masks_at(after).values())


def test_an_interrupted_run_comes_to_what_it_would_have_come_to(pruned, data, tmp_path):
    spec, _, folder = pruned
    train("serial", [spec], tmp_path, data, tensorboard=False)
    for name in ("history.csv", "flow.csv"):
        resumed, whole = (
            np.genfromtxt(RunFolder(where, spec.run_id).path / name, delimiter=",", skip_header=1)
            for where in (folder, tmp_path)
        )
        np.testing.assert_allclose(resumed, whole, rtol=1e-4, atol=1e-6)


def test_a_gradual_schedule_ends_at_the_density(data):
    """12 steps: from step 4 to step 10, every 4 steps at most: at steps 4 and 8."""
    spec = network(method="magnitude", density=0.1, prune_from=0.25, prune_until=0.75, prune_frequency=4)
    (callback,) = mask_callbacks(spec, data)
    due = {step: [float(value) for value in callback._schedule(step)] for step in range(1, 13)}
    assert [step for step, (now, _) in due.items() if now] == [4, 8] and due[8][1] == pytest.approx(0.9)
    assert mask_callbacks(network(), data) == mask_callbacks(network(method="magnitude", density=1.0), data) == []


@pytest.mark.parametrize(
    ("method", "score", "distribution"),
    [
        ("static", "snip", "global"),
        ("static", "synflow", "erk"),
        ("rigl", "random", "erk"),
        ("set", "grasp", "uniform"),
    ],
)
def test_masks_are_those_of_the_score_and_move_where_the_method_moves_them(method, score, distribution, data):
    spec = network(method=method, score=score, distribution=distribution, density=0.2, score_samples=4)
    spec = dataclasses.replace(spec, move_frequency=2, ends="dense" if score == "grasp" else "sparse")
    model = build_network(spec, data)
    masks = {layer.name: layer.mask.numpy() for layer in model.layers if isinstance(layer, MaskedKernel)}
    twin = MODELS.get("wide_resnet").build(
        (4, 4, 1), 3, depth=10, width=1, density=1.0, dense_ends=score == "grasp", seed=spec.seed,
        batch_norm=True, skip_connections=True,
    )  # fmt: skip
    expected = make_masks(
        twin, 0.2, score=score, distribution=distribution, seed=spec.seed,
        kernels=[kernel for kernel in structure.counted_kernels(twin) if kernel.mask is not None],
        data=samples_per_class(data.train_images, data.train_labels, 4, spec.seed),
    )  # fmt: skip
    assert set(masks) == set(expected) and ("stem" in masks) == (score != "grasp")
    for name, mask in masks.items():
        np.testing.assert_array_equal(mask, expected[name])
    callbacks = mask_callbacks(spec, data)
    model.fit(data.train_images, data.train_labels, batch_size=16, epochs=1, verbose=0, callbacks=callbacks)
    moved = [np.any(layer.mask.numpy() != masks[layer.name]) for layer in model.layers if layer.name in masks]
    assert any(moved) == (method != "static") and len(callbacks) == (method != "static")
    assert all(layer.active_count == masks[layer.name].sum() for layer in model.layers if layer.name in masks)


def test_a_kernel_without_any_weight_is_refused_unless_it_is_allowed(data):
    """Over all kernels the magnitudes of small kernels win, whose initial values are larger."""
    spec = network(score="magnitude", distribution="global", density=0.02)
    with pytest.raises(ValueError, match=f"Masks of {spec.run_id}: .* without any active weight.* --allow_collapse"):
        build_network(spec, data)
    model = build_network(spec, data, allow_collapse=True)
    kernels = [layer for layer in model.layers if isinstance(layer, MaskedKernel)]
    assert min(kernel.active_count for kernel in kernels) == 0
    total = sum(kernel.size for kernel in counted_kernels(spec, DataSize((4, 4, 1), 3, 48, 12)))
    assert sum(kernel.active_count for kernel in kernels) == round(0.02 * total)


def test_random_masks_are_there_from_the_first_step(data, tmp_path):
    spec = network(density=0.1, epochs=1, variant="L2_BN", optimizer="adamw", activation="swish", ends="dense")
    lines = train("auto", [spec], tmp_path, data, tensorboard=False)
    assert "model 'wide_resnet' are trained one after the other: only the multilayer perceptrons" in lines
    written = records.read_json(RunFolder(tmp_path, spec.run_id).path / "spec.json")
    kernels = counted_kernels(spec, DataSize(data.input_shape, data.num_classes, 48, 12))
    assert not any("shortcut" in kernel.name for kernel in kernels), "no skip connections in this variant"
    assert sorted(written["active_weights"]) == sorted(kernel.active for kernel in kernels)
    assert DensitySpec.from_dict(written["spec"]) == spec


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (
            {"method": ("magnitude",)},
            "`prune_until` must leave at least one of the 18 steps .* received 0.99",
        ),
        ({"score": ("magnitude",), "distribution": ("global",), "density": (1.0, 0.5, 0.02)}, "0.02 leaves"),
        (
            {"score": ("synflow",), "distribution": ("global",), "density": (0.02,), "variant": ("SC_BN",)},
            "leaves 2 of 10 kernels without any active weight: group3_block1_conv1",
        ),
        (
            {"method": ("set",)},
            "`move_frequency` must be below 14, the steps in which set moves masks in 2 epochs .* 100",
        ),
        ({"score": ("snip",)}, "`score_samples` must be at most 30, the training images of the smallest class; .* 31"),
    ],
)
def test_masks_that_could_not_be_made_or_moved_are_refused_before_a_record_is_written(grid, message, tmp_path):
    planned = study(grids=[grid])
    planned = planned.with_choices({"score_samples": 31, "image_size": 4, "prune_from": 0.99, "prune_until": 0.99})
    with pytest.raises(ValueError, match=message):
        run_study(planned, runs_dir=tmp_path, executor="serial")
    assert not list(tmp_path.rglob("*.json"))


def test_a_study_that_may_empty_kernels_is_trained_and_what_is_finished_is_not_tried_again(tmp_path):
    grids = [{"method": ("static",), "score": ("magnitude",)}, {"method": ("lottery",)}]
    base = {"dataset": "digits", "model": "mlp", "depth": 3, "width": 10, "epochs": 1, "batch_size": 50}
    planned = DensityStudy(
        name="s", title="t", seeds=(0,), base={**base, "train_size": 100, "flow_epochs": 1},
        grids=[{**grid, "distribution": ("global",), "density": (0.005,)} for grid in grids],
    )  # fmt: skip
    with pytest.raises(ValueError, match="0.005 leaves"):
        run_study(planned, runs_dir=tmp_path, executor="serial")
    run_study(planned, runs_dir=tmp_path, executor="serial", options=Options(tensorboard=False, allow_collapse=True))
    results = records.read_results(run_study(planned, runs_dir=tmp_path, executor="serial"))
    assert [(row.method, row.density, row.empty_kernels > 0) for row in results.itertuples()] == [
        ("static", 0.005, True), ("lottery", 1, False), ("lottery", 0.005, True),
    ]  # fmt: skip


def test_a_study_of_another_kind_keeps_its_folder(tmp_path):
    record = {"kind": "pairs", "run_ids": [], "name": "s"}
    (tmp_path / "s").mkdir()
    records.write_json(tmp_path / "s" / "study.json", record)
    with pytest.raises(ValueError, match="holds a study of the kind 'pairs'; received one of the kind 'density'"):
        run_study(study(), runs_dir=tmp_path, executor="serial")
    assert records.read_study(tmp_path / "s") == record


def test_populations_of_them_are_refused(data, tmp_path):
    with pytest.raises(ValueError, match="cannot be trained as a population: only the multilayer perceptrons"):
        train("population", [network()], tmp_path, data)


def test_a_missing_tfmot_is_said_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow_model_optimization", None)
    with pytest.raises(ImportError, match=r"keras_sparseflow\[tfmot\]"):
        run_study(study(grids=[{"method": ("magnitude",)}]), runs_dir=tmp_path, executor="serial")
    assert list(tmp_path.iterdir()) == []
