"""The report of a study of pairs: a sparse and a dense network of equal capacity in each."""

from functools import partial
from pathlib import Path

from keras_sparseflow.analysis.correlation import correlate_flow, with_published_tau
from keras_sparseflow.analysis.exports import correlation_sheets, mean_sheets, p_value_sheets, write_exports
from keras_sparseflow.analysis.figures.gallery import draw_correlations, draw_tables, write_drawings
from keras_sparseflow.analysis.readings import reading_of
from keras_sparseflow.analysis.sources import Source
from keras_sparseflow.analysis.tables import tabulate, tabulate_means, write_csv, write_tables
from keras_sparseflow.analysis.view import Report
from keras_sparseflow.analysis.view_pairs import Numbers, view


def make(source: Source) -> Report:
    """Returns the report of a study whose runs are the arms of pairs."""
    numbers = _numbers(source)
    return Report(view(numbers), "report.html.j2", partial(_write_files, numbers))


def _numbers(source: Source) -> Numbers:
    results, value, measure = source.results, source.value, source.measure
    reading = reading_of(results)
    comparison = tabulate(results, value, source.diverged)
    return Numbers(
        source=source,
        comparison=comparison,
        means=tabulate_means(results, value, measure if measure in results else None),
        correlations=with_published_tau(correlate_flow(results)).assign(reading=reading),
        drawings=draw_tables(results, source.flow, comparison, value, measure),
        correlation_drawings=draw_correlations(results, value, measure),
    )


def _write_files(numbers: Numbers, folder: Path) -> None:
    """Writes a report's tables and figures."""
    source = numbers.source
    write_tables(source.results, folder, source.value, source.diverged)
    write_exports(p_value_sheets(numbers.comparison, source.value), folder, "p_values")
    write_exports(mean_sheets(numbers.means, source.value), folder, "means")
    write_exports(correlation_sheets(numbers.correlations), folder, "correlations")
    write_csv({"correlations.csv": numbers.correlations}, folder)
    if source.figure_files:
        drawings = [*numbers.drawings.values(), *numbers.correlation_drawings.values()]
        write_drawings([drawing for inside in drawings for drawing in inside], folder / "figures")
