"""The Keras backend that tests run on, and gradients that are taken on any."""

import keras
from keras import ops

from keras_sparseflow.training import SparseModel

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"

MODEL_CLASS = SparseModel if ON_TENSORFLOW else keras.Model
"""The class of models whose training is not what a test is about."""


def gradients(function, *values):
    """Returns, as arrays, the gradients of the sum of all that a function of tensors returns."""
    values = [ops.convert_to_tensor(ops.convert_to_numpy(value)) for value in values]
    take = {"tensorflow": _by_tensorflow, "jax": _by_jax, "torch": _by_torch}[keras.backend.backend()]
    return [ops.convert_to_numpy(gradient) for gradient in take(lambda *inputs: ops.sum(function(*inputs)), values)]


def gradients_of_variables(function, variables):
    """Returns, as arrays, the gradients of what a function without arguments returns, one for each variable."""

    def at(*values):
        with keras.StatelessScope(list(zip(variables, values, strict=True))):
            return function()

    return gradients(at, *variables)


def _by_tensorflow(function, values):
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        total = function(*values)
    return tape.gradient(total, values, unconnected_gradients="zero")


def _by_jax(function, values):
    import jax

    return jax.grad(function, argnums=tuple(range(len(values))))(*values)


def _by_torch(function, values):
    import torch

    values = [value.detach().requires_grad_() for value in values]
    return torch.autograd.grad(function(*values), values, allow_unused=True, materialize_grads=True)
