"""A convolutional network in float64 with masks, biases and BatchNorm, and what tests ask of any network."""

import keras
import numpy as np

from keras_sparseflow.layers import MaskedConv2D, MaskedDense

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(8, 4, 4, 2)), RNG.integers(0, 2, 8)


def convolutional(dtype="float64"):
    layers, options = keras.layers, {"dtype": dtype}
    model = keras.Sequential(
        [
            keras.Input((4, 4, 2), dtype=dtype),
            MaskedConv2D(3, 3, density=0.5, mask_seed=0, name="conv", bias_initializer="ones", **options),
            layers.BatchNormalization(name="norm", **options),
            layers.Activation("softplus", name="softplus", **options),
            layers.Flatten(name="flat", **options),
            MaskedDense(2, density=0.5, mask_seed=1, name="head", **options),
        ]
    )
    for place, variable in enumerate(model.trainable_variables):
        variable.assign(np.random.default_rng(place).uniform(0.2, 1, variable.shape))
    model.get_layer("norm").moving_mean.assign([0.5, -1, 2])
    return model


def state(model):
    """Everything a compiled or plain model holds, its optimizer included."""
    optimizer = getattr(model, "optimizer", None)
    return [np.array(v) for v in [*model.variables, *(optimizer.variables if optimizer else [])]]


def same(one, other):
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
