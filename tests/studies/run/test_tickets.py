"""Rounds of lottery tickets: what each begins with, what it leaves, and what cannot go on."""

import shutil

import keras
import numpy as np
import pandas as pd
import pytest

from keras_sparseflow import records
from keras_sparseflow.data import training_batches
from keras_sparseflow.layers import MaskedKernel
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.run.network import build_network
from keras_sparseflow.studies.spec.run_spec import RunSpec
from tests.backend import untraced
from tests.studies.executing import assert_same_files, interrupted_after, train

pytestmark = pytest.mark.slow

REWIND = 3  # within the second epoch, of 2 steps: 48 images in batches of 24


def ticket(**values):
    small = {"method": "lottery", "distribution": "global", "hidden_layers": 3, "width": 12, "variant": "BN"}
    training = {"batch_size": 24, "epochs": 3, "learning_rate": 0.05, "schedule": "cosine", "flow_epochs": 0}
    return RunSpec.of(**{**small, **training, "rewind_step": REWIND, **values})


def rounds_of(spec, *densities):
    """Returns the dense round and those at these densities."""
    falling = (1.0, *densities)
    return [
        spec.but(density=density, earlier_densities=falling[:place], distribution="global")
        for place, density in enumerate(falling)
    ]


def arrays(study_dir, spec, name):
    return RunFolder(study_dir, spec.run_id).load_arrays(name)


def result(study_dir, spec):
    return records.read_json(RunFolder(study_dir, spec.run_id).path / "result.json")


def history(study_dir, spec):
    return pd.read_csv(RunFolder(study_dir, spec.run_id).path / "history.csv")


@pytest.fixture(scope="module")
def series(data, tmp_path_factory):
    """Returns a finished series of rounds, trained with momentum, and its folder."""
    folder = tmp_path_factory.mktemp("series")
    flow = {"flow_epochs": 3, "flow_readings": ("end",), "flow_measures": ("egf_1",)}
    specs = rounds_of(ticket(optimizer="momentum", **flow), 0.5, 0.2)
    with untraced():
        train("serial", specs, folder, data, tensorboard=False)
    return specs, folder


def test_later_rounds_go_back_to_what_the_dense_network_was_after_some_steps(series, data):
    specs, folder = series
    with untraced():
        model = build_network(specs[0], data, study_dir=folder)
        for images, labels in training_batches(data, 24, seed=0, epochs=3).take(REWIND):
            model.train_on_batch(images, labels)
    kept = arrays(folder, specs[0], "rewind.npz")
    for layer in model.layers:
        for weight in layer.weights:
            if weight.name != "mask":
                np.testing.assert_allclose(kept[f"{layer.name}/{weight.name}"], weight.numpy(), rtol=2e-4, atol=1e-6)
    assert sum("moving_variance" in name for name in kept) == 3


def test_rewound_to_step_0_a_round_begins_with_its_initial_values_in_its_mask(data, tmp_path):
    """The masks are of convolutions alone: the classifier is no layer with a mask."""
    small = {"model": "resnet", "depth": 8, "width": 1, "variant": "SC_BN", "ends": "dense_classifier"}
    specs = rounds_of(ticket(**small, rewind_step=0, epochs=1), 0.2)
    with untraced():
        train("serial", specs, tmp_path, data, tensorboard=False)
        first, second = (build_network(spec, data, study_dir=tmp_path) for spec in specs)
    masks = arrays(tmp_path, specs[1], "masks.npz")
    assert "output" not in masks and {"stem", "group2_block1_shortcut"} <= masks.keys()
    size = sum(mask.size for mask in masks.values())
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.2 * size)
    trained = arrays(tmp_path, specs[0], "weights.npz")
    for layer in first.layers:
        for weight in layer.weights:
            twin = next((w for w in second.get_layer(layer.name).weights if w.name == weight.name), None)
            if weight.name == "mask" or twin is None:
                continue
            expected = weight.numpy()
            if weight.name == "kernel" and layer.name in masks:
                expected = np.where(masks[layer.name], expected, 0)
            np.testing.assert_array_equal(twin.numpy(), expected)
            assert weight.name != "kernel" or not np.array_equal(trained[f"{layer.name}/kernel"], weight.numpy())


@pytest.mark.parametrize("number", [1, 2])
def test_a_round_keeps_the_largest_weights_of_the_round_before(number, series):
    specs, folder = series
    before, now = specs[number - 1 : number + 1]
    weights, earlier = arrays(folder, before, "weights.npz"), arrays(folder, before, "masks.npz")
    masks = arrays(folder, now, "masks.npz")
    size = sum(mask.size for mask in masks.values())
    assert sum(int(mask.sum()) for mask in masks.values()) == round(now.sparsity.density * size)
    kept = np.concatenate([np.abs(weights[f"{name}/kernel"][mask]) for name, mask in masks.items()])
    gone = np.concatenate([np.abs(weights[f"{name}/kernel"][earlier[name] & ~mask]) for name, mask in masks.items()])
    assert kept.min() >= gone.max() and kept.size + gone.size == round(before.sparsity.density * size)
    assert all(np.all(earlier[name] | ~mask) for name, mask in masks.items()), "what is gone stays gone"
    assert result(folder, now)["active_weights"] == round(now.sparsity.density * size)


