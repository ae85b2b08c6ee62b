"""The numbers of a report as tables, and as CSV files that anyone can check it with."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from keras_sparseflow import records
from keras_sparseflow.analysis.frames.cells import PLACE, arrange, cell_columns
from keras_sparseflow.analysis.frames.pairs import mean_by_width, pair_arms
from keras_sparseflow.analysis.published.tessera_tables import with_published
from keras_sparseflow.analysis.statistics.paired_tests import compare_arms
from keras_sparseflow.records.csv_cells import as_csv_file


def write_tables(
    results: pd.DataFrame, folder: str | Path, value: str = "test_accuracy", diverged: str = "worst"
) -> list[Path]:
    """Writes the numbers of pairs as CSV files, in full precision, and returns their paths.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        folder: where to write: `p_values.csv` (a row per cell, the published p-value beside ours),
            `means.csv` (a row per cell, arm and dense width), and `pairs_<cell>.csv` per cell.
        value: the column of the results that the arms are compared by.
        diverged: "worst" or "drop": see `pair_arms`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from keras_sparseflow.records import read_results
        >>> with TemporaryDirectory() as folder:
        ...     [path.name for path in write_tables(read_results("runs/demo"), folder)][:2]
        ['p_values.csv', 'means.csv']
    """
    comparison = tabulate(results, value, diverged)
    files = {"p_values": comparison.drop(columns=PLACE), "means": mean_by_width(results, value)}
    return write_csv({**files, **pair_files(results, comparison, value, diverged)}, folder)


def pair_files(results: pd.DataFrame, comparison: pd.DataFrame, value: str, diverged: str) -> dict[str, pd.DataFrame]:
    """Returns the pairs behind each p-value, by the name of their file without its ending.

    Args:
        results: one row per finished run.
        comparison: as `tabulate` returns it.
        value: the column of the results that the arms are compared by.
        diverged: "worst" or "drop": see `pair_arms`.
    """
    pairs = arrange(pair_arms(results, value, diverged), cell_columns(results))
    files = {}
    for cell in comparison.to_dict("records"):
        inside = (pairs[PLACE] == [cell[place] for place in PLACE]).all(axis="columns")
        files[cell["pairs_file"].removesuffix(".csv")] = pairs[inside].drop(columns=PLACE)
    return files


def write_csv(tables: Mapping[str, pd.DataFrame], folder: str | Path) -> list[Path]:
    """Writes tables by file name without its ending, in full precision, each atomically, and returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.csv" for name in tables]
    for path, table in zip(paths, tables.values(), strict=True):
        records.write_atomic(path, as_csv_file(table))
    return paths


def tabulate(results: pd.DataFrame, value: str = "test_accuracy", diverged: str = "worst") -> pd.DataFrame:
    """Returns `compare_arms` in the paper's order, the published p-values beside ours.

    The columns besides are those of `with_published` and `arrange`, and `pairs_file`, the name of the CSV
    file with the cell's pairs.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        value: the column of the results that the arms are compared by.
        diverged: "worst" or "drop": see `pair_arms`.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> {"p_value", "published_p", "pairs_file"} <= set(tabulate(read_results("runs/demo")))
        True
    """
    cell = cell_columns(results)
    table = arrange(with_published(compare_arms(results, cell, value, diverged), value), cell)
    return table.assign(pairs_file=_file_names(table[cell].to_numpy().tolist()))


def tabulate_means(results: pd.DataFrame, value: str = "test_accuracy", measure: str | None = None) -> pd.DataFrame:
    """Returns `mean_by_width` in the paper's order, with `arrange`'s columns and `flow`, the mean flow.

    Rows are sorted by cell, dense width and arm, the sparse one first.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        value: the column of the results that the arms are compared by.
        measure: the flow measure whose mean stands in `flow`; None leaves that column NaN.
    """
    cell = cell_columns(results)
    table = mean_by_width(results, value)
    table["flow"] = np.nan if measure is None else mean_by_width(results, measure)["mean"]
    table = table.sort_values(["dense_width", "arm"], ascending=[True, False], kind="stable")
    return arrange(table, cell)


def _file_names(cells: list[list[Any]]) -> list[str]:
    """Returns a name per cell, readable, valid in every file system and different from all others."""
    names: list[str] = []
    for values in cells:
        stem = "pairs_" + re.sub(r"[^\w.-]+", "-", "-".join(map(str, values)))
        name, again = stem, 1
        while name.lower() in (known.lower() for known in names):
            again += 1
            name = f"{stem}~{again}"
        names.append(name)
    return [f"{name}.csv" for name in names]
