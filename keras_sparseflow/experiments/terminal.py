"""What a launcher shows: no start-up notices, and errors in one line."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence

from absl import logging


@contextlib.contextmanager
def plain_errors(debug: bool = False) -> Iterator[None]:
    """Ends the process with one line where the user's input or surroundings are at fault.

    Args:
        debug: whether to show where in the code an error arose instead.
    """
    try:
        yield
    except KeyboardInterrupt:
        print("\nInterrupted. Nothing finished is lost; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def refuse_arguments(argv: Sequence[str]) -> None:
    """Raises a ValueError for words beside the flags: the end of a list with spaces, such as `--seeds 0, 1`.

    Args:
        argv: what is left of the command line, the program first.
    """
    if len(argv) > 1:
        raise ValueError(
            f"Only flags are taken, and lists without spaces, such as --seeds=0,1,2; received {' '.join(argv[1:])!r}."
        )


def load_training_quietly(executor: str) -> None:
    """Imports TensorFlow while its notices, which no setting silences, go to a file that is shown if it fails.

    Args:
        executor: a name in `EXECUTORS`; populations want TensorFlow's threads set in their own way.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.set_verbosity(logging.WARNING)
    sys.stderr.flush()
    with tempfile.TemporaryFile() as notices, os.fdopen(os.dup(2), "wb") as terminal:
        os.dup2(notices.fileno(), 2)
        try:
            from keras_sparseflow.training.device import use_cores_for_stacks

            if executor in ("auto", "population"):
                use_cores_for_stacks()
        except BaseException:
            notices.seek(0)
            terminal.write(notices.read())
            raise
        finally:
            os.dup2(terminal.fileno(), 2)
