"""Tweaks of ToST in runs: what they change, and what they leave as it was."""

import numpy as np
import pytest

from keras_sparseflow import records
from keras_sparseflow.layers import MaskedKernel
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.run.network import build_network, size_of
from keras_sparseflow.studies.run.tweaking import ghost_callbacks, without_ghosts
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study
from tests.backend import untraced
from tests.studies.executing import assert_same_files, interrupted_after, train

pytestmark = pytest.mark.slow

NETWORK = {"hidden_layers": 3, "width": 12, "flow_epochs": 0}
TRAINING = {"batch_size": 24, "epochs": 4, "learning_rate": 0.05, "optimizer": "momentum"}


def network(**values):
    return RunSpec.of(**{**NETWORK, **TRAINING, "variant": "BN", "density": 0.5, **values})


def layers(model):
    return [layer.name for layer in model.layers]


def test_tweaks_change_neither_initial_weights_nor_masks(data):
    plain, tweaked = (
        build_network(network(tweaks=tweaks, score="snip", distribution="global", score_samples=4), data)
        for tweaks in ("none", "GSk_GSw_LS")
    )
    assert layers(plain) != layers(tweaked) and layers(without_ghosts(plain)) == layers(plain)
    for layer in plain.layers:
        for weight, twin in zip(layer.weights, tweaked.get_layer(layer.name).weights, strict=False):
            np.testing.assert_array_equal(weight.numpy(), twin.numpy())
    masked = [layer for layer in tweaked.layers if isinstance(layer, MaskedKernel)]
    assert len(masked) == 4 and sum(layer.active_count for layer in masked) == round(0.5 * (16 * 12 + 288 + 36))


def test_initial_weights_are_rescaled_kernel_by_kernel_before_the_first_epoch_alone(data):
    plain, tweaked = (network(tweaks=tweaks, rescale_iterations=3) for tweaks in ("none", "LRsI"))
    words = []
    with untraced():
        models = [build_network(spec, data, say=words.append) for spec in (plain, tweaked)]
    assert words == [f"rescaling initial weights, {number}/3" for number in (1, 2, 3)]
    for layer in models[0].layers:
        if isinstance(layer, MaskedKernel):
            kernels = [model.get_layer(layer.name).kernel.numpy() for model in models]
            scales = kernels[1][layer.mask.numpy()] / kernels[0][layer.mask.numpy()]
            assert np.ptp(scales) < 1e-5 and scales[0] != 1, layer.name
            np.testing.assert_array_equal(kernels[1] == 0, ~layer.mask.numpy())
    again = build_network(tweaked, data, initialise=False, say=words.append)
    assert len(words) == 3, "what is going to be restored is not rescaled"
    np.testing.assert_array_equal(again.get_layer("hidden_1").kernel, models[0].get_layer("hidden_1").kernel)


def test_labels_are_smoothed_in_training_alone(data):
    """The expected labels are made by hand: 0.7 of the label's share and 0.3 of the mean of all, or of the others."""
    specs = [network(tweaks=tweaks, label_smoothing=0.3) for tweaks in ("none", "LS")]
    specs.append(network(tweaks="LS", label_smoothing=0.3, smoothing_over="others"))
    models = [build_network(spec, data) for spec in specs]
    for model in models:
        model.optimizer.learning_rate = 0.0
    images, labels = data.train_images[:16], data.train_labels[:16]
    with untraced():
        hard, smooth, over_others = (model.train_on_batch(images, labels)[0] for model in models)
        evaluated = [model.test_on_batch(images, labels)[0] for model in models]
    logits = models[0](images, training=True).numpy()
    log_shares = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    right = log_shares[np.arange(16), labels]
    assert hard == pytest.approx(-right.mean(), rel=1e-4)
    assert smooth == pytest.approx(-(0.7 * right + 0.3 * log_shares.mean(axis=1)).mean(), rel=1e-4)
    others = (log_shares.sum(axis=1) - right) / (log_shares.shape[1] - 1)
    assert over_others == pytest.approx(-(0.7 * right + 0.3 * others).mean(), rel=1e-4)
    assert evaluated == pytest.approx([evaluated[0]] * 3, rel=1e-5)


