"""A perceptron and a convolutional network, sparse, and what they are deployed as."""

import keras
import numpy as np

from keras_sparseflow import sparsify, strip_masks


def network(name, density=0.1):
    """Returns stock layers with a kernel of zeros in a share of 1 - density, and inputs for them."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    if name == "mlp":
        images = keras.Input((784,))
        x = layers.Dense(512, activation="relu")(images)
        x = layers.Dense(512, activation="relu")(x)
    else:
        images = keras.Input((28, 28, 1))
        x = layers.Conv2D(32, 3, activation="relu")(images)
        x = layers.MaxPooling2D()(x)
        x = layers.Conv2D(64, 3, activation="relu")(x)
        x = layers.Flatten()(layers.MaxPooling2D()(x))
        x = layers.Dense(128, activation="relu")(x)
    twin = sparsify(keras.Model(images, layers.Dense(10)(x)), density=density)
    return strip_masks(twin), np.random.default_rng(0).random((4, *images.shape[1:]), np.float32)
