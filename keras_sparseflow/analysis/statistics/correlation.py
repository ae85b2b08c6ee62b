"""Kendall's rank correlation of gradient flow with performance, as in table 1 of the paper."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from keras_sparseflow.analysis.frames.cells import (
    RESULT_COLUMNS,
    cell_columns,
    completed,
    hashable,
    require_columns,
    spec_columns,
)
from keras_sparseflow.analysis.frames.densities import PLACE, arrange_densities, one_run_each
from keras_sparseflow.analysis.frames.labels import POINTS
from keras_sparseflow.analysis.frames.readings import of_one_reading
from keras_sparseflow.flow.measure_table import TOTAL

TARGETS = ("test_loss", "test_accuracy")
"""The results with which flow is correlated."""

_MEASURES = ("grad_norm_1", "grad_norm_2", "egf_1", "egf_2")
"""The built-in measures, in the order of table 1."""

FEWEST_POINTS = 3
"""With two points every correlation is 1 or -1, so that three are the fewest that say anything."""


def kendall_tau(x: ArrayLike, y: ArrayLike) -> float:
    """Returns Kendall's tau-b, the rank correlation that allows for ties, in [-1, 1].

    It is NaN where there are fewer than three points, or where all values of `x` or of `y` are equal.

    Args:
        x: a vector of finite values.
        y: another of the same length.

    Raises:
        ValueError: the vectors differ in shape, or a value is not finite.

    Example:
        >>> round(kendall_tau([1, 2, 3, 4], [1, 3, 2, 4]), 3)
        0.667

    References:
        Kendall, 1945. The treatment of ties in ranking problems.
    """
    from scipy import stats

    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"`x` and `y` must be vectors of one length; received {x.shape} and {y.shape}.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("`x` and `y` must be finite; received NaN or infinity: leave those points out first.")
    return float(stats.kendalltau(x, y).statistic) if len(x) >= FEWEST_POINTS else np.nan


def correlate_cells(
    results: pd.DataFrame,
    measures: Sequence[str] | None = None,
    points: str = "runs",
    flow: pd.DataFrame | None = None,
    history: pd.DataFrame | None = None,
    configuration: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Returns the correlation of flow with performance in each configuration, both arms apart.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        measures: the flow measures; default, every one that is there, those of plugins included.
        points: the points that are ranked. "runs", as in the paper: a run's average flow and its result after the last
            epoch, over the runs of a configuration (widths and seeds). "epochs": the flow of a measured epoch
            and the result after it, over the epochs of each run; tau is then the mean over the runs.
        flow: as `keras_sparseflow.records.read_flow` returns it; for "epochs" alone.
        history: as `keras_sparseflow.records.read_history` returns it; for "epochs" alone.
        configuration: the columns that tell configurations apart; default, those of a cell, and `arm`.

    Returns:
        A DataFrame with a row per configuration, measure and target: the columns of a configuration,
        `measure`, `target` ("test_loss" or "test_accuracy"), `tau` (tau-b in [-1, 1], NaN where
        `kendall_tau` is), `abs_tau` (its absolute value; over epochs, the mean of the absolute values),
        `points` and `runs` (that tau was computed from), `diverged` (runs left out because they diverged)
        and `missing` (other runs left out: flow or result is not finite, or there is no tau).

    Raises:
        ValueError: `points` is unknown, a column or a measure missing, or for "epochs" a frame missing.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> rows = correlate_cells(read_results("runs/demo"), measures=["egf_2"])
        >>> rows[["variant", "arm", "target", "tau"]].round(2).values.tolist()[0]
        ['NR', 'sparse', 'test_loss', 0.73]
    """
    if points not in POINTS:
        raise ValueError(f"`points` must be 'runs' or 'epochs'; received {points!r}.")
    results = completed(results) if configuration is None else results
    if points == "runs":
        return _by_configuration(results, _points_of_runs(results, measures), "configuration", configuration)
    if flow is None or history is None:
        missing = " and ".join(f"`{name}`" for name, frame in (("flow", flow), ("history", history)) if frame is None)
        raise ValueError(f"points='epochs' needs the frames `flow` and `history`; missing: {missing}.")
    return _by_configuration(results, _points_of_epochs(measures, flow, history), "run_id", configuration)


