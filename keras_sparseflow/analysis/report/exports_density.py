"""The tables of a density study's report, ready for a paper, as Markdown and as LaTeX."""

from collections.abc import Hashable
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.densities import PLACE
from keras_sparseflow.analysis.frames.formats import format_fixed, format_p, format_percent, format_signed
from keras_sparseflow.analysis.frames.labels import flow_name
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.report.exports import by_table, flow_sentence, mean_entry, number_range, slug, spoken
from keras_sparseflow.analysis.report.sheets import Entry, Sheet
from keras_sparseflow.analysis.report.summary import ALPHA

_HEADER = ["method", "optimizer"]


def density_mean_sheets(means: pd.DataFrame, value: str = "test_accuracy", line: str = "variant") -> list[Sheet]:
    """Returns a sheet per table of a study: a row per configuration, a column per density.

    Args:
        means: as `mean_by_density` or `tabulate_densities` returns it; gains of the latter join the means.
        value: the column whose means these are.
        line: what configurations of a method differ in, see `line_heading`.
    """
    return [_mean_sheet(inside, label, value, line) for label, inside in by_table(means)]


def comparison_sheets(comparisons: pd.DataFrame, value: str = "test_accuracy") -> list[Sheet]:
    """Returns a sheet per table of a study: a row per comparison of two variants or two methods.

    Args:
        comparisons: as `compare_densities` returns it.
        value: the column that was compared.
    """
    return [_comparison_sheet(inside, label, value) for label, inside in by_table(comparisons)]


def density_tau_sheets(each: pd.DataFrame, line: str = "variant") -> list[Sheet]:
    """Returns a sheet per table of a study and target: a row per configuration, a column per measure.

    Args:
        each: the first frame of `correlate_densities`.
        line: what configurations of a method differ in, see `line_heading`.
    """
    return [
        _tau_sheet(inside, label, str(target), line)
        for label, rows in by_table(each)
        for target, inside in rows.groupby("target", sort=False)
    ]


def _mean_sheet(means: pd.DataFrame, label: str, value: str, line: str) -> Sheet:
    densities = sorted(means["density"].unique())
    rows = [
        [*_named(place), *(_mean_and_gain(_at(inside, "density", density)) for density in densities)]
        for place, inside in means.groupby(PLACE, sort=False)
    ]
    seeds = sorted(set(means["n"]))
    caption = (
        f"{spoken(value).capitalize()} by density, {label}: mean \N{PLUS-MINUS SIGN} standard deviation over "
        f"{number_range(seeds)} seed{'' if seeds == [1] else 's'}."
    )
    diverged = int(means["diverged"].sum())
    if diverged:
        runs = "run that diverged is" if diverged == 1 else "runs that diverged are"
        caption += f" The {diverged} {runs} left out; n says how many are not."
    if "gain" in means and means["gain"].notna().any():
        caption += " In parentheses: by how much the mean with tweaks is above that without."
    return Sheet(slug("densities", label), caption, [*_HEADER, line, *map(format_percent, densities)], rows, names=3)


def _mean_and_gain(mean: dict[Any, Any] | None) -> Entry:
    entry = mean_entry(mean)
    if mean is None or pd.isna(mean.get("gain")):
        return entry
    return Entry(f"{entry.text} ({format_signed(mean['gain'])})")


def _comparison_sheet(rows: pd.DataFrame, label: str, value: str) -> Sheet:
    caption = (
        f"Differences in {spoken(value)} at the same density and seed, {label}: two-sided paired Wilcoxon signed-rank "
        f"tests. The difference is positive where the first is better. Bold: corrected p < {ALPHA:g}."
    )
    header = ["first", "second", "of", "pairs", "median difference", "effect size", "p", "p, Holm"]
    entries = [_comparison_entries(row) for row in rows.to_dict("records")]
    return Sheet(slug("comparisons", label), caption, header, entries, names=3)


def _comparison_entries(row: dict[Any, Any]) -> list[Entry]:
    sides = [method_name(row[side]) if row["compared"] == "method" else row[side] for side in ("first", "second")]
    numbers = [str(row["pairs"]), format_signed(row["median_difference"]), format_signed(row["effect_size"], 2)]
    corrected = Entry(format_p(row["p_holm"]), bold=bool(row["p_holm"] < ALPHA))
    return [*map(Entry, [*sides, company(row), *numbers, format_p(row["p_value"])]), corrected]


def company(row: dict[Any, Any]) -> str:
    """Returns what a comparison's two sides have in common, in words, of a row of `compare_densities`."""
    method = method_name(row["method"]) if row["method"] else ""
    return ", ".join(filter(None, [row["panel"], row["line"], method]))


def _tau_sheet(taus: pd.DataFrame, label: str, target: str, line: str) -> Sheet:
    measures = list(taus["measure"].unique())
    rows = []
    for place, inside in taus.groupby(PLACE, sort=False):
        found = [_at(inside, "measure", measure) for measure in measures]
        rows.append([*_named(place), *(Entry(format_fixed(tau["tau"], 3) if tau else "") for tau in found)])
    counts = sorted(set(taus.loc[taus["points"] > 0, "points"])) or [0]
    caption = (
        f"Gradient flow and {spoken(target)}, {label}: Kendall's rank correlation over densities and seeds, of "
        f"{number_range(counts)} runs each."
    ) + flow_sentence(taus)
    header = [*_HEADER, line, *map(flow_name, measures)]
    return Sheet(slug(f"tau-{spoken(target).replace(' ', '-')}", label), caption, header, rows, names=3)


def _named(place: tuple[Hashable, ...]) -> list[Entry]:
    _, method, panel, line = map(str, place)
    return [Entry(method_name(method)), Entry(panel), Entry(line)]


def _at(rows: pd.DataFrame, column: str, key: Any) -> dict[Any, Any] | None:
    found = rows[rows[column] == key].to_dict("records")
    return found[0] if found else None
