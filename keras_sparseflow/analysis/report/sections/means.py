"""Means over the seeds in full: interval, range, number of seeds and flow; and means beside the published ones."""

from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.cells import arrange
from keras_sparseflow.analysis.frames.formats import (
    NOTHING,
    format_fixed,
    format_number,
    format_percent,
    format_signed,
    plural,
)
from keras_sparseflow.analysis.frames.labels import flow_name
from keras_sparseflow.analysis.frames.pairs import ARMS
from keras_sparseflow.analysis.published.tessera_first_version import beside_published_means
from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.sections.by_density import spread
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Shown, Table, table_of
from keras_sparseflow.analysis.report.words import number_range, slug, spoken

_READ = (
    "Each mean with its 95% bootstrap interval, which for three seeds or fewer says no more than their range. Runs "
    "that diverged are no part of these numbers: “2 of 3” seeds means that one did."
)


@section("means", "numbers", "Means over the seeds", "means over the seeds")
def means(numbers: StudyNumbers) -> Content:
    """Returns means by dense width and arm, or by density."""
    groups = list(numbers.means.groupby("table", sort=False))
    tables = [_in_full(str(label), inside, numbers) for label, inside in groups]
    if not numbers.of_pairs:
        return Content(tables, before=_READ)
    printed = [_by_width(str(label), inside, numbers.value) for label, inside in groups]
    return Content(
        [*printed, *tables], {"means": numbers.means.drop(columns=["cell", "table", "row", "column"])}, before=_READ
    )


_READ_PUBLISHED = (
    "Accuracies of the paper's first version, which has means for CIFAR-100 at a rate of 0.001 alone: of four hidden "
    "layers and 1000 epochs on all images in their own size. Two cells of Adagrad and all losses cannot be read "
    "there. Ours are means over all widths and seeds without runs that diverged."
)


@section("published_means", "paper", "Means beside the published ones", "accuracies beside those of Tessera et al.")
def published_means(numbers: StudyNumbers) -> Content | None:
    """Returns our mean accuracies beside those of the first version; nothing where it has none of the cells."""
    if not numbers.of_pairs:
        return None
    means = beside_published_means(numbers.results, numbers.value)
    if means.empty:
        return None
    places = arrange(means, list(means.columns[: means.columns.get_loc("arm")]))
    tables = [_beside(str(label), inside) for label, inside in places.groupby("table", sort=False)]
    return Content(tables, {"published_means": means}, before=_READ_PUBLISHED)


def _beside(label: str, means: pd.DataFrame) -> Table:
    """Returns a table of published means: a row for each cell, and its arms and their difference in groups."""
    cells = means["row"] + ", " + means["column"]
    rows = []
    for cell, inside in means.groupby(cells, sort=False):
        at = {row["arm"]: row for row in inside.to_dict("records")}
        both = [at.get(arm) for arm in ARMS]
        row = [Cell(str(cell))]
        for mean in both:
            row += [_mean(mean), _mean(mean and _published(mean))]
        for key in ("mean", "published_mean"):
            sparse, dense = (float(mean[key]) if mean else float("nan") for mean in both)
            row.append(Cell(format_signed(sparse - dense), sort=sparse - dense))
        rows.append(row)
    runs = sorted(set(means["n"]))
    caption = (
        f"Test accuracy, {label}: mean \N{PLUS-MINUS SIGN} standard deviation over {number_range(runs)} networks, "
        "beside that of the paper's first version."
    )
    groups = (*ARMS, "sparse minus dense")
    columns = [
        Column("cell", text=True),
        *(Column(whose, group=group) for group in groups for whose in ("ours", "paper")),
    ]
    return Table(slug("published-means", label), caption, columns, rows, "published_means", label)


def _published(mean: dict[Any, Any]) -> dict[Any, Any]:
    """Returns the published mean in the form of one of ours."""
    return {"mean": mean["published_mean"], "std": mean["published_std"], "n": mean["n"], "diverged": 0}


def _in_full(label: str, rows: pd.DataFrame, numbers: StudyNumbers) -> Table:
    rows = rows.assign(interval=[_interval(row) for row in rows.to_dict("records")])
    group = [Shown("dense_width", "dense width", "{:g}".format), Shown("arm", "arm", text=True)]
    shown = [
        Shown("cell", "configuration", text=True),
        *(group if numbers.of_pairs else [Shown("density", "density", format_percent)]),
        Shown("mean", "mean", format_fixed),
        Shown("interval", "95% interval", text=True),
        Shown("min", "lowest", format_fixed),
        Shown("max", "highest", format_fixed),
        Shown(
            "n", "seeds", "{:g}".format, note=lambda row: f"of {row['n'] + row['diverged']}" if row["diverged"] else ""
        ),
    ]
    if rows["flow"].notna().any():
        shown.append(Shown("flow", flow_name(numbers.source.measure, numbers.reading), format_number))
    return table_of(rows, shown, slug("means-in-full", label), "", heading=f"{label}: in full")


def _by_width(label: str, means: pd.DataFrame, value: str) -> Table:
    widths = sorted(means["dense_width"].unique())
    rows = []
    for cell, inside in means.groupby("cell", sort=False):
        at = {(row["arm"], row["dense_width"]): row for row in inside.to_dict("records")}
        rows += [[Cell(f"{cell}, {arm}"), *(_mean(at.get((arm, width))) for width in widths)] for arm in ARMS]
    seeds = sorted(set(means["n"]))
    caption = (
        f"{spoken(value).capitalize()} by dense width, {label}: mean \N{PLUS-MINUS SIGN} standard deviation over "
        f"{number_range(seeds)} seed{'' if seeds == [1] else 's'}."
    )
    diverged = int(means["diverged"].sum())
    if diverged:
        caption += f" {plural(diverged, 'run')} that diverged left out; n says how many are not."
    columns = [Column("cell, arm", text=True), *(Column(f"{width:g}") for width in widths)]
    return Table(slug("means", label), caption, columns, rows, "means", label)


def _mean(mean: dict[Any, Any] | None) -> Cell:
    if mean is None or not mean["n"]:
        return Cell(NOTHING, sort=float("nan"))
    note = f"n = {mean['n']}" if mean["diverged"] else ""
    return Cell(format_fixed(mean["mean"]) + spread(mean), note, sort=mean["mean"])


def _interval(mean: dict[Any, Any]) -> str:
    return NOTHING if pd.isna(mean["ci_low"]) else f"{format_fixed(mean['ci_low'])} to {format_fixed(mean['ci_high'])}"
