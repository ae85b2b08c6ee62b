"""Comparisons over pairs of runs: arms, variants, tweaks, methods, and sparse densities with the dense network."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.cells import cell_columns, completed, hashable, require_columns
from keras_sparseflow.analysis.frames.densities import PLACE, arrange_densities, one_run_each
from keras_sparseflow.analysis.frames.formats import format_percent
from keras_sparseflow.analysis.frames.pairs import ARMS, lower_is_better, match_arms, match_sides
from keras_sparseflow.analysis.statistics.signed_rank import SignedRankTest, wilcoxon_signed_rank
from keras_sparseflow.analysis.statistics.verdicts import correct, judge

SIDES = ("line", "method", "density")
"""Kinds of comparisons over densities: lines (variants, activations and tweaks), methods, densities with dense ones."""

_TEST = [("test_method" if name == "method" else name) for name in SignedRankTest.__dataclass_fields__]
_JUDGED = ["p_holm", "verdict", "reason", "needed"]
_PLACED = ["compared", "table", "method", "panel", "line", "first", "second"]


def compare_arms(
    results: pd.DataFrame,
    cell: Sequence[str] | None = None,
    value: str = "test_accuracy",
    diverged: str = "worst",
    method: str = "auto",
) -> pd.DataFrame:
    """Returns one row per cell: the signed-rank test of sparse against dense over its pairs.

    Holm's correction takes all rows together as one family, however a report lays them out: a study that
    repeats one table of the paper is corrected over that table, a study of several over all of them.
    So "significant after correction" means the same wherever it is said of a study.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        cell: the columns that make a cell; default, dataset, hidden_layers, learning_rate, activation,
            variant, optimizer, and every other column of the spec that varies within those.
        value: the column to compare; a name that ends in "loss" is better when lower.
        diverged: "worst" or "drop", see `pair_arms`.
        method: see `wilcoxon_signed_rank`.

    Returns:
        A DataFrame with the cell's columns, the fields of `SignedRankTest`, `sparse_diverged` and `dense_diverged`
        (numbers of runs), `incomplete_pairs` and `dropped_pairs` (left out), and the columns of `with_verdicts`:
        `p_holm` is of the two-sided p-values. A cell without a complete pair has p = NaN.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> comparison = compare_arms(read_results("runs/demo"))
        >>> comparison[["variant", "pairs", "p_value"]].values.tolist()
        [['BN', 6, 0.046875], ['NR', 6, 1.0]]
    """
    results = completed(results)
    cell = cell_columns(results) if cell is None else list(cell)
    pairs = match_arms(results, value, diverged)
    require_columns(pairs, cell)
    rows, tests = [], []
    for _, group in hashable(pairs[cell]).groupby(cell, dropna=False, sort=False):
        inside = pairs.loc[group.index]
        tests.append(_test(inside, ARMS, value, method))
        rows.append(
            {
                **{column: inside[column].iloc[0] for column in cell},
                **asdict(tests[-1]),
                "sparse_diverged": int(inside["sparse_diverged"].sum()),
                "dense_diverged": int(inside["dense_diverged"].sum()),
                "incomplete_pairs": int((inside["state"] == "incomplete").sum()),
                "dropped_pairs": int((inside["state"] == "dropped").sum()),
            }
        )
    columns = [*cell, *SignedRankTest.__dataclass_fields__]
    return with_verdicts(pd.DataFrame(rows, columns=None if rows else columns), tests)


def compare_densities(results: pd.DataFrame, value: str = "test_accuracy", diverged: str = "worst") -> pd.DataFrame:
    """Returns two-sided signed-rank tests: variants, tweaks, methods, and each density against the dense network.

    Tweaks are compared with the training without any, where there was one, and not with each other; variants and
    activations are compared where their tweaks agree. Runs are a pair where density, seed and everything but what
    is compared agree; a dense network takes no part in a comparison of methods, as it has no mask. Nobody said
    beforehand which of the two would be better, so the tests are two-sided. Pairs of several densities are not draws
    from one population: a small p-value says that one side is the better one over the densities trained.

    Args:
        results: one row per finished run of a density study.
        value: the column to compare; a name that ends in "loss" is better when lower.
        diverged: "worst" or "drop", see `pair_arms`.

    Returns:
        A DataFrame with a row per comparison: `compared` (one of `SIDES`), `table`, `method`, `panel` and
        `line` ("" for what is compared), `first` and `second` (the sides; median difference and effect size
        are positive where the first is better), the fields of `SignedRankTest` (its `method` as
        `test_method`), `diverged` (runs that did), `left_out` (pairs that are not complete), and the columns of
        `with_verdicts`.

    Raises:
        ValueError: a column is missing, or `diverged` is unknown.

    Example:
        >>> runs = pd.DataFrame({"dataset": "cifar100", "model": "wide_resnet", "depth": 28, "width": 10,
        ...                      "learning_rate": 0.1, "activation": "relu", "variant": ["NR"] * 5 + ["BN"] * 5,
        ...                      "optimizer": "sgd", "method": "random", "density": 0.1, "seed": [0, 1, 2, 3, 4] * 2,
        ...                      "diverged": False,
        ...                      "test_accuracy": [0.1, 0.2, 0.3, 0.4, 0.5, 0.2, 0.4, 0.6, 0.8, 1.0]})
        >>> compare_densities(runs)[["first", "second", "pairs", "p_value"]].to_numpy().tolist()
        [['NR', 'BN', 5, 0.0625]]

    References:
        Wilcoxon, 1945. Holm, 1979.
    """
    placed = one_run_each(arrange_densities(results))
    rows, tests = [], []
    for side in SIDES:
        for row, test in _comparisons(placed, side, value, diverged):
            fields = {"test_method" if name == "method" else name: field for name, field in asdict(test).items()}
            rows.append({**row, **fields})
            tests.append(test)
    columns = [*_PLACED, *_TEST, "diverged", "left_out"]
    return with_verdicts(pd.DataFrame(rows, columns=columns), tests)


def with_verdicts(table: pd.DataFrame, tests: Sequence[SignedRankTest]) -> pd.DataFrame:
    """Returns a table of tests with the columns `p_holm`, `verdict`, `reason` and `needed`, see `Verdict`.

    `p_holm` is the two-sided p-value after Holm's correction over the tests of the table, see `correct`.

    Args:
        table: a row per test, with its fields.
        tests: the tests.
    """
    corrected, family = correct(tests)
    verdicts = [judge(test, p, family) for test, p in zip(tests, corrected, strict=True)]
    words = {name: [getattr(v, name) for v in verdicts] for name in ("reason", "needed")}
    return table.assign(p_holm=corrected, verdict=[v.answer for v in verdicts], **words).astype({"needed": float})


def _test(
    pairs: pd.DataFrame, sides: Sequence[str], value: str, method: str = "auto", alternative: str = "greater"
) -> SignedRankTest:
    """Returns the test of the complete ones of pairs, with the better value always the higher one."""
    complete = pairs[pairs["state"] == "complete"]
    sign = -1.0 if lower_is_better(value) else 1.0
    return wilcoxon_signed_rank(sign * complete[sides[0]], sign * complete[sides[1]], method, alternative)


def _comparisons(
    placed: pd.DataFrame, side: str, value: str, diverged: str
) -> Iterator[tuple[dict[str, Any], SignedRankTest]]:
    """Yields the place of each comparison of one kind that has pairs, and its test."""
    company = [column for column in PLACE if column != side]
    within = [column for column in ("density", "seed") if column != side]
    for names, inside in placed.groupby(company, sort=False):
        place = {**dict.fromkeys(PLACE, ""), **dict(zip(company, names, strict=True))}
        for runs, sides in _sides(inside, side):
            pairs = match_sides(runs, side, sides, within, value, diverged)
            test = _test(pairs, sides, value, alternative="two-sided")
            if not test.pairs:
                continue
            shown = [_density_name(name) if side == "density" else name for name in sides]
            lost = int(pairs[[f"{name}_diverged" for name in sides]].to_numpy().sum())
            row = {"compared": side, **place, "first": shown[0], "second": shown[1], "diverged": lost}
            yield {**row, "left_out": int((pairs["state"] != "complete").sum())}, test


def _sides(runs: pd.DataFrame, side: str) -> Iterator[tuple[pd.DataFrame, tuple[Any, Any]]]:
    """Yields the sides to compare, with the runs to take: dense networks are no part of a comparison of methods."""
    if side == "line":
        yield from ((runs, sides) for sides in _line_pairs(runs))
    elif side == "method":
        sparse = runs[runs["density"] < 1]
        yield from ((sparse, sides) for sides in itertools.combinations(dict.fromkeys(sparse["method"]), 2))
    else:
        densities = sorted(set(runs["density"]) - {1.0})
        yield from ((runs, (density, 1.0)) for density in densities if (runs["density"] == 1).any())


def _line_pairs(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns the lines to compare: with no tweaks as the second where that is what tweaks are compared with."""
    lines = runs[["line", "variant", "activation", "tweaks"]].drop_duplicates().to_dict("records")
    pairs = []
    for one, other in itertools.combinations(lines, 2):
        plain = [line for line in lines if line["tweaks"] == "none" and _training(line) == _training(one)]
        if one["tweaks"] == other["tweaks"]:
            pairs.append((one["line"], other["line"]))
        elif _training(one) == _training(other) and (not plain or plain[0] in (one, other)):
            pairs.append((one["line"], other["line"]) if other in plain or not plain else (other["line"], one["line"]))
    return pairs


def _training(line: dict[Any, Any]) -> tuple[str, str]:
    return line["variant"], line["activation"]


def _density_name(density: float) -> str:
    return "dense" if density == 1 else format_percent(density)
