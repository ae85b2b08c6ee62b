"""Losses and right answers of stacked networks."""

from typing import Any

import keras
import tensorflow as tf


def stacked_losses(
    loss: keras.losses.Loss, labels: tf.Tensor, outputs: tf.Tensor, weights: tf.Tensor | float = 1.0
) -> tf.Tensor:
    """Returns each member's loss of its batch, shape `(members,)`: `loss(labels, outputs, weights)` of each.

    A loss with Keras' own mean over the batch is computed for all examples of all members at once; any other is
    mapped over the members.

    Args:
        loss: any Keras loss.
        labels: shape `(members, batch)`, or `(1, batch)` for a shared batch.
        outputs: shape `(members, batch, classes)`.
        weights: weight of each example, shape `(batch,)`, or of all; the weighted sum is divided by the batch size.

    Example:
        >>> loss = keras.losses.SparseCategoricalCrossentropy()
        >>> outputs = tf.constant([[[1.0, 0.0], [1.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]]])
        >>> stacked_losses(loss, tf.constant([[0, 0]]), outputs).numpy().round(4)
        array([0.    , 0.6931], dtype=float32)
    """
    members, batch = outputs.shape[:2]
    labels = tf.broadcast_to(labels, (members, batch))
    if type(loss).__call__ is keras.losses.Loss.__call__ and loss.reduction == "sum_over_batch_size":
        each = loss.call(tf.reshape(labels, [-1]), tf.reshape(outputs, (members * batch, -1)))
        return tf.reduce_mean(tf.reshape(each, (members, batch)) * weights, axis=1)

    def member(own: Any) -> tf.Tensor:
        labels, outputs = own
        return loss(labels, outputs, weights)

    return tf.vectorized_map(member, (labels, outputs))


def stacked_hits(labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Returns 1 for each right answer and 0 for each wrong one, shape `(members, batch)`.

    Args:
        labels: see `stacked_losses`.
        outputs: see `stacked_losses`.

    Example:
        >>> outputs = tf.constant([[[1.0, 0.0], [0.0, 1.0]]])
        >>> stacked_hits(tf.constant([[0, 0]]), outputs).numpy().tolist()
        [[1.0, 0.0]]
    """
    return tf.cast(tf.equal(tf.argmax(outputs, axis=-1, output_type=labels.dtype), labels), tf.float32)
