"""Ctrl-C that is never lost: it is noted when it comes, and looked at wherever a training can be left.

Python raises KeyboardInterrupt in the code that runs at that moment. A training runs thousands of finalisers and of
callbacks of weak references; an interrupt within one of them is printed and forgotten. And it runs Python code that
TensorFlow's C++ has called, which takes an exception there for something else or goes on with broken memory: so
nothing is raised while any function of TensorFlow runs, and a timer looks again.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

INTERRUPTED = 130
"""Exit status of a process that Ctrl-C has ended."""

_noted = threading.Event()
_FRAGILE = "tensorflow"  # the package whose functions nothing is raised in
_LOOK_AGAIN = 0.02  # seconds


def check_interruption() -> None:
    """Raises KeyboardInterrupt if Ctrl-C was noted; nothing is noted outside of `interruptions_noted`.

    Example:
        >>> check_interruption()
    """
    if _noted.is_set():
        signal.setitimer(signal.ITIMER_REAL, 0)  # a second one would break off what cleans up after this one
        raise KeyboardInterrupt


@contextlib.contextmanager
def interruptions_noted() -> Iterator[None]:
    """Notes Ctrl-C inside the context, and raises KeyboardInterrupt as soon as no function of TensorFlow runs.

    A second one ends the process at once. For programs that own their process: SIGALRM is used, too. Outside of the
    main thread, and where Ctrl-C is ignored or handled in a way of one's own, nothing is changed.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    _noted.clear()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, _note)
    alarm = signal.signal(signal.SIGALRM, _raise_where_it_can_be)
    threading.Thread(target=_end_at_second, args=(reading,), daemon=True, name="interruptions").start()
    try:
        yield
    except Exception as error:
        if _noted.is_set():  # code in C makes other errors of it, such as SystemError where TensorFlow traces a step
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.set_wakeup_fd(before)
        os.close(writing)
        _noted.clear()


def _note(number: int, frame: FrameType | None) -> None:
    _noted.set()
    _raise_where_it_can_be(number, frame)


def _raise_where_it_can_be(number: int, frame: FrameType | None) -> None:
    """Raises KeyboardInterrupt, or has the timer call this again where the frame is within TensorFlow."""
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] == _FRAGILE:
            signal.setitimer(signal.ITIMER_REAL, _LOOK_AGAIN)
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _end_at_second(reading: int) -> None:
    """Ends the process when a second Ctrl-C comes, even while the main thread is inside of TensorFlow.

    Python calls handlers between two of its instructions only, but hands every signal to this pipe as it comes.
    """
    heard = 0
    with open(reading, "rb", buffering=0) as pipe:
        while received := pipe.read(1):
            heard += received[0] == signal.SIGINT
            if heard == 1:
                print("\nEnding. Ctrl-C again ends at once.", file=sys.stderr, flush=True)
            if heard > 1:
                shown = "\x1b[?25h" if sys.stderr.isatty() else ""  # a progress bar hides the cursor
                print(f"{shown}\nEnded at once.", file=sys.stderr, flush=True)
                os._exit(INTERRUPTED)
