"""The report of a study: one HTML file that stands alone, and its tables and figures as files of their own."""

from pathlib import Path

from keras_sparseflow import records
from keras_sparseflow.analysis import page
from keras_sparseflow.analysis.cells import spec_columns
from keras_sparseflow.analysis.correlation import correlate_flow, with_published_tau
from keras_sparseflow.analysis.exports import correlation_sheets, mean_sheets, p_value_sheets, write_exports
from keras_sparseflow.analysis.figures_files import write_figures
from keras_sparseflow.analysis.gallery import draw_correlations, draw_tables
from keras_sparseflow.analysis.tables import tabulate, tabulate_means, write_tables
from keras_sparseflow.analysis.view import FOLDER, Numbers, view

MEASURE = "egf_2"
"""The flow measure of a report where neither the study nor the caller names one."""


def write_report(
    study_dir: str | Path,
    output_dir: str | Path | None = None,
    value: str = "test_accuracy",
    measure: str | None = None,
    diverged: str = "worst",
    figures: bool = True,
) -> Path:
    """Writes a study's report and returns the path of its page.

    The page is `report.html`, one file with its figures in it, to be opened from disk. The folder
    `report/` beside it holds the tables as CSV files (see `write_tables`), as Markdown and as LaTeX, and
    `report/figures/` the figures as PNG and SVG. Each file is written atomically. A study that is not
    finished yet gets a report too, of the runs that are, and it says so.

    Args:
        study_dir: the study's folder, as the launchers leave it.
        output_dir: where to write; default, the study's folder.
        value: the column of the results that the arms are compared by.
        measure: the gradient flow measure to draw; default, the one that the study names, else `MEASURE`.
        diverged: how diverged runs count in the tests, "worst" or "drop": see `pair_arms`.
        figures: whether the figures are written as files too; the page holds them either way.

    Raises:
        FileNotFoundError: the folder is not there, or holds no study.
        ValueError: no run of the study is finished, or a file is corrupt; the message names it.
    """
    study_dir = Path(study_dir)
    numbers = _read(study_dir, value, measure, diverged, figures)
    html = page.render(view(numbers))
    output_dir = study_dir if output_dir is None else Path(output_dir)
    _write_files(numbers, output_dir / FOLDER)
    path = output_dir / "report.html"
    records.write_atomic(path, html.encode())
    return path


def _write_files(numbers: Numbers, folder: Path) -> None:
    """Writes a report's tables and figures."""
    write_tables(numbers.results, folder, numbers.value, numbers.diverged)
    write_exports(p_value_sheets(numbers.comparison, numbers.value), folder, "p_values")
    write_exports(mean_sheets(numbers.means, numbers.value), folder, "means")
    write_exports(correlation_sheets(numbers.correlations), folder, "correlations")
    records.write_atomic(folder / "correlations.csv", numbers.correlations.to_csv(index=False).encode())
    if numbers.figure_files:
        drawings = [*numbers.drawings.values(), *numbers.correlation_drawings.values()]
        write_figures({drawing.name: drawing.figure for inside in drawings for drawing in inside}, folder / "figures")


def _read(study_dir: Path, value: str, measure: str | None, diverged: str, figures: bool) -> Numbers:
    """Returns the numbers of the report of a study on disk."""
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
    measure = measure or study.get("measure") or MEASURE
    comparison = tabulate(results, value, diverged)
    return Numbers(
        study=study,
        results=results,
        value=value,
        measure=measure,
        diverged=diverged,
        comparison=comparison,
        means=tabulate_means(results, value, measure if measure in results else None),
        correlations=with_published_tau(correlate_flow(results)),
        drawings=draw_tables(results, flow, comparison, value, measure),
        correlation_drawings=draw_correlations(results, value, measure),
        figure_files=figures,
    )
