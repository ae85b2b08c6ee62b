"""The check that Keras runs on TensorFlow, for features that need it."""

import keras


def check_tensorflow(feature: str) -> None:
    """Raises RuntimeError unless Keras runs on TensorFlow.

    Args:
        feature: name of the feature that needs TensorFlow, as users write it.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            f"`{feature}` runs on TensorFlow alone: set KERAS_BACKEND=tensorflow before Keras is imported; "
            f"received the backend {backend!r}."
        )
