"""The report of a density study: networks of several densities, by variant, optimizer and method."""

import dataclasses
from functools import partial
from pathlib import Path

import pandas as pd

from keras_sparseflow.analysis.density import arrange_densities, line_heading, one_run_each, tabulate_densities
from keras_sparseflow.analysis.density_comparison import compare_densities, correlate_densities
from keras_sparseflow.analysis.diagnostics import tabulate_diagnostics
from keras_sparseflow.analysis.exports import write_exports
from keras_sparseflow.analysis.exports_density import (
    comparison_sheets,
    density_mean_sheets,
    density_tau_sheets,
)
from keras_sparseflow.analysis.exports_published import published_sheets, sparsity_sheets
from keras_sparseflow.analysis.figures.drawing.colours import ON_DARK, SEQUENCE
from keras_sparseflow.analysis.figures.gallery import draw_densities, write_drawings
from keras_sparseflow.analysis.names import name_methods, name_tweaks
from keras_sparseflow.analysis.published_sparsity import beside_published_sparsity
from keras_sparseflow.analysis.published_tost import beside_published_tost
from keras_sparseflow.analysis.readings import reading_of
from keras_sparseflow.analysis.sources import Source
from keras_sparseflow.analysis.tables import write_csv
from keras_sparseflow.analysis.view import Report
from keras_sparseflow.analysis.view_density import Numbers, view


def make(source: Source) -> Report:
    """Returns the report of a study whose runs differ in density."""
    results, study = source.results, source.study
    published = beside_published_tost(_trainings(results), study if source.value == "test_accuracy" else {})
    sparsities = beside_published_sparsity(source.diagnostics, _trainings(_with_sparsity(source)), study)
    named = name_tweaks(name_methods(results))
    numbers = _numbers(dataclasses.replace(source, results=named), published, sparsities)
    return Report(view(numbers), "density.html.j2", partial(_write_files, numbers), {**ON_DARK, **SEQUENCE})


def _trainings(results: pd.DataFrame) -> pd.DataFrame:
    """Returns one of the runs that are the same training, measured otherwise, in the order of the study."""
    return results[results.index.isin(one_run_each(arrange_densities(results)).index)]


def _with_sparsity(source: Source) -> pd.DataFrame:
    measured = source.diagnostics.loc[source.diagnostics["measure"] == "activation_sparsity", "run_id"]
    return source.results[source.results["run_id"].isin(measured)]


def _numbers(source: Source, published: pd.DataFrame, sparsities: pd.DataFrame) -> Numbers:
    results, value, measure = source.results, source.value, source.measure
    taus, correlations = correlate_densities(results)
    reading = reading_of(results)
    return Numbers(
        source=source,
        means=tabulate_densities(results, value, measure if measure in results else None).assign(flow_reading=reading),
        comparisons=compare_densities(results, value, source.diverged),
        taus=taus.assign(reading=reading),
        correlations=correlations.assign(reading=reading),
        drawings=draw_densities(source),
        published=published,
        sparsities=sparsities,
        diagnostics=tabulate_diagnostics(source.diagnostics, results),
    )


def _write_files(numbers: Numbers, folder: Path) -> None:
    """Writes a report's tables and figures; those for which there are no numbers are not written."""
    value, line = numbers.source.value, line_heading(numbers.source.results)
    kinds = {
        "densities": (numbers.means, density_mean_sheets(numbers.means, value, line)),
        "comparisons": (numbers.comparisons, comparison_sheets(numbers.comparisons, value)),
        "correlations": (numbers.taus, density_tau_sheets(numbers.taus, line)),
        "published": (numbers.published, published_sheets(numbers.published, numbers.source.study)),
        "sparsities": (numbers.sparsities, sparsity_sheets(numbers.sparsities)),
    }
    for name, (table, sheets) in kinds.items():
        if len(table):
            write_csv({f"{name}.csv": table}, folder)
            write_exports(sheets, folder, name)
    if len(numbers.diagnostics):
        write_csv({"diagnostics.csv": numbers.diagnostics}, folder)
    if numbers.source.figure_files:
        drawings = [drawing for inside in numbers.drawings.values() for drawing in inside]
        write_drawings(drawings, folder / "figures")
