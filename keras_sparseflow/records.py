"""The run store: what a study leaves on disk, and how to read it back as DataFrames.

    runs/<study>/study.json                  what was planned, with every choice, versions, machine
    runs/<study>/<run_id>/spec.json          the spec of one run and what it came to (counts, seeds)
    runs/<study>/<run_id>/checkpoint.npz     while it trains: everything needed to go on
    runs/<study>/<run_id>/rewind.npz         of a lottery ticket's dense round: the weights that later rounds begin with
    runs/<study>/<run_id>/masks.npz          of each round of a lottery ticket: its masks
    runs/<study>/<run_id>/weights.npz        and its weights in the end
    runs/<study>/<run_id>/history.csv        a row per epoch
    runs/<study>/<run_id>/flow.csv           a row per measured epoch, measure and layer
    runs/<study>/<run_id>/diagnostics.csv    likewise, where the spec names diagnostics
    runs/<study>/<run_id>/landscape.csv      a row per point at which the trained network's loss was taken
    runs/<study>/<run_id>/result.json        written last: its presence means finished
    runs/<study>/<run_id>/events/            TensorBoard
    runs/<study>/events/                     TensorBoard: which columns the study's runs have there

Every file is written beside its place and renamed into it, so a reader sees a whole file or none,
whenever the writer is killed. Files are JSON, CSV and plain arrays, never pickles. TensorFlow is
not needed to read them.
"""

import contextlib
import fcntl
import io
import json
import os
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HISTORY_COLUMNS = ("epoch", "loss", "accuracy", "test_loss", "test_accuracy")
FLOW_COLUMNS = ("epoch", "measure", "layer", "value")
LANDSCAPE_COLUMNS = ("diagnostic", "x", "y", "loss")

_TABLES = {
    "history": HISTORY_COLUMNS,
    "flow": FLOW_COLUMNS,
    "diagnostics": FLOW_COLUMNS,
    "landscape": LANDSCAPE_COLUMNS,
}
"""The tables of a run and their columns; each is a file of that name."""

_OPTIONAL = ("diagnostics", "landscape")
"""Tables that only some runs have."""

_TEXTS = ("measure", "layer", "diagnostic")
"""The columns of tables that hold no numbers."""

_KEYS = (*_TEXTS, "epoch", "x", "y")
"""The columns that say what a row is of: no value of them is missing."""

Rows = Sequence[Mapping[str, Any]]


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
    remedy = remedy or _REMEDY
    try:
        content = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is corrupt: expected JSON, but {error}. {remedy}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is corrupt: expected a JSON object; received {type(content).__name__}. {remedy}")
    return content


class RunFolder:
    """The folder of one run: what has been written there, and the writing of it.

    Args:
        study_dir: the study's folder.
        run_id: the run's stable id; the name of its folder.

    Example:
        >>> run_id = read_results("runs/demo")["run_id"][0]
        >>> RunFolder(Path("runs/demo"), run_id).finished
        True
    """

    def __init__(self, study_dir: Path, run_id: str):
        self.path = Path(study_dir) / run_id
        self.run_id = run_id

    @property
    def finished(self) -> bool:
        """Whether the run has its result, which is written last."""
        return (self.path / "result.json").is_file()

    @property
    def events(self) -> Path:
        """The folder of its TensorBoard events, which need not exist."""
        return self.path / "events"

    def start(self, spec: Mapping[str, Any]) -> None:
        """Makes the folder and writes `spec.json`; a crash's leftovers go."""
        self.path.mkdir(parents=True, exist_ok=True)
        for leftover in self.path.glob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        write_json(self.path / "spec.json", spec)

    def save_checkpoint(self, arrays: Mapping[str, np.ndarray], progress: Mapping[str, Any]) -> None:
        """Writes the state of a half-finished run: arrays, and progress as JSON beside them in one file."""
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(progress).encode(), dtype=np.uint8)
        np.savez(buffer, allow_pickle=False, __progress__=text, **arrays)
        write_atomic(self.path / "checkpoint.npz", buffer.getvalue())

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
        """Writes arrays to stay in the folder, compressed, as `name`, which ends in .npz."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        write_atomic(self.path / name, buffer.getvalue())

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
            result: what the run came to.
            tables: rows by the name of their table: "history", "flow", and "diagnostics" and "landscape", which are
                written where there are some.
        """
        for name, rows in tables.items():
            if rows or name not in _OPTIONAL:
                write_atomic(self.path / f"{name}.csv", _csv(rows, _TABLES[name]))
        write_json(self.path / "result.json", result)
        self.tidy()

    def tidy(self) -> None:
        """Removes the checkpoint of a finished run, which a kill at the very end leaves."""
        (self.path / "checkpoint.npz").unlink(missing_ok=True)

    @contextlib.contextmanager
    def _arrays(self, name: str) -> Iterator[Any]:
        """Opens a file of arrays, for reading inside the context; what can't be read is a ValueError that says so."""
        path = self.path / name
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                yield stored
        except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path} is corrupt: expected stored arrays; {type(error).__name__} on reading. {_REMEDY}"
            ) from error


