"""Layers with several kernels: a mask each, that holds in training and survives."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import (
    MaskedGroupQueryAttention,
    MaskedGRU,
    MaskedLSTM,
    MaskedMultiHeadAttention,
    MaskedSeparableConv1D,
    MaskedSeparableConv2D,
    MaskedSimpleRNN,
)
from keras_sparseflow.layers.mask.slots import slots_of

layers = keras.layers
PROJECTIONS = {"query", "key", "value", "attention_output"}
CELL = {"kernel", "recurrent_kernel"}
SEPARABLE = {"depthwise_kernel", "pointwise_kernel"}
CASES = {
    "separable_1d": (
        MaskedSeparableConv1D,
        layers.SeparableConv1D,
        {"filters": 4, "kernel_size": 3},
        (9, 4),
        SEPARABLE,
    ),
    "separable_2d": (
        MaskedSeparableConv2D,
        layers.SeparableConv2D,
        {"filters": 4, "kernel_size": 3, "depth_multiplier": 2},
        (6, 6, 4),
        SEPARABLE,
    ),
    "attention": (
        MaskedMultiHeadAttention,
        layers.MultiHeadAttention,
        {"num_heads": 2, "key_dim": 4, "use_gate": True},
        (5, 6),
        PROJECTIONS | {"gate"},
    ),
    "grouped": (
        MaskedGroupQueryAttention,
        layers.GroupQueryAttention,
        {"head_dim": 4, "num_query_heads": 4, "num_key_value_heads": 2},
        (5, 6),
        PROJECTIONS,
    ),
    "simple_rnn": (MaskedSimpleRNN, layers.SimpleRNN, {"units": 4}, (5, 6), CELL),
    "lstm": (MaskedLSTM, layers.LSTM, {"units": 4, "implementation": 1}, (5, 6), CELL),
    "gru": (MaskedGRU, layers.GRU, {"units": 4, "reset_after": False}, (5, 6), CELL),
    "unrolled": (MaskedLSTM, layers.LSTM, {"units": 4, "unroll": True, "recurrent_dropout": 0.1}, (5, 6), CELL),
}
EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def batch(shape):
    return np.random.default_rng(0).normal(size=(8, *shape)).astype("float32")


def called(layer, inputs):
    return layer(inputs, inputs) if "attention" in type(layer).__name__.lower() else layer(inputs)


def array(variable):
    return keras.ops.convert_to_numpy(variable)


def mask_of(part):
    return array(part.mask)


def as_model(layer, shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, called(layer, inputs))


@EACH
def test_every_kernel_has_a_mask_of_its_own_with_the_exact_count(case):
    masked, _, arguments, shape, names = case
    layer = masked(**arguments, density=0.4, mask_seed=1)
    called(layer, batch(shape))
    assert layer.parts.keys() == names
    for part in layer.parts.values():
        assert mask_of(part).sum() == round(0.4 * mask_of(part).size)
        assert not array(part.kernel)[~mask_of(part)].any()
    drawn = [mask_of(part) for part in layer.parts.values()]
    equal = [np.array_equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i] if a.shape == b.shape]
    assert not any(equal), "parts of one shape draw different masks"


@EACH
def test_density_one_is_the_stock_layer_whatever_it_computes(case):
    masked, stock, arguments, shape, _ = case
    layer, twin = masked(**arguments), stock(**arguments)
    inputs = batch(shape)
    called(layer, inputs), called(twin, inputs)
    assert len(layer.trainable_variables) == len(twin.trainable_variables)
    owner = getattr(twin, "cell", twin)
    for name, part in layer.parts.items():
        inner = [projection.kernel for projection in twin._flatten_layers() if projection.name == name]
        part.kernel.assign(inner[0] if inner else getattr(owner, name))
    np.testing.assert_allclose(called(layer, inputs), called(twin, inputs), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=name, marks=() if name == "lstm" else pytest.mark.untraced) for name, case in CASES.items()],
)
def test_inactive_weights_stay_zero_under_plain_fit_and_active_ones_train(case):
    masked, _, arguments, shape, _ = case
    layer = masked(**arguments, density=0.5, mask_seed=0, name="masked")
    model = as_model(layer, shape)
    before = {name: array(part.kernel) for name, part in layer.parts.items()}
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, "mse")
    model.fit(batch(shape), np.ones(model.output_shape[1:])[None].repeat(8, 0), epochs=3, verbose=0)
    for name, part in layer.parts.items():
        mask = mask_of(part)
        assert not array(part.kernel)[~mask].any(), name
        assert np.mean(array(part.kernel)[mask] != before[name][mask]) > 0.5, name
        slots = slots_of(optimizer, part.kernel)
        assert len(slots) == 1
        assert not any(array(slot)[~mask].any() for slot in slots)


@EACH
def test_masks_survive_files_clones_and_configs(case, tmp_path):
    masked, _, arguments, shape, names = case
    layer = masked(**arguments, density=0.5, mask_seed=3, name="masked")
    model = as_model(layer, shape)
    changed = sorted(names)[0]
    layer.parts[changed].set_mask(np.roll(mask_of(layer.parts[changed]), 1))
    assert layer.get_config()["masks"].keys() == {changed}, "a mask that the seed gives is not stored"
    model.save(tmp_path / "model.keras")
    loaded, clone = keras.models.load_model(tmp_path / "model.keras"), keras.models.clone_model(model)
    for other in (loaded.get_layer("masked"), clone.get_layer("masked")):
        assert all(np.array_equal(mask_of(other.parts[name]), mask_of(layer.parts[name])) for name in names)
    unbuilt = masked.from_config(layer.get_config())
    assert masked.from_config(unbuilt.get_config()).get_config() == layer.get_config()
    np.testing.assert_array_equal(loaded(batch(shape)), model(batch(shape)))


def test_the_same_seed_gives_the_same_masks_and_percentages_are_refused():
    drawn = []
    for seed in (5, 5, 6):
        layer = MaskedLSTM(4, density=0.5, mask_seed=seed)
        layer.build((None, 3, 4))
        drawn.append(np.concatenate([mask_of(part).ravel() for part in layer.parts.values()]))
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[1], drawn[2])
    with pytest.raises(ValueError, match=r"`density` must be in \[0, 1\]"):
        MaskedSeparableConv2D(4, 3, density=50)


def test_regularizers_and_constraints_reach_the_parts_behind_the_mask():
    layer = MaskedSeparableConv2D(
        4, 2, density=0.5, mask_seed=0, pointwise_regularizer="l2", depthwise_constraint=lambda kernel: kernel + 1
    )
    layer.build((None, 4, 4, 3))
    pointwise, depthwise = layer.parts["pointwise_kernel"], layer.parts["depthwise_kernel"]
    np.testing.assert_allclose(layer.losses[0], 0.01 * np.sum(array(pointwise.kernel) ** 2), rtol=1e-5)
    assert not array(depthwise.kernel.constraint(depthwise.kernel))[~mask_of(depthwise)].any()