def test_a_round_begins_with_early_weights_fresh_slots_and_the_schedule_where_it_was(series, data):
    specs, folder = series
    model = build_network(specs[2], data, study_dir=folder)
    early, masks = arrays(folder, specs[0], "rewind.npz"), arrays(folder, specs[2], "masks.npz")
    for layer in model.layers:
        for weight in layer.weights:
            expected = masks[layer.name] if weight.name == "mask" else early[f"{layer.name}/{weight.name}"]
            masked = isinstance(layer, MaskedKernel) and weight.name == "kernel"
            np.testing.assert_array_equal(weight.numpy(), expected * masks[layer.name] if masked else expected)
    slots = [v for v in model.optimizer.variables if not v.path.endswith("learning_rate")]
    assert slots and all(np.all(keras.ops.convert_to_numpy(slot) == 0) for slot in slots)
    rates = [float(model.optimizer._learning_rate(step)) for step in (0, 2)]
    np.testing.assert_allclose(rates, 0.05 * (1 + np.cos(np.pi * np.array([3, 5]) / 6)) / 2, rtol=1e-6)
    for spec in specs[1:]:
        assert history(folder, spec)["epoch"].tolist() == [1, 2] and result(folder, spec)["epochs_run"] == 2
        assert pd.read_csv(RunFolder(folder, spec.run_id).path / "flow.csv")["epoch"].unique().tolist() == [1, 2]


def test_what_is_gone_stays_gone_where_what_is_left_is_zero_too(series, data, tmp_path):
    specs, folder = series
    for spec in specs[:2]:
        shutil.copytree(RunFolder(folder, spec.run_id).path, RunFolder(tmp_path, spec.run_id).path)
    zeros = {name: np.zeros_like(values) for name, values in arrays(folder, specs[1], "weights.npz").items()}
    RunFolder(tmp_path, specs[1].run_id).save_arrays("weights.npz", zeros)
    model = build_network(specs[2], data, study_dir=tmp_path, allow_collapse=True)
    for name, mask in arrays(folder, specs[1], "masks.npz").items():
        assert np.all(mask | ~model.get_layer(name).mask.numpy()), name


def test_a_round_that_removes_nothing_trains_as_the_dense_network_did(data, tmp_path):
    """The share 0.9999 of the 516 weights of its kernels is rounded to all; plain SGD has no slots to be remembered."""
    specs = rounds_of(ticket(variant="DA_L2_SC_BN"), 0.9999)
    with untraced():
        train("serial", specs, tmp_path, data, tensorboard=False)
    whole, rest = history(tmp_path, specs[0]), history(tmp_path, specs[1])
    for column in ("test_loss", "test_accuracy"):
        np.testing.assert_allclose(rest[column], whole[column][1:], rtol=1e-4)
    np.testing.assert_allclose(rest["loss"][1:], whole["loss"][2:], rtol=1e-4)
    ends = [arrays(tmp_path, spec, "weights.npz") for spec in specs]
    for name, values in ends[0].items():
        np.testing.assert_allclose(ends[1][name], values, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("number", "epoch"), [(0, 0), (0, 1), (1, 1)])
def test_an_interrupted_series_comes_to_what_it_would_have_come_to(number, epoch, series, data, tmp_path):
    specs, folder = series
    for spec in specs[:number]:
        shutil.copytree(RunFolder(folder, spec.run_id).path, RunFolder(tmp_path, spec.run_id).path)
    with untraced():
        with interrupted_after(epoch, 1):
            train("serial", specs[number : number + 1], tmp_path, data, tensorboard=False, checkpoint_seconds=0)
        lines = train("serial", specs[: number + 1], tmp_path, data, tensorboard=False)
    assert f"{number + 1}/{number + 1} runs" in lines
    assert_same_files(specs[number], folder, tmp_path)
    expected, found = (arrays(where, specs[number], "masks.npz") for where in (folder, tmp_path))
    assert all(np.mean(found[name] == mask) > 0.999 for name, mask in expected.items())


def test_what_an_earlier_round_came_to_may_end_a_series_but_not_the_study(data, tmp_path):
    diverging = rounds_of(ticket(learning_rate=1e20, optimizer="sgd", variant="NR"), 0.5, 0.2)
    other = ticket(density=1.0, epochs=2)
    with untraced():
        lines = train("serial", [*diverging, other], tmp_path, data, tensorboard=False)
    assert result(tmp_path, diverging[0])["diverged"]
    assert f"Not trained: {diverging[1].name}. {diverging[1].run_id} prunes the weights of" in lines
    assert f"{diverging[0].run_id}, which diverged." in lines
    assert f"{diverging[1].run_id}, which is not finished." in lines
    assert RunFolder(tmp_path, other.run_id).finished
    assert not any(RunFolder(tmp_path, spec.run_id).finished for spec in diverging[1:])


def test_a_ticket_that_empties_a_kernel_waits_for_leave(data, tmp_path):
    specs = rounds_of(ticket(epochs=1, rewind_step=0), 0.004)
    with untraced():
        lines = train("serial", specs, tmp_path, data, tensorboard=False)
    assert "Not trained:" in lines and "kernels without any active weight" in lines
    assert "As flags of a study: --distribution=erk or --allow_collapse." in lines
    before = (RunFolder(tmp_path, specs[0].run_id).path / "result.json").stat().st_mtime_ns
    with untraced():
        train("serial", specs, tmp_path, data, tensorboard=False, allow_collapse=True)
    assert result(tmp_path, specs[1])["active_weights"] == 2
    assert (RunFolder(tmp_path, specs[0].run_id).path / "result.json").stat().st_mtime_ns == before


def test_a_missing_file_of_a_round_is_named_with_what_to_do(series, data, tmp_path):
    specs, folder = series
    shutil.copytree(RunFolder(folder, specs[0].run_id).path, RunFolder(tmp_path, specs[0].run_id).path)
    (RunFolder(tmp_path, specs[0].run_id).path / "weights.npz").unlink()
    with pytest.raises(
        ValueError, match=r"weights\.npz is corrupt: .*FileNotFoundError.* Run the study again with --repair"
    ):
        train("serial", specs[1:2], tmp_path, data, tensorboard=False)
