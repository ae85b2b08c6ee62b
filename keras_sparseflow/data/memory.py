"""Whether a dataset fits in memory, asked before it is read."""

import contextlib
import os

MEMORY_FRACTION = 0.5  # of the available memory: the trainer copies the data once more
_UNKNOWN_MEMORY = 4 * 2**30


def available_memory() -> int:
    """Returns the bytes that can be had without swapping.

    Linux says so itself (`MemAvailable`). Other systems that tell the size of the physical memory are
    taken to have half of it free, and where even that is unknown (Windows) the answer is 4 GiB.
    """
    with contextlib.suppress(OSError), open("/proc/meminfo") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return _UNKNOWN_MEMORY


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


def _readable(number: float) -> str:
    return f"{number / 2**30:.2f} GiB ({number} bytes)"
