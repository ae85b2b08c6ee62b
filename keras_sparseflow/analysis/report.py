"""The report of a study: one HTML file that stands alone, and the numbers behind it as CSV files."""

from pathlib import Path
from typing import Any

import pandas as pd

from keras_sparseflow import records
from keras_sparseflow.analysis import figures, page, summary
from keras_sparseflow.analysis.cells import PLACE, arrange, columns_in_order, spec_columns
from keras_sparseflow.analysis.tables import means, tabulate, write_tables
from keras_sparseflow.flow.named import TOTAL

FOLDER = "report"
"""The folder of CSV files beside the page."""


def write_report(
    study_dir: str | Path,
    output_dir: str | Path | None = None,
    value: str = "test_accuracy",
    measure: str = "egf_2",
    diverged: str = "worst",
) -> Path:
    """Writes a study's report and returns the path of its page.

    The page is `report.html`, one file with its figures in it, to be opened from disk; the folder
    `report/` beside it holds the CSV files of `write_tables`. Each file is written atomically. A study
    that is not finished yet gets a report too, of the runs that are, and it says so.

    Args:
        study_dir: the study's folder, as the launchers leave it.
        output_dir: where to write; default, the study's folder.
        value: the column of the results that the arms are compared by.
        measure: the gradient flow measure to draw.
        diverged: how diverged runs count in the tests, "worst" or "drop": see `pair_arms`.

    Raises:
        FileNotFoundError: the folder is not there, or holds no study.
        ValueError: no run of the study is finished.
    """
    study_dir = Path(study_dir)
    if not study_dir.is_dir():
        raise FileNotFoundError(f"`study_dir` must be the folder of a study; received {study_dir}, which is no folder.")
    study = records.read_study(study_dir)
    results, flow = records.read_results(study_dir), records.read_flow(study_dir)
    if results.empty:
        raise ValueError(
            f"{study_dir} has no finished run to report on: expected a result.json in the folder of at least one "
            f"of its {study.get('runs_planned', 'planned')} runs; found none. Run the study first."
        )
    if "spec_columns" not in results.attrs:  # a measure that a plugin added is no part of the spec
        measured = set(flow["measure"])
        results.attrs["spec_columns"] = [column for column in spec_columns(results) if column not in measured]

    html = page.render(_view(study, results, flow, value, measure, diverged))
    output_dir = study_dir if output_dir is None else Path(output_dir)
    write_tables(results, output_dir / FOLDER, value, diverged)
    path = output_dir / "report.html"
    records.write_atomic(path, html.encode())
    return path


def _view(
    study: dict[str, Any], results: pd.DataFrame, flow: pd.DataFrame, value: str, measure: str, diverged: str
) -> dict[str, Any]:
    """Returns everything the template shows."""
    nothing = dict.fromkeys(("name", "title", "created", "command", "choices", "versions", "machine", "runs_planned"))
    study = {**nothing, **study}
    comparison = tabulate(results, value, diverged)
    placed = arrange(results)
    rows = means(results, value, measure if _has_numbers(results, measure) else None)
    chosen = {choice["choice"] for choice in study["choices"] or ()}
    tables = []
    for number, label in enumerate(comparison["table"].unique(), 1):
        inside = comparison[comparison["table"] == label]
        cells = {
            (cell["row"], cell["column"]): {
                **cell,
                "id": f"cell-{number}-{index}",
                "means": sorted((r for r in rows if _place(r) == _place(cell)), key=lambda r: r["dense_width"]),
            }
            for index, cell in enumerate(inside.to_dict("records"), 1)
        }
        tables.append(
            {
                "label": label,
                "rows": list(dict.fromkeys(inside["row"])),
                "columns": columns_in_order(inside),
                "cells": cells,
                "has_flow": _has_numbers(placed[placed["table"] == label], measure),
                "figures": _figures(placed[placed["table"] == label].drop(columns=PLACE), flow, value, measure, number),
            }
        )
    return {
        "study": study,
        "title": study["title"] or study["name"] or "Study",
        "value": value,
        "measure": measure,
        "flow_name": figures.FLOW_NAMES.get(measure, measure),
        "alpha": summary.ALPHA,
        "findings": summary.findings(comparison),
        "warnings": summary.warnings(results, comparison, study["runs_planned"], value, diverged),
        "tables": tables,
        "tests": int(comparison["p_value"].notna().sum()),
        "published": bool(comparison["published_p"].notna().any()),
        "published_differences": summary.published_differences(results, comparison),
        "methods": sorted(set(comparison["method"]) - {"none"}),
        "folder": FOLDER,
        "settings": summary.settings(results, [c for c in spec_columns(results) if c not in chosen]),
        "networks": len(results),
        "seconds": float(pd.to_numeric(results["seconds"]).sum()) if "seconds" in results else None,
    }


def _figures(results: pd.DataFrame, flow: pd.DataFrame, value: str, measure: str, number: int) -> list[dict[str, Any]]:
    """Returns the figures of one table for which there are numbers."""
    flow_name = figures.FLOW_NAMES.get(measure, measure)
    trained = results.loc[~results["diverged"].astype(bool), "run_id"]
    rows = flow[flow["run_id"].isin(trained) & (flow["measure"] == measure) & flow["value"].notna()]
    single_layers = rows.loc[rows["layer"] != TOTAL, "layer"]
    band = "the band goes from the smallest to the largest run."
    drawn = []
    if _has_numbers(results, value):
        figure = figures.accuracy_by_width(results, value)
        caption = "Mean over the seeds; the band goes from the lowest to the highest seed."
        drawn.append((f"{summary.headline(value)} against dense width", caption, figure))
    if _has_numbers(results, measure):
        figure = figures.flow_by_width(results, measure)
        caption = "Gradient flow, averaged over the measured epochs of each run; mean and band over the seeds."
        drawn.append((f"{flow_name} against dense width", caption, figure))
    if len(rows) > len(single_layers):
        figure = figures.flow_over_epochs(flow, results, measure)
        drawn.append((f"{flow_name} over the epochs", f"Mean over all widths and seeds; {band}", figure))
    if single_layers.nunique() > 1:
        figure = figures.flow_per_layer(flow, results, measure)
        drawn.append((f"{flow_name} layer by layer", f"Mean over all epochs, widths and seeds; {band}", figure))
    return [
        {"title": title, "caption": caption, "svg": page.inline_svg(figure, f"f{number}-{index}", title)}
        for index, (title, caption, figure) in enumerate(drawn, 1)
    ]


def _has_numbers(results: pd.DataFrame, column: str) -> bool:
    trained = ~results["diverged"].astype(bool)
    return column in results and bool(pd.to_numeric(results.loc[trained, column]).notna().any())


def _place(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[column] for column in PLACE)
