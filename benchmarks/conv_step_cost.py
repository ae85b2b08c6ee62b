"""Cost of masks in a convolutional network, as ratios to the same step of a Wide ResNet of stock layers.

    python benchmarks/conv_step_cost.py

All networks train in one process, turn about, so that a machine whose speed drifts slows them alike;
a ratio is the median over turns of time / stock time of the same turn.
"""

import os
import statistics
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from absl import app, flags
from rich.console import Console
from rich.table import Table

from keras_sparseflow.models import wide_resnet
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.recorder import FlowRecorder

DEPTH = flags.DEFINE_integer("depth", 16, "6 n + 4 layers.", lower_bound=10)
WIDTH = flags.DEFINE_integer("width", 2, "how many times as many channels as a ResNet's.", lower_bound=1)
SIZE = flags.DEFINE_integer("image_size", 32, "height and width of an image.", lower_bound=1)
CLASSES = flags.DEFINE_integer("classes", 10, "number of outputs.", lower_bound=1)
BATCH = flags.DEFINE_integer("batch_size", 128, "images a step.", lower_bound=1)
DENSITY = flags.DEFINE_float("density", 0.1, "share of active weights.", lower_bound=0, upper_bound=1)
TURNS = flags.DEFINE_integer("turns", 15, "how often each network is timed.", lower_bound=1)
STEPS = flags.DEFINE_integer("steps", 2, "steps a turn.", lower_bound=1)
JIT = flags.DEFINE_bool("jit", False, "compile the step with XLA.")

STOCK = "stock layers, keras.Model"


def network(model_class: type[keras.Model] = keras.Model, density: float | None = None) -> Any:
    """Returns a compiled Wide ResNet."""
    shape = (SIZE.value, SIZE.value, 3)
    model = wide_resnet(shape, CLASSES.value, DEPTH.value, WIDTH.value, density=density, model_class=model_class)
    model.compile(
        keras.optimizers.SGD(1e-3, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=JIT.value,
    )
    return model


def measured() -> SparseModel:
    """Returns a network that measures all four flows in every step."""
    model: SparseModel = network(SparseModel, DENSITY.value)
    recorder = FlowRecorder(model)
    recorder.start(active=True)
    model.attach(recorder)
    return model


def seconds_per_step(model: keras.Model, batch: tuple[tf.Tensor, tf.Tensor]) -> float:
    """Returns the time of a training step, mean over a few."""
    started = time.perf_counter()
    for _ in range(STEPS.value):
        logs = model.train_function(iter([batch]))
    keras.ops.convert_to_numpy(logs["loss"])  # waits for an accelerator
    return (time.perf_counter() - started) / STEPS.value


def main(argv: list[str]) -> None:
    del argv
    models = {
        STOCK: network(),
        "stock layers again (noise)": network(),
        "masked layers, keras.Model": network(density=DENSITY.value),
        "masked layers, SparseModel": network(SparseModel, DENSITY.value),
        "the same, all four flows in every step": measured(),
    }
    batch = (
        tf.random.normal((BATCH.value, SIZE.value, SIZE.value, 3)),
        tf.random.uniform((BATCH.value,), 0, CLASSES.value, tf.int32),
    )
    times: dict[str, list[float]] = {name: [] for name in models}
    for model in models.values():
        model.make_train_function()
        seconds_per_step(model, batch)
    for _ in range(TURNS.value):
        for name, model in models.items():
            times[name].append(seconds_per_step(model, batch))
    compiled = "XLA" if JIT.value else "graph"
    table = Table("step", "median ms", "ratio to stock", title=f"Step of WRN-{DEPTH.value}-{WIDTH.value}, {compiled}")
    for name, values in times.items():
        ratio = statistics.median(t / s for t, s in zip(values, times[STOCK], strict=True))
        table.add_row(name, f"{1e3 * statistics.median(values):.1f}", f"{ratio:.3f}")
    Console().print(table)


if __name__ == "__main__":
    app.run(main)
