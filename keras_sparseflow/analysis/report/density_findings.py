"""What the numbers of a density study say, in words, and what to bear in mind when reading them."""

import math
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.densities import PLACE, configuration_name
from keras_sparseflow.analysis.frames.formats import format_number, format_percent, format_signed
from keras_sparseflow.analysis.frames.labels import flow_name
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.frames.pairs import lower_is_better
from keras_sparseflow.analysis.report.exports import number_range, spoken
from keras_sparseflow.analysis.report.gain_findings import gain_sentences
from keras_sparseflow.analysis.report.summary import how_counted, plural

_MANY_METHODS = 4
"""More methods than these are left to the tables, but for the best and the last of all."""

_FEW_POINTS = 5


def findings(means: pd.DataFrame, value: str = "test_accuracy") -> list[str]:
    """Returns the outcome in sentences: what is best at the lowest density, and what density costs.

    Args:
        means: as `tabulate_densities` returns it, or `mean_by_density`, which says nothing of tweaks.
        value: the column whose means these are.
    """
    said = []
    for table, inside in means.groupby("table", sort=False):
        sentences = [*gain_sentences(inside, value), *_best(inside, value), *_fall(inside, value)]
        sentences += [*_better_than_dense(inside, value), *_best_method(inside, value)]
        said += [f"{table}: {sentence}" for sentence in sentences] if means["table"].nunique() > 1 else sentences
    return said


def flow_findings(
    each: pd.DataFrame, mean: pd.DataFrame, measure: str = "egf_2", value: str = "test_accuracy"
) -> list[str]:
    """Returns whether flow goes with performance, a sentence per table and method.

    Args:
        each: the first frame of `correlate_densities`.
        mean: the second.
        measure: the flow measure.
        value: "test_accuracy" or "test_loss"; anything else is taken for the accuracy.
    """
    target = value if value in ("test_accuracy", "test_loss") else "test_accuracy"
    rows = mean[(mean["measure"] == measure) & (mean["target"] == target)]
    if rows["method"].nunique() > _MANY_METHODS:  # the table has them all
        return []
    return [_flow_sentence(row, each, rows) for row in rows.to_dict("records")]


def warnings(
    results: pd.DataFrame, means: pd.DataFrame, each: pd.DataFrame, planned: int | None, value: str, diverged: str
) -> list[str]:
    """Returns what limits the outcome: unfinished and diverged runs, single seeds, correlations of few runs.

    Args:
        results: one row per finished run.
        means: as `mean_by_density` returns it.
        each: the first frame of `correlate_densities`.
        planned: how many runs the study has, if that is known.
        value: the column that is compared.
        diverged: "worst" or "drop", see `pair_arms`.
    """
    said = []
    finished = results["run_id"].nunique()
    if planned is not None and finished < planned:
        said.append(f"{finished} of {planned} runs are finished; the numbers below are of these alone.")
    lost = int(results["diverged"].astype(bool).sum())
    if lost:
        said.append(f"{plural(lost, 'run')} diverged (a loss that is not finite). {how_counted(value, diverged)}")
    said += _collapsed(results)
    if results["seed"].nunique() == 1:
        said.append(
            "Every network was trained with one seed: nothing here says how far another seed would have come out "
            "otherwise, so small differences mean nothing."
        )
    elif (means["n"] == 1).any():
        single = int((means["n"] == 1).sum())
        said.append(f"{single} of {plural(len(means), 'mean')} {'is' if single == 1 else 'are'} of a single run.")
    fewest = each.loc[each["points"] > 0, "points"].min()
    if fewest <= _FEW_POINTS:
        said.append(
            f"Kendall's tau within a configuration is of as few as {fewest} runs, of which one random order in "
            f"{math.factorial(int(fewest)) // 2} has a tau of 1 or \N{MINUS SIGN}1."
        )
    return said


