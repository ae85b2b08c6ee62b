"""The cache of a study's tables: the rows that many runs had when they were last read, to be read again at once.

It is one SQLite file, and holds runs that were whole, each with a signature of its files' sizes and modification times.
It stands for a run while these are the same. One that is missing, damaged or in a folder that can't be written to costs
time, and changes nothing.
"""

import contextlib
import json
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from keras_sparseflow.records import files
from keras_sparseflow.records.integrity import State, signature

FILE = Path(".cache", "rows.sqlite")
"""The cache in a study's folder, in a folder of its own: SQLite writes a journal beside it."""

FEWEST = 100
"""Runs that must have been read from their own files before a cache is written: fewer take no time."""

SETTLED = 2 * 10**9
"""Nanoseconds for which a file must be unchanged: two writes within a tick of the file system's clock look the same."""

_FORMAT = 2

_COLUMNS = "name TEXT, part TEXT, kind TEXT, content BLOB, sum INT, PRIMARY KEY (name, part)"
"""The columns of tables and their texts, each whole: a row of its own for each value would take 50 times as long."""

_PAGE = 2**16
"""Bytes that SQLite reads at once; its own 4096 are slow for long columns."""

_PATIENCE = 5.0
"""Seconds that a process waits for another one to write."""

_TEXTS = "texts"
"""The part that holds the runs, their signatures and the texts of columns, as JSON."""

_UNREADABLE = (sqlite3.Error, *files.UNREADABLE)


@dataclass(frozen=True)
class Rows:
    """The rows of several runs in one table.

    Args:
        runs: their ids, in the order in which their rows stand.
        counts: number of rows of each.
        frame: the rows, without a column for their run; texts as categories, which are quick to choose from.
    """

    runs: Sequence[str]
    counts: np.ndarray
    frame: pd.DataFrame

    def of(self, runs: Sequence[str]) -> "Rows":
        """Returns the rows of some of the runs, in another order."""
        if list(runs) == list(self.runs):
            return self
        known = {run_id: place for place, run_id in enumerate(self.runs)}
        places = np.array([known[run_id] for run_id in runs], dtype=int)
        return Rows(runs, self.counts[places], self.frame.take(_places(self.counts, places)).reset_index(drop=True))

    def joined(self, other: "Rows") -> "Rows":
        """Returns these rows and those of other runs."""
        if not other.runs or not self.runs:
            return self if self.runs else other
        columns = {name: _joined(self.frame[name], other.frame[name]) for name in self.frame}
        return Rows([*self.runs, *other.runs], np.concatenate([self.counts, other.counts]), as_frame(columns))

    def with_runs(self) -> pd.DataFrame:
        """Returns the frame with the column `run_id` before the others."""
        runs = np.repeat(_smallest(np.arange(len(self.runs))), self.counts)
        return as_frame({"run_id": categories(self.runs, runs), **dict(self.frame.items())})


