"""The precision that a network computes in."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def precision_policy(name: str) -> Iterator[None]:
    """Within it, new layers compute as a Keras dtype policy says; afterwards as before.

    Args:
        name: "float32", "mixed_bfloat16" or "mixed_float16".

    Example:
        >>> with precision_policy("mixed_bfloat16"):
        ...     layer = keras.layers.Dense(2)
        >>> layer.compute_dtype, keras.layers.Dense(2).compute_dtype
        ('bfloat16', 'float32')
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
