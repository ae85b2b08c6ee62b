"""Caches of a study's tables: the rows that many runs had when they were last read, to be read again at once.

A cache holds runs that were whole, each with a signature of its files' sizes and modification times. It stands for a
run while these are the same. One that is missing, damaged or in a folder that can't be written to costs time, and
changes nothing.
"""

import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from keras_sparseflow.records import files
from keras_sparseflow.records.integrity import State, signature

FOLDER = ".cache"
"""The folder of caches in a study's folder."""

FEWEST = 100
"""Runs that must have been read from their own files before a cache is written: fewer take no time."""

SETTLED = 2 * 10**9
"""Nanoseconds for which a file must be unchanged: two writes within a tick of the file system's clock look the same."""

_FORMAT = 1


@dataclass(frozen=True)
class Rows:
    """The rows of several runs in one table.

    Args:
        runs: their ids, in the order in which their rows stand.
        counts: how many rows each has.
        frame: the rows, without a column for their run.
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
        frame = pd.concat([self.frame, other.frame], ignore_index=True)
        return Rows([*self.runs, *other.runs], np.concatenate([self.counts, other.counts]), frame)

    def with_runs(self) -> pd.DataFrame:
        """Returns the frame with the column `run_id` before the others."""
        run_ids = _texts(self.runs, np.repeat(np.arange(len(self.runs)), self.counts))
        return pd.DataFrame({"run_id": run_ids, **dict(self.frame.items())})


class RowCache:
    """The cache of one table of a study.

    Args:
        study_dir: the study's folder.
        name: of the table.
        columns: its columns, and whether each holds text, whole numbers ("int64") or numbers ("float64").
    """

    def __init__(self, study_dir: Path, name: str, columns: Mapping[str, str]):
        self._path = study_dir / FOLDER / f"{name}.npz"
        self._columns = columns

    def read(self, states: Mapping[str, State]) -> Rows:
        """Returns the rows of those runs whose files are in the state that they were cached in.

        Args:
            states: of the files of each run that is wanted, by its id.
        """
        try:
            with open(self._path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                texts = json.loads(bytes(stored["texts"]))
                known = dict(zip(texts["runs"], texts["signatures"], strict=True))
                if texts["format"] != _FORMAT or len(known) != len(stored["counts"]):
                    raise ValueError("another format")
                runs = [run_id for run_id, state in states.items() if known.get(run_id) == signature(state)]
                columns = {name: self._column(stored[name], texts, name) for name in self._columns}
                return Rows(list(known), stored["counts"], pd.DataFrame(columns)).of(runs)
        except files.UNREADABLE:
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
                codes, names = pd.factorize(values)
                texts[name], arrays[name] = list(names), _smallest(codes)
            else:
                arrays[name] = _smallest(values.to_numpy())
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, texts=np.frombuffer(json.dumps(texts).encode(), np.uint8), **arrays)
        try:
            self._path.parent.mkdir(exist_ok=True)
            files.write_atomic(self._path, content.getvalue())
        except OSError:
            return  # whoever may not write here, or has no room, reads all files again the next time

    def _column(self, values: np.ndarray, texts: Mapping[str, Any], name: str) -> Any:
        if self._columns[name] == "text":
            return _texts(texts[name], values)
        return values.astype(self._columns[name])


def empty(columns: Mapping[str, str]) -> pd.DataFrame:
    """Returns a frame without rows that has these columns, each of its kind."""
    return pd.DataFrame({name: pd.Series([], dtype=str if kind == "text" else kind) for name, kind in columns.items()})


def _texts(names: Sequence[str], codes: np.ndarray) -> Any:
    """Returns a column of texts as pandas reads one from a file, from codes that number its names."""
    return pd.Series(list(names), dtype=str).array.take(codes)


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
