"""Cost of ToST's tweaks and diagnostics, as ratios to a training step of the same network without any.

    python benchmarks/tost_cost.py

All steps are taken in one process, turn about, so that a machine whose speed drifts slows them alike; a ratio is the
median over turns of time / time of the plain step of the same turn. Iterations of `rescale_init` are timed after them,
and divided by the time of a plain step then.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import turns
from turns import BATCH, DENSITY, STEPS, TURNS, compiled, print_ratios, seconds_per_step  # silences TensorFlow

# isort: split
import tensorflow as tf
from absl import app, flags

from keras_sparseflow.diagnostics import Hessian, activation_sparsity
from keras_sparseflow.layers.ghost import GhostSkip, ghosts_of
from keras_sparseflow.models import resnet
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.tost.rescaling import rescale_init
from keras_sparseflow.twins import ghostify, strip_ghosts

DEPTH = flags.DEFINE_integer("depth", 20, "18, 34, 50, 101, 152 or 6 n + 2 layers.", lower_bound=8)
WIDTH = flags.DEFINE_integer("width", 1, "how many times as many channels as a ResNet's.", lower_bound=1)
SIZE = flags.DEFINE_integer("image_size", 32, "height and width of an image.", lower_bound=1)
CLASSES = flags.DEFINE_integer("classes", 10, "number of outputs.", lower_bound=1)

flags.adopt_module_key_flags(turns)  # they stand in --help


class Timed:
    """Something that is done in place of a training step."""

    def __init__(self, call: Callable[[], object]):
        self._call = call

    def make_train_function(self) -> None:
        """Does nothing: there is nothing to compile."""

    def train_function(self, batches: Any) -> dict[str, float]:
        """Does it once."""
        del batches
        self._call()
        return {"loss": 0.0}


def network() -> Any:
    """Returns a ResNet of masked layers."""
    shape = (SIZE.value, SIZE.value, 3)
    return resnet(shape, CLASSES.value, DEPTH.value, WIDTH.value, density=DENSITY.value, model_class=SparseModel)


def faded(model: Any) -> Any:
    """Returns the twin with ghosts, all of which have faded."""
    for ghost in ghosts_of(model):
        if isinstance(ghost, GhostSkip):
            ghost.alpha.assign(0.0)
        else:
            ghost.beta.assign(float("inf"))
    return model


def rescaling_seconds(batch: tuple[tf.Tensor, tf.Tensor]) -> float:
    """Returns the median time of an iteration of `rescale_init`, but for the first ones, which compile."""
    images, labels = (tf.concat([part] * 2, axis=0).numpy() for part in batch)
    ended: list[float] = []
    rescale_init(
        compiled(network()),
        (images, labels),
        iterations=4 + STEPS.value * TURNS.value,
        batch_size=BATCH.value,
        progress=lambda row: ended.append(time.perf_counter()),
    )
    return statistics.median(later - before for before, later in itertools.pairwise(ended[3:]))


def main(argv: list[str]) -> None:
    del argv
    batch = (
        tf.random.normal((BATCH.value, SIZE.value, SIZE.value, 3)),
        tf.random.uniform((BATCH.value,), 0, CLASSES.value, tf.int32),
    )
    plain, arrays = compiled(network()), tuple(part.numpy() for part in batch)
    hessian = Hessian(plain, arrays, batch_size=BATCH.value)
    vector = dict(zip(hessian.paths, map(tf.ones_like, plain.trainable_variables), strict=True))
    steps: Mapping[str, Any] = {
        "plain": plain,
        "plain again (noise)": compiled(network()),
        "ghost skips": compiled(ghostify(network(), swish=False)),
        "ghost Swish": compiled(ghostify(network(), skips=False)),
        "ghost Mish": compiled(ghostify(network(), swish="mish", skips=False)),
        "ghost skips and Swish": compiled(ghostify(network())),
        "the same, faded": compiled(faded(ghostify(network()))),
        "the same, stripped": compiled(strip_ghosts(faded(ghostify(network())))),
        "product with the Hessian": Timed(lambda: hessian.product(vector)),
        "activation sparsity": Timed(lambda: activation_sparsity(plain, arrays, batch_size=BATCH.value)),
    }
    print_ratios(f"Step of ResNet-{DEPTH.value}, width {WIDTH.value}", steps, batch)
    ratio = rescaling_seconds(batch) / seconds_per_step(plain, batch)
    print(f"An iteration of rescale_init takes {ratio:.1f} times as long as the plain step.")


if __name__ == "__main__":
    app.run(main)
