"""Cells: groups of runs of one configuration, and their places in tables and figures.

A cell is one configuration: every run in it differs only in arm, dense width and seed. A table holds
the cells of one dataset, depth, learning rate and activation: a row per optimizer, a column per
variant, in the order of the paper, so that ours and the published table can be read side by side.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

CELL = ("dataset", "hidden_layers", "learning_rate", "activation", "variant", "optimizer")
"""The columns that name a cell."""

RESULT_COLUMNS = frozenset(
    {
        "run_id",
        "test_accuracy",
        "test_loss",
        "best_test_accuracy",
        "validation_accuracy",
        "validation_loss",
        "best_validation_accuracy",
        "best_validation_epoch",
        "selected_test_accuracy",
        "selected_test_loss",
        "train_loss",
        "train_accuracy",
        "diverged",
        "epochs_run",
        "seconds",
        "active_weights",
        "empty_kernels",
        "flow_reading",
        "grad_norm_1",
        "grad_norm_2",
        "egf_1",
        "egf_2",
    }
)
"""The columns of a run's result, and its id: those that say nothing about what was trained."""

PLACE = ["table", "row", "column"]
"""The columns that `arrange` adds; together they name a cell."""

_WITHIN_A_CELL = ("arm", "dense_width", "seed", "width", "width_fraction", "matched_fraction")
_PAPER_ORDER = {
    "optimizer": ("adagrad", "adam", "adamw", "rmsprop", "sgd", "momentum"),
    "variant": ("NR", "DA", "L2", "SC", "BN", "DA_BN", "L2_BN", "SC_BN", "DA_SC_BN", "DA_L2_SC_BN"),
    "tweaks": ("none", "GSk", "GSw", "LRsI", "LS", "tost"),
    "activation": ("relu", "swish", "prelu", "srelu", "sigmoid", "elu"),
}


