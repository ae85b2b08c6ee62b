"""Steps of several models timed turn about, as the benchmarks of a step do it."""

import os
import statistics
import time
from collections.abc import Mapping

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from absl import flags
from rich.console import Console
from rich.table import Table

from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.recorder import FlowRecorder

BATCH = flags.DEFINE_integer("batch_size", 128, "images a step.", lower_bound=1)
DENSITY = flags.DEFINE_float("density", 0.1, "share of active weights.", lower_bound=0, upper_bound=1)
TURNS = flags.DEFINE_integer("turns", 30, "how often each model is timed.", lower_bound=1)
STEPS = flags.DEFINE_integer("steps", 2, "steps a turn.", lower_bound=1)
JIT = flags.DEFINE_bool("jit", False, "compile the step with XLA.")


class UnknownSGD(keras.optimizers.SGD):
    """The same steps by an optimizer that does not say that it keeps weights at zero."""


class KnownSGD(UnknownSGD):
    """The same steps by one that says so."""

    keeps_zeros = True


def compiled(model: keras.Model, optimizer: keras.optimizers.Optimizer | None = None) -> keras.Model:
    """Returns the model, ready to be trained: by SGD with momentum where no other optimizer is given."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer or keras.optimizers.SGD(1e-3, momentum=0.9), loss, jit_compile=JIT.value)
    return model


def measuring(model: SparseModel) -> SparseModel:
    """Returns the model, which from now on measures all four flows in every step."""
    recorder = FlowRecorder(model)
    recorder.start(active=True)
    model.attach(recorder)
    return model


def print_ratios(title: str, models: Mapping[str, keras.Model], batch: tuple[tf.Tensor, tf.Tensor]) -> None:
    """Times a training step of each model, turn about, and prints its ratio to the mean of the first two.

    Args:
        title: what the steps are of.
        models: compiled; the first two are stock models: one alone may be lucky in where its memory lies.
        batch: images and labels.
    """
    times: dict[str, list[float]] = {name: [] for name in models}
    for model in models.values():
        model.make_train_function()
        seconds_per_step(model, batch)
    for _ in range(TURNS.value):
        for name, model in models.items():
            times[name].append(seconds_per_step(model, batch))
    table = Table("step", "median ms", "ratio to stock", title=f"{title}, {'XLA' if JIT.value else 'graph'}")
    reference = [statistics.mean(turn) for turn in zip(*list(times.values())[:2], strict=True)]
    for name, values in times.items():
        ratio = statistics.median(t / s for t, s in zip(values, reference, strict=True))
        table.add_row(name, f"{1e3 * statistics.median(values):.1f}", f"{ratio:.3f}")
    Console().print(table)


def seconds_per_step(model: keras.Model, batch: tuple[tf.Tensor, tf.Tensor]) -> float:
    """Returns the time of a training step, mean over a few."""
    started = time.perf_counter()
    for _ in range(STEPS.value):
        logs = model.train_function(iter([batch]))
    keras.ops.convert_to_numpy(logs["loss"])  # waits for an accelerator
    return (time.perf_counter() - started) / STEPS.value
