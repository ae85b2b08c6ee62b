"""Compiled functions that run at the same time, each in a thread of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tensorflow as tf


# Tracing is Python and holds its lock, but what follows (graph optimisation, compilation by XLA, execution) is C++ and
# releases it. So each function goes to a thread as soon as it is traced, and one compiles while the next is traced. The
# thread also waits for the results, for a TensorFlow call returns before a GPU is done.
def side_by_side(
    functions: Sequence[tf.types.experimental.PolymorphicFunction],
    *arguments: tf.Tensor,
    own: Sequence[Any] | None = None,
    fetched: bool = True,
    meanwhile: Callable[[], object] = lambda: None,
) -> list[Any]:
    """Runs `tf.function`s at the same time and returns the result of each as NumPy arrays.

    Args:
        functions: independent of each other.
        *arguments: tensors, the same for all functions.
        own: for each function, an argument of its own that comes first; None for none.
        fetched: whether results are NumPy arrays; otherwise they stay tensors on the device.
        meanwhile: called while the functions run.

    Raises:
        Exception: that of the first function that failed, once all have ended.

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
