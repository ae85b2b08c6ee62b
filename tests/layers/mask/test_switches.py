"""The gradient of a masked kernel, wherever and whenever TensorFlow computes it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.layers import MaskedDense, MaskedLSTM, dense_gradients

pytestmark = pytest.mark.tensorflow("graphs, which are traced once")

X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


def layer_of(density=0.5, **options):
    layer = MaskedDense(4, density=density, mask_seed=0, **options)
    layer.build((None, 3))
    return layer


WAYS = {
    "called": lambda layer: layer,
    "in a function traced before": lambda layer: tf.function(layer.__call__),
    "under XLA": lambda layer: tf.function(layer.__call__, jit_compile=True),
    "recomputed by Keras": keras.remat,
    "recomputed by TensorFlow": lambda layer: tf.recompute_grad(layer.__call__),
    "in a branch": lambda layer: tf.function(lambda x: tf.cond(x[0, 0] < 9, lambda: layer(x), lambda: x)),
    "in a loop": lambda layer: tf.function(
        lambda x: tf.while_loop(lambda step, y: step < 1, lambda step, y: (step + 1, layer(x)), [0, layer(x)])[1]
    ),
    "read outside of its layer": lambda layer: lambda x: tf.constant(x) @ layer.kernel,
    "read by an operator": lambda layer: lambda x: keras.ops.matmul(x, 2.0 * layer.kernel - layer.kernel),
    "read by another operation": lambda layer: lambda x: keras.ops.einsum("ab,bc->ac", x, layer.kernel),
}


def gradient(layer, call):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(call(X) ** 2)
    return tape.gradient(loss, layer.kernel).numpy()


@pytest.mark.parametrize("way", WAYS)
def test_gradient_is_masked_and_within_dense_gradients_is_that_of_every_weight(way):
    layer = layer_of(use_bias=False)
    call = WAYS[way](layer)
    full = 2 * X.T @ (X @ layer.kernel.numpy())
    mask = layer.mask.numpy()
    np.testing.assert_allclose(gradient(layer, call), np.where(mask, full, 0), rtol=1e-5)
    with dense_gradients(layer):
        np.testing.assert_allclose(gradient(layer, call), full, rtol=1e-5)
    np.testing.assert_allclose(gradient(layer, call), np.where(mask, full, 0), rtol=1e-5)


def test_sparse_inputs_give_masked_gradients():
    layer, x = layer_of(use_bias=False), np.eye(5, 3, dtype="float32")
    assert layer(tf.sparse.from_dense(x)).shape == (5, 4)

    def found():
        return gradient(layer, lambda _: layer(tf.sparse.from_dense(x)))

    full, mask = 2 * x.T @ (x @ layer.kernel.numpy()), layer.mask.numpy()
    np.testing.assert_allclose(found(), np.where(mask, full, 0), rtol=1e-5)
    with dense_gradients(layer):
        np.testing.assert_allclose(found(), full, rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_switch_is_turned_on_and_off_within_one_compiled_step(jit_compile):
    layer = layer_of()
    inner = tf.function(layer.__call__)
    gradient(layer, inner)  # traced before, outside of the step

    @tf.function(jit_compile=jit_compile)
    def step():
        found = []
        for dense in (False, True, False):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(inner(X) ** 2)
            if dense:
                with dense_gradients(layer):
                    found.append(tape.gradient(loss, layer.kernel))
            else:
                found.append(tape.gradient(loss, layer.kernel))
        return found

    active = layer.active_count
    for _ in range(2):
        assert [np.count_nonzero(each) for each in step()] == [active, 12, active]


def test_second_derivatives_are_masked_too():
    layer = layer_of()
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(X) ** 2)
        slope = tf.reduce_sum(tape.gradient(loss, layer.kernel) ** 2)
    second = outer.gradient(slope, layer.kernel).numpy()
    assert np.array_equal(second != 0, layer.mask.numpy())


def test_masked_gradient_is_zero_even_where_it_would_be_nan():
    layer = MaskedDense(1, density=0.0, use_bias=False)
    layer.build((None, 1))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(tf.ones((1, 1))) * float("nan"))
    assert tape.gradient(loss, layer.kernel).numpy() == 0


def test_dense_gradients_ends_with_an_exception():
    layer = layer_of()
    with pytest.raises(KeyError), dense_gradients(layer):
        raise KeyError
    assert np.count_nonzero(gradient(layer, layer)) == layer.active_count


def test_kernels_of_a_recurrent_layer_have_masked_gradients_in_a_loop_that_was_traced_before():
    layer = MaskedLSTM(3, density=0.5, mask_seed=0)
    sequence = tf.ones((2, 5, 4))
    call = tf.function(layer.__call__)
    call(sequence)
    for dense in (False, True):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(call(sequence) ** 2)
        parts = list(layer.parts.values())
        if dense:
            with dense_gradients(layer):
                found = tape.gradient(loss, [part.kernel for part in parts])
        else:
            found = tape.gradient(loss, [part.kernel for part in parts])
        counts = [int(np.prod(p.mask.shape)) if dense else p.active_count for p in parts]
        assert [np.count_nonzero(each) for each in found] == counts


def test_the_switch_stands_in_no_weights_and_no_config_and_a_model_is_exported_with_it(tmp_path):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, MaskedDense(2, density=0.5, mask_seed=0)(inputs))
    stock = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    assert len(model.weights) == len(model.variables) == len(stock.weights) + 1  # the mask
    assert not any("gradient" in key for key in model.layers[1].get_config())
    model.export(tmp_path / "saved", verbose=False)
    restored = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(restored.serve(X), model(X), rtol=1e-6)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(X), model(X), rtol=1e-6)
    assert keras.models.clone_model(model).layers[1].active_count == 3
