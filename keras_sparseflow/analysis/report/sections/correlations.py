"""Gradient flow against performance: Kendall's rank correlations, as in table 1 of Tessera et al."""

from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.formats import format_fixed, format_signed
from keras_sparseflow.analysis.frames.labels import flow_name, reading_name
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.sections.sparse_against_dense import PAPER
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Shown, Table, table_of
from keras_sparseflow.analysis.report.words import number_range, slug, spoken

_OVER = {
    "runs": "Kendall's tau between the average flow of a run and its result after the last epoch, within each "
    "configuration. ",
    "epochs": "Kendall's tau between the flow of a measured epoch and the result after it, over the epochs of each "
    "run; the tau of a configuration is the mean over its runs. It says how the two move along a training, where the "
    "tau over runs says which trainings have more of both. Figures show runs. ",
}
_READ = (
    "“mean |tau|” is the mean of its absolute value over the configurations, “mean tau” keeps the sign. A tau does not "
    "say that one causes the other. Runs that diverged are no part of this."
)
_DENSITIES = " Configurations are taken over their densities and seeds, and density moves both flow and accuracy."


@section("correlations", "flow", "Does gradient flow go with performance?", "gradient flow against performance")
def correlations(numbers: StudyNumbers) -> Content | None:
    """Returns correlations of flow and performance; nothing where no flow was recorded."""
    rows = numbers.correlations
    if rows.empty:
        return None
    over = numbers.source.tau_over
    read = _OVER[over] + _READ + ("" if numbers.of_pairs or over == "epochs" else _DENSITIES)
    if numbers.reading:
        read += f" Flow: {reading_name(numbers.reading)}."
    if numbers.of_pairs:
        groups = rows.groupby("dataset", sort=False)
        printed = [_table_1(str(name), inside, numbers.reading, over) for name, inside in groups]
        drawn = numbers.drawings("correlations")
        return Content([*printed, *drawn, _in_full(rows, numbers)], {"correlations": rows}, before=read)
    printed = [
        table
        for label, inside in numbers.taus.groupby("table", sort=False)
        for table in _taus(str(label), inside, over)
    ]
    blocks = [_in_full(rows, numbers), *numbers.drawings("correlations"), *printed]
    return Content(blocks, {"correlations": numbers.taus.drop(columns="cell")}, before=read)


def _in_full(rows: pd.DataFrame, numbers: StudyNumbers) -> Table:
    rows = rows.assign(
        where=rows["dataset"] if numbers.of_pairs else rows["table"],
        side=rows["arm"] if numbers.of_pairs else rows["method"].map(method_name),
        target=rows["target"].map(spoken),
    )
    shown = [
        *(
            [Shown("where", "dataset" if numbers.of_pairs else "table", text=True)]
            if rows["where"].nunique() > 1
            else []
        ),
        Shown("measure", "measure", flow_name, text=True),
        *([Shown("side", "arm" if numbers.of_pairs else "method", text=True)] if rows["side"].nunique() > 1 else []),
        Shown("target", "with", text=True),
        Shown("mean_abs_tau", "mean |tau|", lambda tau: format_fixed(tau, 3)),
        *(
            [Shown("published_tau", "paper", lambda tau: format_fixed(tau, 3))]
            if numbers.of_pairs and rows["published_tau"].notna().any()
            else []
        ),
        Shown("mean_tau", "mean tau", lambda tau: format_signed(tau, 3)),
        Shown("std_abs_tau", "standard deviation", lambda tau: format_fixed(tau, 3)),
        Shown(
            "configurations",
            "configurations",
            "{:g}".format,
            note=lambda row: f"of {row['configurations'] + row['without_tau']}" if row["without_tau"] else "",
        ),
        *([] if numbers.of_pairs else [Shown("overall_tau", "tau over all runs", lambda tau: format_signed(tau, 3))]),
        Shown("runs", "runs", "{:g}".format),
        Shown("diverged", "diverged", "{:g}".format),
    ]
    return table_of(rows, shown, "correlations-in-full", "", heading="Over all configurations")


def _table_1(dataset: str, taus: pd.DataFrame, reading: str, over: str) -> Table:
    """Returns correlations in the layout of table 1: a row for each measure, a column for each arm and target."""
    places = list(dict.fromkeys(zip(taus["arm"], taus["target"], strict=True)))
    at = {(row["measure"], row["arm"], row["target"]): row for row in taus.to_dict("records")}
    rows = [
        [Cell(flow_name(measure)), *(_tau(at.get((measure, *place))) for place in places)]
        for measure in dict.fromkeys(taus["measure"])
    ]
    counts = sorted(set(taus["configurations"]))
    caption = (
        f"Gradient flow and performance on {dataset}: mean absolute Kendall correlation over {number_range(counts)} "
        f"configurations{', over the measured epochs of each run' if over == 'epochs' else ''}."
    )
    if taus["published_tau"].notna().any():
        caption += f" In parentheses: the number of {PAPER}."
    caption += f" Flow: {reading_name(reading)}." if reading else ""
    columns = [Column("measure", text=True), *(Column(spoken(target), group=arm) for arm, target in places)]
    return Table(slug("correlations", dataset), caption, columns, rows, "correlations", dataset)


def _tau(tau: dict[Any, Any] | None) -> Cell:
    if tau is None:
        return Cell("", sort=float("nan"))
    note = "" if pd.isna(tau["published_tau"]) else f"paper {tau['published_tau']:.3f}"
    return Cell(format_fixed(tau["mean_abs_tau"], 3), note, sort=tau["mean_abs_tau"])


def _taus(label: str, taus: pd.DataFrame, over: str) -> list[Table]:
    """Returns a table for each target: a row for each configuration, a column for each measure."""
    tables = []
    for target, inside in taus.groupby("target", sort=False):
        measures = list(inside["measure"].unique())
        rows = []
        for cell, row in inside.groupby("cell", sort=False):
            at = row.set_index("measure")["tau"]
            rows.append([Cell(str(cell)), *(Cell(format_signed(at[m], 3), sort=at[m]) for m in measures)])
        counts = sorted(set(inside.loc[inside["points"] > 0, "points"])) or [0]
        points = {
            "runs": "over densities and seeds, of {} runs each",
            "epochs": "over the epochs of runs, of {} points",
        }
        caption = (
            f"Gradient flow and {spoken(str(target))}, {label}: Kendall's rank correlation "
            f"{points[over].format(number_range(counts))}."
        )
        columns = [Column("configuration", text=True), *(Column(flow_name(measure)) for measure in measures)]
        name = slug(f"tau-{spoken(str(target)).replace(' ', '-')}", label)
        tables.append(Table(name, caption, columns, rows, "correlations", f"{label}: {spoken(str(target))}"))
    return tables
