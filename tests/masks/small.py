"""A small network in float64, and its loss computed in NumPy, for derivatives by finite differences."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.masks import SCORES

INPUTS, HIDDEN, CLASSES = 3, 4, 3

EACH_SCORE = pytest.mark.parametrize(
    "score",
    [
        pytest.param(name, marks=() if name in ("random", "magnitude") else pytest.mark.tensorflow(name))
        for name in SCORES.names()
    ],
)


def data(examples=7):
    rng = np.random.default_rng(1)
    return rng.normal(size=(examples, INPUTS)), rng.integers(0, CLASSES, examples)


def network(masked=False, l2=0.0, activation="tanh", **ends):
    """Two dense layers without biases; masked ones have random masks of density 0.75."""
    arguments = {"use_bias": False, "dtype": "float64", "kernel_regularizer": keras.regularizers.L2(l2) if l2 else None}
    if masked:
        arguments |= {"density": 0.75, "mask_seed": 3}
    layer = MaskedDense if masked else keras.layers.Dense
    return keras.Sequential(
        [
            keras.Input((INPUTS,), dtype="float64"),
            layer(
                HIDDEN, activation, name="first", kernel_initializer=keras.initializers.GlorotUniform(0), **arguments
            ),
            layer(CLASSES, name="last", kernel_initializer=keras.initializers.GlorotUniform(1), **arguments, **ends),
        ]
    )


def kernels(model):
    return [keras.ops.convert_to_numpy(layer.kernel) for layer in model.layers]


def loss(flat, x, y, temperature=1.0):
    """Returns the mean cross-entropy of the network whose kernels lie one after the other in `flat`."""
    first, last = flat[: INPUTS * HIDDEN].reshape(INPUTS, HIDDEN), flat[INPUTS * HIDDEN :].reshape(HIDDEN, CLASSES)
    logits = np.tanh(x @ first) @ last / temperature
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y])


def flatten(arrays):
    return np.concatenate([np.reshape(array, -1) for array in arrays])


def gradient(function, at, step=1e-5):
    """Returns the gradient of a function by central differences."""
    moves = step * np.eye(len(at))
    return np.array([(function(at + move) - function(at - move)) / (2 * step) for move in moves])


def hessian(function, at, step=1e-3):
    """Returns the Hessian of a function by central differences, of fourth order in the step."""

    def once(step):
        moves = step * np.eye(len(at))
        return np.array(
            [
                [
                    function(at + a + b) - function(at + a - b) - function(at - a + b) + function(at - a - b)
                    for b in moves
                ]
                for a in moves
            ]
        ) / (4 * step**2)

    return (4 * once(step / 2) - once(step)) / 3
