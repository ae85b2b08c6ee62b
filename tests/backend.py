"""The Keras backend that tests run on, and gradients that are taken on any."""

import contextlib
import warnings

import keras
import pytest
from keras import ops

from keras_sparseflow.training import SparseModel

BACKEND = keras.backend.backend()
ON_TENSORFLOW = BACKEND == "tensorflow"

EACH_MODEL_CLASS = pytest.mark.parametrize(
    "model_class", [keras.Model, pytest.param(SparseModel, marks=pytest.mark.tensorflow("SparseModel"))]
)

MODEL_CLASS = SparseModel if ON_TENSORFLOW else keras.Model
"""The class of models whose training is not what a test is about."""


def not_on(backend, reason):
    """Returns the mark of a test that one backend fails, and not by a fault of ours."""
    return pytest.mark.skipif(backend == BACKEND, reason=reason)


@contextlib.contextmanager
def untraced():
    """Within it, steps run operation by operation; on another backend than TensorFlow it changes nothing."""
    if not ON_TENSORFLOW:
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Even though the `tf.config.experimental_run_functions_eagerly`")
            yield
    finally:
        tf.config.run_functions_eagerly(False)


def gradients(function, *values):
    """Returns, as arrays, the gradients of the sum of all that a function of tensors returns."""
    values = [ops.convert_to_tensor(ops.convert_to_numpy(value)) for value in values]
    if BACKEND == "torch":
        values = [value.requires_grad_() for value in values]
    return _gradients(lambda *inputs: ops.sum(function(*inputs)), values)


def gradients_of_variables(function, variables):
    """Returns, as arrays, the gradients of the number that a function returns, one for each variable."""
    if BACKEND != "jax":
        return _gradients(lambda *_: function(), [variable.value for variable in variables])

    def at(*values):
        with keras.StatelessScope(list(zip(variables, values, strict=True))):
            return function()

    return _gradients(at, [ops.convert_to_tensor(variable) for variable in variables])


def _gradients(function, values):
    take = {"tensorflow": _by_tensorflow, "jax": _by_jax, "torch": _by_torch}[BACKEND]
    return [ops.convert_to_numpy(gradient) for gradient in take(function, values)]


def _by_tensorflow(function, values):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch([value for value in values if tf.is_tensor(value)])
        total = function(*values)
    return tape.gradient(total, values, unconnected_gradients="zero")


def _by_jax(function, values):
    import jax

    return jax.grad(function, argnums=tuple(range(len(values))))(*values)


def _by_torch(function, values):
    import torch

    return torch.autograd.grad(function(*values), values, allow_unused=True, materialize_grads=True)
