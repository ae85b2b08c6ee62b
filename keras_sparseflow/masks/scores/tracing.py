"""Graph functions in which Python runs every layer anew (TensorFlow).

Scores and diagnostics put values in the place of variables, and compute some layers in another way, while Python runs
the model. What TensorFlow has traced before, or recomputes later, would not see it.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras

_LOCK = threading.RLock()


def graph_function(function: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Returns a graph function of tensors; within it each `tf.function` and `keras.remat` of a model is inlined.

    Args:
        function: of tensors, in any structure.
    """
    import tensorflow as tf

    # As a partial, for TensorFlow warns of a function that is traced anew for each network.
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
    """Within it, TensorFlow runs the Python of a `tf.function`, and Keras recomputes no layer there."""
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
