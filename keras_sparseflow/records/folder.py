"""The folder of one run, and the lock on a study's folder."""

import contextlib
import io
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from filelock import FileLock, Timeout

from keras_sparseflow.records import files
from keras_sparseflow.records.columns import OPTIONAL, TABLES, Rows, as_csv
from keras_sparseflow.records.files import REMEDY
from keras_sparseflow.records.integrity import damage_of, sealed

_KEPT = (".json", ".csv", ".npz")
_NOT_KEPT = ("result.json", "checkpoint.npz")


class WriterError(RuntimeError):
    """A run whose files a later attempt writes."""


class RunFolder:
    """The folder of one run: writes its files and reads them.

    Args:
        study_dir: the study's folder.
        run_id: the run's stable id; the name of its folder.
        writer: numbers that grow with each launch of a study on a cluster and each attempt of a task; None where a lock
            keeps other writers away.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> run_id = read_results("runs/demo")["run_id"][0]
        >>> RunFolder(Path("runs/demo"), run_id).finished
        True
    """

    def __init__(self, study_dir: Path, run_id: str, writer: tuple[int, int] | None = None):
        self._writer = writer
        self.path = Path(study_dir) / run_id
        self.run_id = run_id

    @property
    def finished(self) -> bool:
        """True if the run has its result, which is written last."""
        return (self.path / "result.json").is_file()

    def check(self, *, arrays: bool = False) -> None:
        """Raises a ValueError that names a file of the finished run which is not as it was written.

        Args:
            arrays: whether stored arrays, which may be large, are looked at too.
        """
        if damage := damage_of(self.path, arrays=arrays):
            raise ValueError(f"A file is damaged. {damage}. {REMEDY}")

    @property
    def events(self) -> Path:
        """The folder of the run's TensorBoard events, which may not exist."""
        return self.path / "events"

    def repair(self) -> str:
        """Removes the run if a file of it is damaged, so that it is trained anew; returns what was wrong, or ""."""
        damage = ""
        if self.finished:
            damage = damage_of(self.path, arrays=True)
        else:
            try:
                self.load_checkpoint()
            except ValueError as error:
                damage = str(error)
        if damage:
            shutil.rmtree(self.path)
        return damage

    def check_writer(self) -> None:
        """Raises a WriterError if a later attempt writes the run's files now, or has finished them."""
        if self._writer is not None and self._written_by() != self._writer:
            raise WriterError(f"A later attempt has taken over {self.path}; this one stops.")

    def start(self, spec: Mapping[str, Any]) -> None:
        """Makes the folder, names the writer in it, removes leftovers of killed writers, and writes `spec.json`."""
        with files.written_or_named(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        if self._writer is not None:
            if self._written_by() > self._writer:
                self.check_writer()
            where = {"host": socket.gethostname(), "pid": os.getpid()}
            files.write_json(self.path / ".writer", {"launch": self._writer[0], "attempt": self._writer[1], **where})
        files.remove_leftovers(self.path)
        files.write_json(self.path / "spec.json", spec)

    def save_checkpoint(self, arrays: Mapping[str, np.ndarray], progress: Mapping[str, Any]) -> None:
        """Writes the state of a half-finished run: arrays, and progress as JSON beside them in one file."""
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(progress).encode(), dtype=np.uint8)
        np.savez(buffer, allow_pickle=False, __progress__=text, **arrays)
        files.write_atomic(self.path / "checkpoint.npz", buffer.getvalue())

    def load_checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Returns `(arrays, progress)`, or None when the run has no checkpoint yet."""
        if not (self.path / "checkpoint.npz").is_file():
            return None
        with self._arrays("checkpoint.npz") as stored:
            arrays = {name: stored[name] for name in stored.files}
            return arrays, json.loads(bytes(arrays.pop("__progress__")).decode())

    def checkpoint_rows(self) -> list[dict[str, Any]]:
        """Returns the history in the checkpoint without reading its arrays; none where there is no checkpoint."""
        if not (self.path / "checkpoint.npz").is_file():
            return []
        with self._arrays("checkpoint.npz") as stored:
            return json.loads(bytes(stored["__progress__"]).decode())["history"]

    def save_arrays(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes arrays, compressed, to the file `name`, which ends in .npz and stays when the run is finished."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        files.write_atomic(self.path / name, buffer.getvalue())

    def load_arrays(self, name: str) -> dict[str, np.ndarray]:
        """Returns what `save_arrays` wrote.

        Raises:
            ValueError: there is no such file, or it can't be read.
        """
        with self._arrays(name) as stored:
            return {name: stored[name] for name in stored.files}

    def finish(self, result: Mapping[str, Any], tables: Mapping[str, Rows]) -> None:
        """Writes the rows, then `result.json`, then removes the checkpoint: the run is finished.

        Args:
            result: content of `result.json`.
            tables: rows by table: "history", "flow", and "diagnostics", "landscape" and "validation", which are
                written only if there are rows.
        """
        self.check_writer()
        for name, rows in tables.items():
            if rows or name not in OPTIONAL:
                files.write_atomic(self.path / f"{name}.csv", as_csv(rows, TABLES[name]))
        kept = [path for path in self.path.iterdir() if path.suffix in _KEPT and path.name not in _NOT_KEPT]
        contents = {path.name: path.read_bytes() for path in kept}
        files.write_json(self.path / "result.json", sealed(files.without_nan(result), contents))
        self.tidy()

    def tidy(self) -> None:
        """Removes the checkpoint of a finished run, and the name of its writer; a kill at the very end leaves them."""
        (self.path / "checkpoint.npz").unlink(missing_ok=True)
        (self.path / ".writer").unlink(missing_ok=True)

    def _written_by(self) -> tuple[int, int]:
        """Returns the numbers of the writer that the folder names; zeros where it names none."""
        try:
            named = files.read_json(self.path / ".writer")
        except FileNotFoundError:
            return 0, 0
        return named["launch"], named["attempt"]

    @contextlib.contextmanager
    def _arrays(self, name: str) -> Iterator[Any]:
        """Opens a file of arrays for reading inside the context; raises ValueError if it can't be read."""
        path = self.path / name
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                needed, free = (
                    sum(member.file_size for member in stored.zip.infolist()),
                    psutil.virtual_memory().available,
                )
                if needed > free:
                    raise ValueError(f"{needed:,} bytes of arrays, more than the {free:,} that are free")
                yield stored
        except files.UNREADABLE as error:
            raise ValueError(
                f"{path} is corrupt: expected stored arrays; {type(error).__name__} on reading ({error}). {REMEDY}"
            ) from error


