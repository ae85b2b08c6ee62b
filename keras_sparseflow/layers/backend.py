"""The backend that Keras runs on, and whether it has a GPU; what can be told without TensorFlow loads none."""

import sys
from pathlib import Path

_DEVICE_FILES = ("nvidia[0-9]*", "nvidiactl", "kfd", "dxg")
"""Files in /dev of the drivers by which TensorFlow reaches GPUs on Linux: NVIDIA's, AMD's, and Windows' under WSL."""


def check_tensorflow(feature: str) -> None:
    """Raises RuntimeError unless Keras runs on TensorFlow.

    Args:
        feature: name of the feature that needs TensorFlow, as users write it.
    """
    import keras

    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            f"`{feature}` runs on TensorFlow alone: set KERAS_BACKEND=tensorflow before Keras is imported; "
            f"received the backend {backend!r}."
        )


def has_gpu() -> bool:
    """Returns whether TensorFlow computes on a GPU, without taking any of its memory."""
    if "tensorflow" not in sys.modules and not may_have_gpu():
        return False
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def may_have_gpu() -> bool:
    """Returns whether this machine could have a GPU for TensorFlow, which itself takes seconds to load.

    On Linux there is none without a driver's device file. Elsewhere nothing is known.
    """
    if not sys.platform.startswith("linux"):
        return True
    return any(next(Path("/dev").glob(pattern), None) is not None for pattern in _DEVICE_FILES)
