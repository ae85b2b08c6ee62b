"""Runs that diverged, and the choices, versions, machine and cost behind a study."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.cells import spec_columns
from keras_sparseflow.analysis.frames.formats import format_large, format_percent, plural
from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Shown, Table, table_of
from keras_sparseflow.analysis.report.words import duration, in_words, scaled_down, settings

_COST = {
    "steps": "gradient steps, planned",
    "active_weights": "active weights, all networks",
    "stored_weights": "stored weights, all networks",
    "flops": "floating-point operations, planned",
    "active_flops": "floating-point operations that active weights alone would need",
}


@section("diverged", "numbers", "Diverged runs", "runs that diverged")
def diverged_runs(numbers: StudyNumbers) -> Content | None:
    """Returns the runs that diverged; nothing where none did."""
    placed = numbers.placed.drop_duplicates("run_id")
    lost = placed[placed["diverged"].astype(bool)]
    if lost.empty:
        return None
    width = [Shown("arm", "arm", text=True), Shown("dense_width", "dense width", "{:g}".format)]
    shown = [
        Shown("run_id", "run", text=True),
        Shown("table", "table", text=True),
        Shown("cell", "configuration", text=True),
        *(width if numbers.of_pairs else [Shown("density", "density", format_percent)]),
        Shown("seed", "seed", "{:g}".format),
        Shown("epochs_run", "epochs trained", "{:g}".format),
    ]
    said = f"{len(lost)} of {plural(len(placed), 'run')} ended with a loss that is not finite."
    return Content([table_of(lost, shown, "diverged-runs", "")], before=said)


@section("changes", "made", "What differs from the preset", "what differs from the preset")
def changes(numbers: StudyNumbers) -> Content | None:
    """Returns what differs from the preset; nothing where there was none."""
    study = numbers.source.study
    if not study.get("preset"):
        return None
    notes = study.get("notes") or []
    said = [*scaled_down(study), *([notes] if isinstance(notes, str) else notes)]
    rows = [[row["choice"], in_words(row["preset"]), in_words(row["here"])] for row in study.get("overrides") or []]
    return Content([*said, *([_facts("overrides", ["choice", "preset", "here"], rows)] if rows else [])])


@section("choices", "made", "Every choice made", "every choice with its source")
def choices(numbers: StudyNumbers) -> Content:
    """Returns every choice behind a study with its source, and what its runs were set to besides."""
    made = numbers.source.study.get("choices") or []
    rows = [
        [in_words(row["choice"]), in_words(row["value"]), row.get("meaning", ""), row.get("source", "")] for row in made
    ]
    named = {row["choice"] for row in made}
    results = numbers.source.results
    besides = settings(results, [column for column in spec_columns(results) if column not in named])
    blocks: list[Any] = [_facts("choice-table", ["choice", "value", "meaning", "source"], rows)] if rows else []
    if besides:
        blocks.append(_facts("settings", ["what the runs were set to besides", "value"], list(besides.items())))
    return Content(
        blocks, before="Every choice behind these numbers, and where its value comes from: the papers leave some open."
    )


@section("made", "made", "How this was made, and what it cost", "versions, machine, command and cost")
def provenance(numbers: StudyNumbers) -> Content:
    """Returns networks, cost, command, versions and machine of a study."""
    study, results = numbers.source.study, numbers.results.drop_duplicates("run_id")
    planned = f" of {study['runs_planned']} planned" if study.get("runs_planned") else ""
    facts: dict[str, Any] = {"networks": f"{len(results)}{planned}"}
    if "seconds" in results:
        seconds = float(pd.to_numeric(results["seconds"]).sum())
        facts["training time"] = f"{duration(seconds)}, summed over the networks"
    cost: Mapping[str, Any] = study.get("cost") or {}
    facts |= {_COST.get(name, name): format_large(amount) for name, amount in cost.items() if name != "networks"}
    facts |= {"started": str(study["created"]).replace("T", " ")} if study.get("created") else {}
    facts |= {"command": study["command"]} if study.get("command") else {}
    facts |= study.get("versions") or {}
    facts |= {f"machine: {name}": fact for name, fact in (study.get("machine") or {}).items()}
    rows = [[name, in_words(fact)] for name, fact in facts.items()]
    return Content([_facts("cost", ["", ""], rows)])


def _facts(label: str, headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Returns a table of words."""
    columns = [Column(heading, text=True) for heading in headings]
    return Table(label, "", columns, [[Cell(str(text)) for text in row] for row in rows])
