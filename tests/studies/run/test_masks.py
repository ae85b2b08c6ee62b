"""Masks of a run: those of its score, and how they change while it trains."""

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow import records
from keras_sparseflow.layers import MaskedKernel, structure
from keras_sparseflow.masks import make_masks, samples_per_class
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.run.mask_changes import mask_callbacks
from keras_sparseflow.studies.run.network import build_network
from keras_sparseflow.studies.run_study import run_study
from keras_sparseflow.studies.spec.name_tables import MODELS
from keras_sparseflow.studies.study import Study
from tests.backend import untraced
from tests.studies.executing import interrupted_after, train

NETWORKS = {
    "mlp": {"width": 12, "hidden_layers": 3},
    "wide_resnet": {"model": "wide_resnet", "depth": 10, "width": 1, "variant": "SC_BN"},
    "vit": {"model": "vit", "depth": 1, "width": 1, "patch_size": 2, "variant": "SC"},
}


@pytest.fixture(scope="module")
def network(spec):
    """Makes a small network of a density, whose flow is not measured."""
    given = {"matched_fraction": None, "density": 0.2, "flow_epochs": 0}
    return lambda model="mlp", **values: spec(**{**given, **NETWORKS[model], **values})


def masked(model):
    return {layer.name: layer.mask.numpy() for layer in model.layers if isinstance(layer, MaskedKernel)}


# --- masks before training --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "score", "distribution"),
    [
        ("mlp", "magnitude", "uniform"),
        ("mlp", "grasp", "global"),
        ("mlp", "synflow", "erk"),
        ("wide_resnet", "snip", "global"),
        ("vit", "snip", "global"),
        ("vit", "grasp", "erk"),
    ],
)
def test_masks_are_those_of_the_score(model, score, distribution, network, data):
    """Data-driven scores look at 4 images of each class, as they are, and first and last kernel may stay dense."""
    chosen = network(model, score=score, distribution=distribution, score_samples=4, ends="dense")
    with untraced():
        found = masked(build_network(chosen, data))
        parts = {"batch_norm": "BN" in chosen.training.parts, "skip_connections": "SC" in chosen.training.parts}
        options = {"details": chosen.model.details, **chosen.model.size, **parts}
        twin = MODELS.get(model).build((4, 4, 1), 3, density=1.0, dense_ends=True, seed=0, **options)
        expected = make_masks(
            twin, 0.2, score=score, distribution=distribution, seed=0,
            kernels=[kernel for kernel in structure.kernels_of(twin) if kernel.mask is not None],
            data=samples_per_class(data.train_images, data.train_labels, 4, 0),
        )  # fmt: skip
    assert set(found) == set(expected) and not {"stem", "patches", "hidden_1", "output"} & set(found)
    for name, mask in found.items():
        np.testing.assert_array_equal(mask, expected[name])


# --- masks that change ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "score", "distribution"),
    [("static", "random", "uniform"), ("rigl", "random", "erk"), ("set", "snip", "global")],
)
def test_masks_move_where_the_method_moves_them_and_keep_their_counts(method, score, distribution, network, data):
    chosen = network(method=method, score=score, distribution=distribution, score_samples=4, move_frequency=2)
    callbacks = mask_callbacks(chosen, data)
    with untraced():
        model = build_network(chosen, data)
        before = masked(model)
        model.fit(data.train_images, data.train_labels, batch_size=16, epochs=1, verbose=0, callbacks=callbacks)
    after = masked(model)
    assert {name: mask.sum() for name, mask in after.items()} == {name: mask.sum() for name, mask in before.items()}
    moved = any(np.any(after[name] != mask) for name, mask in before.items())
    assert moved == bool(callbacks) == (method != "static")


@pytest.fixture(scope="module")
def pruned(network, data, tmp_path_factory):
    """A run that is pruned midway, stopped after its first epoch and after its third, and finished."""
    folder = tmp_path_factory.mktemp("pruned")
    spec, states = network(method="magnitude", density=0.1, epochs=4, variant="BN"), []
    with untraced():
        for epoch in (0, 2):
            with interrupted_after(epoch, 1):
                train("serial", [spec], folder, data, checkpoint_seconds=0, tensorboard=False)
            states.append(RunFolder(folder, spec.run_id).load_checkpoint()[0])
        train("serial", [spec], folder, data, tensorboard=False)
    return spec, states, folder


def history(folder, spec):
    return pd.read_csv(RunFolder(folder, spec.run_id).path / "history.csv")


def test_magnitude_pruning_is_dense_for_half_the_epochs_then_at_its_density(pruned):
    spec, states, folder = pruned
    before, after = ({name: a for name, a in state.items() if name.endswith("mask")} for state in states)
    assert all(mask.all() for mask in before.values()) and len(before) == 4
    for name, mask in after.items():
        assert mask.sum() == round(0.1 * mask.size), name
        kernel = states[1][name.replace("mask", "kernel")]
        assert np.all(kernel[~mask] == 0) and np.any(kernel[mask] != 0)
    result = records.read_json(RunFolder(folder, spec.run_id).path / "result.json")
    of_the_sparse = history(folder, spec)["test_accuracy"][2:]
    assert result["best_test_accuracy"] == pytest.approx(max(of_the_sparse)), "not of the dense network"
    assert result["active_weights"] == sum(int(mask.sum()) for mask in after.values())


def test_a_pruned_run_that_was_interrupted_comes_to_what_it_would_have_come_to(pruned, data, tmp_path):
    spec, _, folder = pruned
    with untraced():
        train("serial", [spec], tmp_path, data, tensorboard=False)
    pd.testing.assert_frame_equal(history(folder, spec), history(tmp_path, spec), rtol=1e-4, atol=1e-6)


def test_a_gradual_schedule_ends_at_the_density(network, data):
    """12 steps: from step 4 to step 10, every 4 steps at most: at steps 4 and 8."""
    gradual = {"prune_from": 0.25, "prune_until": 0.75, "prune_frequency": 4, "epochs": 4, "batch_size": 16}
    (callback,) = mask_callbacks(network(method="magnitude", density=0.1, **gradual), data)
    due = {step: [float(value) for value in callback._schedule(step)] for step in range(1, 13)}
    assert [step for step, (now, _) in due.items() if now] == [4, 8] and due[8][1] == pytest.approx(0.9)
    assert mask_callbacks(network(), data) == mask_callbacks(network(method="magnitude", density=1.0), data) == []


@pytest.mark.parametrize("executor", ["serial", "auto"])
def test_a_study_that_may_empty_kernels_is_trained_and_what_is_finished_is_not_tried_again(executor, tmp_path):
    base = {"width": 10, "epochs": 1, "batch_size": 50, "train_size": 100, "image_size": 4, "flow_epochs": 0}
    alike = {"hidden_layers": (2,), "distribution": ("global",), "density": (0.005,)}
    grids = [{"method": ("static",), "score": ("magnitude",), **alike}, {"method": ("lottery",), **alike}]
    planned = Study(name="s", title="t", comparison="densities", grids=grids, base=base, seeds=(0,))
    how = {"runs_dir": tmp_path, "executor": executor}
    with untraced():
        with pytest.raises(ValueError, match="0.005 leaves"):
            run_study(planned, **how)
        run_study(planned, **how, options=Options(tensorboard=False, allow_collapse=True))
        results = records.read_results(run_study(planned, **how))
    assert [(row.method, row.density, row.empty_kernels > 0) for row in results.itertuples()] == [
        ("static", 0.005, True), ("lottery", 1, False), ("lottery", 0.005, True),
    ]  # fmt: skip
