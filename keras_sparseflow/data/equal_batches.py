"""Test images in batches of one size, for compiled loops."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class EqualBatches(NamedTuple):
    """Batches of one size that hold every image, each to be counted once.

    Args:
        images: shape `(batches, batch, height, width, channels)`.
        labels: shape `(batches, batch)`.
        counted: shape `(batches, batch)`, 1, or 0 for a repeated image that fills the last batch up.

    Example:
        >>> batches = EqualBatches.of(np.zeros((3, 8, 8, 1), "float32"), np.arange(3), at_most=2)
        >>> batches.labels.numpy().tolist(), batches.counted.numpy().tolist()
        ([[0, 1], [2, 2]], [[1.0, 1.0], [1.0, 0.0]])
    """

    images: tf.Tensor
    labels: tf.Tensor
    counted: tf.Tensor

    @classmethod
    def of(cls, images: Any, labels: Any, at_most: int) -> "EqualBatches":
        """Returns the fewest batches of one size that hold at most `at_most` images each.

        Args:
            images: array of shape `(count, ...)`.
            labels: array of shape `(count,)`.
            at_most: at least 1.
        """
        count = len(images)
        batches = -(-count // at_most)
        size = -(-count // batches)
        places = np.arange(batches * size).reshape(batches, size)
        counted = tf.constant(places < count, tf.float32)
        places = np.minimum(places, count - 1)
        return cls(tf.gather(images, places), tf.gather(labels, places), counted)
