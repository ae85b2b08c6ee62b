"""The refusal of features that run on one Keras backend alone."""

import keras


def check_tensorflow(feature: str) -> None:
    """Raises RuntimeError, in one line, unless Keras runs on TensorFlow.

    Args:
        feature: which needs TensorFlow, as its caller knows it.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            f"`{feature}` runs on TensorFlow alone: set KERAS_BACKEND=tensorflow before Keras is imported; "
            f"received the backend {backend!r}."
        )
