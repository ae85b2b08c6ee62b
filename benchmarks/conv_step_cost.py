"""Cost of masks in a convolutional network, as ratios to the same step of a Wide ResNet of stock layers.

    python benchmarks/conv_step_cost.py

All networks train in one process, turn about, so that a machine whose speed drifts slows them alike;
a ratio is the median over turns of time / stock time of the same turn.
"""

from typing import Any

import turns
from turns import BATCH, DENSITY, compiled, measuring, print_ratios  # before TensorFlow, which it silences

# isort: split
import keras
import tensorflow as tf
from absl import app, flags

from keras_sparseflow.models import wide_resnet
from keras_sparseflow.training import SparseModel

DEPTH = flags.DEFINE_integer("depth", 16, "6 n + 4 layers.", lower_bound=10)
WIDTH = flags.DEFINE_integer("width", 2, "how many times as many channels as a ResNet's.", lower_bound=1)
SIZE = flags.DEFINE_integer("image_size", 32, "height and width of an image.", lower_bound=1)
CLASSES = flags.DEFINE_integer("classes", 10, "number of outputs.", lower_bound=1)

flags.adopt_module_key_flags(turns)  # they stand in --help


def network(model_class: type[keras.Model] = keras.Model, density: float | None = None) -> Any:
    """Returns a compiled Wide ResNet."""
    shape = (SIZE.value, SIZE.value, 3)
    return compiled(
        wide_resnet(shape, CLASSES.value, DEPTH.value, WIDTH.value, density=density, model_class=model_class)
    )


def main(argv: list[str]) -> None:
    del argv
    models = {
        "stock layers, keras.Model": network(),
        "stock layers again (noise)": network(),
        "masked layers, keras.Model": network(density=DENSITY.value),
        "masked layers, SparseModel": network(SparseModel, DENSITY.value),
        "the same, all four flows in every step": measuring(network(SparseModel, DENSITY.value)),
    }
    batch = (
        tf.random.normal((BATCH.value, SIZE.value, SIZE.value, 3)),
        tf.random.uniform((BATCH.value,), 0, CLASSES.value, tf.int32),
    )
    print_ratios(f"Step of WRN-{DEPTH.value}-{WIDTH.value}", models, batch)


if __name__ == "__main__":
    app.run(main)
