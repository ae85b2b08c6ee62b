"""The kernel of a masked layer as users of stock layers use it: it keeps its mask."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_sparseflow.layers import (
    MaskedConv2D,
    MaskedDense,
    MaskedDepthwiseConv2D,
    MaskedEinsumDense,
    MaskedSeparableConv2D,
)
from keras_sparseflow.twins import strip_masks
from tests.backend import EACH_MODEL_CLASS, gradients_of_variables, not_on

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 6)).astype("float32"), RNG.normal(size=(12, 4)).astype("float32")


def built(density=0.4, seed=0, **options):
    layer = MaskedDense(4, density=density, mask_seed=seed, **options)
    layer.build((None, 6))
    return layer


def holds(layer):
    """Returns whether exactly the active weights are other than zero."""
    return np.array_equal(np.array(layer.stored_kernel) != 0, np.array(layer.mask))


# --- values -----------------------------------------------------------------------------------------------------


def test_whatever_is_assigned_inactive_weights_become_zero():
    layer = built()
    layer.kernel.assign(np.ones((6, 4)))
    assert holds(layer) and np.array(layer.kernel).sum() == layer.active_count
    layer.kernel.assign_add(np.ones((6, 4)))
    assert holds(layer) and np.array(layer.kernel).max() == 2
    with pytest.raises(ValueError, match="shape"):
        layer.kernel.assign(1.0)


def test_nothing_takes_the_kernels_place():
    for layer, shape in (
        (built(), None),
        (MaskedDepthwiseConv2D(2), (None, 4, 4, 3)),
        (MaskedConv2D(2, 2), (None, 4, 4, 3)),
    ):
        if shape is not None:
            layer.build(shape)
        with pytest.raises(AttributeError, match=r"`kernel` of the masked layer .* cannot be replaced"):
            layer.kernel = np.ones(tuple(layer.kernel.shape), "float32")
        assert layer.kernel is layer.stored_kernel is layer.trainable_variables[0]


def test_nothing_takes_the_place_of_one_of_several_kernels():
    layer = MaskedSeparableConv2D(3, 2, density=0.5, mask_seed=0)
    layer.build((None, 4, 4, 2))
    kernel = layer.depthwise_kernel
    with pytest.raises(AttributeError, match=r"`kernel` of the masked layer 'depthwise_kernel' cannot be replaced"):
        layer.depthwise_kernel = np.ones(tuple(kernel.shape), "float32")
    assert layer.depthwise_kernel is kernel is layer.parts["depthwise_kernel"].stored_kernel


@EACH_MODEL_CLASS
def test_set_weights_of_a_model_brings_kernels_and_masks_in_any_order(model_class):
    inputs = keras.Input((6,))
    one, other = (model_class(inputs, built_of(seed)(inputs)) for seed in (1, 2))
    other.set_weights(one.get_weights())
    assert np.array_equal(one.layers[1].kernel, other.layers[1].kernel) and holds(other.layers[1])
    other.set_weights([np.ones_like(w) if w.dtype != bool else w for w in one.get_weights()])
    other.compile("adam", "mse")
    other.fit(X, Y, verbose=0)
    assert holds(other.layers[1])


def built_of(seed):
    return MaskedDense(4, density=0.4, mask_seed=seed, use_bias=False)


def test_averages_of_masks_are_refused_by_layers_and_models():
    inputs = keras.Input((6,))
    models = [keras.Model(inputs, built_of(seed)(inputs)) for seed in (1, 2)]
    means = [np.mean(pair, axis=0) for pair in zip(*(model.get_weights() for model in models), strict=True)]
    for receiver in (models[0], models[0].layers[1]):
        with pytest.raises(ValueError, match=r"`mask` must hold only True and False, or 1 and 0; received .*0\.5"):
            receiver.set_weights(means)
    assert models[0].layers[1].active_count == round(0.4 * 24)


def test_weights_that_become_active_later_start_at_zero_whatever_was_assigned_before():
    layer = built()
    layer.kernel.assign(np.ones((6, 4)))
    layer.set_mask(~np.array(layer.mask))
    assert not np.array(layer.kernel).any()


def test_stock_weights_are_refused_with_a_way_out():
    stock = keras.layers.Dense(4)
    stock.build((None, 6))
    with pytest.raises(
        ValueError, match=r"must be 3 arrays, its masks among them; received 2, .*`rewind\(model, weights_of"
    ):
        built().set_weights(stock.get_weights())


def test_what_stock_layers_have_saved_is_loaded_through_the_mask():
    """Files of models whose attributes are layers hold such weights."""
    stock, layer = keras.layers.Dense(4), built()
    stock.build((None, 6))
    store = {}
    stock.save_own_variables(store)
    mask = keras.ops.convert_to_numpy(layer.mask)
    layer.load_own_variables(store)
    np.testing.assert_array_equal(layer.kernel, np.where(mask, stock.kernel, 0))
    np.testing.assert_array_equal(layer.mask, mask)


# --- what stock kernels can -------------------------------------------------------------------------------------


@not_on("torch", "Keras fails there where no variable is left to decay.")
def test_it_is_left_out_of_weight_decay_as_a_stock_kernel():
    layers = built(), built()
    for layer, excluded in zip(layers, (True, False), strict=True):
        before, optimizer = np.array(layer.kernel), keras.optimizers.AdamW(0.1, weight_decay=0.5)
        if excluded:
            optimizer.exclude_from_weight_decay(var_list=[layer.kernel])
        optimizer.apply([ops.zeros((6, 4))], [layer.kernel])
        assert np.array_equal(before, layer.kernel) == excluded and holds(layer)


@pytest.mark.untraced
def test_spectral_normalization_normalises_the_active_weights_and_counts_the_kernel_once():
    wrapper = keras.layers.SpectralNormalization(built_of(0))
    inputs = keras.Input((6,))
    model = keras.Model(inputs, wrapper(inputs))
    for _ in range(60):
        wrapper(X, training=True)
    layer = wrapper.layer
    assert holds(layer) and np.linalg.norm(np.array(layer.kernel), 2) == pytest.approx(1, rel=1e-2)
    assert sum(variable is layer.kernel for variable in model.trainable_variables) == 1
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    assert holds(layer)


@EACH_MODEL_CLASS
@pytest.mark.parametrize("kind", [MaskedDense, MaskedEinsumDense])
def test_float8_layers_keep_their_mask(kind, model_class):
    arguments = (4,) if kind is MaskedDense else ("ab,bc->ac", (4,))
    layer = kind(*arguments, density=0.4, mask_seed=0, dtype="float8_from_float32")
    inputs = keras.Input((6,))
    model = model_class(inputs, layer(inputs))
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    assert holds(layer)
    np.testing.assert_allclose(strip_masks(model)(X), model(X), atol=1e-6)


def test_layers_are_not_quantized_before_nor_after_they_are_built():
    layer = built()
    mask = np.array(layer.mask)
    with pytest.raises(ValueError, match=r"cannot be quantized: .* `strip_masks\(model\)`"):
        layer.quantize("int8")
    assert np.array_equal(layer.mask, mask) and holds(layer)
    with pytest.raises(ValueError, match=r"`dtype` of the masked layer .* received .*int8"):
        built(dtype="int8_from_float32")


def test_a_masked_layer_lives_on_after_the_session_is_cleared():
    layer = built()
    keras.backend.clear_session()
    (gradient,) = gradients_of_variables(lambda: keras.ops.sum(layer(X) ** 2), [layer.kernel])
    assert np.count_nonzero(gradient) == layer.active_count
    assert built().active_count == layer.active_count
