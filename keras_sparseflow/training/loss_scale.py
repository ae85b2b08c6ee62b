"""Overflows of one replica made known to all: Keras' loss scaling of mixed_float16 looks at one replica only."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def share_overflow(gradients: Sequence[Any]) -> list[Any]:
    """Returns a replica's gradients, the first of them NaN if gradients overflowed on any replica.

    Keras skips a step whose gradients are not finite, but checks the first replica only: an overflow on another
    replica would reach the weights.

    Args:
        gradients: of this replica; None for variables that the loss does not depend on.
    """
    found = [index for index, gradient in enumerate(gradients) if gradient is not None]
    finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(gradients[index])) for index in found])
    overflows = tf.distribute.get_replica_context().all_reduce(
        tf.distribute.ReduceOp.SUM, 1 - tf.cast(finite, tf.int32)
    )
    shared = list(gradients)
    first = tf.convert_to_tensor(shared[found[0]])
    shared[found[0]] = tf.where(overflows > 0, tf.constant(float("nan"), first.dtype), first)
    return shared
