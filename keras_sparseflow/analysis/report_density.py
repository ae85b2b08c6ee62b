"""The report of a density study: networks of several densities, by variant, optimizer and method."""

import dataclasses
from functools import partial
from pathlib import Path

import pandas as pd

from keras_sparseflow.analysis.colours import ON_DARK, SEQUENCE
from keras_sparseflow.analysis.density import line_heading, tabulate_densities
from keras_sparseflow.analysis.density_comparison import compare_densities, correlate_densities
from keras_sparseflow.analysis.exports import write_exports
from keras_sparseflow.analysis.exports_density import (
    comparison_sheets,
    density_mean_sheets,
    density_tau_sheets,
    published_sheets,
)
from keras_sparseflow.analysis.gallery import write_drawings
from keras_sparseflow.analysis.gallery_density import draw_densities
from keras_sparseflow.analysis.names import name_methods, name_tweaks
from keras_sparseflow.analysis.published_tost import beside_published_tost
from keras_sparseflow.analysis.sources import Source
from keras_sparseflow.analysis.tables import write_csv
from keras_sparseflow.analysis.view import Report
from keras_sparseflow.analysis.view_density import Numbers, view


def make(source: Source) -> Report:
    """Returns the report of a study whose runs differ in density."""
    published = beside_published_tost(source.results, source.study if source.value == "test_accuracy" else {})
    named = name_tweaks(name_methods(source.results))
    numbers = _numbers(dataclasses.replace(source, results=named), published)
    return Report(view(numbers), "density.html.j2", partial(_write_files, numbers), {**ON_DARK, **SEQUENCE})


def _numbers(source: Source, published: pd.DataFrame) -> Numbers:
    results, value, measure = source.results, source.value, source.measure
    taus, correlations = correlate_densities(results)
    return Numbers(
        source=source,
        means=tabulate_densities(results, value, measure if measure in results else None),
        comparisons=compare_densities(results, value, source.diverged),
        taus=taus,
        correlations=correlations,
        drawings=draw_densities(source),
        published=published,
    )


def _write_files(numbers: Numbers, folder: Path) -> None:
    """Writes a report's tables and figures; those for which there are no numbers are not written."""
    value, line = numbers.source.value, line_heading(numbers.source.results)
    kinds = {
        "densities": (numbers.means, density_mean_sheets(numbers.means, value, line)),
        "comparisons": (numbers.comparisons, comparison_sheets(numbers.comparisons, value)),
        "correlations": (numbers.taus, density_tau_sheets(numbers.taus, line)),
        "published": (numbers.published, published_sheets(numbers.published, numbers.source.study)),
    }
    for name, (table, sheets) in kinds.items():
        if len(table):
            write_csv({f"{name}.csv": table}, folder)
            write_exports(sheets, folder, name)
    if numbers.source.figure_files:
        drawings = [drawing for inside in numbers.drawings.values() for drawing in inside]
        write_drawings(drawings, folder / "figures")
