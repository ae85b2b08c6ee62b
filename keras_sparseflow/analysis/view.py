"""What a report's page shows, computed from the frames of a study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from keras_sparseflow.analysis import summary
from keras_sparseflow.analysis.agreement import agreement, agreement_sentences
from keras_sparseflow.analysis.bootstrap import LEVEL
from keras_sparseflow.analysis.cells import arrange, columns_in_order, spec_columns
from keras_sparseflow.analysis.claims import claims
from keras_sparseflow.analysis.formats import format_large
from keras_sparseflow.analysis.gallery import Drawing
from keras_sparseflow.analysis.labels import flow_name
from keras_sparseflow.analysis.page import inline_svg

FOLDER = "report"
"""The folder of tables and figures beside the page."""

_RECORDED = (
    *("name", "title", "created", "command", "choices", "versions", "machine", "runs_planned"),
    *("preset", "reproduces", "notes", "overrides", "cost"),
)
_COST = {
    "steps": "gradient steps, planned",
    "active_weights": "active weights, all networks",
    "stored_weights": "stored weights, all networks",
    "flops": "floating-point operations, planned",
    "active_flops": "floating-point operations that active weights alone would need",
}
_WIDTH_OF_THE_PAGE = 11  # inches


@dataclass(frozen=True)
class Numbers:
    """The numbers of a study from which its report is made.

    Attributes:
        study: what `study.json` says.
        results: one row per finished run.
        value: the column of the results that the arms are compared by.
        measure: the flow measure to draw.
        diverged: "worst" or "drop", see `pair_arms`.
        comparison: as `tabulate` returns it.
        means: as `tabulate_means` returns it.
        correlations: as `with_published_tau` returns it; empty where no flow was recorded.
        drawings: the figures of each table.
        correlation_drawings: the figures of each dataset.
        figure_files: whether the figures are beside the page as files too.
    """

    study: Mapping[str, Any]
    results: pd.DataFrame
    value: str
    measure: str
    diverged: str
    comparison: pd.DataFrame
    means: pd.DataFrame
    correlations: pd.DataFrame
    drawings: Mapping[str, Sequence[Drawing]]
    correlation_drawings: Mapping[str, Sequence[Drawing]]
    figure_files: bool


def view(numbers: Numbers) -> dict[str, Any]:
    """Returns everything the template shows."""
    study = {**dict.fromkeys(_RECORDED), **numbers.study}
    shown = {
        "study": study,
        "title": study["title"] or study["name"] or "Study",
        "value": numbers.value,
        "measure": numbers.measure,
        "flow_name": flow_name(numbers.measure),
        "alpha": summary.ALPHA,
        "level": f"{100 * LEVEL:g}",
        "folder": FOLDER,
        "figure_files": numbers.figure_files,
        **_in_words(numbers, study),
        **_tables(numbers),
        **_correlations(numbers),
        **_runs(numbers, study),
    }
    return {**shown, "contents": _contents(shown)}


def _in_words(numbers: Numbers, study: Mapping[str, Any]) -> dict[str, Any]:
    results, comparison, taus = numbers.results, numbers.comparison, numbers.correlations
    outcome = summary.findings(comparison)
    against_paper = agreement_sentences(agreement(comparison))
    differences = summary.published_differences(results, comparison)
    if differences:
        against_paper.append(f"The paper's conditions were others. Here: {'; '.join(differences)}.")
    return {
        "findings": [*outcome, *against_paper, *summary.flow_findings(taus)],
        "warnings": summary.warnings(results, comparison, study["runs_planned"], numbers.value, numbers.diverged),
        "claims": claims(results, comparison, taus if len(taus) else None),
        "scaled_down": summary.scaled_down(study),
        "notes": [study["notes"]] if isinstance(study["notes"], str) else study["notes"] or [],
    }


def _tables(numbers: Numbers) -> dict[str, Any]:
    comparison = numbers.comparison
    return {
        "tables": [_table(numbers, label, number) for number, label in enumerate(comparison["table"].unique(), 1)],
        "tests": int(comparison["p_value"].notna().sum()),
        "methods": sorted(set(comparison["method"]) - {"none"}),
        "dropped": numbers.diverged == "drop",
        "published": bool(comparison["published_p"].notna().any()),
        "assumed": bool(comparison["published_assumed"].any()),
        "elsewhere": bool((comparison["published_elsewhere"] != "").any()),
        "published_differences": summary.published_differences(numbers.results, comparison),
    }


def _runs(numbers: Numbers, study: Mapping[str, Any]) -> dict[str, Any]:
    results, placed = numbers.results, arrange(numbers.results)
    chosen = {choice["choice"] for choice in study["choices"] or ()}
    return {
        "networks": len(results),
        "diverged_runs": placed[placed["diverged"].astype(bool)].to_dict("records"),
        "settings": summary.settings(results, [c for c in spec_columns(results) if c not in chosen]),
        "cost": _cost(study["cost"] or {}),
        "seconds": float(pd.to_numeric(results["seconds"]).sum()) if "seconds" in results else None,
    }


def _table(numbers: Numbers, label: str, number: int) -> dict[str, Any]:
    inside = numbers.comparison[numbers.comparison["table"] == label]
    cells = {
        (cell["row"], cell["column"]): {**cell, "id": f"cell-{number}-{index}"}
        for index, cell in enumerate(inside.to_dict("records"), 1)
    }
    means = numbers.means[numbers.means["table"] == label]
    return {
        "label": label,
        "rows": list(dict.fromkeys(inside["row"])),
        "columns": columns_in_order(inside),
        "cells": cells,
        "means": means.to_dict("records"),
        "has_flow": bool(means["flow"].notna().any()),
        "figures": [_figure(drawing, f"f{number}-{i}") for i, drawing in enumerate(numbers.drawings[label], 1)],
    }


def _correlations(numbers: Numbers) -> dict[str, Any]:
    taus = numbers.correlations
    highest = taus.groupby(["dataset", "arm", "target"])["mean_abs_tau"].transform("max")
    drawn = [drawing for inside in numbers.correlation_drawings.values() for drawing in inside]
    return {
        "correlations": taus.assign(best=taus["mean_abs_tau"] == highest).to_dict("records"),
        "published_tau": bool(taus["published_tau"].notna().any()),
        "correlation_figures": [_figure(drawing, f"k{number}") for number, drawing in enumerate(drawn, 1)],
    }


def _figure(drawing: Drawing, prefix: str) -> dict[str, Any]:
    return {
        "name": drawing.name,
        "title": drawing.title,
        "caption": drawing.caption,
        "svg": inline_svg(drawing.figure, prefix, drawing.title),
        "large": drawing.figure.get_figwidth() > 1.3 * _WIDTH_OF_THE_PAGE,
    }


def _cost(cost: Mapping[str, Any]) -> dict[str, str]:
    """Returns what the planned networks cost, counted when the study began, in words."""
    counted = {_COST.get(name, name.replace("_", " ")): amount for name, amount in cost.items() if name != "networks"}
    return {name: format_large(amount) for name, amount in counted.items()}


def _contents(shown: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns id and heading of each section, in the order of the page."""
    several = len(shown["tables"]) > 1
    sections = [("claims", "The paper's claims"), ("p-values", "Is sparse better than dense?")]
    if shown["correlations"]:
        sections.append(("correlations", "Does gradient flow go with performance?"))
    for number, table in enumerate(shown["tables"], 1):
        sections.append((f"figures-{number}", f"Figures: {table['label']}" if several else "Figures"))
    sections.append(("means", "Means over the seeds"))
    if shown["diverged_runs"]:
        sections.append(("diverged", "Diverged runs"))
    if shown["study"]["preset"]:
        sections.append(("scaled", "What differs from the preset"))
    return [*sections, ("choices", "Every choice made"), ("made", "How this was made, and what it cost")]