def require_columns(frame: pd.DataFrame, columns: Sequence[str], argument: str = "results") -> None:
    """Raises a ValueError that names each of `columns` that `frame` lacks."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(
            f"`{argument}` must have the columns {', '.join(columns)}; missing: {', '.join(missing)}; "
            f"received {', '.join(map(str, frame.columns)) or 'none'}."
        )


def spec_columns(results: pd.DataFrame) -> list[str]:
    """Returns the columns that say what was trained, `arm` among them.

    `results.attrs["spec_columns"]` is taken at its word where it is set; otherwise every column is
    one that is not in `RESULT_COLUMNS`.
    """
    named = results.attrs.get("spec_columns")
    if named is not None:
        return [column for column in results.columns if column in set(named)]
    return [column for column in results.columns if column not in RESULT_COLUMNS]


def completed(results: pd.DataFrame) -> pd.DataFrame:
    """Returns results with the columns of a cell: pairs of other networks than perceptrons have no hidden layers.

    Their architecture, such as "wide resnet of depth 10", stands in the column `hidden_layers`.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
    """
    if "hidden_layers" in results or not {"arm", "model", "depth"} <= set(results.columns):
        return results
    architecture = results["model"].str.replace("_", " ") + " of depth " + results["depth"].map("{:g}".format)
    made = results.assign(hidden_layers=architecture)
    made.attrs = {**results.attrs, "spec_columns": [*spec_columns(results), "hidden_layers"]}
    return made


def cell_columns(results: pd.DataFrame) -> list[str]:
    """Returns the columns that tell the cells of `results` apart.

    These are the columns of `CELL`, and each further column of the spec that varies within such a
    cell (say, two batch sizes): runs that were trained differently never share a cell.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.

    Raises:
        ValueError: a column of `CELL` is missing.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> cell_columns(read_results("runs/demo"))
        ['dataset', 'hidden_layers', 'learning_rate', 'activation', 'variant', 'optimizer']
    """
    require_columns(results, CELL)
    others = [c for c in spec_columns(results) if c not in CELL and c not in _WITHIN_A_CELL]
    if results.empty:
        return list(CELL)
    groups = hashable(results[[*CELL, *others]]).groupby(list(CELL), dropna=False)
    return [*CELL, *(c for c in others if (groups[c].nunique(dropna=False) > 1).any())]


def arrange(frame: pd.DataFrame, cell: Sequence[str] | None = None) -> pd.DataFrame:
    """Returns `frame` sorted as the paper's tables are, with each row's place in them.

    The new columns are `table` (such as "cifar100, 4 hidden layers, learning rate 0.001, relu"),
    `row` (the optimizer) and `column` (the variant). Where several activations were trained with one
    variant per optimizer, the columns are the activations, as in the paper's tables 3c, 5c and 6b,
    and the variant stands with the row.

    Args:
        frame: results, or a comparison: anything with the columns of a cell.
        cell: the columns of a cell; default, `cell_columns(frame)`.

    Example:
        >>> frame = pd.DataFrame({"dataset": "digits", "hidden_layers": 1, "learning_rate": 0.1,
        ...                       "activation": "relu", "variant": ["BN", "NR"], "optimizer": "sgd"})
        >>> arrange(frame)[["table", "row", "column"]].values.tolist()[0]
        ['digits, 1 hidden layer, learning rate 0.1, relu', 'sgd', 'NR']
    """
    frame = completed(frame).copy()
    cell = cell_columns(frame) if cell is None else list(cell)
    require_columns(frame, cell, "frame")
    by_activation = columns_are_activations(frame)
    across = "activation" if by_activation else "variant"
    place = {"optimizer", "variant", across}
    frame = frame.sort_values(
        [c for c in cell if c not in place] + ["optimizer", "variant", "activation"],
        key=lambda column: column.map(paper_rank(column.name)) if column.name in _PAPER_ORDER else column,
        kind="stable",
    )
    frame["table"] = _labels(frame, [c for c in cell if c not in place])
    frame["row"] = _labels(frame, ["optimizer", "variant"]) if by_activation else frame["optimizer"].map(str)
    frame["column"] = frame[across].map(str)
    return frame


def apart(tables: pd.Series) -> pd.Series:
    """Returns what tells tables apart, in parentheses after a space; nothing of a single table.

    Args:
        tables: labels of tables, as `arrange` makes them.

    Example:
        >>> apart(pd.Series(["digits, learning rate 0.1, relu", "digits, learning rate 0.2, relu"])).tolist()
        [' (learning rate 0.1)', ' (learning rate 0.2)']
    """
    parts = {table: table.split(", ") for table in tables.unique()}
    shared = set.intersection(*map(set, parts.values())) if parts else set()
    own = {table: ", ".join(part for part in words if part not in shared) for table, words in parts.items()}
    return tables.map(lambda table: f" ({own[table]})" if own[table] else "")


def columns_are_activations(frame: pd.DataFrame) -> bool:
    """Returns whether the tables of `frame` have activations for columns: several, one variant per optimizer."""
    rows = frame.groupby(["dataset", "hidden_layers", "learning_rate", "optimizer"], dropna=False)
    return frame["activation"].nunique() > 1 and bool((rows["variant"].nunique() == 1).all())


def columns_in_order(placed: pd.DataFrame) -> list[str]:
    """Returns the different values of `arrange`'s `column`, in the paper's order, gaps in rows or not."""
    known = (*_PAPER_ORDER["variant"], *_PAPER_ORDER["activation"])
    names = dict.fromkeys(placed["column"])
    return sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name))


def hashable(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns `frame` with lists and mappings as text, so that its rows can be grouped and compared."""
    return frame.apply(
        lambda column: (
            column.map(lambda v: repr(v) if isinstance(v, list | dict | set) else v)
            if column.dtype == object
            else column
        )
    )


def describe(column: str, value: Any) -> str:
    """Returns a cell's coordinate in words: `describe("hidden_layers", 4)` is "4 hidden layers"."""
    if column == "hidden_layers" and not isinstance(value, str):
        return f"{value} hidden layer{'' if value == 1 else 's'}"
    if column == "learning_rate":
        return f"learning rate {value:.12g}"
    if (column, value) == ("tweaks", "none"):
        return "no tweaks"
    return str(value) if column in (*CELL, "tweaks") else f"{column} {value}"


def paper_rank(column: Any) -> Callable[[Any], tuple[int, str]]:
    """Returns a sort key for the values of a column such as "optimizer" or "tweaks": the paper's order, others last.

    Text in parentheses, as in "GSw (mish)", does not change the place of a value.
    """
    known = {name: index for index, name in enumerate(_PAPER_ORDER[column])}
    return lambda name: (known.get(str(name).partition(" (")[0], len(known)), str(name))


def _labels(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    return [
        ", ".join(describe(column, value) for column, value in zip(columns, values, strict=True))
        for values in zip(*(frame[column] for column in columns), strict=True)
    ]
