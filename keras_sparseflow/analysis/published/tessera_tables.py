"""The published numbers of Tessera, Hooker and Rosman, 2021, to stand beside ours."""

import functools
import io
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.frames.cells import CELL, columns_are_activations, require_columns

EPOCHS = {"fashion_mnist": 500, "cifar10": 1000, "cifar100": 1000}
"""The number of epochs for which the paper trained on each dataset."""

OPTIMIZERS = {"adagrad": "Adagrad", "adam": "Adam", "rmsprop": "RMSProp", "sgd": "SGD", "momentum": "Mom"}
"""The paper's spelling of each of our optimizers."""

MEASURES = {"grad_norm_1": "g_1", "grad_norm_2": "g_2", "egf_1": "egf_1", "egf_2": "egf_2"}
"""The name of each of our flow measures in the file of table 1."""

# Tables 3c and 6b compare activations, each optimizer with its best regularization. The paper's first version names
# them in 4.1, and momentum's is taken to be SGD's. The ReLU column of 3c repeats those five cells of 3b to the last
# digit. That of 6b has three exact p-values (Adagrad .000, Adam .042, RMSProp .104) of rank sums whose normal
# approximations are the named cells of 6a (.001, .039, .096). SGD's .002 is of no column's rank sum, and momentum's
# .001 would be of DA_SC_BN's.
_NAMED_VARIANTS = {
    "Adagrad": "DA_SC_BN",
    "Adam": "DA_SC_BN",
    "RMSProp": "DA_SC_BN",
    "SGD": "DA_L2_SC_BN",
    "Mom": "DA_L2_SC_BN",
}

ASSUMED_VARIANT = "DA_SC_BN"
"""The variant beside which the numbers of table 5c stand, as an assumption: nothing in tables 5a and 5b tells it, and
the section that names the variants of tables 3c and 6b is about CIFAR-100."""


@dataclass(frozen=True)
class PublishedCell:
    """The numbers that the paper prints for one of our cells.

    Args:
        p_value: its p-value, rounded to three decimals.
        tables: the tables that print this number, such as ("3a", "6a").
        assumed: whether the variant behind the number was not published, so that ours is an assumption.
        elsewhere: the other numbers that the paper prints for what may be the same cell, by table.

    Example:
        >>> published_cell("cifar100", 4, 0.001, "DA_SC_BN", "adam").p_value
        0.039
    """

    p_value: float
    tables: tuple[str, ...]
    assumed: bool
    elsewhere: Mapping[str, float] = field(default_factory=dict)


def load_p_values() -> pd.DataFrame:
    """Returns the Wilcoxon p-values of tables 3 to 6, one row per published cell.

    The column `variant` holds the regularization, or, where `axis` is "activation", the activation.

    Example:
        >>> load_p_values().columns.tolist()
        ['table', 'dataset', 'hidden_layers', 'learning_rate', 'axis', 'variant', 'optimizer', 'p_value']
    """
    return load_published("wilcoxon_p_values.csv")


def load_kendall_tau() -> pd.DataFrame:
    """Returns table 1: the mean absolute Kendall correlation of each flow measure with performance.

    Example:
        >>> load_kendall_tau().columns.tolist()
        ['table', 'dataset', 'measure', 'architecture', 'target', 'mean_abs_tau']
    """
    return load_published("kendall_tau.csv")


def with_published_tau(correlations: pd.DataFrame) -> pd.DataFrame:
    """Returns `correlate_flow`'s table with `published_tau`, the paper's number, NaN where it has none.

    Args:
        correlations: as `correlate_flow` returns it.

    Example:
        >>> from keras_sparseflow.analysis import correlate_flow
        >>> from keras_sparseflow.records import read_results
        >>> with_published_tau(correlate_flow(read_results("runs/demo"))).columns[-1]
        'published_tau'
    """
    theirs = load_kendall_tau().rename(columns={"architecture": "arm", "mean_abs_tau": "published_tau"})
    theirs["measure"] = theirs["measure"].map({name: measure for measure, name in MEASURES.items()})
    key = ["dataset", "measure", "arm", "target"]
    return correlations.merge(theirs[[*key, "published_tau"]], on=key, how="left")


