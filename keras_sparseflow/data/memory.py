"""Memory: a check that a dataset fits before it is read, and one error for all that do not."""

import contextlib
from collections.abc import Iterator

import psutil

MEMORY_FRACTION = 0.5  # of the available memory: the trainer copies the data once more


SMALLER = "A smaller --batch_size, or a smaller network, takes less."
"""Remedy for a network that has no room."""


def available_memory() -> int:
    """Returns the bytes that the machine has available without swapping; a container's own limit may be lower."""
    return int(psutil.virtual_memory().available)


def require_memory(name: str, count: int, shape: tuple[int, int, int]) -> None:
    """Raises `MemoryError` unless `count` images of `shape` fit in half of the available memory."""
    height, width, channels = shape
    needed, available = 4 * count * height * width * channels, available_memory()
    if needed > MEMORY_FRACTION * available:
        raise MemoryError(
            f"Dataset {name!r} needs {_readable(needed)} ({count} images of {height}x{width}x{channels} in "
            f"float32), more than half of the {_readable(available)} available. Choose a smaller "
            "`image_size` or a smaller `train_size`."
        )


@contextlib.contextmanager
def room_for(what: str, remedy: str) -> Iterator[None]:
    """Context in which an error of a full device or machine, TensorFlow's or NumPy's, names what has no room and why.

    Args:
        what: has no room then, in words.
        remedy: a sentence on what to do.

    Raises:
        MemoryError: memory has run out inside the context.

    Example:
        >>> with room_for("the network a", "A smaller --batch_size takes less."):
        ...     raise MemoryError("Unable to allocate 7.28 TiB")
        Traceback (most recent call last):
            ...
        MemoryError: There is no room for the network a: Unable to allocate 7.28 TiB. A smaller --batch_size takes less.
    """
    import tensorflow as tf

    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError, tf.errors.InternalError) as error:
        first = (str(error).splitlines() or [""])[0].rstrip(". ")
        if isinstance(error, tf.errors.InternalError) and _NOT_COPIED not in first:
            raise
        raise MemoryError(f"There is no room for {what}: {first or 'memory has run out'}. {remedy}") from error


_NOT_COPIED = "Dst tensor is not initialized"
"""TensorFlow's words, in an InternalError, for a tensor that a full GPU has not taken."""


def _readable(number: float) -> str:
    return f"{number / 2**30:.2f} GiB ({number} bytes)"
