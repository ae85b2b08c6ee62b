"""Gradients and Hessian products: against finite differences of a loss in NumPy, and nothing of the model moves."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.masks import MaskProblem, hessian_products, loss_gradients
from tests.masks import small

pytestmark = pytest.mark.tensorflow("gradients and products with the Hessian")

layers = keras.layers


def problem(model, data, **arguments):
    kernels = kernels_of(model)
    generators = [np.random.default_rng(place) for place in range(len(kernels))]
    half = sum(math.prod(kernel.shape) for kernel in kernels) // 2
    return MaskProblem(model, kernels, half, generators, data, **arguments)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_gradients_are_those_of_finite_differences_inactive_entries_included(masked, temperature):
    model, (x, y) = small.network(masked), small.data()
    at = small.flatten(small.kernels(model))
    found = small.flatten(loss_gradients(problem(model, (x, y)), temperature))
    expected = small.gradient(lambda flat: small.loss(flat, x, y, temperature), at)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    assert not masked or (np.abs(found[at == 0]) > 1e-6).all()


@pytest.mark.parametrize("masked", [False, True])
def test_hessian_products_are_those_of_the_explicit_hessian(masked):
    model, (x, y) = small.network(masked), small.data()
    at = small.flatten(small.kernels(model))
    vectors = [np.random.default_rng(5).normal(size=kernel.shape) for kernel in small.kernels(model)]
    found = small.flatten(hessian_products(problem(model, (x, y)), vectors, 2.0))
    hessian = small.hessian(lambda flat: small.loss(flat, x, y, 2.0), at)
    np.testing.assert_allclose(found, hessian @ small.flatten(vectors), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_batches_of_any_size_come_to_the_mean_over_examples(reduction):
    model, data = small.network(), small.data(7)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction, dtype="float64")
    whole = loss_gradients(problem(model, data, loss=loss))
    parts = loss_gradients(problem(model, data, loss=loss, batch_size=3))
    dataset = tf.data.Dataset.from_tensor_slices(data).shuffle(7).batch(2)
    shuffled = loss_gradients(problem(model, dataset, loss=loss))
    for one, other, third in zip(whole, parts, shuffled, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
        np.testing.assert_allclose(one, third, rtol=1e-9)


def test_the_loss_has_no_regularisation_compiled_or_not():
    data = small.data()
    plain = loss_gradients(problem(small.network(), data))
    model = small.network(l2=0.3)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for regular in (small.network(l2=0.3), model):
        for one, other in zip(plain, loss_gradients(problem(regular, data)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5)  # Keras computes a compiled loss in float32


def test_sample_weights_count():
    model, (x, y) = small.network(), small.data(6)
    weighted = loss_gradients(problem(model, (x, y, np.array([2.0, 2, 2, 0, 0, 0]))))
    for one, other in zip(weighted, loss_gradients(problem(model, (x[:3], y[:3]))), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def convolutional(dtype="float64"):
    """A network with BatchNorm and dropout, whose statistics are not their first ones."""
    model = keras.Sequential(
        [
            keras.Input((4, 4, 2), dtype=dtype),
            layers.Conv2D(3, 3, use_bias=False, name="conv", dtype=dtype),
            layers.BatchNormalization(dtype=dtype),
            layers.Activation("softplus", dtype=dtype),
            layers.Dropout(0.25, seed=0, dtype=dtype),
            layers.Flatten(dtype=dtype),
            layers.Dense(2, name="head", dtype=dtype),
        ]
    )
    model.layers[1].moving_mean.assign([0.5, -1, 2])
    model.layers[1].moving_variance.assign([0.5, 3, 2])
    return model, (np.random.default_rng(0).normal(size=(5, 4, 4, 2)), np.array([0, 1, 1, 0, 1]))


@pytest.mark.parametrize("training", [True, False])
def test_a_convolution_before_batch_norm_in_either_mode(training):
    model, (x, y) = convolutional()
    before = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    found = loss_gradients(problem(model, (x, y), training=training))[0].reshape(-1)
    after = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True)), "nothing moved"
    again = loss_gradients(problem(model, (x, y), training=training))[0].reshape(-1)
    np.testing.assert_array_equal(found, again, "random states are the same too")

    kernel, state = model.layers[0].kernel, model.layers[3].seed_generator.state
    first_state, first_kernel = np.array(state), np.array(kernel)

    def loss(flat):
        kernel.assign(flat.reshape(kernel.shape))
        state.assign(first_state)
        outputs = np.array(model(x, training=training))
        return np.mean(np.log(np.exp(outputs).sum(1)) - outputs[np.arange(len(y)), y])

    expected = small.gradient(loss, first_kernel.reshape(-1))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)


def test_hessian_products_behind_batch_norm_in_training_are_those_of_finite_differences():
    """TensorFlow's moments lose a part of second derivatives where statistics are the batch's own."""
    model, data = convolutional()
    own = problem(model, data)
    vectors = [np.random.default_rng(7).normal(size=kernel.shape) for kernel in own.kernels]
    found, at = small.flatten(hessian_products(own, vectors)), [np.array(kernel.variable) for kernel in own.kernels]
    step, slopes = 1e-5, []
    for sign in (1, -1):
        for kernel, value, vector in zip(own.kernels, at, vectors, strict=True):
            kernel.variable.assign(value + sign * step * vector)
        slopes.append(small.flatten(loss_gradients(own)))
    np.testing.assert_allclose(found, (slopes[0] - slopes[1]) / (2 * step), rtol=1e-5, atol=1e-8)


def test_the_modes_differ():
    model, data = convolutional()
    found = [loss_gradients(problem(model, data, training=mode))[0] for mode in (True, False)]
    assert not np.allclose(*found)


def test_a_kernel_that_is_used_twice_gets_both_gradients_and_an_unused_one_zeros():
    inputs = keras.Input((3,), dtype="float64")
    shared = layers.Dense(3, use_bias=False, dtype="float64", name="shared")
    head = layers.Dense(2, dtype="float64", name="head")
    model = keras.Model(inputs, head(keras.ops.tanh(shared(keras.ops.tanh(shared(inputs))))))
    x, y = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 1, 1, 0])
    last = np.array(head.kernel)

    def loss(flat):
        kernel = flat.reshape(3, 3)
        outputs = np.tanh(np.tanh(x @ kernel) @ kernel) @ last
        return np.mean(np.log(np.exp(outputs).sum(1)) - outputs[np.arange(4), y])

    found = loss_gradients(problem(model, (x, y)))[0].reshape(-1)
    np.testing.assert_allclose(found, small.gradient(loss, np.array(shared.kernel).reshape(-1)), rtol=1e-6, atol=1e-9)
    only_first = loss_gradients(problem(model, (x, y), loss=lambda y, p: p[:, :1]))[1]
    assert only_first[:, 0].any() and not only_first[:, 1].any()


def test_compiled_losses_of_several_outputs_are_added_by_their_weights():
    inputs = keras.Input((3,))
    outputs = {name: layers.Dense(2, use_bias=False, name=name)(inputs) for name in ("one", "other")}
    model = keras.Model(inputs, outputs)
    model.compile("sgd", {"one": "mse", "other": "mse"}, loss_weights={"one": 1.0, "other": 3.0})
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    found = loss_gradients(problem(model, (x, {"one": np.zeros((5, 2)), "other": np.ones((5, 2))})))
    for gradient, name, target, weight in zip(found, outputs, (0, 1), (1, 3), strict=True):
        errors = x @ np.array(model.get_layer(name).kernel) - target
        np.testing.assert_allclose(gradient, weight * 2 * x.T @ errors / errors.size, rtol=1e-4)


def test_what_cannot_be_computed_is_refused():
    x, y = small.data()
    with pytest.raises(ValueError, match=r"`data` must be given.*received None"):
        loss_gradients(problem(small.network(), None))
    with pytest.raises(ValueError, match=r"must take logits.*temperature"):
        loss_gradients(problem(small.network(), (x, y), loss="sparse_categorical_crossentropy"), 200.0)
    with pytest.raises(ValueError, match="`temperature` must be above 0; received -1"):
        loss_gradients(problem(small.network(), (x, y)), -1)
    half = keras.Sequential([keras.Input((3,)), layers.Dense(3, dtype="mixed_float16", name="half")])
    with pytest.raises(ValueError, match=r"float16.*'half'"):
        loss_gradients(problem(half, (x, y)))