@contextlib.contextmanager
def study_lock(study_dir: Path) -> Iterator[None]:
    """Holds a study's folder for one process; the lock is gone when the process is, however it ends.

    Args:
        study_dir: the study's folder; it is made if it is not there.

    Raises:
        RuntimeError: another process is at work in that folder.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, study_lock(Path(folder)):
        ...     Path(folder, ".lock").exists()
        True
    """
    study_dir.mkdir(parents=True, exist_ok=True)
    with open(study_dir / ".lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise RuntimeError(
                f"Another process ({file.read().strip() or 'unknown'}) is running the study in {study_dir}; "
                "wait for it, or choose another --study name."
            ) from error
        file.truncate(0)
        file.write(f"pid {os.getpid()}")
        file.flush()
        yield


def read_study(study_dir: str | Path) -> dict[str, Any]:
    """Returns what `study.json` says of a study: name, title, choices, versions, machine, `runs_planned`.

    Args:
        study_dir: the study's folder.

    Raises:
        FileNotFoundError: there is no study in that folder.

    Example:
        >>> read_study("runs/demo")["runs_planned"]
        24
    """
    path = Path(study_dir) / "study.json"
    if not path.is_file():
        raise FileNotFoundError(f"{study_dir} holds no study: expected the file {path}.")
    study = read_json(path, "Remove that file and run the study again: no run is trained anew.")
    if not isinstance(study.get("run_ids"), list):
        raise ValueError(f"{path} is corrupt: expected the list `run_ids` in it. Run the study again.")
    return study


def read_results(study_dir: str | Path) -> pd.DataFrame:
    """Returns one row per finished run of the study: `run_id`, the spec's fields, the result's fields.

    The column `empty_kernels` counts the kernels that began without any active weight.

    The frame's `attrs["spec_columns"]` lists the spec's fields. A field that the study knows and a run does not, since
    it was trained before there was one, has the default that the study records.

    Runs that stand in the folder but are not part of the study as last planned are left out.

    Args:
        study_dir: the study's folder.

    Example:
        >>> results = read_results("runs/demo")
        >>> len(results), results["arm"].unique().tolist()
        (24, ['sparse', 'dense'])
    """
    rows: list[dict[str, Any]] = []
    spec_columns: list[str] = []
    defaults = read_study(study_dir).get("defaults", {})
    for folder in _finished(study_dir):
        if not (folder.path / "spec.json").is_file():
            raise ValueError(f"{folder.path / 'spec.json'} is missing. {_REMEDY}")
        spec = read_json(folder.path / "spec.json")
        result = read_json(folder.path / "result.json")
        if spec.get("run_id") != folder.run_id:
            raise ValueError(
                f"{folder.path / 'spec.json'} is corrupt: expected run_id {folder.run_id!r}; "
                f"received {spec.get('run_id')!r}. {_REMEDY}"
            )
        fields = {**spec["spec"], **{name: value for name, value in defaults.items() if name not in spec["spec"]}}
        empty = list(spec.get("active_weights", ())).count(0)
        rows.append({"run_id": folder.run_id, **fields, **result, "empty_kernels": empty})
        spec_columns = list(dict.fromkeys([*spec_columns, *fields]))
    results = pd.DataFrame(rows)
    results.attrs["spec_columns"] = spec_columns
    return results


def read_history(study_dir: str | Path) -> pd.DataFrame:
    """Returns a row per finished run and epoch: `run_id` and the columns of `HISTORY_COLUMNS`.

    Args:
        study_dir: the study's folder.

    Example:
        >>> read_history("runs/demo").columns.tolist()
        ['run_id', 'epoch', 'loss', 'accuracy', 'test_loss', 'test_accuracy']
    """
    return _read_rows(study_dir, "history")


