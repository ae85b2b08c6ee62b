"""Density studies of multilayer perceptrons: what is counted is what is built, trained and estimated."""

import dataclasses

import numpy as np
import pytest
from keras_sparseflow.studies.size.calibration_density import _relative, density_seconds
from keras_sparseflow.studies.spec.density_spec import DensitySpec

from keras_sparseflow import records
from keras_sparseflow.data import DataSize
from keras_sparseflow.layers import MaskedKernel
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.executors.executors import Options
from keras_sparseflow.studies.presets.preset_table import DENSITY_PRESETS
from keras_sparseflow.studies.run.mask_changes import mask_callbacks
from keras_sparseflow.studies.run.network import build_network
from keras_sparseflow.studies.size.cost import cost
from keras_sparseflow.studies.size.kernel_counts import counted_kernels
from tests.studies.executing import train

SIZE = DataSize((4, 4, 1), 3, 48, 12)


def network(**values):
    small = {"model": "mlp", "depth": 4, "width": 10, "batch_size": 16, "epochs": 2, "learning_rate": 0.05}
    return DensitySpec(**{**small, "flow_epochs": 1, **values})


def active_in(model):
    return {layer.name: layer.active_count for layer in model.layers if isinstance(layer, MaskedKernel)}


def test_its_run_is_named_after_it_and_survives_a_dict():
    spec = network()
    assert spec.run_id.startswith("sgd-NR-mlp_4_10-random-d0.1-s0-")
    assert DensitySpec.from_dict(spec.to_dict()) == spec != dataclasses.replace(spec, model="wide_resnet")


def test_operations_by_hand():
    """3 batches of 16 in each of 2 epochs, an end of 48 images, and 12 test images, for each product."""
    products = 16 * 10 + 10 * 10 + 10 * 10 + 10 * 3
    found = cost([network(density=0.1)], SIZE)
    assert (found.steps, found.flops, found.active_weights) == (6, (6 * (96 + 48) + 2 * 24) * products, 39)
    assert found.stored_weights == products
    ends = {kernel.name: kernel.active for kernel in counted_kernels(network(ends="dense"), SIZE)}
    assert ends == {"hidden_1": 160, "hidden_2": 10, "hidden_3": 10, "output": 30}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"density": 0.01}, "0.01 leaves none of the 30 of 'output'"),
        ({"depth": 1}, "`depth` must be at least 2 for a multilayer perceptron.* received 1"),
        ({"depth": 3, "variant": "SC"}, "`depth` must be at least 4 .* skip connections .* received 3"),
        ({"depth": 2, "ends": "dense"}, "`ends` must be 'sparse' .* than hidden_1 and output; received 'dense'"),
    ],
)
def test_networks_that_there_are_not_are_refused_before_training(values, message):
    with pytest.raises(ValueError, match=message):
        cost([network(**values)], SIZE)


@pytest.mark.parametrize(
    ("method", "score", "distribution", "variant"),
    [
        ("static", "snip", "global", "SC_BN"),
        ("static", "grasp", "global", "NR"),
        ("static", "synflow", "global", "BN"),
        ("static", "magnitude", "uniform", "NR"),
        ("rigl", "random", "erk", "BN"),
        ("set", "random", "erk", "NR"),
    ],
)
def test_every_score_and_method_keeps_what_is_counted(method, score, distribution, variant, data):
    spec = network(
        method=method, score=score, distribution=distribution, variant=variant, density=0.2, score_samples=4,
        move_frequency=1, dropout=0.1,
    )  # fmt: skip
    model = build_network(spec, data)
    counted = {kernel.name: kernel.active for kernel in counted_kernels(spec, SIZE)}
    before = active_in(model)
    if distribution == "global":
        assert set(before) == set(counted) and sum(before.values()) == sum(counted.values()) == 78
    else:
        assert before == counted
    masks = {layer.name: layer.mask.numpy() for layer in model.layers if isinstance(layer, MaskedKernel)}
    callbacks = mask_callbacks(spec, data)
    model.fit(data.train_images, data.train_labels, batch_size=16, epochs=1, verbose=0, callbacks=callbacks)
    assert active_in(model) == before
    moved = any(np.any(model.get_layer(name).mask.numpy() != mask) for name, mask in masks.items())
    assert moved == (method in ("rigl", "set"))


def test_a_run_is_pruned_and_its_record_says_what_it_has(data, tmp_path):
    spec = network(method="magnitude", variant="BN", density=0.2, ends="dense")
    lines = train("auto", [spec], tmp_path, data, tensorboard=False)
    assert "model 'mlp' are trained one after the other: only the multilayer perceptrons of matched pairs" in lines
    folder = RunFolder(tmp_path, spec.run_id).path
    result = records.read_json(folder / "result.json")
    assert result["active_weights"] == 160 + 20 + 20 + 30 == sum(kernel.active for kernel in counted_kernels(spec, SIZE))
    assert 0 < result["egf_2"] < np.inf


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"depth": 3, "width": 20}, (3, 20)),
        ({"depth": 9, "width": 4000, "variant": "SC"}, (5, 1000)),
        ({"model": "wide_resnet", "depth": 28, "width": 10}, (10, 4)),
        ({"model": "wide_resnet", "depth": 16, "width": 2, "density": 0.0001, "distribution": "erk"}, (10, 2)),
    ],
)
def test_what_is_calibrated_is_no_larger_than_it_must_be_and_can_be_built(values, expected):
    size = DataSize((8, 8, 1), 10, 300, 100)
    relative = _relative([network(**values)], size)
    assert (relative.depth, relative.width, relative.density) == (*expected, 1.0)
    assert counted_kernels(relative, size) and relative.variant == values.get("variant", "NR")


def test_time_is_estimated_at_any_density():
    size, options = DataSize((4, 4, 1), 10, 64, 10), Options(tensorboard=False)
    specs = [network(density=density, distribution="erk") for density in (0.02, 0.5)]
    assert density_seconds(specs, size, options) > 0


def test_the_preset_crosses_every_mask_with_optimizers_and_variants():
    specs, wide = (DENSITY_PRESETS.get(name).specs(784, 10) for name in ("masks_mlp", "masks"))

    def masks(specs):
        return {(spec.method, spec.score, spec.distribution) for spec in specs if spec.density < 1}

    assert masks(specs) == masks(wide)
    at_two_percent = [spec for spec in specs if spec.density == 0.02]
    assert len(at_two_percent) == len(masks(specs)) * 2 * 2 * 3, "optimizers, variants, seeds"
    assert len([spec for spec in specs if spec.density == 1]) == 2 * 2 * 3, "a dense network is trained once"
    assert {(s.dataset, s.model, s.depth, s.width) for s in specs} == {("fashion_mnist", "mlp", 5, 788)}
    assert all(counted_kernels(spec, DataSize((28, 28, 1), 10, 60_000, 10_000)) for spec in specs)