class RowCache:
    """The cache of one table of a study.

    Args:
        study_dir: the study's folder.
        name: of the table.
        columns: its columns, and whether each holds text, whole numbers ("int64") or numbers ("float64").
    """

    def __init__(self, study_dir: Path, name: str, columns: Mapping[str, str]):
        self._path = study_dir / FILE
        self._name = name
        self._columns = columns

    def read(self, states: Mapping[str, State]) -> Rows:
        """Returns the rows of those runs whose files are in the state that they were cached in.

        Args:
            states: of the files of each run that is wanted, by its id.

        Returns:
            Rows whose numbers may not be changed in place: they are not copied.
        """
        try:
            stored = self._stored()
            texts = json.loads(stored[_TEXTS].tobytes())
            known = dict(zip(texts["runs"], texts["signatures"], strict=True))
            if texts["format"] != _FORMAT or len(known) != len(stored["counts"]):
                raise ValueError("another format")
            runs = [run_id for run_id, state in states.items() if known.get(run_id) == signature(state)]
            columns = {name: self._column(stored[f".{name}"], texts, name) for name in self._columns}
            return Rows(list(known), stored["counts"], as_frame(columns)).of(runs)
        except _UNREADABLE:
            return Rows([], np.zeros(0, int), empty(self._columns))

    def write(self, rows: Rows, states: Mapping[str, State]) -> None:
        """Keeps the rows of whole runs, but of those whose files have only just been written.

        Args:
            rows: of runs that are whole.
            states: of the files of each run when they had not been read yet.
        """
        now = time.time_ns()
        kept = rows.of([run for run in rows.runs if max(changed for _, _, changed in states[run]) < now - SETTLED])
        if not kept.runs:
            return
        texts: dict[str, Any] = {"format": _FORMAT, "runs": list(kept.runs)}
        texts["signatures"] = [signature(states[run_id]) for run_id in kept.runs]
        arrays = {"counts": np.asarray(kept.counts, np.int64)}
        for name, kind in self._columns.items():
            values = kept.frame[name]
            if kind == "text":
                texts[name], arrays[f".{name}"] = list(values.cat.categories), _smallest(values.cat.codes.to_numpy())
            else:
                arrays[f".{name}"] = _smallest(values.to_numpy())
        arrays[_TEXTS] = np.frombuffer(json.dumps(texts).encode(), np.uint8)
        # Another process at work, a folder that is read-only or full: all files are read again the next time.
        with contextlib.suppress(OSError, sqlite3.OperationalError):
            self._path.parent.mkdir(exist_ok=True)
            try:
                self._store(arrays)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._path.unlink()  # damaged
                self._store(arrays)

    def _stored(self) -> dict[str, np.ndarray]:
        """Returns what the file holds of the table; raises one of `_UNREADABLE` where that is not what was written."""
        found = {}
        with _opened(f"{self._path.absolute().as_uri()}?mode=ro") as database:
            for part, kind, content, check in database.execute(
                "SELECT part, kind, content, sum FROM arrays WHERE name = ?", [self._name]
            ):
                if zlib.crc32(content, zlib.crc32(f"{part} {kind}".encode())) != check:
                    raise ValueError(f"{part} is damaged")
                found[part] = np.frombuffer(content, np.dtype(kind))
        return found

    def _store(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Puts arrays in the place of what the file holds of the table."""
        with _opened(self._path.absolute().as_uri()) as database:
            database.execute(f"PRAGMA page_size = {_PAGE}")
            with database:
                database.execute(f"CREATE TABLE IF NOT EXISTS arrays ({_COLUMNS})")
                database.execute("DELETE FROM arrays WHERE name = ?", [self._name])
                for part, array in arrays.items():
                    kind, content = array.dtype.str, array.tobytes()
                    check = zlib.crc32(content, zlib.crc32(f"{part} {kind}".encode()))
                    database.execute(
                        "INSERT INTO arrays VALUES (?, ?, ?, ?, ?)", [self._name, part, kind, content, check]
                    )

    def _column(self, values: np.ndarray, texts: Mapping[str, Any], name: str) -> Any:
        if self._columns[name] == "text":
            return categories(texts[name], values)
        return values.astype(self._columns[name], copy=False)


@contextlib.contextmanager
def _opened(address: str) -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(address, uri=True, timeout=_PATIENCE)
    try:
        yield database
    finally:
        database.close()


def empty(columns: Mapping[str, str]) -> pd.DataFrame:
    """Returns a frame without rows that has these columns, each of its kind."""
    return pd.DataFrame({name: pd.Series([], dtype=str if kind == "text" else kind) for name, kind in columns.items()})


def as_frame(columns: Mapping[Any, Any]) -> pd.DataFrame:
    """Returns a frame of columns of one length, which are not copied."""
    return pd.DataFrame(dict(columns), copy=False)


def with_categories(frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Returns a frame that has these columns, each of its kind, with texts as categories."""
    return frame.astype({name: "category" for name, kind in columns.items() if kind == "text"})


def with_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a frame whose categories are texts, as pandas reads them from a file."""
    return as_frame({name: _as_texts(column) for name, column in frame.items()})


def _as_texts(column: pd.Series) -> Any:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    return pd.Series(column.cat.categories.array.take(column.cat.codes.to_numpy()), column.index)


def categories(names: Sequence[str], codes: np.ndarray) -> Any:
    """Returns a column of texts from codes that number its names."""
    return pd.Categorical.from_codes(codes, pd.Index(list(names), dtype=str))


def _joined(rows: pd.Series, others: pd.Series) -> Any:
    if isinstance(rows.dtype, pd.CategoricalDtype):
        return union_categoricals([rows, others])
    return np.concatenate([rows.to_numpy(), others.to_numpy()])


def _smallest(values: np.ndarray) -> np.ndarray:
    """Returns whole numbers of at least 0 in as few bytes as they need, and other numbers as they are."""
    if values.dtype.kind not in "iu" or not values.size or values.min() < 0:
        return values
    return values.astype(np.min_scalar_type(values.max()))


def _places(counts: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Returns the places of the rows of some runs, one run after the other.

    Example:
        >>> _places(np.array([2, 1, 3]), np.array([2, 0])).tolist()
        [3, 4, 5, 0, 1]
    """
    starts, chosen = np.cumsum(counts) - counts, counts[runs]
    before = np.cumsum(chosen) - chosen
    return np.repeat(starts[runs] - before, chosen) + np.arange(chosen.sum())