def published_cell(
    dataset: str,
    hidden_layers: int,
    learning_rate: float,
    variant: str,
    optimizer: str,
    activation: str = "relu",
    axis: str = "regularization",
) -> PublishedCell | None:
    """Returns the numbers that the paper prints for one of our cells, or None where it has none.

    Several tables may print a number for the cell. The tables of `axis` go before the others, and a variant that was
    published before one that is assumed; other numbers, of the tables that are passed over, stand in `elsewhere`.

    Args:
        dataset: our name, such as "cifar100".
        hidden_layers: the number of hidden layers; the paper's tables have 4.
        learning_rate: 0.001 or 0.1 in the paper.
        variant: such as "NR" or "DA_BN"; the order of its parts does not matter.
        optimizer: our name, such as "momentum".
        activation: "relu" in all tables but 3c, 5c and 6b, which have "relu" too.
        axis: the kind of columns of the table in which the cell stands: "regularization" or "activation".

    Raises:
        ValueError: `axis` is unknown.

    Example:
        >>> published_cell("cifar100", 4, 0.001, "DA_SC_BN", "adam", axis="activation")
        PublishedCell(p_value=0.042, tables=('6b',), assumed=False, elsewhere={'6a': 0.039})
    """
    if axis not in ("regularization", "activation"):
        raise ValueError(f"`axis` must be 'regularization' or 'activation'; received {axis!r}.")
    rows = load_p_values()
    rows = rows[
        (rows["dataset"] == dataset)
        & (rows["hidden_layers"] == hidden_layers)
        & np.isclose(rows["learning_rate"], learning_rate, rtol=1e-6, atol=0.0)
        & (rows["optimizer"] == OPTIMIZERS.get(optimizer, ""))
    ]
    found = [row for row in map(_of_row, rows.to_dict("records")) if row.is_of(variant, activation)]
    if not found:
        return None
    first = min(found, key=lambda row: (row.axis != axis, row.assumed))
    same = [row for row in found if row.p_value == first.p_value]
    return PublishedCell(
        p_value=first.p_value,
        tables=tuple(row.table for row in same),
        assumed=all(row.assumed for row in same),
        elsewhere={row.table: row.p_value for row in found if row.p_value != first.p_value},
    )


def published_p_value(
    dataset: str,
    hidden_layers: int,
    learning_rate: float,
    variant: str,
    optimizer: str,
    activation: str = "relu",
) -> float | None:
    """Returns the p-value of `published_cell`, or None where the paper has none; same arguments.

    Example:
        >>> published_p_value("cifar100", 4, 0.1, "DA_BN", "rmsprop")
        0.027
    """
    cell = published_cell(dataset, hidden_layers, learning_rate, variant, optimizer, activation)
    return None if cell is None else cell.p_value


def with_published(comparison: pd.DataFrame, value: str = "test_accuracy") -> pd.DataFrame:
    """Returns `compare_arms`' table with the paper's p-values beside ours.

    In a study laid out as the paper's tables of activations (several activations, one variant per
    optimizer), those tables go before the others.

    Args:
        comparison: the table that `compare_arms` returns, with the columns of a cell.
        value: the column that was compared; the paper has p-values of "test_accuracy" alone.

    Returns:
        The table with four columns after `p_holm`: `published_p` (NaN where the paper has none),
        `published_table` (such as "3a, 6a", or ""), `published_assumed` (whether the variant behind it was
        not published) and `published_elsewhere` (such as "6a: 0.039", where another table prints another
        number for what may be the same cell, or "").

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> from keras_sparseflow.analysis import compare_arms
        >>> comparison = with_published(compare_arms(read_results("runs/demo")))
        >>> [column for column in comparison if column.startswith("published")]
        ['published_p', 'published_table', 'published_assumed', 'published_elsewhere']
    """
    require_columns(comparison, [*CELL, "p_holm"], "comparison")
    axis = "activation" if columns_are_activations(comparison) else "regularization"
    cells = [
        published_cell(**{column: row[column] for column in CELL}, axis=axis) if value == "test_accuracy" else None
        for row in comparison[list(CELL)].to_dict("records")
    ]
    columns = pd.DataFrame(
        {
            "published_p": pd.Series([np.nan if cell is None else cell.p_value for cell in cells], dtype=float),
            "published_table": ["" if cell is None else ", ".join(cell.tables) for cell in cells],
            "published_assumed": [cell is not None and cell.assumed for cell in cells],
            "published_elsewhere": ["" if cell is None else _in_words(cell.elsewhere) for cell in cells],
        }
    ).set_index(comparison.index)
    before = list(comparison.columns).index("p_holm") + 1
    return pd.concat([comparison.iloc[:, :before], columns, comparison.iloc[:, before:]], axis="columns")


@dataclass(frozen=True)
class _Row:
    """One printed number, and the variant and activation that it is for."""

    table: str
    axis: str
    variant: str
    activation: str
    assumed: bool
    p_value: float

    def is_of(self, variant: str, activation: str) -> bool:
        return activation == self.activation and set(variant.split("_")) == set(self.variant.split("_"))


def _of_row(row: dict[Hashable, Any]) -> _Row:
    by_variant, of_5c = row["axis"] == "regularization", row["table"] == "5c"
    known = row["variant"] if by_variant else _NAMED_VARIANTS[row["optimizer"]]
    return _Row(
        table=row["table"],
        axis=row["axis"],
        variant=ASSUMED_VARIANT if of_5c else known,
        activation="relu" if by_variant else row["variant"],
        # 3c confirms momentum's variant by its numbers, 6b does not.
        assumed=of_5c or (row["table"] == "6b" and row["optimizer"] == "Mom"),
        p_value=float(row["p_value"]),
    )


def _in_words(elsewhere: Mapping[str, float]) -> str:
    return ", ".join(f"{table}: {p_value:.3f}" for table, p_value in elsewhere.items())


@functools.cache
def _text(name: str) -> str:
    return resources.files("keras_sparseflow.analysis.published").joinpath(name).read_text(encoding="utf-8")


def load_published(name: str) -> pd.DataFrame:
    """Returns a table of published numbers by the name of its file; a column `table` is text."""
    return pd.read_csv(io.StringIO(_text(name)), dtype={"table": str})