def read_flow(study_dir: str | Path) -> pd.DataFrame:
    """Returns a row per finished run, measured epoch, measure and layer: `run_id` and `FLOW_COLUMNS`.

    The value for the whole network has the layer "total".

    Args:
        study_dir: the study's folder.

    Example:
        >>> flow = read_flow("runs/demo")
        >>> flow["layer"].unique().tolist(), flow["epoch"].unique().tolist()
        (['hidden_1', 'hidden_2', 'output', 'total'], [0, 14, 29])
    """
    return _read_rows(study_dir, "flow")


def read_diagnostics(study_dir: str | Path) -> pd.DataFrame:
    """Returns a row per finished run, measured epoch, measure and layer, as `read_flow` does; none of runs without.

    Measures are `top_eigenvalue`, its `top_eigenvalue_residual`, and `activation_sparsity`.

    Args:
        study_dir: the study's folder.

    Example:
        >>> read_diagnostics("runs/demo").columns.tolist()
        ['run_id', 'epoch', 'measure', 'layer', 'value']
    """
    return _read_rows(study_dir, "diagnostics")


def read_landscape(study_dir: str | Path) -> pd.DataFrame:
    """Returns a row per finished run and point around its trained weights: `run_id` and `LANDSCAPE_COLUMNS`.

    Of the diagnostic `loss_along`, x is the distance along the top eigenvector of the Hessian, and y is 0; of
    `loss_surface`, x and y are the distances along two random directions, see `keras_sparseflow.diagnostics`.

    Args:
        study_dir: the study's folder.

    Example:
        >>> read_landscape("runs/demo").columns.tolist()
        ['run_id', 'diagnostic', 'x', 'y', 'loss']
    """
    return _read_rows(study_dir, "landscape")


_REMEDY = "Remove that run's folder and run the study again: only that run is trained anew."


def _finished(study_dir: str | Path) -> list[RunFolder]:
    """Returns the finished runs that the study plans, in its order."""
    folders = [RunFolder(Path(study_dir), run_id) for run_id in read_study(study_dir)["run_ids"]]
    return [folder for folder in folders if folder.finished]


def _read_rows(study_dir: str | Path, name: str) -> pd.DataFrame:
    """Returns a table of all finished runs; those that have no such optional one are left out."""
    columns, frames = _TABLES[name], []
    for folder in _finished(study_dir):
        path = folder.path / f"{name}.csv"
        if name in _OPTIONAL and not path.is_file():
            continue
        frames.append(_read_table(path, columns).assign(run_id=folder.run_id))
    if not frames:
        return pd.DataFrame(columns=["run_id", *columns])
    return pd.concat(frames, ignore_index=True)[["run_id", *columns]]


def _read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Returns a table of one run: numbers as numbers, a surface of the loss as a whole grid."""
    try:
        rows = pd.read_csv(path, dtype={name: str for name in columns if name in _TEXTS})
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing. {_REMEDY}") from error
    except ValueError as error:  # of pandas, and of text that is none
        raise _corrupt(path, f"expected CSV, but {error}") from error
    if tuple(rows.columns) != columns:
        raise _corrupt(path, f"expected the columns {', '.join(columns)}; received {', '.join(map(str, rows.columns))}")
    for name in columns:
        rows[name] = rows[name] if name in _TEXTS else _numbers(path, rows[name])
        if name in _KEYS and rows[name].isna().any():
            raise _corrupt(
                path, f"expected a value of `{name}` in each row; received none in {rows[name].isna().sum()}"
            )
    if "diagnostic" in rows:
        _check_grid(path, rows[rows["diagnostic"] == "loss_surface"])
    return rows


def _numbers(path: Path, column: pd.Series) -> pd.Series:
    try:
        return pd.to_numeric(column)
    except ValueError as error:
        raise _corrupt(path, f"expected numbers in the column `{column.name}`, but {error}") from error


def _check_grid(path: Path, points: pd.DataFrame) -> None:
    expected = points["x"].nunique() * points["y"].nunique()
    received = len(points.drop_duplicates(["x", "y"]))
    if not expected == received == len(points):
        raise _corrupt(
            path,
            f"expected each of the {expected} points of a loss_surface once; received {len(points)} rows of "
            f"{received} points",
        )


def _corrupt(path: Path, what: str) -> ValueError:
    return ValueError(f"{path} is corrupt: {what}. {_REMEDY}")


def _csv(rows: Rows, columns: Sequence[str]) -> bytes:
    return pd.DataFrame(list(rows), columns=list(columns)).to_csv(index=False).encode()


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
