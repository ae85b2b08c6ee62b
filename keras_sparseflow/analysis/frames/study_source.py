"""The source of a report: a study's frames, read from disk, and the choices of its reader."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.cells import completed, spec_columns
from keras_sparseflow.analysis.frames.labels import POINTS
from keras_sparseflow.analysis.frames.readings import by_other_reading, judge
from keras_sparseflow.flow.measure_table import TOTAL
from keras_sparseflow.records.columns import HELD_OUT
from keras_sparseflow.records.row_cache import with_texts
from keras_sparseflow.records.study_file import read_revisions
from keras_sparseflow.records.study_reader import StudyReader

MEASURE = "egf_2"
"""The flow measure of a report where neither the study nor the caller names one."""


@dataclass(frozen=True)
class Source:
    """A study as it stands on disk, and the options of its report.

    Attributes:
        study: the content of `study.json`.
        results: one row per finished run; not empty.
        history: one row per run and epoch.
        flow: one row per run, measured epoch and layer, of the measure to draw and the reading that the study is judged
            by; rows of all measures where the one to draw was not measured.
        diagnostics: one row per run, measured epoch, measure and layer; empty where none were measured.
        landscape: one row per run and point around its trained weights; empty where no losses were taken there.
        value: the column of the results that networks are compared by.
        measure: the flow measure to draw.
        diverged: "worst" or "drop", see `pair_arms`.
        figure_files: whether the figures are to stand beside the page as files too.
        damaged: the fault of each finished run that is left out, by its id.
        totals: one row per run, measured epoch, reading and measure: flow of whole networks; None where `tau_over` is
            "runs", which needs no such rows.
        tau_over: the points between which flow and performance are ranked, "runs" or "epochs".
        other_results: the results with flow of the reading by which the study is not judged; None unless every run has
            both.
        revisions: each version of the plan of which runs train together; more than one where it was changed.

    Example:
        >>> source = read_source(Path("runs/demo"), "test_accuracy", None, "worst", figures=False)
        >>> source.measure, set(source.results["arm"]) == {"sparse", "dense"}
        ('egf_2', True)
    """

    study: Mapping[str, Any]
    results: pd.DataFrame
    history: pd.DataFrame
    flow: pd.DataFrame
    diagnostics: pd.DataFrame
    landscape: pd.DataFrame
    value: str
    measure: str
    diverged: str
    figure_files: bool
    damaged: Mapping[str, str] = field(default_factory=dict)
    revisions: Sequence[str] = ()
    other_results: pd.DataFrame | None = None
    totals: pd.DataFrame | None = None
    tau_over: str = "runs"


def read_source(
    study_dir: Path, value: str, measure: str | None, diverged: str, figures: bool, tau_over: str = "runs"
) -> Source:
    """Returns a study on disk; arguments and errors are those of `write_report`."""
    if tau_over not in POINTS:
        raise ValueError(f"`tau_over` must be 'runs' or 'epochs'; received {tau_over!r}.")
    if not study_dir.is_dir():
        raise FileNotFoundError(f"`study_dir` must be the folder of a study; received {study_dir}, which is no folder.")
    reader = StudyReader(study_dir)
    study, results, damaged = reader.study, reader.results(), reader.damage
    if results.empty and damaged:
        raise ValueError(f"Every finished run of {study_dir} is damaged, such as {next(iter(damaged.values()))}.")
    if results.empty:
        raise ValueError(
            f"{study_dir} has no finished run to report on: expected a result.json in the folder of at least one "
            f"of its {study.get('runs_planned', 'planned')} runs; found none. Run the study first."
        )
    if value in HELD_OUT and value not in results:
        raise ValueError(
            f"`value` {value} needs images held out from training (--validation_size); {study_dir} has held out none."
        )
    results, rows = with_methods(completed(results)), reader.table("flow", categories=True)
    other, (results, flow) = by_other_reading(results, rows), judge(results, rows)
    if "spec_columns" not in results.attrs:  # a measure that a plugin added is no part of the spec
        measured = set(flow["measure"])
        results.attrs["spec_columns"] = [column for column in spec_columns(results) if column not in measured]
    chosen = measure or study.get("measure") or MEASURE
    drawn = flow[flow["measure"] == chosen]
    return Source(
        study=study,
        results=results,
        history=reader.table("history"),
        flow=with_texts(flow if drawn.empty else drawn),
        diagnostics=reader.table("diagnostics"),
        landscape=reader.table("landscape"),
        value=value,
        measure=chosen,
        diverged=diverged,
        figure_files=figures,
        damaged=damaged,
        revisions=read_revisions(study_dir),
        other_results=other,
        totals=with_texts(rows[rows["layer"] == TOTAL]) if tau_over == "epochs" else None,
        tau_over=tau_over,
    )


def with_methods(results: pd.DataFrame) -> pd.DataFrame:
    """Returns results with the columns of a method, which no run has where all networks are dense."""
    if "arm" in results or "method" in results:
        return results
    made = results.assign(method="static", score="random", distribution="uniform")
    made.attrs["spec_columns"] = [*results.attrs.get("spec_columns", ()), "method", "score", "distribution"]
    return made
