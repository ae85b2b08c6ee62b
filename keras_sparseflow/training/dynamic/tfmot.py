"""TensorFlow Model Optimization (tfmot) beside Keras 3: its import, and the masks that it computes."""

import contextlib
import importlib
import importlib.util
import os
import warnings
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np

_PACKAGES = ("tensorflow_model_optimization", "tf_keras")
_PRUNING = "tensorflow_model_optimization.python.core.sparsity.keras.pruning_impl"


def import_tfmot() -> ModuleType:
    """Returns the module `tensorflow_model_optimization` (tfmot); `keras` and `tf.keras` stay Keras 3.

    A plain import of tfmot sets an environment variable that selects Keras 2, for child processes too, and
    turns `tf.keras` into Keras 2 if it was not used before. This function undoes the first and prevents the second.

    Raises:
        ImportError: tfmot or tf-keras, which the package requires, is not installed after all.

    Example:
        >>> schedule = import_tfmot().sparsity.keras.PolynomialDecay(0.5, 0.75, begin_step=0, end_step=100)
        >>> float(schedule(100)[1])  # whether to prune at this step, and to which sparsity
        0.75
    """
    try:
        with _keras_stays():
            return importlib.import_module("tensorflow_model_optimization")
    except ModuleNotFoundError as error:
        raise _missing(str(error)) from error


def check_tfmot() -> None:
    """Raises ImportError where tfmot is not installed, without importing it or TensorFlow.

    Example:
        >>> check_tfmot()
    """
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise _missing(f"No module named {package!r}")


def _missing(why: str) -> ImportError:
    return ImportError(
        "Magnitude pruning needs tensorflow-model-optimization and tf-keras, which this package "
        f"requires; `pip install tensorflow-model-optimization` brings both. ({why})"
    )


def tfmot_mask(
    kernel: Any,
    step: int,
    schedule: Any,
    *,
    block_size: Sequence[int] = (1, 1),
    block_pooling_type: str = "AVG",
    sparsity_m_by_n: tuple[int, int] | None = None,
) -> np.ndarray:
    """Returns the boolean mask that tfmot gives a kernel at a step of its schedule; all True at other steps.

    Args:
        kernel: a variable or tensor; of rank 2 for blocks, of rank 2 or 4 for N:M sparsity.
        step: the training step, counted from 1.
        schedule: a `tfmot.sparsity.keras.PruningSchedule`.
        block_size: rows and columns of the blocks that are kept or removed as a whole.
        block_pooling_type: "AVG" or "MAX", how a block's magnitudes become its score.
        sparsity_m_by_n: m and n for m zeros in every n entries along the inputs, or None.

    Example:
        >>> schedule = import_tfmot().sparsity.keras.ConstantSparsity(0.5, begin_step=1)
        >>> import tensorflow as tf
        >>> tfmot_mask(tf.constant([[1.0, -3.0], [2.0, 0.5]]), 1, schedule).tolist()
        [[False, True], [True, False]]
    """
    import tensorflow as tf

    weight = tf.convert_to_tensor(kernel)
    mask, threshold = tf.Variable(tf.ones_like(weight)), tf.Variable(tf.zeros((), weight.dtype))
    pruning = importlib.import_module(_PRUNING).Pruning(
        lambda: tf.constant(step, tf.int64),
        [(weight, mask, threshold)],
        schedule,
        block_size,
        block_pooling_type,
        sparsity_m_by_n,
    )
    pruning.conditional_mask_update()
    return np.asarray(mask.numpy() != 0)


@contextlib.contextmanager
def _keras_stays() -> Iterator[None]:
    """Keeps `tf.keras` and the environment's choice of Keras unchanged by imports inside the context."""
    import tensorflow as tf

    dir(tf.keras)  # on the first use TensorFlow chooses a Keras for good
    name = "TF_USE_LEGACY_KERAS"
    chosen = os.environ.get(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # tfmot compares versions with distutils
            yield
    finally:
        if chosen is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = chosen
