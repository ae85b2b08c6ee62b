"""Pairs: each sparse network beside the dense one of equal capacity, seed and training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.frames.cells import cell_columns, completed, hashable, require_columns, spec_columns
from keras_sparseflow.analysis.statistics.intervals import bootstrap_by
from keras_sparseflow.analysis.statistics.shift import LEVEL

ARMS = ("sparse", "dense")


def lower_is_better(value: str) -> bool:
    """Returns whether a smaller `value` is the better one: true of losses."""
    return value.endswith("loss")


def worst_value(value: str) -> float:
    """Returns the value that a diverged run is given: 0 for an accuracy, else plus or minus infinity, the worse one."""
    if value.endswith("accuracy"):
        return 0.0
    return np.inf if lower_is_better(value) else -np.inf


def match_arms(results: pd.DataFrame, value: str, diverged: str) -> pd.DataFrame:
    """Returns one row per pair, complete or not: `pair_arms` with the pairs that it leaves out.

    The column `state` is "complete", "incomplete" (an arm or its value is missing) or "dropped" (an arm
    diverged, and `diverged` is "drop").
    """
    results = completed(results)
    cell = cell_columns(results)
    require_columns(results, [*cell, "arm", "dense_width", "seed", "diverged", value])
    unknown = sorted(set(results["arm"]) - set(ARMS), key=str)
    if unknown:
        raise ValueError(f"`results['arm']` must be 'sparse' or 'dense'; received {unknown[0]!r}.")

    key = [column for column in spec_columns(results) if column != "arm"]
    pairs = match_sides(results, "arm", ARMS, key, value, diverged)
    return pairs.sort_values([*cell, "dense_width", "seed"], kind="stable", ignore_index=True)


def match_sides(
    results: pd.DataFrame, side: str, sides: tuple[str, str], key: Sequence[str], value: str, diverged: str
) -> pd.DataFrame:
    """Returns one row per pair, complete or not, of runs that agree in `key` and differ in the column `side`.

    Args:
        results: one row per finished run, of which no two agree in `key` and `side`.
        side: the column whose two values are compared.
        sides: the two values, of which the first is compared with the second. Runs of other values are left out.
        key: the columns in which the runs of a pair agree.
        value: the column to compare; a name that ends in "loss" is better when lower.
        diverged: "worst" or "drop", see `pair_arms`.

    Returns:
        A DataFrame with the columns of `key`, and, for each side, its value, whether it diverged and, where
        `results` has run ids, its run, named after the side; `difference`, positive where the first side is
        better; and `state`, as `match_arms` returns it.

    Raises:
        ValueError: `diverged` is unknown, or two runs are of the same side and key.
    """
    if diverged not in ("worst", "drop"):
        raise ValueError(f"`diverged` must be 'worst' or 'drop'; received {diverged!r}.")
    results, key = results[results[side].isin(sides)], list(key)
    first, second = sides
    number = hashable(results[key]).groupby(key, dropna=False, sort=False).ngroup()
    twice = pd.DataFrame({"pair": number, "side": results[side]}).duplicated()
    if twice.any():
        row = results.loc[twice].iloc[0]
        raise ValueError(
            f"`results` must hold one run per spec, but two have the same spec and {side}: "
            f"{row[side]}, {', '.join(f'{column} {row[column]}' for column in key)}."
        )

    pairs = results[key].groupby(number).head(1).set_axis(number.drop_duplicates())
    for one in sides:
        runs = results[results[side] == one].set_axis(number[results[side] == one])
        pairs[one] = _values(runs, value).reindex(pairs.index)
        pairs[f"{one}_diverged"] = runs["diverged"].astype(bool).reindex(pairs.index, fill_value=False)
        if "run_id" in runs:
            pairs[f"{one}_run_id"] = runs["run_id"].reindex(pairs.index)

    _let_divergence_lose(pairs, sides, value)
    either = pairs[f"{first}_diverged"] | pairs[f"{second}_diverged"]
    both = pairs[f"{first}_diverged"] & pairs[f"{second}_diverged"]
    with np.errstate(invalid="ignore"):
        difference = pairs[second] - pairs[first] if lower_is_better(value) else pairs[first] - pairs[second]
    pairs["difference"] = difference.mask(both, 0.0)
    pairs["state"] = "complete"
    if diverged == "drop":
        pairs.loc[either, "state"] = "dropped"
    pairs.loc[pairs[first].isna() | pairs[second].isna(), "state"] = "incomplete"
    return pairs.reset_index(drop=True)


def pair_arms(results: pd.DataFrame, value: str = "test_accuracy", diverged: str = "worst") -> pd.DataFrame:
    """Returns one row per cell, dense width and seed, with both arms' values and their difference.

    Two runs are a pair when every column of their specs but `arm` agrees. A pair of which one arm is
    missing, or has no value, is left out; `attrs["incomplete_pairs"]` says how many were.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        value: the column to compare; a name that ends in "loss" is better when lower.
        diverged: what becomes of a diverged run. "worst": it is given the worst possible value (0 for
            an accuracy, infinity for a loss), so that it ranks below every run that did not diverge (also one
            of accuracy 0, against which it is given minus infinity); two diverged runs are equal, their
            difference is 0. "drop": its pair is left out;
            `attrs["dropped_pairs"]` says how many were.

    Returns:
        A DataFrame with the columns of the spec, `sparse`, `dense`, `difference` (positive where
        sparse is better), `sparse_diverged`, `dense_diverged` and, where `results` has run ids,
        `sparse_run_id` and `dense_run_id`.

    Raises:
        ValueError: a column is missing, an arm unknown, or a spec occurs twice.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> pairs = pair_arms(read_results("runs/demo"))
        >>> len(pairs), pairs.attrs
        (12, {'incomplete_pairs': 0, 'dropped_pairs': 0})
    """
    pairs = match_arms(results, value, diverged)
    complete = pairs[pairs["state"] == "complete"].drop(columns="state").reset_index(drop=True)
    complete.attrs = {
        "incomplete_pairs": int((pairs["state"] == "incomplete").sum()),
        "dropped_pairs": int((pairs["state"] == "dropped").sum()),
    }
    return complete


def mean_by_width(results: pd.DataFrame, value: str = "test_accuracy", level: float = LEVEL) -> pd.DataFrame:
    """Returns the mean over the seeds and its spread, per cell, arm and dense width.

    Diverged runs and missing values are no part of these numbers; `diverged` says how many runs of the
    group diverged.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        value: the column to summarise.
        level: the level of the bootstrap interval of the mean, in (0, 1).

    Returns:
        A DataFrame with the cell's columns, `arm`, `dense_width`, `mean`, `ci_low` and `ci_high` (see
        `bootstrap_mean`: of three seeds, their range), `min`, `max`, `std` (of a sample, n - 1), `n` and
        `diverged`. Intervals and `std` are NaN for a single run.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> means = mean_by_width(read_results("runs/demo"))
        >>> means[["variant", "arm", "dense_width", "n"]].values.tolist()[0]
        ['BN', 'dense', 7, 3]
    """
    results = completed(results)
    return mean_over_seeds(results, [*cell_columns(results), "arm", "dense_width"], value, level)


def mean_over_seeds(results: pd.DataFrame, group: Sequence[str], value: str, level: float = LEVEL) -> pd.DataFrame:
    """Returns the mean over the runs of each group and its spread, as `mean_by_width` does.

    Args:
        results: one row per finished run.
        group: the columns that name a group, by which the rows are sorted.
        value: the column to summarise.
        level: the level of the bootstrap interval of the mean, in (0, 1).
    """
    group = list(group)
    require_columns(results, [*group, "diverged", value])
    diverged = results["diverged"].astype(bool)
    runs = results[group].assign(value=pd.to_numeric(results[value]).astype(float).mask(diverged))
    table = bootstrap_by(runs, group, "value", level).rename(columns={"low": "ci_low", "high": "ci_high"})
    counts = hashable(results[group]).assign(diverged=diverged).groupby(group, dropna=False)["diverged"].sum()
    return table.assign(diverged=counts.to_numpy())


def _values(runs: pd.DataFrame, value: str) -> Any:
    values = pd.to_numeric(runs[value]).astype(float)
    return values.mask(runs["diverged"].astype(bool), worst_value(value))


def _let_divergence_lose(pairs: pd.DataFrame, sides: tuple[str, str], value: str) -> None:
    """Sets, in place, a diverged run below its partner where that one did not diverge but has the worst value too."""
    beyond = np.inf if lower_is_better(value) else -np.inf
    level = pairs[sides[0]] == pairs[sides[1]]
    for one, other in (sides, sides[::-1]):
        pairs.loc[level & pairs[f"{one}_diverged"] & ~pairs[f"{other}_diverged"], one] = beyond
