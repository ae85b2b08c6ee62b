"""Memory: a check that a dataset fits before it is read, and one error for all that do not."""

import contextlib
from collections.abc import Iterator

import psutil

MEMORY_FRACTION = 0.5  # of the available memory: the trainer copies the data once more


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
def room_for(what: str, remedy: str = "") -> Iterator[None]:
    """Context in which TensorFlow's error of a full device is Python's `MemoryError`.

    Args:
        what: has no room then, in words.
        remedy: a sentence on what to do.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        reason = f"The device has no room for {what}: {str(error).splitlines()[0]}"
        raise MemoryError(f"{reason}. {remedy}" if remedy else reason) from error


def _readable(number: float) -> str:
    return f"{number / 2**30:.2f} GiB ({number} bytes)"
