"""Files that are written whole or not at all, and JSON files."""

import contextlib
import errno
import hashlib
import json
import lzma
import os
import platform
import re
import secrets
import time
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil

REMEDY = "Run the study again with --repair: only that run is trained anew."
"""Remedy for a corrupt file of a run."""

PLAN_REMEDY = "Give --replan to plan anew all networks that are not finished."
"""Remedy for a corrupt plan of a study."""

UNREADABLE = (
    *(OSError, ValueError, LookupError, TypeError, SyntaxError, EOFError, MemoryError, OverflowError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError),
)
"""Exceptions that NumPy and zipfile raise for files of arrays that are damaged, or claim an absurd size."""

_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]

_TEMPORARY = re.compile(r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}\.tmp")

_LONG_GONE = 24 * 3600
"""Seconds after which a temporary file of another machine, whose processes nobody can see here, has no writer."""

_WHAT_TO_DO = {
    errno.ENOSPC: "Free space on that disk",
    errno.EDQUOT: "Free space in your quota",
    errno.EACCES: "Choose a folder that you may write to",
    errno.EPERM: "Choose a folder that you may write to",
    errno.EROFS: "Choose a folder on a disk that can be written to",
}


def write_atomic(path: Path, content: bytes) -> None:
    """Writes a file such that readers, also after a crash at any moment, find all of it or the state before.

    Args:
        path: path of the file, in a folder that exists.
        content: the whole content.

    Raises:
        OSError: the file can't be written; the message names it and says what to do.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_atomic(Path(folder, "note.txt"), b"all of it")
        ...     [path.name for path in Path(folder).iterdir()]
        ['note.txt']
    """
    # The content goes to a temporary file first, because only a rename within one folder is atomic. `fsync` comes
    # before the rename, else a power failure could leave the final name with an empty file.
    temporary = temporary_path(path)
    with written_or_named(path):
        try:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """Returns a new name beside a file, that of no other writer; it tells the writer's machine and process."""
    return path.with_name(f".{path.name}.{_MACHINE}-{os.getpid()}-{secrets.token_hex(4)}.tmp")


def remove_leftovers(folder: Path) -> None:
    """Removes temporary files in a folder whose writers no longer live."""
    for path in folder.glob(".*.tmp"):
        writer = _TEMPORARY.fullmatch(path.name)
        if writer is None:
            continue
        with contextlib.suppress(FileNotFoundError):  # the writer was alive after all, and has just finished
            here = writer["machine"] == _MACHINE
            age = time.time() - path.stat().st_mtime
            if not psutil.pid_exists(int(writer["process"])) if here else age > _LONG_GONE:
                path.unlink()


@contextlib.contextmanager
def written_or_named(path: Path) -> Iterator[None]:
    """Lets an error of writing name the file, and say what to do."""
    try:
        yield
    except OSError as error:
        remedy = _WHAT_TO_DO.get(error.errno or 0, "See that the folder is there and can be written to")
        why = error.strerror or str(error)
        named = type(error)(f"{path} can't be written: {why}. {remedy}, and type the command again.")
        named.errno = error.errno
        raise named from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a mapping as readable JSON, atomically. NaN and infinity, which JSON lacks, become null.

    Args:
        path: path of the file, in a folder that exists.
        content: values that JSON can hold, NaN and infinity.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_json(Path(folder, "result.json"), {"test_accuracy": 0.9, "test_loss": float("nan")})
        ...     read_json(Path(folder, "result.json"))
        {'test_accuracy': 0.9, 'test_loss': None}
    """
    write_atomic(path, (json.dumps(without_nan(content), indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path, remedy: str = "") -> dict[str, Any]:
    """Returns the mapping in a JSON file.

    Args:
        path: path of the file.
        remedy: advice for a corrupt file; empty for the advice for files of a run.

    Raises:
        ValueError: the file is not a JSON object; the message names it and says what to do.

    Example:
        >>> sorted(read_json(Path("runs/demo/study.json")))[:3]
        ['choices', 'command', 'comparison']
    """
    remedy = remedy or REMEDY
    try:
        content = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is corrupt: expected JSON, but {error}. {remedy}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is corrupt: expected a JSON object; received {type(content).__name__}. {remedy}")
    return content


def without_nan(value: Any) -> Any:
    """Returns a value as JSON holds it: NaN and infinity as None, NumPy's numbers as Python's."""
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
