"""A masked model of two layers that can be sparse, and its data."""

import keras
import numpy as np

from keras_sparseflow.layers import MaskedDense


class OwnSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that is not registered, and has no config."""

    def __call__(self, step):
        return 0.02 / (1 + keras.ops.cast(step, "float32"))


class OwnOptimizer(keras.optimizers.Adam):
    """An optimizer that is not registered."""


class OwnWithoutConfig(keras.optimizers.SGD):
    """An optimizer whose config does not give what its constructor takes."""

    def __init__(self, rate):
        super().__init__(rate, momentum=0.9)


def masked_model(model_class=keras.Model, optimizer=None, l2=0.0, loss=None, **arguments):
    """A compiled classifier with kernels of 30 x 40 and 40 x 20 at densities 0.1 and 0.05, and a dense head."""
    x = inputs = keras.Input((30,))
    for name, units, density, seed in (("hidden", 40, 0.1, 1), ("deep", 20, 0.05, 2)):
        x = MaskedDense(
            units,
            density=density,
            mask_seed=seed,
            activation="tanh",
            name=name,
            kernel_initializer=keras.initializers.HeNormal(seed),
            kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
        )(x)
    outputs = keras.layers.Dense(3, name="head", kernel_initializer=keras.initializers.HeNormal(9))(x)
    model = model_class(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(0.02) if optimizer is None else optimizer,
        loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **arguments,
    )
    return model


def data(examples=96):
    rng = np.random.default_rng(0)
    return rng.normal(size=(examples, 30)).astype("float32"), rng.integers(0, 3, examples)
