"""Weight decay of kernels alone, against a step by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow import MaskedDense, SparseModel
from keras_sparseflow.training.optimizers import AdamW, adagrad, decay_kernels, is_kernel, momentum


def variables():
    with keras.name_scope("hidden_1"):
        kernel = keras.Variable(np.array([[1.0, -2.0]], "float32"), name="kernel")
    with keras.name_scope("norm_1"):
        gamma = keras.Variable(np.array([3.0], "float32"), name="gamma")
    return [kernel, gamma]


def stepped(optimizer, decay, gradients=(0.5, 0.5)):
    trained = variables()
    if decay is not None:
        decay_kernels(optimizer, decay, trained)
    optimizer.build(trained)
    optimizer.apply([tf.fill(v.shape, g) for v, g in zip(trained, gradients, strict=True)], trained)
    return [v.numpy() for v in trained]


@pytest.mark.parametrize(
    "make", [keras.optimizers.SGD, keras.optimizers.Adam, AdamW, keras.optimizers.RMSprop, adagrad]
)
def test_kernels_decay_by_rate_times_lambda_times_kernel_and_nothing_else_does(make):
    (kernel, gamma), (decayed, same) = stepped(make(learning_rate=0.1), None), stepped(make(learning_rate=0.1), 0.2)
    np.testing.assert_allclose(decayed - kernel, -0.1 * 0.2 * variables()[0].numpy(), rtol=1e-4)
    np.testing.assert_array_equal(same, gamma)


def test_a_decay_for_each_of_several_networks():
    stacked = keras.Variable(np.ones((2, 3), "float32"), name="kernel")
    optimizer = keras.optimizers.SGD(0.1)
    decay_kernels(optimizer, np.array([[0.0], [0.5]], "float32"), [stacked])
    optimizer.build([stacked])
    optimizer.apply([tf.zeros((2, 3))], [stacked])
    np.testing.assert_allclose(stacked, [[1.0] * 3, [0.95] * 3], rtol=1e-6)


def test_adamw_without_decay_is_adam():
    for ours, adam in zip(stepped(AdamW(0.1), None), stepped(keras.optimizers.Adam(0.1), None), strict=True):
        np.testing.assert_array_equal(ours, adam)
    again = AdamW.from_config(AdamW(0.1, weight_decay=0.3).get_config())
    assert again.weight_decay == 0.3


def test_momentum_is_that_of_the_paper_unless_told():
    assert momentum(0.1).momentum == 0.9 and momentum(0.1, momentum=0.5, nesterov=True).momentum == 0.5


def test_adagrad_starts_at_zero_as_in_equation_13_unless_told():
    gradients, weight, squares = [0.5, -0.01, 0.2], 1.0, 0.0
    (kernel, _), optimizer = variables(), adagrad(0.1)
    kernel.assign([[1.0, 1.0]])
    optimizer.build([kernel])
    for gradient in gradients:
        squares += gradient**2
        weight -= 0.1 * gradient / np.sqrt(squares + 1e-7)
        optimizer.apply([tf.constant([[gradient, 0.0]])], [kernel])
    np.testing.assert_allclose(kernel, [[weight, 1.0]], rtol=1e-6)  # no gradient: 0 / sqrt(1e-7), and no NaN
    assert adagrad(0.1, initial_accumulator_value=0.1, epsilon=0.0).initial_accumulator_value == 0.1
    with pytest.raises(ValueError, match="`epsilon` must be above 0 where accumulators start at 0.*received 0"):
        adagrad(0.1, epsilon=0.0)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_adagrad_keeps_masked_and_dead_weights_finite(precision):
    inputs = keras.Input((4,), dtype="float32")
    biases = keras.initializers.Constant([-9.0, 0.1, 0.1, 0.1, 0.1])  # the first unit is dead
    hidden = MaskedDense(5, "relu", density=0.4, mask_seed=0, bias_initializer=biases, dtype=precision)(inputs)
    model = SparseModel(inputs, MaskedDense(2, density=0.5, mask_seed=1, dtype=precision)(hidden))
    model.compile(adagrad(0.1), keras.losses.MeanSquaredError())
    x, y = np.random.default_rng(0).normal(size=(16, 4)), np.ones((16, 2))
    x[:, 3] = 0  # no gradient for the weights of this input either
    first, *_, last = model.fit(x, y, epochs=8, batch_size=8, verbose=0).history["loss"]
    assert last < first
    for variable in [*model.trainable_variables, *model.optimizer.variables]:
        assert np.isfinite(np.asarray(keras.ops.cast(variable, "float32"))).all(), variable.path


def test_kernels_are_told_by_the_end_of_their_path():
    assert is_kernel("hidden_1/kernel") and is_kernel("kernel")
    assert not is_kernel("hidden_1/kernel_momentum") and not is_kernel("norm_1/gamma")
