"""The registry of custom gradients: entries go with their graphs, and no others.

The tests hold that TensorFlow's internals are where the module looks for them.
"""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from keras_sparseflow import MaskedDense
from keras_sparseflow.training.gradient_registry import gradients_end_with_graphs

X, Y = np.random.default_rng(0).normal(size=(16, 4)).astype("f"), np.arange(16) % 3


def entries():
    """The names of all entries."""
    return set(ops.gradient_registry._registry)


def trained():
    """A model that has taken a step, traced; always the same."""
    keras.utils.set_random_seed(0)
    layers = [MaskedDense(8, "swish", density=0.5, mask_seed=0), MaskedDense(3, density=0.5, mask_seed=1)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, jit_compile=False)
    model.fit(X, Y, batch_size=16, epochs=1, verbose=0)
    return model


def gradients(model, x=X):
    """The gradients of a traced call, which look the registry up, eagerly and within another function."""
    call = tf.function(lambda inputs: tf.reduce_sum(model(inputs) ** 2), autograph=False)

    def taken():
        with tf.GradientTape() as tape:
            total = call(tf.constant(x))
        return tape.gradient(total, model.trainable_variables)

    return [[gradient.numpy() for gradient in way()] for way in (taken, tf.function(taken, autograph=False))]


@tf.custom_gradient
def tripled(x):
    """The same values, but three times the gradient."""
    return tf.identity(x), lambda gradient: 3 * gradient


def test_entries_of_a_network_go_with_it_and_those_of_earlier_ones_stay():
    keras.utils.clear_session()
    before = trained()
    kept = entries()
    with gradients_end_with_graphs():
        model = trained()
        added = entries() - kept
        assert len(added) >= 3, "each masked kernel, and Swish"
    assert entries() == kept | added, "the network is still there"
    del model
    keras.utils.clear_session()
    assert entries() == kept
    np.testing.assert_allclose(*(ways[0] for ways in gradients(before)))
    before.fit(X[:15], Y[:15], batch_size=5, verbose=0)


def test_a_network_that_is_kept_trains_on_and_has_the_gradients_of_another():
    with gradients_end_with_graphs():
        kept = trained()
        call = tf.function(lambda x: tripled(x) ** 2, autograph=False).get_concrete_function(tf.constant(X))
    keras.utils.clear_session()
    with tf.GradientTape() as tape:
        x = tf.constant(X)
        tape.watch(x)
        total = tf.reduce_sum(call(x))
    np.testing.assert_allclose(tape.gradient(total, x), 6 * X, rtol=1e-5)
    other = trained()
    for model in (kept, other):
        model.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    for mine, its in zip(gradients(kept), gradients(other), strict=True):
        for one, another in zip(mine, its, strict=True):
            np.testing.assert_allclose(one, another, rtol=1e-5, atol=1e-7)


def test_a_saved_network_keeps_its_gradients(tmp_path):
    with gradients_end_with_graphs():
        module, scale = tf.Module(), tf.Variable(2.0)
        module.scale = scale
        module.call = tf.function(lambda x: tripled(scale * x), [tf.TensorSpec((None, 4))], autograph=False)
        module.call.get_concrete_function()
    with gradients_end_with_graphs():
        tf.saved_model.save(module, tmp_path, options=tf.saved_model.SaveOptions(experimental_custom_gradients=True))
    del module
    keras.utils.clear_session()
    with gradients_end_with_graphs():
        loaded = tf.saved_model.load(tmp_path)
    keras.utils.clear_session()
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(loaded.call(X))
    np.testing.assert_allclose(tape.gradient(total, loaded.scale), 3 * X.sum(), rtol=1e-5)


def test_entries_are_released_where_a_training_is_interrupted():
    kept = entries()
    with pytest.raises(KeyboardInterrupt), gradients_end_with_graphs():
        trained()
        raise KeyboardInterrupt
    keras.utils.clear_session()
    assert entries() <= kept


@pytest.mark.parametrize("registry", [None, types.SimpleNamespace(), types.SimpleNamespace(_registry=("a", "tuple"))])
def test_where_the_registry_is_another_nothing_is_removed_and_nothing_fails(registry, monkeypatch):
    before = entries()
    with gradients_end_with_graphs(), monkeypatch.context() as patch:
        patch.setattr(ops, "gradient_registry", registry)
        with gradients_end_with_graphs():
            pass
    assert entries() == before


def test_gradients_that_were_registered_by_others_are_left_alone():
    with gradients_end_with_graphs():
        added = [f"OfATest{number}" for number in range(2)]
        tf.RegisterGradient(added[0])(lambda operation, gradient: gradient)
        tf.no_gradient(added[1])
    keras.utils.clear_session()
    assert set(added) <= entries() and ops.gradient_registry.lookup(added[0])(None, 3) == 3
    for name in added:
        del ops.gradient_registry._registry[name]
