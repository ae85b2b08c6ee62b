"""Initial values and masks of a network's kernels, each from its own random stream."""

from collections.abc import Sequence

import keras
import numpy as np

from keras_sparseflow.checks import check_seed
from keras_sparseflow.layers.mask.arrays import random_mask


def kernel_initializer(seed: int, index: int, fan_in: int, assumed_fan_in: float) -> keras.initializers.Initializer:
    """Returns the initializer of one kernel: He normal for an assumed fan-in.

    Args:
        seed: seed of the network.
        index: number of the kernel, from 0.
        fan_in: fan-in by which Keras scales, the product of the kernel's dimensions except the last.
        assumed_fan_in: fan-in that sets the standard deviation sqrt(2 / assumed_fan_in).
    """
    return keras.initializers.VarianceScaling(
        2.0 * fan_in / assumed_fan_in, "fan_in", "truncated_normal", seed=stream_seed(seed, index, "kernel")
    )


def kernel_mask(seed: int, index: int, shape: Sequence[int], active: int) -> np.ndarray:
    """Returns the random mask of one kernel, a boolean array with `active` True entries."""
    return random_mask(shape, active, stream_seed(seed, index, "mask"))


def stream_seed(seed: int, index: int, stream: str) -> int:
    """Returns the seed of one kernel's initial values or mask, or of dropout or embeddings ahead of that kernel.

    Their random streams are independent.
    """
    key = ("kernel", "mask", "dropout", "embedding").index(stream)
    return int(np.random.SeedSequence([check_seed(seed), index, key]).generate_state(1)[0] >> 1)
