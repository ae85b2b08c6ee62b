"""Packed studies: the rows of all finished runs in one compressed file, small enough for a repository.

The file is `runs.npz`: arrays and texts, which `numpy.load` opens, compressed with LZMA. A folder that holds it, and no
`study.json`, is read as the folder of the study itself. Numbers are those of the runs' own files, to the last bit. Left
out are stored weights and masks, TensorBoard's events, and flow by layer of other measures than the study's own.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_sparseflow.records import files
from keras_sparseflow.records.columns import KINDS, TABLES
from keras_sparseflow.records.row_cache import Rows, as_frame, categories
from keras_sparseflow.records.study_file import FORMAT, HEAD, packed_arrays

RESULT_COLUMNS = {"field": "text", "value": "text"}
"""Columns of the table of results: a row for each field of a run's spec and result, its value as JSON."""

_TOTAL = "total"  # the layer of a whole network; `flow` has its name, and stands above this room
_WRITTEN = (1980, 1, 1, 0, 0, 0)
"""The time of every part of a file: what holds the same rows is the same file."""


def write_packed(path: Path, study: Mapping[str, Any], revisions: Sequence[str], tables: Mapping[str, Rows]) -> None:
    """Writes a packed study.

    Args:
        path: of the file.
        study: the content of `study.json`.
        revisions: as `read_revisions` returns them.
        tables: the rows of each table by its name, and of "results"; all of the same runs.
    """
    runs = tables["results"].runs
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as file:
        for name, rows in tables.items():
            for part, array in _arrays(rows.of(runs), _columns(name)).items():
                _add(file, f"{name}.{part}", array)
        head = {"format": FORMAT, "study": study, "revisions": list(revisions), "runs": list(runs)}
        _add(file, HEAD, _as_bytes(head))
    files.write_atomic(path, buffer.getvalue())


def read_packed(path: Path, name: str) -> Rows:
    """Returns the rows of one table of a packed study, texts as categories.

    Args:
        path: of the file.
        name: of the table, or "results".

    Raises:
        ValueError: the file is damaged; the message names it.
    """
    with packed_arrays(path) as stored:
        texts = json.loads(bytes(stored[f"{name}.texts"]))
        columns: dict[str, Any] = {}
        for column, kind in _columns(name).items():
            values = _numbers(stored[f"{name}.{column}"])
            columns[column] = categories(texts[column], values) if kind == "text" else values.astype(kind)
        runs = json.loads(bytes(stored[HEAD]))["runs"]
        return Rows(runs, _numbers(stored[f"{name}.counts"]).astype(np.int64), as_frame(columns))


def thinned(flow: Rows, measure: str) -> Rows:
    """Returns the rows of flow that a packed study keeps: whole networks, and single layers of one measure.

    Those of single layers are of the reading that reports judge by: "end" where every run has it, else "steps".

    Args:
        flow: the rows of all runs.
        measure: of single layers.
    """
    frame = flow.frame
    runs = np.repeat(np.arange(len(flow.runs)), flow.counts)
    ends = np.unique(runs[(frame["reading"] == "end").to_numpy()])
    judged = "end" if len(ends) and len(ends) == len(np.unique(runs)) else "steps"
    single = (frame["measure"] == measure) & (frame["reading"] == judged)
    kept = (single | (frame["layer"] == _TOTAL)).to_numpy()
    return Rows(flow.runs, np.bincount(runs[kept], minlength=len(flow.runs)), frame[kept].reset_index(drop=True))


def _columns(name: str) -> dict[str, str]:
    return dict(RESULT_COLUMNS) if name == "results" else {column: KINDS[column] for column in TABLES[name]}


def _arrays(rows: Rows, columns: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Returns rows as arrays of bytes by name."""
    texts: dict[str, Any] = {}
    arrays = {"counts": _planes(np.asarray(rows.counts, np.int64))}
    for name, kind in columns.items():
        values = rows.frame[name]
        if kind == "text":
            column = values.astype("category").cat.remove_unused_categories().cat
            texts[name], arrays[name] = list(column.categories), _planes(column.codes.to_numpy())
        else:
            arrays[name] = _planes(values.to_numpy())
    return {**arrays, "texts": _as_bytes(texts)}


def _planes(values: np.ndarray) -> np.ndarray:
    """Returns numbers as bytes: two that say how they are kept, then the first byte of every number, and so on.

    Bytes of like weight compress together. Numbers are kept in the smallest type that gives them back to the last bit:
    shares of few images, such as 0.4988 in single precision, as whole numbers of ten thousandths.
    """
    decimals = 0
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            short = values.astype(np.float32)
        if np.array_equal(short.astype(float), values, equal_nan=True):
            values, decimals = short, _decimals(short)
            values = np.rint(values.astype(float) * 10**decimals).astype(np.int64) if decimals else values
    if values.dtype.kind != "f" and values.size and values.min() >= 0:
        values = values.astype(np.min_scalar_type(values.max()))
    little = values.astype(values.dtype.newbyteorder("<"))
    planes = little.view(np.uint8).reshape(len(values), values.dtype.itemsize).T
    return np.concatenate([np.frombuffer(values.dtype.char.encode(), np.uint8), [np.uint8(decimals)], planes.ravel()])


def _numbers(stored: np.ndarray) -> np.ndarray:
    """Returns the numbers that `_planes` made bytes of."""
    kind = np.dtype(bytes(stored[:1]).decode()).newbyteorder("<")
    values = np.ascontiguousarray(stored[2:].reshape(kind.itemsize, -1).T).view(kind).ravel()
    return (values / 10 ** int(stored[1])).astype(np.float32) if stored[1] else values


def _decimals(values: np.ndarray) -> int:
    """Returns the number of decimals, 4 or 5, by which shares in single precision are kept exactly; else 0."""
    if not values.size or not (np.isfinite(values) & (values >= 0) & (values <= 1)).all():
        return 0
    for decimals in (4, 5):
        whole = np.rint(values.astype(float) * 10**decimals).astype(np.int64)
        again = (whole / 10**decimals).astype(np.float32)
        if np.array_equal(again.view(np.uint32), values.view(np.uint32)):
            return decimals
    return 0


def _as_bytes(content: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(content).encode(), np.uint8)


def _add(file: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    file.writestr(zipfile.ZipInfo(f"{name}.npy", _WRITTEN), content.getvalue(), zipfile.ZIP_LZMA)
