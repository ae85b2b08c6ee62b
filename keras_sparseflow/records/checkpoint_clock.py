"""The times at which half-finished runs are saved."""

import contextlib
import time
from collections.abc import Iterator

CHECKPOINT_SECONDS = 20.0
"""Half-finished runs are saved at the first end of an epoch after this time; that is what a kill can lose."""


class CheckpointClock:
    """Says when checkpoints are due: so often, unless saving them would take more than a tenth of the time.

    Args:
        seconds: at least so many lie between two.
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._took = 0.0
        self._saved = time.monotonic()

    def due(self) -> bool:
        """Returns whether it is time to save."""
        return time.monotonic() - self._saved >= max(self._seconds, 9 * self._took)

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Times the saving that is done within this context; the next interval starts at its end."""
        began = time.monotonic()
        yield
        self._saved = time.monotonic()
        self._took = self._saved - began
