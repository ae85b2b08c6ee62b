"""What Keras' loss scale of mixed_float16 lacks under a strategy."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def share_overflow(gradients: Sequence[Any]) -> list[Any]:
    """Returns a replica's gradients, of which one is made NaN where those of another replica overflowed.

    Keras skips a step whose gradients are not finite, but looks at those of the first replica alone: an overflow in
    another one would reach the weights.

    Args:
        gradients: of one replica, in its context; None for variables that the loss does not depend on.
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
