"""What the page of a density study shows: accuracy and flow by density, comparisons, correlations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from keras_sparseflow.analysis import density_findings
from keras_sparseflow.analysis.density import PLACE, arrange_densities, line_heading, one_run_each
from keras_sparseflow.analysis.exports_density import company
from keras_sparseflow.analysis.exports_published import mask_name
from keras_sparseflow.analysis.figures.gallery import Drawing
from keras_sparseflow.analysis.formats import format_percent
from keras_sparseflow.analysis.names import method_name
from keras_sparseflow.analysis.pairs import lower_is_better
from keras_sparseflow.analysis.published_tost import published_table
from keras_sparseflow.analysis.sections import page_sections
from keras_sparseflow.analysis.sources import Source
from keras_sparseflow.analysis.view import RunColumn, recorded, view_figures, view_study


@dataclass(frozen=True)
class Numbers:
    """The numbers of a density study from which its report is made.

    Attributes:
        source: the study.
        means: as `tabulate_densities` returns it.
        comparisons: as `compare_densities` returns it.
        taus: the first frame of `correlate_densities`; empty where no flow was recorded.
        correlations: the second.
        drawings: the figures of each table.
        published: as `beside_published_tost` returns it.
        sparsities: as `beside_published_sparsity` returns it.
        diagnostics: as `tabulate_diagnostics` returns it.
    """

    source: Source
    means: pd.DataFrame
    comparisons: pd.DataFrame
    taus: pd.DataFrame
    correlations: pd.DataFrame
    drawings: Mapping[str, Sequence[Drawing]]
    published: pd.DataFrame
    sparsities: pd.DataFrame
    diagnostics: pd.DataFrame


def view(numbers: Numbers) -> dict[str, Any]:
    """Returns everything the template shows."""
    shown = {
        **view_study(numbers.source),
        **_in_words(numbers),
        "tables": [_table(numbers, label, number) for number, label in enumerate(numbers.means["table"].unique(), 1)],
        "line_heading": line_heading(numbers.source.results),
        "has_gains": bool(numbers.means["gain"].notna().any()),
        "several_methods": numbers.means["method"].nunique() > 1,
        "published": numbers.published.assign(mask=numbers.published["mask"].map(mask_name)).to_dict("records"),
        "published_table": published_table(numbers.source.study),
        "sparsities": _sparsities(numbers.sparsities),
        **_comparisons(numbers),
        **_correlations(numbers),
        **_diverged(numbers.source.results),
    }
    return {**shown, **page_sections("density", shown, numbers.source)}


def _in_words(numbers: Numbers) -> dict[str, Any]:
    source, means, taus = numbers.source, numbers.means, numbers.taus
    flow = density_findings.flow_findings(taus, numbers.correlations, source.measure, source.value)
    planned = recorded(source)["runs_planned"]
    return {
        "findings": [*density_findings.findings(means, source.value), *flow],
        "warnings": density_findings.warnings(source.results, means, taus, planned, source.value, source.diverged),
    }


def _table(numbers: Numbers, label: str, number: int) -> dict[str, Any]:
    means = _named(numbers.means[numbers.means["table"] == label])
    rows = [
        {**inside.iloc[0][[*PLACE, "method_name"]], "cells": {row["density"]: row for row in inside.to_dict("records")}}
        for _, inside in means.groupby(PLACE, sort=False)
    ]
    return {
        "label": label,
        "densities": sorted(means["density"].unique()),
        "rows": rows,
        "seeds": int(means["n"].mode().max()),
        "best": _best(means, numbers.source.value),
        "means": means.to_dict("records"),
        "has_flow": bool(means["flow"].notna().any()),
        "figures": view_figures(numbers.drawings[label], f"f{number}-"),
    }


def _best(means: pd.DataFrame, value: str) -> dict[float, float]:
    """Returns the best mean of each density."""
    groups = means.groupby("density")["mean"]
    return dict(groups.min() if lower_is_better(value) else groups.max())


def _sparsities(sparsities: pd.DataFrame) -> list[dict[str, Any]]:
    """Returns a table for each mask and density: a row per group, a cell per activation."""
    return [
        {
            "label": f"{mask_name(inside['mask'].iloc[0])}, {format_percent(inside['density'].iloc[0])} density",
            "activations": list(dict.fromkeys(inside["activation"])),
            "rows": [
                {"group": group, "cells": {cell["activation"]: cell for cell in cells.to_dict("records")}}
                for group, cells in inside.groupby("group", sort=False)
            ],
        }
        for _, inside in sparsities.groupby(["mask", "density"], sort=False)
    ]


def _comparisons(numbers: Numbers) -> dict[str, Any]:
    rows = [
        {
            **row,
            "company": company(row),
            **{side: method_name(row[side]) for side in ("first", "second") if row["compared"] == "method"},
        }
        for row in numbers.comparisons.to_dict("records")
    ]
    return {"comparisons": rows, "several_tables": numbers.means["table"].nunique() > 1}


def _correlations(numbers: Numbers) -> dict[str, Any]:
    return {
        "correlations": _named(numbers.correlations).to_dict("records"),
        "taus": _named(numbers.taus[numbers.taus["measure"] == numbers.source.measure]).to_dict("records"),
    }


def _diverged(results: pd.DataFrame) -> dict[str, Any]:
    placed = _named(one_run_each(arrange_densities(results)))
    placed = placed.assign(row=placed["panel"], column=placed["line"], share=placed["density"].map(format_percent))
    return {
        "diverged_runs": placed[placed["diverged"].astype(bool)].to_dict("records"),
        "run_columns": [
            RunColumn("method", "method_name", text=True),
            RunColumn("density", "density", text_key="share"),
        ],
    }


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(method_name=frame["method"].map(method_name))
