"""Comparisons in a density study over density and seed: variant against variant, tweaks, method against method."""

import itertools
from dataclasses import asdict
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.correlation import correlate_cells, correlate_flow, kendall_tau
from keras_sparseflow.analysis.density import PLACE, arrange_densities, one_run_each
from keras_sparseflow.analysis.pairs import lower_is_better, match_sides
from keras_sparseflow.analysis.statistics import SignedRankTest, holm, wilcoxon_signed_rank

FEWEST_PAIRS = 5
"""With fewer pairs no test of a comparison is shown: of four, p cannot fall below 0.125."""

SIDES = ("line", "method")
"""What is compared: lines (variants, activations and tweaks), or methods."""

_COLUMNS = ["compared", "table", "method", "panel", "line", "first", "second"]


def compare_densities(results: pd.DataFrame, value: str = "test_accuracy", diverged: str = "worst") -> pd.DataFrame:
    """Returns two-sided signed-rank tests of variant against variant, and of method against method.

    Tweaks are compared with the training without any, where there was one, and not with each other; variants and
    activations are compared where their tweaks agree. Runs are a pair where density, seed and everything but what
    is compared agree; a dense network takes no part in a comparison of methods, as it has no mask. Nobody said
    beforehand which of the two would be better, so the tests are two-sided, and corrected by Holm's procedure over
    all rows. Comparisons with fewer than `FEWEST_PAIRS` complete pairs are left out. Pairs of several densities are
    not draws from one population: a small p-value says that one side is the better one over the densities trained.

    Args:
        results: one row per finished run of a density study.
        value: the column to compare; a name that ends in "loss" is better when lower.
        diverged: "worst" or "drop", see `pair_arms`.

    Returns:
        A DataFrame with a row per comparison: `compared` ("line" or "method"), `table`, `method`, `panel` and
        `line` ("" for what is compared), `first` and `second` (the sides; median difference and effect size
        are positive where the first is better), the fields of `SignedRankTest` (its `method` as
        `test_method`), `p_holm`, `diverged` (runs that did) and `left_out` (pairs that are not complete).

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
    rows = [row for side in SIDES for row in _comparisons(placed, side, value, diverged)]
    fields = ["test_method" if name == "method" else name for name in SignedRankTest.__dataclass_fields__]
    table = pd.DataFrame(rows, columns=[*_COLUMNS, *fields, "diverged", "left_out"])
    table.insert(len(_COLUMNS) + 1, "p_holm", holm(table["p_value"]))
    return table


def correlate_densities(results: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns Kendall's tau-b of flow with performance over densities and seeds: per configuration, and averaged.

    Args:
        results: one row per finished run of a density study.

    Returns:
        Two DataFrames. The first is `correlate_cells`' with a row per `table`, `method`, `panel`, `line`, measure
        and target. The second is `correlate_flow`'s with a row per `table`, `measure`, `method` and `target`,
        and besides `overall_tau` and `overall_runs`: over all runs of a table and method, whatever their
        configuration, which also says how configurations differ.

    Example:
        >>> runs = pd.DataFrame({"run_id": list("abc"), "dataset": "cifar100", "model": "wide_resnet", "depth": 28,
        ...                      "width": 10, "learning_rate": 0.1, "activation": "relu", "variant": "NR",
        ...                      "optimizer": "sgd", "method": "random", "density": [0.1, 0.5, 1.0], "seed": 0,
        ...                      "test_accuracy": [0.5, 0.6, 0.7], "test_loss": [3.0, 2.0, 1.0],
        ...                      "egf_2": [1.0, 2.0, 3.0], "diverged": False})
        >>> each, mean = correlate_densities(runs)
        >>> mean[["measure", "target", "mean_tau", "overall_tau"]].to_numpy().tolist()
        [['egf_2', 'test_loss', -1.0, -1.0], ['egf_2', 'test_accuracy', 1.0, 1.0]]
    """
    placed = one_run_each(arrange_densities(results))
    each = correlate_cells(placed, configuration=PLACE)
    mean = correlate_flow(placed, configuration=PLACE, by=("table", "method"))
    overall = [_overall(placed, row) for row in mean.to_dict("records")]
    return each, mean.assign(overall_tau=[tau for tau, _ in overall], overall_runs=[runs for _, runs in overall])


def _comparisons(placed: pd.DataFrame, side: str, value: str, diverged: str) -> list[dict[str, Any]]:
    if side == "method":
        placed = placed[placed["density"] < 1]
    company = [column for column in PLACE if column != side]
    rows = []
    for names, inside in placed.groupby(company, sort=False):
        place = dict(zip(company, names, strict=True))
        for sides in _line_pairs(inside) if side == "line" else itertools.combinations(dict.fromkeys(inside[side]), 2):
            row = _comparison(inside, side, sides, value, diverged)
            if row["pairs"] >= FEWEST_PAIRS:
                rows.append({"compared": side, **place, side: "", **row})
    return rows


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


def _comparison(runs: pd.DataFrame, side: str, sides: tuple[str, str], value: str, diverged: str) -> dict[str, Any]:
    pairs = match_sides(runs, side, sides, ["density", "seed"], value, diverged)
    complete = pairs[pairs["state"] == "complete"]
    sign = -1.0 if lower_is_better(value) else 1.0
    test = wilcoxon_signed_rank(sign * complete[sides[0]], sign * complete[sides[1]], alternative="two-sided")
    return {
        **dict(zip(("first", "second"), sides, strict=True)),
        **_outcome(test),
        "diverged": int(pairs[[f"{name}_diverged" for name in sides]].to_numpy().sum()),
        "left_out": int((pairs["state"] != "complete").sum()),
    }


def _outcome(test: SignedRankTest) -> dict[str, Any]:
    """Returns the fields of a test; a `method` stands in a density study for how networks become sparse."""
    return {"test_method" if name == "method" else name: value for name, value in asdict(test).items()}


def _overall(placed: pd.DataFrame, row: dict[Any, Any]) -> tuple[float, int]:
    inside = placed[(placed["table"] == row["table"]) & (placed["method"] == row["method"])]
    points = inside.loc[~inside["diverged"].astype(bool), [row["measure"], row["target"]]]
    points = points.apply(pd.to_numeric).astype(float).replace([float("inf"), -float("inf")], float("nan")).dropna()
    return kendall_tau(*points.to_numpy().T), len(points)
