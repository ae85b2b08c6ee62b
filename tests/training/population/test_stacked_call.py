"""`stacked_call`: every layer of stacked networks comes to what the layer of each network does, and so do gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from keras_sparseflow.layers.rectifiers import PReLU
from keras_sparseflow.training.population.stacked_call import FORMS, mapped, normalize, stacked_call

MEMBERS, BATCH = 3, 7
RNG = np.random.default_rng(0)


def over_the_batch(x):
    """No activation of units alone: what an example comes to depends on the others, and on no other network's."""
    return x - ops.mean(x, axis=0, keepdims=True)


LAYERS = {
    layers.Activation: [lambda: layers.Activation("tanh"), lambda: layers.Activation(over_the_batch)],
    layers.Add: [layers.Add],
    layers.BatchNormalization: [
        lambda: layers.BatchNormalization(momentum=0.9, epsilon=0.01),
        lambda: layers.BatchNormalization(scale=False),
        lambda: layers.BatchNormalization(center=False),
        lambda: layers.BatchNormalization(trainable=False),
        lambda: layers.BatchNormalization(renorm=True),
    ],
    layers.Dense: [
        lambda: layers.Dense(4, use_bias=False),
        lambda: layers.Dense(4, activation="relu"),
        lambda: layers.Dense(4, activation=over_the_batch),
    ],
    layers.Flatten: [layers.Flatten],
}
"""Ways to make the layer of each form, among them those that the form leaves to `mapped`."""

OTHERS = [layers.LayerNormalization, PReLU, layers.UnitNormalization, lambda: layers.Rescaling(2.0, 1.0)]


def made(make):
    """Returns a network of that layer between an image and its output, and its variables for each member."""
    images = keras.Input((2, 3))
    flat = images if make is layers.Flatten else layers.Reshape((6,))(images)
    layer = make()
    model = keras.Model(images, layer([flat, flat] if make is layers.Add else flat))
    values = {v.path: tf.constant(RNG.uniform(0.5, 1.5, (MEMBERS, *v.shape)), tf.float32) for v in model.variables}
    return model, values


