"""Second derivatives: of means and variances, which TensorFlow's own moments get wrong, and of ghosts."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.tensorflow import nn

from keras_sparseflow.layers.ghost import GhostSkip, GhostSwish
from keras_sparseflow.masks.scores.second_derivatives import second_derivatives

pytestmark = pytest.mark.tensorflow("second derivatives")

X = np.random.default_rng(0).normal(size=(5, 2, 3))


def hessian(function, x):
    """Returns the Hessian of a function of an array, through two tapes: shape (entries, entries)."""
    x = tf.constant(x)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = function(x)
        gradient = tf.reshape(inner.gradient(value, x), [-1])
    return outer.jacobian(gradient, x).numpy().reshape(X.size, X.size)


def test_the_hessian_of_a_variance_is_that_of_its_formula():
    """d2 var / dx_i dx_j = 2 / n (1 if i is j else 0) - 2 / n^2, within a channel."""
    with second_derivatives():
        found = hessian(lambda x: tf.reduce_sum(keras.ops.moments(x, axes=(0, 1))[1]), X)
    same_channel = np.tile(np.eye(3), (10, 10))
    np.testing.assert_allclose(found, 2 / 10 * np.eye(30) - 2 / 100 * same_channel, atol=1e-12)


@pytest.mark.parametrize("keepdims", [False, True])
def test_values_and_first_derivatives_are_the_usual_ones(keepdims):
    def found():
        x = tf.constant(X, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(x)
            mean, variance = keras.ops.moments(x, axes=(0, 1), keepdims=keepdims)
            value = tf.reduce_sum(tf.sin(mean) + tf.sqrt(variance))
        return mean.numpy(), variance.numpy(), tape.gradient(value, x).numpy()

    usual = found()
    with second_derivatives():
        exact = found()
    np.testing.assert_array_equal(usual[0], exact[0])
    np.testing.assert_array_equal(usual[1], exact[1])
    np.testing.assert_allclose(usual[2], exact[2], rtol=1e-5, atol=1e-7)


def test_what_it_replaces_comes_back_whatever_happens():
    usual = nn._compute_moments
    with pytest.raises(RuntimeError, match="stop"), second_derivatives(), second_derivatives():
        assert nn._compute_moments is not usual
        raise RuntimeError("stop")
    assert nn._compute_moments is usual


@pytest.mark.parametrize("beta", [2.0, np.inf])
def test_the_second_derivative_of_a_ghost_is_that_of_its_formula(beta):
    """2 s' + x s'' of s = sigmoid(beta x); 0 of ReLU."""
    layer = GhostSwish(dtype="float64")
    layer.beta.assign(beta)
    with second_derivatives():
        found = hessian(lambda x: tf.reduce_sum(layer(x)), X)
    expected = np.zeros(X.size)
    if np.isfinite(beta):
        share = 1 / (1 + np.exp(-beta * X.ravel()))
        slope = beta * share * (1 - share)
        expected = 2 * slope + X.ravel() * beta * slope * (1 - 2 * share)
    np.testing.assert_allclose(found, np.diag(expected), atol=1e-12)


@pytest.mark.parametrize("kind", [GhostSwish, GhostSkip])
def test_ghosts_compute_one_branch_but_both_where_second_derivatives_are_taken(kind):
    layer = kind()

    def operations():
        call = (lambda x: layer([x, x])) if kind is GhostSkip else layer
        function = tf.function(call).get_concrete_function(tf.TensorSpec((2, 3)))
        return {operation.type for operation in function.graph.get_operations()}

    branched = {"StatelessIf", "If"}
    assert operations() & branched
    with pytest.raises(RuntimeError, match="stop"), second_derivatives(), second_derivatives():
        assert not operations() & branched
        raise RuntimeError("stop")
    assert operations() & branched