@pytest.fixture(scope="module")
def faded(data, tmp_path_factory):
    """Returns a spec with ghosts until the half, its interrupted run's checkpoints and the folder where it finished."""
    spec = network(tweaks="GSk_GSw")
    folder, states = tmp_path_factory.mktemp("faded"), []
    with untraced():
        for epoch in (0, 1):
            with interrupted_after(epoch, 1):
                train("serial", [spec], folder, data, checkpoint_seconds=0, tensorboard=False)
            states.append(RunFolder(folder, spec.run_id).load_checkpoint()[0])
        train("serial", [spec], folder, data, tensorboard=False)
    return spec, states, folder


def test_ghosts_fade_until_their_share_of_the_training(faded):
    _, states, _ = faded
    values = [
        {name.rpartition("/")[2]: float(v) for name, v in s.items() if v.shape == () and "/" in name} for s in states
    ]
    assert values[0]["alpha"] == pytest.approx(0.5) and values[0]["beta"] == pytest.approx(50**0.5, rel=1e-5)
    assert values[1]["alpha"] == 0 and values[1]["beta"] == np.inf


def test_an_interrupted_run_with_ghosts_comes_to_what_it_would_have_come_to(faded, data, tmp_path):
    spec, _, folder = faded
    with untraced():
        train("serial", [spec], tmp_path, data, tensorboard=False)
    assert_same_files(spec, tmp_path, folder)


def test_ghosts_may_stay(data):
    assert ghost_callbacks(network(tweaks="GSw", ghost_decay="none"), data) == ghost_callbacks(network(), data) == []
    (schedule,) = ghost_callbacks(network(tweaks="GSk", ghost_decay="linear", ghost_until=0.75), data)
    assert schedule._end_step == 6 and schedule.values_at(0.25)[1] == 0.75
    model = build_network(network(tweaks="GSw", ghost_decay="none"), data)
    assert without_ghosts(model) is model


def test_ghosts_may_go_at_once(data):
    """Until then neither beta nor alpha moves; after it the network is its own architecture."""
    spec = network(tweaks="GSk_GSw", ghost_decay="abrupt", ghost_until=0.75)
    (schedule,) = ghost_callbacks(spec, data)
    assert schedule._end_step == 6
    assert [schedule.values_at(share) for share in (0, 0.5, 0.99, 1)] == [(1, 1), (1, 1), (1, 1), (np.inf, 0)]
    model = build_network(spec, data)
    with untraced():
        model.fit(
            data.train_images, data.train_labels, batch_size=24, epochs=4, verbose=0, callbacks=[schedule],
            shuffle=False,
        )  # fmt: skip
    assert [(row["beta"], row["alpha"]) for row in schedule.rows] == [(1, 1), (1, 1), (np.inf, 0), (np.inf, 0)]
    assert without_ghosts(model) is not model


def test_tickets_are_found_without_tweaks_and_trained_with_them(data, tmp_path):
    base = {**NETWORK, "batch_size": 16, "epochs": 2, "rewind_step": 2}
    layers = {"hidden_layers": (base.pop("hidden_layers"),)}
    grid = {"method": ("lottery",), "density": (0.5,), "tweaks": ("GSk_GSw",), "variant": ("BN",), **layers}
    study = Study(name="s", title="", comparison="densities", grids=[grid], base=base, seeds=(0,))
    dense, plain, tweaked = specs = study.specs(size_of(data))
    assert [(spec.sparsity.density, spec.training.tweaks) for spec in specs] == [
        (1.0, "none"), (0.5, "none"), (0.5, "GSk_GSw"),
    ]  # fmt: skip
    assert tweaked.round_before == dense and ghost_callbacks(tweaked, data)[0]._end_step == 3 - 2
    with untraced():
        train("serial", specs, tmp_path, data, tensorboard=False)
    ends = [RunFolder(tmp_path, spec.run_id).load_arrays("weights.npz") for spec in specs]
    masks = [RunFolder(tmp_path, spec.run_id).load_arrays("masks.npz") for spec in specs]
    assert ends[1].keys() == ends[2].keys() and all(np.array_equal(masks[1][name], masks[2][name]) for name in masks[1])
    results = [records.read_json(RunFolder(tmp_path, spec.run_id).path / "result.json") for spec in (plain, tweaked)]
    assert results[0]["test_loss"] != results[1]["test_loss"]
    assert results[0]["active_weights"] == results[1]["active_weights"]
