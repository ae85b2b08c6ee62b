"""Batches of the data that diagnostics are computed on."""

from typing import Any

from keras_sparseflow.masks.scores.examples import Batch, as_batches


def batches_of(data: Any, batch_size: int) -> list[Batch]:
    """Returns batches `(x, y)` or `(x, y, sample_weight)`, all in memory.

    Args:
        data: arrays `(x, y)` or `(x, y, sample_weight)`; a `tf.data.Dataset` of such batches that ends; or a list of
            batches, as this function returns, which is returned unchanged.
        batch_size: examples in a batch of arrays.

    Raises:
        ValueError: the data are none of these, hold no example or never end, or arrays differ in their length.
    """
    if isinstance(data, list) and data:
        return data
    return as_batches(data, batch_size)
