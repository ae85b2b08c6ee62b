"""Cost of dynamic sparse training: steps with an update of the masks, as ratios to a step without.

    python benchmarks/dynamic_cost.py

A Wide ResNet takes all steps, turn about, so that a machine whose speed drifts slows them alike; a ratio is the median
over turns of time / time of the ordinary step of the same turn. The last column spreads an update over the steps
between two.
"""

import statistics
from typing import Any

import turns
from turns import BATCH, DENSITY, JIT, TURNS, compiled, seconds_per_step  # before TensorFlow, which it silences

# isort: split
import tensorflow as tf
from absl import app, flags
from rich.console import Console
from rich.table import Table

from keras_sparseflow.models import wide_resnet
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.dynamic.gradual import GradualMagnitude
from keras_sparseflow.training.dynamic.mask_updates import MaskUpdates
from keras_sparseflow.training.dynamic.rigl import RigL
from keras_sparseflow.training.dynamic.set import SET

DEPTH = flags.DEFINE_integer("depth", 16, "6 n + 4 layers.", lower_bound=10)
WIDTH = flags.DEFINE_integer("width", 2, "how many times as many channels as a ResNet's.", lower_bound=1)
SIZE = flags.DEFINE_integer("image_size", 32, "height and width of an image.", lower_bound=1)
CLASSES = flags.DEFINE_integer("classes", 10, "number of outputs.", lower_bound=1)
FREQUENCY = flags.DEFINE_integer("frequency", 100, "steps between two updates.", lower_bound=1)
FOREVER = 10**9

flags.adopt_module_key_flags(turns)  # they stand in --help


class Updating:
    """A model each of whose steps is one with an update of the masks."""

    def __init__(self, model: Any, callback: MaskUpdates):
        self._model = model
        self._callback = callback
        callback.set_model(model)
        callback.on_train_begin()

    def train_function(self, batches: Any) -> Any:
        """Does a step of `fit`, with what its callback does before."""
        self._callback.on_epoch_begin(1)
        self._callback.on_train_batch_begin(0)
        return self._model.train_function(batches)


def network() -> Any:
    """Returns a compiled Wide ResNet of masked layers."""
    shape = (SIZE.value, SIZE.value, 3)
    return compiled(
        wide_resnet(shape, CLASSES.value, DEPTH.value, WIDTH.value, density=DENSITY.value, model_class=SparseModel)
    )


def main(argv: list[str]) -> None:
    del argv
    model = network()
    model.make_train_function()
    steps = {
        "without an update": model,
        "RigL": Updating(model, RigL(FOREVER, frequency=1, decay="constant")),
        "SET": Updating(model, SET(FOREVER, frequency=1, decay="constant")),
        "gradual magnitude": Updating(model, GradualMagnitude(DENSITY.value, 0, FOREVER, frequency=1)),
    }
    batch = (
        tf.random.normal((BATCH.value, SIZE.value, SIZE.value, 3)),
        tf.random.uniform((BATCH.value,), 0, CLASSES.value, tf.int32),
    )
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(TURNS.value + 1):
        for name, each in steps.items():
            seconds = seconds_per_step(each, batch)
            if turn:  # the first one compiles
                times[name].append(seconds)
    print_costs(f"Step of WRN-{DEPTH.value}-{WIDTH.value}", times)


def print_costs(title: str, times: dict[str, list[float]]) -> None:
    """Prints each kind of step's time, its ratio to the first kind's, and the mean step's with updates now and then."""
    every = f"mean step, an update every {FREQUENCY.value}"
    table = Table("step", "median ms", "ratio", every, title=f"{title}, {'XLA' if JIT.value else 'graph'}")
    reference = next(iter(times.values()))
    for name, values in times.items():
        ratio = statistics.median(t / s for t, s in zip(values, reference, strict=True))
        mean = 1 + (ratio - 1) / FREQUENCY.value
        table.add_row(name, f"{1e3 * statistics.median(values):.1f}", f"{ratio:.3f}", f"{mean:.4f}")
    Console().print(table)


if __name__ == "__main__":
    app.run(main)
