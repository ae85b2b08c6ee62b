"""The numbers of a report as tables, and as CSV files that anyone can check it with."""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from keras_sparseflow import records
from keras_sparseflow.analysis.cells import PLACE, arrange, cell_columns
from keras_sparseflow.analysis.pairs import mean_by_width, pair_arms
from keras_sparseflow.analysis.published import published_p_value
from keras_sparseflow.analysis.statistics import compare_arms

_PUBLISHED_BY = ("dataset", "hidden_layers", "learning_rate", "variant", "optimizer", "activation")


def write_tables(
    results: pd.DataFrame, folder: str | Path, value: str = "test_accuracy", diverged: str = "worst"
) -> list[Path]:
    """Writes the numbers of a report as CSV files, in full precision, and returns their paths.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        folder: where to write: `p_values.csv` (a row per cell, the published p-value beside ours),
            `means.csv` (a row per cell, arm and dense width), and `pairs_<cell>.csv` per cell.
        value: the column of the results that the arms are compared by.
        diverged: "worst" or "drop": see `pair_arms`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    comparison = tabulate(results, value, diverged)
    files = {"p_values.csv": comparison.drop(columns=PLACE), "means.csv": mean_by_width(results, value)}
    pairs = arrange(pair_arms(results, value, diverged), cell_columns(results))
    for cell in comparison.to_dict("records"):
        inside = (pairs[PLACE] == [cell[place] for place in PLACE]).all(axis="columns")
        files[cell["pairs_file"]] = pairs[inside].drop(columns=PLACE)
    for name, table in files.items():
        records.write_atomic(folder / name, table.to_csv(index=False).encode())
    return [folder / name for name in files]


def tabulate(results: pd.DataFrame, value: str = "test_accuracy", diverged: str = "worst") -> pd.DataFrame:
    """Returns `compare_arms` in the paper's order, with `arrange`'s columns and two more.

    These are `published_p`, the paper's p-value where it has that cell (for the test accuracy alone), and
    `pairs_file`, the name of the CSV file with the cell's pairs.
    """
    cell = cell_columns(results)
    table = arrange(compare_arms(results, cell, value, diverged), cell)
    rows = table.to_dict("records")
    published = [
        published_p_value(*(row[c] for c in _PUBLISHED_BY)) if value == "test_accuracy" else None for row in rows
    ]
    table.insert(len(cell) + 2, "published_p", pd.Series(published, index=table.index, dtype=float))
    return table.assign(pairs_file=_file_names([[row[c] for c in cell] for row in rows]))


def means(results: pd.DataFrame, value: str, measure: str | None) -> list[dict[str, Any]]:
    """Returns a row per cell and dense width for the page.

    Its `value` and `flow` map each arm that was run to its row of `mean_by_width`; `flow` is empty where
    `measure` is None.
    """
    cell = cell_columns(results)
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name, column in {"value": value, **({"flow": measure} if measure else {})}.items():
        for mean in arrange(mean_by_width(results, column), cell).to_dict("records"):
            key = tuple(mean[column] for column in (*PLACE, "dense_width"))
            row = rows.setdefault(
                key, {**dict(zip(PLACE, key, strict=False)), "dense_width": key[-1], "value": {}, "flow": {}}
            )
            row[name][mean["arm"]] = mean
    return list(rows.values())


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