def _collapsed(results: pd.DataFrame) -> list[str]:
    """Returns which runs have a kernel without any active weight."""
    if "empty_kernels" not in results:
        return []
    collapsed = results[results["empty_kernels"] > 0]
    if collapsed.empty:
        return []
    cases = collapsed[["method", "density"]].drop_duplicates().itertuples(index=False)
    named = ", ".join(f"{method_name(method)} at {format_percent(density)}" for method, density in cases)
    return [
        f"In {plural(len(collapsed), 'run')} the masks leave at least one kernel without any active weight, which lets "
        f"nothing through: {named}."
    ]


def _best(means: pd.DataFrame, value: str) -> list[str]:
    """Returns what is best at the lowest density: of all methods, and of each where they are few."""
    lowest = means[means["density"] == means["density"].min()]
    methods = [(method, inside) for method, inside in lowest.groupby("method", sort=False)]
    if len(methods) == 1:
        return [_best_of(lowest, value, "At", several=False)]
    said = [_best_of(lowest, value, "At", several=True)]
    if len(methods) > _MANY_METHODS:
        return said
    return said + [
        _best_of(inside, value, f"With {method_name(str(method))}, at", several=False) for method, inside in methods
    ]


def _best_of(means: pd.DataFrame, value: str, opening: str, *, several: bool) -> str:
    """Returns the best and the last of configurations at one density; `several` names their methods too."""
    where = f"{opening} the lowest density, {format_percent(means['density'].iloc[0])}"
    ranked = _ranked(means, value)
    if ranked.empty:
        return f"{where}, no run came to a finite result."
    first, last = ranked.iloc[0], ranked.iloc[-1]
    sentence = (
        f"{where}, the best is {configuration_name(first, several)}, with a mean {spoken(value)} of "
        f"{format_number(first['mean'])} over {plural(int(first['n']), 'seed')}"
    )
    if len(ranked) > 1:
        sentence += (
            f"; the last of {len(ranked)} configurations is {configuration_name(last, several)}, "
            f"with {format_number(last['mean'])}"
        )
    return f"{sentence}."


def _fall(means: pd.DataFrame, value: str) -> list[str]:
    """Returns how much performance the lowest density costs against the highest."""
    ends = _between(means, means["density"].min(), means["density"].max())
    if ends.empty:
        return []
    sign = 1.0 if lower_is_better(value) else -1.0
    worse = (sign * (ends["low"] - ends["high"])).rename("worse")
    ends = ends.assign(worse=worse).sort_values("worse", kind="stable")
    several = means["method"].nunique() > 1
    span = f"From {format_percent(means['density'].max())} to {format_percent(means['density'].min())} density"
    verb = "rises" if lower_is_better(value) else "falls"
    if len(ends) == 1:
        only = ends.iloc[0]
        return [
            f"{span}, mean {spoken(value)} goes from {format_number(only['high'])} to {format_number(only['low'])}."
        ]
    least, most = ends.iloc[0], ends.iloc[-1]
    return [
        f"{span}, mean {spoken(value)} {verb} in {int((worse > 0).sum())} of {len(ends)} configurations, by "
        f"{format_number(worse.median())} on the median: least with {configuration_name(least, several)} "
        f"({format_signed(least['low'] - least['high'])}), most with {configuration_name(most, several)} "
        f"({format_signed(most['low'] - most['high'])})."
    ]


def _better_than_dense(means: pd.DataFrame, value: str) -> list[str]:
    """Returns in how many configurations some sparse networks' mean is better than that of the dense ones."""
    trained = means[means["n"] > 0]
    dense = trained.loc[trained["density"] == 1, [*PLACE, "mean"]].rename(columns={"mean": "dense"})
    sparse = _ranked(trained[trained["density"] < 1], value).drop_duplicates(PLACE).merge(dense, on=PLACE)
    if sparse.empty:
        return []
    sign = -1.0 if lower_is_better(value) else 1.0
    better = sparse[sign * (sparse["mean"] - sparse["dense"]) > 0]
    if better.empty:
        return [
            f"In none of {plural(len(sparse), 'configuration')} with dense networks is the mean of sparser ones better "
            "than theirs."
        ]
    several = means["method"].nunique() > 1
    shown = [
        f"{configuration_name(row, several)} at {format_percent(row['density'])} "
        f"({format_number(row['mean'])} against {format_number(row['dense'])})"
        for row in better.to_dict("records")[:3]
    ]
    where = f"{', such as' if len(better) > 3 else ':'} {'; '.join(shown)}"
    return [
        f"In {len(better)} of {plural(len(sparse), 'configuration')} with dense networks the mean of some sparser ones "
        f"is better than theirs{where}."
    ]


