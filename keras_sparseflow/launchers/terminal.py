"""The terminal of a launcher: no start-up notices, and errors in one line."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from absl import logging

from keras_sparseflow.interruption import INTERRUPTED, check_interruption, interruptions_noted
from keras_sparseflow.studies.executors.options import DEFAULT_OPTIONS, Options, make_strategy
from keras_sparseflow.studies.executors.study_plan import STACKING

_NO_MEMORY = "Memory has run out. Give other programs less, or use a smaller --batch_size or --population_memory_gb."


@contextlib.contextmanager
def plain_errors(debug: bool = False) -> Iterator[None]:
    """Ends the process with one line where the user's input or surroundings are at fault, or at Ctrl-C.

    Args:
        debug: whether to show where in the code an error arose instead.
    """
    try:
        with interruptions_noted():
            yield
            check_interruption()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\nInterrupted. Nothing finished is lost; the same command goes on from here.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        sys.exit(1)  # as `rich` does where a table is cut off
    except (ValueError, OSError, RuntimeError, MemoryError, ImportError) as error:
        if debug:
            raise
        print(f"error: {printable(str(error)) or _NO_MEMORY}", file=sys.stderr)
        sys.exit(1)


def printable(text: str) -> str:
    r"""Returns text whose control characters, which could come from a file, are written out.

    Example:
        >>> print(printable("layer \x1b[2J"))
        layer \x1b[2J
    """
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def refuse_arguments(argv: Sequence[str]) -> None:
    """Raises a ValueError for words beside the flags: the end of a list with spaces, such as `--seeds 0, 1`.

    Args:
        argv: the rest of the command line, the program first.
    """
    if len(argv) > 1:
        raise ValueError(
            f"Only flags are taken, and lists without spaces, such as --seeds=0,1,2; received {' '.join(argv[1:])!r}."
        )


def say_on_terminal(text: str) -> None:
    """Says what takes some seconds; a log needs no word on it."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)


def working(text: str) -> contextlib.AbstractContextManager[Any]:
    """Returns a context in which a terminal shows what takes some seconds, and that it goes on; a log gets nothing."""
    from rich.console import Console

    console = Console(stderr=True)
    return console.status(text) if console.is_terminal else contextlib.nullcontext()


def load_training_quietly(executor: str, options: Options = DEFAULT_OPTIONS, *, threads: int | None = None) -> None:
    """Imports TensorFlow while its notices, which no setting silences, go to a file that is shown if it fails.

    What can be set only before TensorFlow has done anything is set here.

    Args:
        executor: a name in `EXECUTORS`; populations want TensorFlow's threads set in their own way.
        options: options with the strategy, which finds its devices or makes them of the CPU.
        threads: within an operation on a CPU; None for as many as the executor wants.

    Raises:
        ValueError, RuntimeError: the devices that `options` ask for are not there.
    """
    say_on_terminal("Loading TensorFlow.")
    # Where a worker is lost, TensorFlow logs it as several errors, before the one that is raised.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if options.strategy == "multiworker" else "2")
    logging.set_verbosity(logging.WARNING)
    with _stderr_in_file():
        from keras_sparseflow.training.distributed import device

        device.set_up(memory_growth=options.memory_growth, deterministic=options.deterministic, threads=threads)
        if threads is None and executor in STACKING and options.strategy == "none":
            device.use_cores_for_stacks()
        if options.strategy == "multiworker":
            _meet_workers(options)
        make_strategy(options)


def _meet_workers(options: Options) -> None:
    """Waits for the workers within TensorFlow, where Python hears no Ctrl-C: the system's own handler hears it."""
    print("Waiting for all workers.", flush=True)
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        make_strategy(options)
    finally:
        signal.signal(signal.SIGINT, handler)


@contextlib.contextmanager
def _stderr_in_file() -> Iterator[None]:
    """Keeps what is written to the terminal within it, and shows it where an error is not one of the user's input."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as notices, os.fdopen(os.dup(2), "wb") as terminal:
        os.dup2(notices.fileno(), 2)
        try:
            yield
        except (ValueError, RuntimeError):
            raise
        except BaseException:
            notices.seek(0)
            terminal.write(notices.read())
            raise
        finally:
            os.dup2(terminal.fileno(), 2)