def correlate_flow(
    results: pd.DataFrame,
    measures: Sequence[str] | None = None,
    points: str = "runs",
    flow: pd.DataFrame | None = None,
    history: pd.DataFrame | None = None,
    configuration: Sequence[str] | None = None,
    by: tuple[str, str] = ("dataset", "arm"),
) -> pd.DataFrame:
    """Returns table 1 of the paper for a study: the mean absolute correlation over its configurations.

    The arguments and errors are those of `correlate_cells`, whose rows are averaged. `by` names the two
    columns of a configuration whose values are kept apart.

    Returns:
        A DataFrame with a row per `dataset`, `measure`, `arm` and `target`: `mean_abs_tau` (in [0, 1]),
        `mean_tau` (the signed mean), `std_abs_tau` (over the configurations, of a sample),
        `configurations` (that have a tau), `without_tau` (that have none: a constant, or too few runs),
        `runs` (that took part), `diverged` and `missing` (runs left out).

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> table = correlate_flow(read_results("runs/demo"), measures=["egf_2"])
        >>> table[["measure", "arm", "target", "configurations"]].values.tolist()[0]
        ['egf_2', 'sparse', 'test_loss', 2]

    References:
        Tessera, Hooker and Rosman, 2021, table 1.
    """
    rows = correlate_cells(results, measures, points, flow, history, configuration)
    groups = rows.groupby([by[0], "measure", by[1], "target"], sort=False)
    table = groups.agg(
        mean_abs_tau=("abs_tau", "mean"),
        mean_tau=("tau", "mean"),
        std_abs_tau=("abs_tau", "std"),
        configurations=("tau", "count"),
        without_tau=("tau", lambda tau: int(tau.isna().sum())),
        runs=("runs", "sum"),
        diverged=("diverged", "sum"),
        missing=("missing", "sum"),
    )
    return table.reset_index()