def one_by_one(model, values, images, training):
    """Returns outputs and new variables of each member, as Keras has them, and the gradients of weighted outputs."""
    weights = [values[v.path] for v in model.trainable_variables]
    outputs, changed = [], {v.path: [] for v in model.non_trainable_variables}
    with tf.GradientTape() as tape:
        tape.watch(weights)
        for member in range(MEMBERS):
            own = [w[member] for w in weights]
            rest = [values[v.path][member] for v in model.non_trainable_variables]
            found, new = model.stateless_call(own, rest, images[member], training=training)
            outputs.append(found)
            for variable, value in zip(model.non_trainable_variables, new, strict=True):
                changed[variable.path].append(value)
        outputs = tf.stack(outputs)
        total = tf.reduce_sum(outputs * upstream(outputs.shape))
    gradients = tape.gradient(total, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return outputs, {path: tf.stack(new) for path, new in changed.items()}, gradients


def upstream(shape):
    return tf.constant(np.random.default_rng(1).normal(size=shape), tf.float32)


def assert_close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shared", [False, True], ids=["own batches", "one batch"])
@pytest.mark.parametrize("make", [*(make for makes in LAYERS.values() for make in makes), *OTHERS])
def test_a_layer_comes_to_what_it_does_in_each_network(make, training, shared):
    model, values = made(make)
    images = tf.constant(RNG.normal(size=(MEMBERS, BATCH, 2, 3)), tf.float32)
    if shared:
        images = tf.repeat(images[:1], MEMBERS, axis=0)
    expected, new, expected_gradients = one_by_one(model, values, images, training)
    weights = [values[v.path] for v in model.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        outputs, changed = stacked_call(model, values, images[:1] if shared else images, training=training)
        total = tf.reduce_sum(outputs * upstream(expected.shape))
    assert_close(tf.broadcast_to(outputs, expected.shape), expected)
    for path, value in changed.items():
        assert_close(value, new[path])
    unchanged = {path for path, value in new.items() if np.array_equal(value, values[path])}
    assert set(new) - unchanged <= set(changed), "what a layer changes by itself is told"
    gradients = tape.gradient(total, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    for found, wanted in zip(gradients, expected_gradients, strict=True):
        assert_close(found, wanted)


def test_every_form_is_among_these_layers():
    assert set(LAYERS) == set(FORMS)


@pytest.mark.parametrize("make", [makes[0] for makes in LAYERS.values()])
def test_a_form_is_used_where_it_can_be(make, monkeypatch):
    model, values = made(make)
    monkeypatch.setattr("keras_sparseflow.training.population.stacked_call.mapped", lambda *arguments, **options: 1 / 0)
    monkeypatch.setitem(FORMS, layers.Reshape, FORMS[layers.Flatten])
    outputs, _ = stacked_call(model, values, tf.ones((MEMBERS, BATCH, 2, 3)), training=True)
    assert outputs.shape[1] == BATCH


def test_a_subclass_is_no_stock_layer():
    class Doubled(layers.Dense):
        def call(self, inputs):
            return 2 * super().call(inputs)

    model, values = made(lambda: Doubled(4))
    images = tf.constant(RNG.normal(size=(MEMBERS, BATCH, 2, 3)), tf.float32)
    assert_close(stacked_call(model, values, images, training=False)[0], one_by_one(model, values, images, False)[0])


def test_operations_between_layers_are_computed_too():
    images = keras.Input((6,))
    model = keras.Model(images, ops.concatenate([layers.Dense(4, name="a")(images) * 3.0, images], axis=-1))
    values = {v.path: tf.constant(RNG.normal(size=(MEMBERS, *v.shape)), tf.float32) for v in model.variables}
    batch = tf.constant(RNG.normal(size=(MEMBERS, BATCH, 6)), tf.float32)
    assert_close(stacked_call(model, values, batch, training=False)[0], one_by_one(model, values, batch, False)[0])


def test_mapped_takes_a_batch_that_all_see():
    layer = PReLU()
    layer.build((None, 6))
    slopes = tf.constant(RNG.normal(size=(MEMBERS, 6)), tf.float32)
    outputs, changed = mapped(layer, {layer.weights[0].path: slopes}, -tf.ones((1, BATCH, 6)), training=False)
    assert_close(outputs, tf.repeat(-slopes[:, None], BATCH, axis=1))
    assert changed == {}


def test_a_member_that_diverges_touches_no_other():
    model, values = made(layers.BatchNormalization)
    images = RNG.normal(size=(MEMBERS, BATCH, 2, 3)).astype("float32")
    tame, _ = stacked_call(model, values, tf.constant(images), training=True)
    images[1] = np.nan
    wild, changed = stacked_call(model, values, tf.constant(images), training=True)
    assert np.isnan(wild[1]).all() and np.array_equal(wild[::2], tame[::2])
    assert all(np.isfinite(value[::2]).all() and np.isnan(value[1]).any() for value in changed.values())


# --- normalize --------------------------------------------------------------------------------------------------


def float64_normalize(x, gamma, beta, epsilon):
    mean, variance = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_normalize_against_float64_and_its_gradient_against_differences(offset):
    rng = np.random.default_rng(2)
    x, gamma, beta = rng.normal(size=(2, 5, 3)) + offset, rng.normal(size=(2, 1, 3)), rng.normal(size=(2, 1, 3))
    weights, step = rng.normal(size=x.shape), 1e-5
    tensors = [tf.constant(value, tf.float32) for value in (x, gamma, beta)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        values, mean, variance = normalize(*tensors, epsilon=0.1)
        total = tf.reduce_sum(values * tf.constant(weights, tf.float32))
    np.testing.assert_allclose(values, float64_normalize(x, gamma, beta, 0.1), rtol=1e-4, atol=1e-5 * (1 + offset))
    np.testing.assert_allclose(mean[:, 0], x.mean(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(variance[:, 0], x.var(1), rtol=1e-4)
    for place, gradient in enumerate(tape.gradient(total, tensors)):
        for index in np.ndindex(*gradient.shape):
            sums = []
            for sign in (1, -1):
                moved = [x.copy(), gamma.copy(), beta.copy()]
                moved[place][index] += sign * step
                sums.append((float64_normalize(*moved, 0.1) * weights).sum())
            expected = (sums[0] - sums[1]) / (2 * step)
            assert float(gradient[index]) == pytest.approx(expected, rel=2e-3, abs=2e-5 * (1 + offset))
