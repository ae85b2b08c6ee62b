"""A small network of masked layers, and what tests of mask updates ask of it."""

import keras
import numpy as np

from keras_sparseflow.layers import MaskedConv2D, MaskedDense
from keras_sparseflow.layers.mask.slots import slots_of
from keras_sparseflow.training import SparseModel

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(48, 6, 6, 2)).astype("float32"), RNG.integers(0, 3, 48)
BATCH = 4  # 12 steps an epoch
LAYERS = ("conv", "hidden", "output")


def network(model_class=SparseModel, density=0.3, optimizer=None, seed=0, **options):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((6, 6, 2))
    x = MaskedConv2D(5, 3, activation="relu", density=density, name="conv", mask_seed=seed)(inputs)
    x = MaskedDense(12, activation="relu", density=density, name="hidden", mask_seed=seed)(keras.layers.Flatten()(x))
    model = model_class(inputs, MaskedDense(3, density=density, name="output", mask_seed=seed)(x))
    optimizer = optimizer or keras.optimizers.SGD(0.02, momentum=0.9)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), **options)
    return model


def fit(model, *callbacks, epochs=2, **options):
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0, **options}
    model.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **options)


def arrays(model, name):
    """Every masked layer's `mask` or `kernel`, by the layer's name."""
    return {layer: keras.ops.convert_to_numpy(getattr(model.get_layer(layer), name)) for layer in LAYERS}


def inactive_values(model):
    """Returns values of kernels and slots where the masks are False, other than the initial value of slots."""
    found = []
    for layer in (model.get_layer(name) for name in LAYERS):
        slots = slots_of(model.optimizer, layer.kernel)
        assert slots or not any(v.shape == layer.mask.shape for v in model.optimizer.variables)
        inactive = ~keras.ops.convert_to_numpy(layer.mask)
        found += [keras.ops.convert_to_numpy(v)[inactive].astype("float64") for v in (layer.kernel, *slots)]
    found = np.concatenate(found)
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    first = np.float32(getattr(optimizer, "initial_accumulator_value", 0.0))
    return found[found != first]


class Watch(keras.callbacks.Callback):
    """Keeps the masks and kernels after every step."""

    def on_train_begin(self, logs=None):
        self.masks, self.kernels = [arrays(self.model, "mask")], [arrays(self.model, "kernel")]

    def on_train_batch_end(self, batch, logs=None):
        self.masks.append(arrays(self.model, "mask"))
        self.kernels.append(arrays(self.model, "kernel"))
