"""Performance by density: a row for each configuration, a column for each density."""

from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.formats import NOTHING, format_fixed, format_percent, format_signed, plural
from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Table
from keras_sparseflow.analysis.report.words import number_range, slug, spoken

_READ = (
    "Mean over the seeds with their standard deviation. Runs that diverged are no part of it: “n = 2 of 3” says that "
    "one did. A second line with a sign says by how much the mean with tweaks is above that without."
)


@section("densities", "answer", "Performance by density", "performance by density")
def densities(numbers: StudyNumbers) -> Content | None:
    """Returns means by density; nothing for a study of pairs."""
    if numbers.of_pairs:
        return None
    means = numbers.means
    tables = [_table(str(label), inside, numbers) for label, inside in means.groupby("table", sort=False)]
    return Content(tables, {"densities": means.drop(columns="cell")}, before=_READ)


def _table(label: str, means: pd.DataFrame, numbers: StudyNumbers) -> Table:
    places, seeds = sorted(means["density"].unique()), int(means["n"].mode().max())
    rows = []
    for cell, inside in means.groupby("cell", sort=False):
        at = {row["density"]: row for row in inside.to_dict("records")}
        rows.append([Cell(str(cell)), *(_mean(at.get(density), seeds) for density in places)])
    counts = sorted(set(means["n"]))
    caption = (
        f"{spoken(numbers.value).capitalize()} by density, {label}: mean \N{PLUS-MINUS SIGN} standard deviation over "
        f"{number_range(counts)} seed{'' if counts == [1] else 's'}."
    )
    diverged = int(means["diverged"].sum())
    if diverged:
        caption += f" {plural(diverged, 'run')} that diverged left out."
    heading = f"{label}; {plural(seeds, 'seed')}"
    columns = [Column(f"optimizer, {numbers.line_heading}", text=True), *(Column(format_percent(d)) for d in places)]
    return Table(slug("densities", label), caption, columns, rows, "densities", heading)


def _mean(mean: dict[Any, Any] | None, seeds: int) -> Cell:
    if mean is None:
        return Cell("", sort=float("nan"))
    if not mean["n"]:
        return Cell(NOTHING, f"n = 0 of {mean['diverged']}", sort=float("nan"))
    text = format_fixed(mean["mean"]) + spread(mean)
    notes = [format_signed(mean["gain"])] if not pd.isna(mean["gain"]) else []
    if mean["diverged"] or mean["n"] != seeds:
        notes.append(f"n = {mean['n']}" + (f" of {mean['n'] + mean['diverged']}" if mean["diverged"] else ""))
    return Cell(text, ", ".join(notes), sort=mean["mean"])


def spread(mean: dict[Any, Any]) -> str:
    """Returns the standard deviation of a mean, as it follows it; nothing for a single run."""
    return "" if pd.isna(mean["std"]) else f" \N{PLUS-MINUS SIGN} {format_fixed(mean['std'])}"
