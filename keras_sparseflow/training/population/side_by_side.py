"""Compiled functions that run at the same time, each in a thread of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tensorflow as tf


def side_by_side(
    functions: Sequence[tf.types.experimental.PolymorphicFunction],
    *arguments: tf.Tensor,
    own: Sequence[Any] | None = None,
    fetched: bool = True,
    meanwhile: Callable[[], object] = lambda: None,
) -> list[Any]:
    """Returns what `tf.function`s return for the same arguments, as NumPy arrays, once all have ended.

    They are traced one after the other in the calling thread; what TensorFlow does besides, making each one's graph
    fast and running it, is done in other threads meanwhile.

    Args:
        functions: independent of each other.
        *arguments: tensors.
        own: for each function, an argument of its own, before the others.
        fetched: whether results are NumPy arrays; otherwise they stay tensors, on the device.
        meanwhile: called while they run.

    Raises:
        Exception: what the first of them raised that did, once all have ended.

    Example:
        >>> double, square = tf.function(lambda x: 2 * x), tf.function(lambda x: x * x)
        >>> [int(value) for value in side_by_side([double, square], tf.constant(5))]
        [10, 25]
    """

    def run(traced: Callable[..., Any], inputs: Sequence[Any]) -> Any:
        results = traced(*inputs)
        if fetched:
            return tf.nest.map_structure(lambda tensor: tensor.numpy(), results)
        tf.nest.map_structure(lambda tensor: tf.reshape(tensor, [-1])[:1].numpy(), results)  # waits for a GPU
        return results

    inputs = [arguments if own is None else (own[place], *arguments) for place in range(len(functions))]
    with ThreadPoolExecutor(len(functions)) as threads:
        running = [
            threads.submit(run, function.get_concrete_function(*given), given)
            for function, given in zip(functions, inputs, strict=True)
        ]
        meanwhile()
    return [each.result() for each in running]
