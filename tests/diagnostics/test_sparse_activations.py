"""Activation sparsity: shares counted by hand, in models of every kind."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.diagnostics import activation_sparsity
from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.layers.ghost import GhostSwish
from tests.diagnostics.networks import convolutional, same, state

layers = keras.layers
X = np.array([[1.0, -1, 0, 2], [-3, -1, 5, 0], [2, 2, -2, -2]], "float32")
DATA = (X, np.zeros(3))


def shares(model, data=DATA, **options):
    return {row["layer"]: row["sparsity"] for row in activation_sparsity(model, data, **options)}


def test_zeros_are_counted_after_each_activation_and_over_all_batches():
    hidden = MaskedDense(4, "relu", density=0.25, mask_seed=0, name="hidden")
    model = keras.Sequential([keras.Input((4,)), layers.ReLU(name="first"), hidden, layers.Dense(2, name="last")])
    weights, bias = np.eye(4) * 2, [-3.0, 0, 0, 0]
    hidden.set_mask(np.eye(4))
    hidden.kernel.assign(weights)
    hidden.bias.assign(bias)
    rectified = np.maximum(X, 0)
    after = np.maximum(rectified @ weights + bias, 0)
    expected = {"first": 7 / 12, "hidden": np.mean(after == 0), "total": (7 + np.sum(after == 0)) / 24}
    assert shares(model) == pytest.approx(expected)
    assert shares(model, batch_size=2) == pytest.approx(expected)
    assert shares(model, tf.data.Dataset.from_tensor_slices(DATA).batch(2)) == pytest.approx(expected)


def test_operations_nested_and_shared_layers_count_and_loops_do_not():
    inputs = keras.Input((4,))
    shared = layers.Activation("relu", name="shared")
    inner = keras.Sequential([keras.Input((4,)), layers.LeakyReLU(name="leaky")], name="inner")
    x = shared(inputs) + shared(-inputs)
    x = keras.ops.relu6(inner(x)) + keras.activations.relu(inputs - 1)
    sequence = keras.ops.expand_dims(x, 1)
    outputs = layers.SimpleRNN(2, activation="relu", name="loop")(sequence)
    outputs = outputs + layers.TimeDistributed(layers.Dense(2, "relu"), name="each")(sequence)[:, 0]
    found = shares(keras.Model(inputs, outputs))
    relus = [share for layer, share in found.items() if layer not in ("shared", "inner/leaky", "total")]
    either, leaky = (7 + 7) / 24, 2 / 12
    assert (found["shared"], found["inner/leaky"]) == pytest.approx((either, leaky))
    assert sorted(relus) == pytest.approx(sorted([2 / 12, 8 / 12]))
    assert found["total"] == pytest.approx((14 + 2 + 2 + 8) / (24 + 12 + 12 + 12))


def test_a_ghost_is_soft_until_it_is_relu():
    model = keras.Sequential([keras.Input((4,)), GhostSwish(name="ghost")])
    soft = shares(model)
    model.layers[0].beta.assign(float("inf"))
    assert (soft["ghost"], shares(model)["ghost"]) == pytest.approx((2 / 12, 7 / 12))


@pytest.mark.parametrize("training", [False, True])
def test_nothing_of_the_model_changes(training):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.norm, self.drop, self.act = layers.BatchNormalization(), layers.Dropout(0.5, seed=0), layers.ReLU()

        def call(self, x, training=False):
            return self.act(self.drop(self.norm(x, training=training), training=training))

    model = Own()
    model(X)
    before = state(model)
    once, again = (shares(model, training=training) for _ in range(2))
    assert len(once) == 2 and once == again and same(before, state(model))
    assert "call" not in vars(model.act)
    assert (once["total"] > 0.6) == training


@pytest.mark.parametrize(("size", "expected"), [(0, 1 / 4), (0.01, 2 / 4), (0.5, 3 / 4), (2, 1)])
def test_outputs_up_to_a_size_count_as_zero_below_and_above(size, expected):
    model = keras.Sequential([keras.Input((2,)), layers.Activation("linear"), layers.Activation("elu", name="act")])
    values = np.array([[0.0, 0.01], [np.log(0.5), 0.6]], "float32")  # an ELU's outputs: 0, 0.01, -0.5, 0.6
    assert shares(model, (values, np.zeros(2)), near_zero=size)["act"] == expected


@pytest.mark.parametrize("size", [-0.1, "much", float("nan")])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match="`near_zero` must be a"):
        shares(convolutional(), near_zero=size)


def test_a_model_of_smooth_activations_has_no_zeros_and_one_without_any_is_refused():
    rng = np.random.default_rng(0)
    assert shares(convolutional(), (rng.normal(size=(3, 4, 4, 2)), np.zeros(3))) == {"softplus": 0, "total": 0}
    with pytest.raises(ValueError, match="must have an activation; received 'plain'"):
        shares(keras.Sequential([keras.Input((4,)), layers.Dense(2)], name="plain"))
