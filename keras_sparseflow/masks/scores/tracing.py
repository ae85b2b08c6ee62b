"""Graph functions for which Python runs every layer of a model once more (TensorFlow).

Scores and diagnostics replace variables by other values, and some layers by other computations, while Python runs the
model. Graphs that TensorFlow has traced before, or recomputes later, would use neither.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras

_LOCK = threading.RLock()


def graph_function(function: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Returns a graph function of tensors in which each `tf.function` and `keras.remat` of a model is inlined.

    Args:
        function: a function of tensors in any structure.
    """
    import tensorflow as tf

    # Tracing happens within `inlined`: Python runs each layer once more, into one new graph with the values and
    # computations that a score has put in place. Otherwise a layer with a cached `tf.function` would reuse an older
    # graph, with the model's own values, and give wrong gradients without an error. Runs need no such context.
    # A partial, because TensorFlow warns if the code of one function is traced often, as here for each network.
    traced = tf.function(functools.partial(function), reduce_retracing=True)

    def call(*arguments: Any) -> list[Any]:
        tensors = keras.tree.map_structure(tf.convert_to_tensor, arguments)
        with inlined():
            concrete = traced.get_concrete_function(*tensors)
        result: list[Any] = concrete(*tensors)
        return result

    return call


@contextlib.contextmanager
def inlined() -> Iterator[None]:
    """Context in which TensorFlow runs the Python of each `tf.function`, and Keras recomputes no layer."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf
    from keras.src.backend.tensorflow import core

    with _LOCK:
        eagerly, recomputed = tf.config.functions_run_eagerly(), core.remat
        tf.config.run_functions_eagerly(True)
        core.remat = lambda function: function
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(eagerly)
            core.remat = recomputed
