"""The report of a study: one HTML file that stands alone, and its tables and figures as files of their own."""

from pathlib import Path

from keras_sparseflow import records
from keras_sparseflow.analysis.report import page, report_density, report_pairs
from keras_sparseflow.analysis.report.sources import read_source
from keras_sparseflow.analysis.report.view import FOLDER


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
    `report/` beside it holds the tables as CSV files, as Markdown and as LaTeX, and `report/figures/` the
    figures as PNG and SVG. Each file is written atomically. A study that is not finished yet gets a report
    too, of the runs that are, and it says so. What is in a report depends on what was trained: pairs of a
    sparse and a dense network, or networks of several densities.

    Args:
        study_dir: the study's folder, as the launchers leave it.
        output_dir: where to write; default, the study's folder.
        value: the column of the results that networks are compared by.
        measure: the gradient flow measure to draw; default, the one that the study names, else "egf_2".
        diverged: how diverged runs count in the tests, "worst" or "drop": see `pair_arms`.
        figures: whether the figures are written as files too; the page holds them either way.

    Raises:
        FileNotFoundError: the folder is not there, or holds no study.
        ValueError: no run of the study is finished, or a file is corrupt (the message names it).
    """
    source = read_source(Path(study_dir), value, measure, diverged, figures)
    report = report_pairs.make(source) if "arm" in source.results else report_density.make(source)
    html = page.render(report.view, report.template, report.colours)
    output_dir = Path(study_dir) if output_dir is None else Path(output_dir)
    report.write_files(output_dir / FOLDER)
    path = output_dir / "report.html"
    records.write_atomic(path, html.encode())
    return path