def correlate_densities(
    results: pd.DataFrame,
    points: str = "runs",
    flow: pd.DataFrame | None = None,
    history: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns Kendall's tau-b of flow with performance over densities and seeds: per configuration, and averaged.

    Args:
        results: one row per finished run of a density study.
        points: "runs" or "epochs", see `correlate_cells`.
        flow: for "epochs" alone.
        history: for "epochs" alone.

    Returns:
        Two DataFrames. The first has the columns of `correlate_cells`, a row per `table`, `method`, `panel`, `line`,
        measure and target. The second has those of `correlate_flow`, a row per `table`, `measure`, `method` and
        `target`, and two more, `overall_tau` and `overall_runs`: the tau over all runs of a table and method together,
        which also depends on how configurations differ, and the number of these runs.

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
    each = correlate_cells(placed, None, points, flow, history, PLACE)
    mean = correlate_flow(placed, None, points, flow, history, PLACE, by=("table", "method"))
    overall = [_overall(placed, row) for row in mean.to_dict("records")]
    return each, mean.assign(overall_tau=[tau for tau, _ in overall], overall_runs=[runs for _, runs in overall])


def _points_of_runs(results: pd.DataFrame, measures: Sequence[str] | None) -> pd.DataFrame:
    measures = _measures(results) if measures is None else list(measures)
    require_columns(results, ["run_id", *TARGETS, *measures])
    once = results.drop_duplicates("run_id")  # one may stand in several pairs
    return once.melt(["run_id", *TARGETS], measures, var_name="measure")


def _points_of_epochs(measures: Sequence[str] | None, flow: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    require_columns(flow, ["run_id", "epoch", "measure", "layer", "value"], "flow")
    require_columns(history, ["run_id", "epoch", *TARGETS], "history")
    total = of_one_reading(flow[flow["layer"] == TOTAL])
    if measures is not None:
        unknown = sorted(set(measures) - set(total["measure"]))
        if unknown:
            known = ", ".join(sorted(total["measure"].unique())) or "none"
            raise ValueError(f"`measures` must be in `flow`, which has {known}; received {', '.join(unknown)}.")
        total = total[total["measure"].isin(list(measures))]
    return total.merge(history[["run_id", "epoch", *TARGETS]], on=["run_id", "epoch"])


def _measures(results: pd.DataFrame) -> list[str]:
    """Returns the built-in measures in `results`, then every other number that is neither spec nor known result."""
    known = set(spec_columns(results)) | RESULT_COLUMNS
    others = [c for c in results.columns if c not in known and pd.api.types.is_numeric_dtype(results[c])]
    return [*(measure for measure in _MEASURES if measure in results), *others]


def _by_configuration(
    results: pd.DataFrame, points: pd.DataFrame, unit: str, configuration: Sequence[str] | None
) -> pd.DataFrame:
    """Returns `correlate_cells`' rows: a tau within each `unit`, averaged over the units of a configuration.

    `points` has the columns `run_id`, `measure`, `value` and the targets.
    """
    group = [*cell_columns(results), "arm"] if configuration is None else list(configuration)
    require_columns(results, ["run_id", *group, "diverged"])
    results = results.reset_index(drop=True)
    runs = results[["run_id"]].assign(
        lost=results["diverged"].astype(bool),
        configuration=hashable(results[group]).groupby(group, dropna=False, sort=False).ngroup(),
    )
    again = runs.duplicated(["run_id", "configuration"])  # a dense network may stand in several matched pairs
    if again.any():
        raise ValueError(
            f"`results` must hold each run once in a configuration; received {runs.loc[again, 'run_id'].iloc[0]} twice."
        )
    trained = points.merge(runs.loc[~runs["lost"], ["run_id", "configuration"]], on="run_id")
    key = ["configuration", "measure", "target"]
    taus = {
        (*place, target): _mean_tau(inside, target, unit)
        for place, inside in trained.groupby(key[:2], sort=False)
        for target in TARGETS
    }
    places = list(itertools.product(sorted(runs["configuration"].unique()), points["measure"].unique(), TARGETS))
    table = pd.DataFrame(places, columns=key)
    found = [taus.get(place, (np.nan, np.nan, 0, 0)) for place in places]
    table[["tau", "abs_tau", "points", "runs"]] = pd.DataFrame(found, columns=["tau", "abs_tau", "points", "runs"])
    counts = runs.groupby("configuration")["lost"].agg(diverged="sum", planned="count")
    table = table.join(counts, on="configuration")
    table["missing"] = table.pop("planned") - table["diverged"] - table["runs"]
    names = results[group].groupby(runs["configuration"]).head(1)
    names.index = pd.Index(runs.loc[names.index, "configuration"])
    return names.join(table.set_index("configuration"), how="inner").reset_index(drop=True)


def _mean_tau(points: pd.DataFrame, target: str, unit: str) -> tuple[float, float, int, int]:
    """Returns the mean of tau and of its absolute value over the units that have one, their points and runs."""
    both = points[["value", target]].apply(pd.to_numeric).astype(float)
    finite = np.isfinite(both.to_numpy()).all(axis=1)
    taus, used, runs = [], 0, 0
    for _, inside in points[finite].groupby(unit, sort=False):
        tau = kendall_tau(*both.loc[inside.index].to_numpy().T)
        if not np.isnan(tau):
            taus.append(tau)
            used, runs = used + len(inside), runs + inside["run_id"].nunique()
    if not taus:
        return np.nan, np.nan, 0, 0
    return float(np.mean(taus)), float(np.mean(np.abs(taus))), used, runs


def _overall(placed: pd.DataFrame, row: dict[Any, Any]) -> tuple[float, int]:
    inside = placed[(placed["table"] == row["table"]) & (placed["method"] == row["method"])]
    points = inside.loc[~inside["diverged"].astype(bool), [row["measure"], row["target"]]]
    points = points.apply(pd.to_numeric).astype(float).replace([float("inf"), -float("inf")], float("nan")).dropna()
    return kendall_tau(*points.to_numpy().T), len(points)
