"""A masked model of two layers that can be sparse, and its data."""

import keras
import numpy as np

from keras_sparseflow.layers import MaskedDense


def masked_model(model_class=keras.Model, optimizer=None, l2=0.0, **arguments):
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
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **arguments,
    )
    return model


def data(examples=96):
    rng = np.random.default_rng(0)
    return rng.normal(size=(examples, 30)).astype("float32"), rng.integers(0, 3, examples)
