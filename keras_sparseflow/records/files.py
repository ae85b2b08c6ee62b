"""Files that are written whole or not at all, and JSON files."""

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

REMEDY = "Run the study again with --repair: only that run is trained anew."
"""Remedy for a corrupt file of a run."""

PLAN_REMEDY = "Give --replan to plan anew all networks that are not finished."
"""Remedy for a corrupt plan of a study."""


def write_atomic(path: Path, content: bytes) -> None:
    """Writes a file such that readers, also after a crash at any moment, find all of it or the state before.

    Args:
        path: path of the file, in a folder that exists.
        content: the whole content.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_atomic(Path(folder, "note.txt"), b"all of it")
        ...     [path.name for path in Path(folder).iterdir()]
        ['note.txt']
    """
    # The content goes to a temporary file first, because only a rename within one folder is atomic. `fsync` comes
    # before the rename, else a power failure could leave the final name with an empty file. The temporary name is
    # unique, so that two writers never share one, and begins with a dot, by which `RunFolder.start` finds what a killed
    # process left.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
