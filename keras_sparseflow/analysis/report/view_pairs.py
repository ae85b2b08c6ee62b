"""What the page of a study of pairs shows: p-values, claims of the paper, correlations, means by dense width."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.claims.judging import judge_claims
from keras_sparseflow.analysis.frames.cells import arrange, columns_in_order
from keras_sparseflow.analysis.gallery import Drawing
from keras_sparseflow.analysis.published.agreement import agreement, agreement_sentences
from keras_sparseflow.analysis.report import summary
from keras_sparseflow.analysis.report.sections import page_sections
from keras_sparseflow.analysis.report.sources import Source
from keras_sparseflow.analysis.report.view import (
    RunColumn,
    recorded,
    view_figures,
    view_study,
)


@dataclass(frozen=True)
class Numbers:
    """The numbers of a study of pairs from which its report is made.

    Attributes:
        source: the study.
        comparison: as `tabulate` returns it.
        means: as `tabulate_means` returns it.
        correlations: as `with_published_tau` returns it; empty where no flow was recorded.
        drawings: the figures of each table.
        correlation_drawings: the figures of each dataset.
    """

    source: Source
    comparison: pd.DataFrame
    means: pd.DataFrame
    correlations: pd.DataFrame
    drawings: Mapping[str, Sequence[Drawing]]
    correlation_drawings: Mapping[str, Sequence[Drawing]]


def view(numbers: Numbers) -> dict[str, Any]:
    """Returns everything the template shows."""
    placed = arrange(numbers.source.results)
    shown = {
        **view_study(numbers.source),
        **_in_words(numbers),
        **_tables(numbers),
        **_correlations(numbers),
        "diverged_runs": placed[placed["diverged"].astype(bool)].to_dict("records"),
        "run_columns": [RunColumn("arm", "arm", text=True), RunColumn("width", "dense_width")],
    }
    return {**shown, **page_sections("pairs", shown, numbers.source)}


def _in_words(numbers: Numbers) -> dict[str, Any]:
    source, comparison, taus = numbers.source, numbers.comparison, numbers.correlations
    results, planned = source.results, recorded(source)["runs_planned"]
    outcome = summary.findings(comparison)
    against_paper = agreement_sentences(agreement(comparison))
    differences = summary.published_differences(results, comparison)
    if differences:
        against_paper.append(f"The paper's conditions were others. Here: {'; '.join(differences)}.")
    return {
        "findings": [*outcome, *against_paper, *summary.flow_findings(taus)],
        "warnings": summary.warnings(results, comparison, planned, source.value, source.diverged),
        "claims": judge_claims(results, source.diagnostics, _accuracy(source.value), source.diverged),
    }


def _accuracy(value: str) -> str:
    """Returns the accuracy by which claims are judged: the report's own value where it is one."""
    return value if value.endswith("accuracy") else "test_accuracy"


def _tables(numbers: Numbers) -> dict[str, Any]:
    comparison = numbers.comparison
    return {
        "tables": [_table(numbers, label, number) for number, label in enumerate(comparison["table"].unique(), 1)],
        "tests": int(comparison["p_value"].notna().sum()),
        "methods": sorted(set(comparison["method"]) - {"none"}),
        "dropped": numbers.source.diverged == "drop",
        "published": bool(comparison["published_p"].notna().any()),
        "assumed": bool(comparison["published_assumed"].any()),
        "elsewhere": bool((comparison["published_elsewhere"] != "").any()),
        "published_differences": summary.published_differences(numbers.source.results, comparison),
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
        "figures": view_figures(numbers.drawings[label], f"f{number}-"),
    }


def _correlations(numbers: Numbers) -> dict[str, Any]:
    taus = numbers.correlations
    highest = taus.groupby(["dataset", "arm", "target"])["mean_abs_tau"].transform("max")
    drawn = [drawing for inside in numbers.correlation_drawings.values() for drawing in inside]
    return {
        "correlations": taus.assign(best=taus["mean_abs_tau"] == highest).to_dict("records"),
        "published_tau": bool(taus["published_tau"].notna().any()),
        "correlation_figures": view_figures(drawn, "k"),
    }
