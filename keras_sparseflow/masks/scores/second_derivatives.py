"""Corrections for losses that are differentiated twice (TensorFlow)."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from keras_sparseflow.layers.branches import both_branches

_LOCK = threading.RLock()


@contextlib.contextmanager
def second_derivatives() -> Iterator[None]:
    """Context in which second derivatives of training BatchNorm, `keras.ops.moments` and ghosts are right.

    Keras uses `tf.nn.moments`, which computes the variance around a mean whose gradient is stopped. First derivatives
    stay right, because the variance is smallest around the mean, but second derivatives lose a part. Values are the
    same to the bit. Open this context where a graph function is traced.
    """
    from keras.src.backend.tensorflow import nn

    with _LOCK, both_branches():
        usual = nn._compute_moments
        nn._compute_moments = _moments
        try:
            yield
        finally:
            nn._compute_moments = usual


def _moments(x: Any, axes: Sequence[int], keepdims: bool) -> tuple[Any, Any]:
    import tensorflow as tf

    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=keepdims)
    return (mean if keepdims else tf.squeeze(mean, axes)), variance
