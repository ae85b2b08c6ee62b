"""The tables of a run: their columns, and how they are written and read."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_sparseflow.records.csv_cells import as_csv_file, as_written
from keras_sparseflow.records.files import REMEDY

HISTORY_COLUMNS = ("epoch", "loss", "accuracy", "test_loss", "test_accuracy")
FLOW_COLUMNS = ("epoch", "reading", "measure", "layer", "value")
DIAGNOSTICS_COLUMNS = ("epoch", "measure", "layer", "value")
LANDSCAPE_COLUMNS = ("diagnostic", "x", "y", "loss")
VALIDATION_COLUMNS = ("epoch", "loss", "accuracy")

HELD_OUT = ("selected_test_accuracy", "validation_accuracy", "best_validation_accuracy")
"""Accuracies in the results of runs that hold training images out for validation, by which networks are compared."""

TABLES = {
    "history": HISTORY_COLUMNS,
    "flow": FLOW_COLUMNS,
    "diagnostics": DIAGNOSTICS_COLUMNS,
    "landscape": LANDSCAPE_COLUMNS,
    "validation": VALIDATION_COLUMNS,
}
"""The tables of a run and their columns; each is a file of that name."""

OPTIONAL = ("diagnostics", "landscape", "validation")
"""Tables that only some runs have."""

_TEXTS = ("reading", "measure", "layer", "diagnostic")

KINDS = {
    name: "text" if name in _TEXTS else "int64" if name == "epoch" else "float64"
    for columns in TABLES.values()
    for name in columns
}
"""The type of each column: text, whole numbers or numbers."""

_KEYS = (*_TEXTS, "epoch", "x", "y")
"""Columns that identify a row: none of their values may be missing."""

_NO_NUMBER = ["", "nan", "NaN"]
"""Spellings of a missing number in a CSV file; a column of texts may hold them as texts."""

if TYPE_CHECKING:
    import pandas as pd  # takes most of a second to load, so functions do it

Rows = Sequence[Mapping[str, Any]]


def as_csv(rows: Rows, columns: Sequence[str]) -> bytes:
    """Returns rows as the content of a CSV file with these columns."""
    import pandas as pd

    return as_csv_file(pd.DataFrame(list(rows), columns=list(columns)))


def read_table(path: Path, columns: tuple[str, ...]) -> "pd.DataFrame":
    """Returns a table of one run, and raises ValueError unless it is complete."""
    import pandas as pd

    texts = [name for name in columns if KINDS[name] == "text"]
    missing = {name: [""] if name in texts else _NO_NUMBER for name in columns}
    try:
        content = path.read_bytes()
        rows = pd.read_csv(
            io.BytesIO(content), dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=missing
        )
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing. {REMEDY}") from error
    except ValueError as error:  # from pandas, or because the file is no text
        raise _corrupt(path, f"expected CSV, but {error}") from error
    if tuple(rows.columns) != columns:
        raise _corrupt(path, f"expected the columns {', '.join(columns)}; received {', '.join(map(str, rows.columns))}")
    for name in columns:
        if name not in texts and rows[name].dtype != KINDS[name]:
            rows[name] = _numbers(path, rows[name])
        if name in _KEYS and rows[name].isna().any():
            raise _corrupt(
                path, f"expected a value of `{name}` in each row; received none in {rows[name].isna().sum()}"
            )
        if name in texts and b"'" in content:
            rows[name] = rows[name].map(as_written).astype(str)
    if "diagnostic" in rows:
        _check_grid(path, rows[rows["diagnostic"] == "loss_surface"])
    return rows


def _numbers(path: Path, column: "pd.Series") -> "pd.Series":
    import pandas as pd

    try:
        numbers = pd.to_numeric(column)
    except ValueError as error:
        raise _corrupt(path, f"expected numbers in the column `{column.name}`, but {error}") from error
    kind: Any = KINDS[str(column.name)]
    whole = kind == "int64"
    if whole and numbers.isna().any():
        raise _corrupt(
            path, f"expected a value of `{column.name}` in each row; received none in {numbers.isna().sum()}"
        )
    if whole and not (numbers % 1 == 0).all():
        raise _corrupt(path, f"expected whole numbers in the column `{column.name}`; received others")
    return numbers.astype(kind)


def _check_grid(path: Path, points: "pd.DataFrame") -> None:
    expected = points["x"].nunique() * points["y"].nunique()
    received = len(points.drop_duplicates(["x", "y"]))
    if not expected == received == len(points):
        raise _corrupt(
            path,
            f"expected each of the {expected} points of a loss_surface once; received {len(points)} rows of "
            f"{received} points",
        )


def _corrupt(path: Path, what: str) -> ValueError:
    return ValueError(f"{path} is corrupt: {what}. {REMEDY}")