def _best_method(means: pd.DataFrame, value: str) -> list[str]:
    """Returns in how many configurations each method is the best at the lowest density that all of them have."""
    methods = list(dict.fromkeys(means["method"]))
    sparse = means[(means["density"] < 1) & (means["n"] > 0)]
    common = set.intersection(*(set(sparse.loc[sparse["method"] == method, "density"]) for method in methods))
    if len(methods) == 1 or not common:
        return []
    lowest = min(common)
    ranked = _ranked(sparse[sparse["density"] == lowest], value)
    places = ranked.groupby(["panel", "line"], sort=False)["method"]
    complete = [inside for _, inside in places if set(inside) == set(methods)]
    if not complete:
        return []
    won = pd.Series([inside.iloc[0] for inside in complete]).value_counts().reindex(methods, fill_value=0)
    named = {method: count for method, count in won.items() if count or len(won) <= _MANY_METHODS}
    counts = ", ".join(f"{method_name(str(method))} in {count}" for method, count in named.items())
    return [
        f"Of the {plural(len(complete), 'configuration')} that all methods have at {format_percent(lowest)}, the best "
        f"mean {spoken(value)} is that of {counts}."
    ]


def _flow_sentence(row: dict[Any, Any], each: pd.DataFrame, rows: pd.DataFrame) -> str:
    names = [row["table"]] if rows["table"].nunique() > 1 else []
    names += [method_name(row["method"])] if rows["method"].nunique() > 1 else []
    where = f"{', '.join(names)}: " if names else ""
    flow, target = flow_name(row["measure"], row.get("reading", "")), spoken(row["target"])
    if not row["configurations"]:
        return f"{where}Whether {flow} goes with {target} can't be said: no configuration has three runs that differ."
    key = ["table", "method", "measure", "target"]
    taus = each[(each[key] == [row[column] for column in key]).all(axis=1) & each["tau"].notna()]
    counts, signs = number_range(sorted(set(taus["points"]))), [int((sign * taus["tau"] > 0).sum()) for sign in (1, -1)]
    sentence = (
        f"{where}Over densities and seeds, {flow} goes with {target} with a mean |tau| of {row['mean_abs_tau']:.3f} in "
        f"{plural(row['configurations'], 'configuration')} of {counts} runs each: tau is positive in {signs[0]}, "
        f"negative in {signs[1]}"
    )
    if row["configurations"] > 1 and not math.isnan(row["overall_tau"]):
        sentence += f"; over all {row['overall_runs']} runs together it is {format_signed(row['overall_tau'], 3)}"
    return f"{sentence}."


def _ranked(means: pd.DataFrame, value: str) -> pd.DataFrame:
    """Returns the rows that have a mean, the best first."""
    return means[means["n"] > 0].sort_values("mean", ascending=lower_is_better(value), kind="stable")


def _between(means: pd.DataFrame, lowest: float, highest: float) -> pd.DataFrame:
    """Returns the configurations that have a mean at both densities, as `low` and `high`; none for one density."""
    trained = means[means["n"] > 0]
    at = [trained.loc[trained["density"] == d, [*PLACE, "mean"]] for d in (lowest, highest)]
    both = at[0].rename(columns={"mean": "low"}).merge(at[1].rename(columns={"mean": "high"}), on=PLACE)
    return both if lowest < highest else both.head(0)
