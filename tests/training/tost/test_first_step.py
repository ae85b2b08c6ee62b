"""GradInit's objective and its slope: against NumPy and finite differences, in float64."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedConv2D, MaskedDense
from keras_sparseflow.training.tost.first_step import FirstStep
from keras_sparseflow.training.tost.loss_at import LossAt, as_arrays, weights_by_path
from tests.masks import small

X, Y = small.data(12)
BATCH, TRIAL = (X[:8], Y[:8]), (X[4:], Y[4:])
SCALES = np.array([1.3, 0.7])
ETA = 0.3


def by_hand(model, masks, scales, gamma):
    """The objective of the small network, its gradients by finite differences of a loss in NumPy."""
    kernels = [kernel * scale for kernel, scale in zip(small.kernels(model), scales, strict=True)]
    at = small.flatten(kernels)
    gradient = small.gradient(lambda flat: small.loss(flat, *BATCH), at) * small.flatten(masks)
    norm = np.sqrt((gradient**2).sum())
    return norm if norm > gamma else small.loss(at - ETA * gradient / norm, *TRIAL)


@pytest.mark.parametrize(("gamma", "objective"), [(1e-3, "norm"), (1e3, "loss")])
@pytest.mark.parametrize("masked", [False, True])
def test_value_and_slope_are_those_of_a_loss_in_numpy(masked, gamma, objective):
    model = small.network(masked)
    masks = [np.array(layer.mask) if masked else np.ones(layer.kernel.shape) for layer in model.layers]
    found = FirstStep(LossAt(model), gamma, ETA)(SCALES, BATCH, TRIAL)
    assert found.objective == objective
    np.testing.assert_allclose(found.value, by_hand(model, masks, SCALES, gamma), rtol=1e-7)
    expected = small.gradient(lambda scales: by_hand(model, masks, scales, gamma), SCALES, step=1e-3)
    np.testing.assert_allclose(found.slope, expected, rtol=1e-4)
    assert (np.abs(expected) > 1e-3).all()


def convolutional():
    """Masks, biases, BatchNorm and dropout in float64."""
    layers, double = keras.layers, {"dtype": "float64"}
    model = keras.Sequential(
        [
            keras.Input((4, 4, 2), dtype="float64"),
            MaskedConv2D(3, 3, density=0.5, mask_seed=0, name="conv", bias_initializer="ones", **double),
            layers.BatchNormalization(name="norm", **double),
            layers.Activation("softplus", **double),
            layers.Dropout(0.25, seed=0, **double),
            layers.Flatten(**double),
            MaskedDense(2, density=0.5, mask_seed=1, name="head", **double),
        ]
    )
    for variable in model.trainable_variables:
        values = np.random.default_rng(variable.shape[0]).normal(size=variable.shape)
        variable.assign(values if variable.name != "gamma" else np.abs(values))
    rng = np.random.default_rng(0)
    batches = [(rng.normal(size=(6, 4, 4, 2)), rng.integers(0, 2, 6)) for _ in range(2)]
    return model, batches


@pytest.mark.parametrize(("gamma", "objective"), [(1e-3, "norm"), (1e3, "loss")])
def test_the_slope_is_that_of_the_value_behind_batch_norm_and_dropout_too(gamma, objective):
    model, batches = convolutional()
    before = as_arrays([variable.value for variable in model.variables])
    first_step = FirstStep(LossAt(model, training=True), gamma, ETA)
    scales = np.array([1.2, 0.9, 1.1, 0.8, 1.3, 1.0])
    found = first_step(scales, *batches)
    expected = small.gradient(lambda at: first_step(at, *batches).value, scales, step=1e-4)
    assert found.objective == objective
    np.testing.assert_allclose(found.slope, expected, rtol=1e-5, atol=1e-8)
    after = as_arrays([variable.value for variable in model.variables])
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))


def test_what_stands_in_masked_entries_of_the_data_s_gradient_takes_no_part():
    """The norm is that of the active entries alone, though inactive ones have gradients."""
    model = small.network(masked=True)
    loss_at = LossAt(model)
    at = small.flatten(small.kernels(model))
    whole = small.gradient(lambda flat: small.loss(flat, *BATCH), at)
    active = small.flatten([np.array(layer.mask) for layer in model.layers])
    found = FirstStep(loss_at, 1e3, ETA)(np.ones(2), BATCH, TRIAL)
    np.testing.assert_allclose(found.grad_norm, np.sqrt((whole[active] ** 2).sum()), rtol=1e-7)
    assert found.grad_norm < 0.95 * np.sqrt((whole**2).sum())


def test_weights_have_the_paths_of_their_layers_and_are_all_or_the_kernels():
    model, _ = convolutional()
    paths = ["conv/kernel", "conv/bias", "norm/gamma", "norm/beta", "head/kernel", "head/bias"]
    assert list(weights_by_path(model)) == paths
    assert list(weights_by_path(model, "kernels")) == ["conv/kernel", "head/kernel"]
    model.get_layer("conv").trainable = False
    assert list(weights_by_path(model)) == paths[2:]
    with pytest.raises(ValueError, match=r"must not compute in float16.*'half'"):
        LossAt(keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, dtype="mixed_float16", name="half")]))
