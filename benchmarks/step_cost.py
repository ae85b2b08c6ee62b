"""Cost of masks and of measuring gradient flow, as ratios to the same step of stock Keras layers.

    python benchmarks/step_cost.py

All models train in one process, turn about, so that a machine whose speed drifts slows them alike;
a ratio is the median over turns of time / stock time of the same turn.
"""

from collections.abc import Callable
from typing import Any

import turns
from turns import (
    BATCH,
    DENSITY,
    KnownSGD,
    UnknownSGD,
    compiled,
    measuring,
    print_ratios,
)  # before TensorFlow, which it silences

# isort: split
import keras
import tensorflow as tf
from absl import app, flags

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.training import SparseModel

INPUTS = flags.DEFINE_integer("inputs", 3072, "number of inputs.", lower_bound=1)
WIDTH = flags.DEFINE_integer("width", 3076, "units of each of 4 hidden layers.", lower_bound=1)
CLASSES = flags.DEFINE_integer("classes", 100, "number of outputs.", lower_bound=1)

MUON = flags.DEFINE_bool("muon", False, "time steps under Muon too; at the default width they take 10 s each.")

flags.adopt_module_key_flags(turns)  # they stand in --help


def network(
    model_class: type[keras.Model],
    layer: Callable[[int], keras.layers.Layer],
    optimizer: keras.optimizers.Optimizer | None = None,
) -> Any:
    """Returns a compiled perceptron with 4 hidden layers."""
    inputs = x = keras.Input((INPUTS.value,))
    for _ in range(4):
        x = keras.layers.ReLU()(layer(WIDTH.value)(x))
    return compiled(model_class(inputs, layer(CLASSES.value)(x)), optimizer)


def stock(units: int) -> keras.layers.Layer:
    return keras.layers.Dense(units, use_bias=False)


def masked(units: int) -> keras.layers.Layer:
    return MaskedDense(units, use_bias=False, density=DENSITY.value, mask_seed=0)


def main(argv: list[str]) -> None:
    del argv
    models = {
        "stock Dense, keras.Model": network(keras.Model, stock),
        "stock Dense again (noise)": network(keras.Model, stock),
        "MaskedDense, keras.Model": network(keras.Model, masked),
        "MaskedDense, an own optimizer": network(keras.Model, masked, UnknownSGD(1e-3, momentum=0.9)),
        "MaskedDense, an own one that keeps zeros": network(keras.Model, masked, KnownSGD(1e-3, momentum=0.9)),
        "MaskedDense, SparseModel": network(SparseModel, masked),
        "the same, all four flows in every step": measuring(network(SparseModel, masked)),
    }
    batch = (tf.random.normal((BATCH.value, INPUTS.value)), tf.zeros((BATCH.value,), tf.int32))
    print_ratios("Step of a perceptron", models, batch)
    if MUON.value:
        layers = {"stock Dense": stock, "stock Dense again (noise)": stock, "MaskedDense": masked}
        models = {name: network(keras.Model, layer, keras.optimizers.Muon(1e-3)) for name, layer in layers.items()}
        print_ratios("Step of a perceptron under Muon, which fills masks", models, batch)


if __name__ == "__main__":
    app.run(main)
