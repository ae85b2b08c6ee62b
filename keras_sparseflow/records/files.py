"""Files written whole or not at all, and JSON in them."""

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

REMEDY = "Remove that run's folder and run the study again: only that run is trained anew."
"""What helps with a corrupt file of a run."""


def write_atomic(path: Path, content: bytes) -> None:
    """Puts `content` at `path` so that a reader, or a crash at any moment, finds all of it or nothing new.

    Args:
        path: of the file; its folder must exist.
        content: all of it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_atomic(Path(folder, "note.txt"), b"all of it")
        ...     [path.name for path in Path(folder).iterdir()]
        ['note.txt']
    """
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
    """Writes a mapping as readable JSON, atomically. NaN becomes null: JSON knows no NaN.

    Args:
        path: of the file; its folder must exist.
        content: what JSON can hold, and NaN.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_json(Path(folder, "result.json"), {"test_accuracy": 0.9, "test_loss": float("nan")})
        ...     read_json(Path(folder, "result.json"))
        {'test_accuracy': 0.9, 'test_loss': None}
    """
    write_atomic(path, (json.dumps(_without_nan(content), indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path, remedy: str = "") -> dict[str, Any]:
    """Returns the mapping in a JSON file.

    Args:
        path: of the file.
        remedy: what to do about a corrupt one; by default what helps with a file of a run.

    Raises:
        ValueError: the file is not a JSON object; the message names it and says what to do.

    Example:
        >>> sorted(read_json(Path("runs/demo/study.json")))[:3]
        ['choices', 'command', 'created']
    """
    remedy = remedy or REMEDY
    try:
        content = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is corrupt: expected JSON, but {error}. {remedy}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is corrupt: expected a JSON object; received {type(content).__name__}. {remedy}")
    return content


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
