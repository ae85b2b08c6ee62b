"""Compiled functions that run at the same time, each in a thread of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tensorflow as tf


def side_by_side(
    functions: Sequence[tf.types.experimental.PolymorphicFunction],
    *arguments: tf.Tensor,
    meanwhile: Callable[[], object] = lambda: None,
) -> list[Any]:
    """Returns what `tf.function`s return for the same arguments, as NumPy arrays.

    They are traced one after the other in the calling thread; what TensorFlow does besides, making each one's graph
    fast and running it, is done in other threads meanwhile.

    Args:
        functions: independent of each other.
        *arguments: tensors.
        meanwhile: called while they run.

    Raises:
        Exception: what the first of them raised that did, once all have ended.

    Example:
        >>> double, square = tf.function(lambda x: 2 * x), tf.function(lambda x: x * x)
        >>> [int(value) for value in side_by_side([double, square], tf.constant(5))]
        [10, 25]
    """

    def run(traced: Callable[..., Any]) -> Any:
        return tf.nest.map_structure(lambda tensor: tensor.numpy(), traced(*arguments))

    with ThreadPoolExecutor(len(functions)) as threads:
        running = [threads.submit(run, function.get_concrete_function(*arguments)) for function in functions]
        meanwhile()
    return [each.result() for each in running]
