"""Digests by which the files of a finished run show damage: `result.json` holds one of each, and one of itself.

They show a file that was changed, cut off or mixed up, not one that somebody forged.
"""

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DIGEST, FILES = "digest", "files"
"""Entries of `result.json`: the digest of its other entries, and those of the run's other files by name."""

State = tuple[tuple[str, int, int], ...]
"""Name, size and modification time in nanoseconds of each file of a run that is looked at."""

_SHARES = (
    *("test_accuracy", "best_test_accuracy", "train_accuracy"),
    *("validation_accuracy", "best_validation_accuracy", "selected_test_accuracy"),
)


def sealed(result: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    """Returns the content of `result.json` with the digests of a run's files.

    Args:
        result: what the run came to, as JSON holds it.
        files: the content of each of its other files, by name.

    Example:
        >>> sorted(sealed({"test_accuracy": 0.5}, {"spec.json": b"{}"}))
        ['digest', 'files', 'test_accuracy']
    """
    content = {**result, FILES: {name: _sha256(content) for name, content in sorted(files.items())}}
    return {**content, DIGEST: _digest(content)}


def without_digests(result: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of `result.json` without the digests."""
    return {name: value for name, value in result.items() if name not in (FILES, DIGEST)}


def state_of(run_dir: Path) -> State:
    """Returns the state of the files in a run's folder; nothing of a folder that is not there."""
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(run_dir) as entries:
        for entry in entries:
            if entry.name.endswith((".json", ".csv", ".npz")):
                try:
                    stat = entry.stat()
                except FileNotFoundError:  # a checkpoint goes while others read
                    continue
                found.append((entry.name, stat.st_size, stat.st_mtime_ns))
    return tuple(sorted(found))


def damage_of(run_dir: Path, *, arrays: bool = False, state: State | None = None) -> str:
    """Returns what is wrong with the files of a finished run, or "": the file, what was expected and what was found.

    A run whose files have not changed since they were last looked at is not read again.

    Args:
        run_dir: the run's folder.
        arrays: whether stored arrays, which may be large, are read too.
        state: of its files, where it is known.

    Example:
        >>> damage_of(next(Path("runs/demo").glob("*/result.json")).parent)
        ''
    """
    return _damage(run_dir, arrays, state_of(run_dir) if state is None else state)


@functools.lru_cache(maxsize=100_000)
def signature(state: State) -> str:
    """Returns a short text that tells one state of a run's files from all others."""
    return hashlib.blake2b(repr(state).encode(), digest_size=16).hexdigest()


@functools.lru_cache(maxsize=100_000)
def _damage(run_dir: Path, arrays: bool, state: State) -> str:
    path = run_dir / "result.json"
    try:
        result = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        return f"{path}: expected JSON, but {error}"
    if not isinstance(result, dict) or not isinstance(result.get(FILES), dict) or DIGEST not in result:
        return f"{path}: expected the entries `{FILES}` and `{DIGEST}`; found none"
    found = _digest({name: value for name, value in result.items() if name != DIGEST})
    if found != result[DIGEST]:
        return f"{path}: expected the digest {str(result[DIGEST])[:12]} of its entries; found {found[:12]}"
    for name, expected in result[FILES].items():
        if arrays or not name.endswith(".npz"):
            found = _sha256((run_dir / name).read_bytes()) if (run_dir / name).is_file() else "no such file"
            if found != expected:
                return f"{run_dir / name}: expected the digest {expected[:12]}; found {found[:12]}"
    return _out_of_range(path, result) or _other_rows(run_dir, result)


def _out_of_range(path: Path, result: Mapping[str, Any]) -> str:
    for name in _SHARES:
        value = result.get(name)
        if value is not None and not 0 <= value <= 1:
            return f"{path}: expected `{name}` in [0, 1]; found {value}"
    return ""


def _other_rows(run_dir: Path, result: Mapping[str, Any]) -> str:
    """Returns what is wrong where the history has not a row for each epoch that the result counts."""
    expected, path = result.get("epochs_run"), run_dir / "history.csv"
    if expected is None or path.name not in result[FILES]:
        return ""
    found = path.read_bytes().count(b"\n") - 1  # the names of its columns come first
    return f"{path}: expected {expected} rows, as many as `epochs_run`; found {found}" if found != expected else ""


def _digest(content: Mapping[str, Any]) -> str:
    """Returns the digest of JSON's values; it does not depend on the order of names or on spaces."""
    return _sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