_START_SECONDS = 600.0
"""Shards wait so long for others that start: masks of large networks take a while to check."""


@contextlib.contextmanager
def study_lock(study_dir: Path, shard: tuple[int, int] | None = None) -> Iterator[Callable[[], None]]:
    """Locks a study's folder, or one shard of the study, inside the context; a lock also ends with a killed process.

    The context's value is a function; as long as a shard has not called it, no other shard starts.

    Args:
        study_dir: the study's folder; it is made if it does not exist.
        shard: number and count of shards, such as (0, 4); None for the whole study.

    Raises:
        RuntimeError: another process is at work on the study or this shard, or on a shard of another count.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, study_lock(Path(folder)):
        ...     Path(folder, ".lock").exists()
        True
    """
    with files.written_or_named(study_dir):
        study_dir.mkdir(parents=True, exist_ok=True)
    own = "" if shard is None else f"-{shard[0]}-of-{shard[1]}"
    with contextlib.ExitStack() as starting:
        if shard is not None:
            starting.enter_context(FileLock(study_dir / ".start", timeout=_START_SECONDS))
        with _locked(study_dir, own):
            holder = study_dir / f".holder{own}"  # a file of its own: on Windows others can't read a lock that is held
            files.write_atomic(holder, f"pid {os.getpid()}".encode())
            # Each takes its own lock before it looks at those of others, so of two at once one sees the other.
            for path in study_dir.glob(".lock*"):
                other = path.name.removeprefix(".lock")
                if other != own and not (shard is not None and other.endswith(f"-of-{shard[1]}")):
                    with _locked(study_dir, other):
                        pass
            for folder in (study_dir, study_dir / ".cache"):
                files.remove_leftovers(folder)
            yield starting.close


def _locked(study_dir: Path, name: str) -> AbstractContextManager[Any]:
    """Returns the lock of a study, or of a shard by the end of its file's name, held from now to the context's end."""
    lock = study_dir / f".lock{name}"
    try:
        return FileLock(lock).acquire(timeout=0)
    except Timeout as error:
        holder = study_dir / f".holder{name}"
        known = holder.read_text() if holder.is_file() else "unknown"
        what = f"shard {name.removeprefix('-').replace('-of-', '/')} of the study" if name else "the study"
        raise RuntimeError(
            f"Another process ({known}) is running {what} in {study_dir}; wait for it, or choose another --study name."
        ) from error
    except OSError as error:
        with files.written_or_named(lock):
            raise error
