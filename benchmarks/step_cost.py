"""Cost of masks and of measuring gradient flow, as ratios to the same step of stock Keras layers.

    python benchmarks/step_cost.py

All models train in one process, turn about, so that a machine whose speed drifts slows them alike;
a ratio is the median over turns of time / stock time of the same turn.
"""

import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from absl import app, flags
from rich.console import Console
from rich.table import Table

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.recorder import FlowRecorder

INPUTS = flags.DEFINE_integer("inputs", 3072, "number of inputs.", lower_bound=1)
WIDTH = flags.DEFINE_integer("width", 3076, "units of each of 4 hidden layers.", lower_bound=1)
CLASSES = flags.DEFINE_integer("classes", 100, "number of outputs.", lower_bound=1)
BATCH = flags.DEFINE_integer("batch_size", 128, "images a step.", lower_bound=1)
DENSITY = flags.DEFINE_float("density", 0.1, "share of active weights.", lower_bound=0, upper_bound=1)
TURNS = flags.DEFINE_integer("turns", 15, "how often each model is timed.", lower_bound=1)
STEPS = flags.DEFINE_integer("steps", 2, "steps a turn.", lower_bound=1)
JIT = flags.DEFINE_bool("jit", False, "compile the step with XLA.")

STOCK = "stock Dense, keras.Model"


def network(model_class: type[keras.Model], layer: Callable[[int], keras.layers.Layer]) -> keras.Model:
    """Returns a compiled perceptron with 4 hidden layers."""
    inputs = x = keras.Input((INPUTS.value,))
    for _ in range(4):
        x = keras.layers.ReLU()(layer(WIDTH.value)(x))
    model = model_class(inputs, layer(CLASSES.value)(x))
    model.compile(
        keras.optimizers.SGD(1e-3, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=JIT.value,
    )
    return model


def stock(units: int) -> keras.layers.Layer:
    return keras.layers.Dense(units, use_bias=False)


def masked(units: int) -> keras.layers.Layer:
    return MaskedDense(units, use_bias=False, density=DENSITY.value, mask_seed=0)


def measured() -> SparseModel:
    """Returns a model that measures all four flows in every step."""
    model = network(SparseModel, masked)
    recorder = FlowRecorder(model)
    recorder.start(active=True)
    model.attach(recorder)
    return model


def seconds_per_step(model: keras.Model, batch: tuple[tf.Tensor, tf.Tensor]) -> float:
    """Returns the time of a training step, mean over a few."""
    started = time.perf_counter()
    for _ in range(STEPS.value):
        model.train_function(iter([batch]))
    return (time.perf_counter() - started) / STEPS.value


def main(argv: list[str]) -> None:
    del argv
    models = {
        STOCK: network(keras.Model, stock),
        "stock Dense again (noise)": network(keras.Model, stock),
        "MaskedDense, keras.Model": network(keras.Model, masked),
        "MaskedDense, SparseModel": network(SparseModel, masked),
        "the same, all four flows in every step": measured(),
    }
    batch = (tf.random.normal((BATCH.value, INPUTS.value)), tf.zeros((BATCH.value,), tf.int32))
    times: dict[str, list[float]] = {name: [] for name in models}
    for model in models.values():
        model.make_train_function()
        seconds_per_step(model, batch)
    for _ in range(TURNS.value):
        for name, model in models.items():
            times[name].append(seconds_per_step(model, batch))
    table = Table(
        "step", "median ms", "ratio to stock", title=f"Step of a perceptron, {'XLA' if JIT.value else 'graph'}"
    )
    for name, values in times.items():
        ratio = statistics.median(t / s for t, s in zip(values, times[STOCK], strict=True))
        table.add_row(name, f"{1e3 * statistics.median(values):.1f}", f"{ratio:.3f}")
    Console().print(table)


if __name__ == "__main__":
    app.run(main)
