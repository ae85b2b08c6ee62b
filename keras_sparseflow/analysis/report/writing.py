"""The report of a study: one HTML file that stands alone, and its tables and figures as files of their own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_sparseflow import records
from keras_sparseflow.analysis.figures.gallery import Drawing, write_drawings
from keras_sparseflow.analysis.frames.formats import plural
from keras_sparseflow.analysis.frames.study_source import Source, read_source
from keras_sparseflow.analysis.report.effects import effects
from keras_sparseflow.analysis.report.first_screen import answer, effect_drawing, question
from keras_sparseflow.analysis.report.made_sections import MadeSection, make_sections
from keras_sparseflow.analysis.report.page import FOLDER, compressed, render
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.pair_tables import write_csv
from keras_sparseflow.analysis.report.tables.paper_tables import latex, markdown
from keras_sparseflow.analysis.report.tables.table import Table
from keras_sparseflow.analysis.report.warnings import warnings
from keras_sparseflow.analysis.report.words import in_words

_WRITTEN = ".report.json"
"""Beside a page: the files that its report has written."""


def write_report(
    study_dir: str | Path,
    output_dir: str | Path | None = None,
    value: str = "test_accuracy",
    measure: str | None = None,
    diverged: str = "worst",
    figures: bool = True,
    tau_over: str = "runs",
    compress: bool = False,
) -> Path:
    """Writes a study's report and returns the path of its page.

    The page is `report.html`, one file with its figures in it, to be opened from disk. The folder
    `report/` beside it holds the tables as CSV files, as Markdown and as LaTeX, and `report/figures/` the
    figures as PNG and SVG. Each file is written atomically, and those of an earlier report that this one does not have
    are removed. A study that is not finished yet gets a report
    too, of the runs that are, and it says so. What is in a report depends on what was trained: pairs of a
    sparse and a dense network, or networks of several densities.

    Args:
        study_dir: the study's folder, as the launchers leave it.
        output_dir: where to write; default, the study's folder.
        value: the column of the results that networks are compared by.
        measure: the gradient flow measure to draw; default, the one that the study names, else "egf_2".
        diverged: how diverged runs count in the tests, "worst" or "drop": see `pair_arms`.
        figures: whether the figures are written as files too; the page holds them either way.
        tau_over: the points between which flow and performance are ranked, "runs" or "epochs": see `correlate_cells`.
        compress: whether the page is compressed, to about a fifth of its size: it then unpacks itself in a browser, and
            needs JavaScript for that.

    Raises:
        FileNotFoundError: the folder is not there, or holds no study.
        ValueError: no run of the study is finished, a file is corrupt (the message names it), or `tau_over` is unknown.
    """
    source = read_source(Path(study_dir), value, measure, diverged, figures, tau_over)
    numbers = StudyNumbers(source)
    found = effects(numbers)
    sections = make_sections(numbers)
    shown = {**_heading(source), "answer": answer(numbers, found), "warnings": warnings(numbers, found)}
    drawn = effect_drawing(found, value)
    html = render(shown, sections, drawn, figures)
    if compress:
        html = compressed(html, shown["title"])
    output_dir = Path(study_dir) if output_dir is None else Path(output_dir)
    written = _write_files(sections, drawn, output_dir / FOLDER, figures)
    path = output_dir / "report.html"
    records.write_atomic(path, html.encode())
    _remove_old(output_dir, written)
    return path


def _heading(source: Source) -> dict[str, Any]:
    study = source.study
    return {
        "title": question(StudyNumbers(source)),
        "name": in_words(study.get("name")),
        "created": str(study.get("created") or "").replace("T", " "),
        "networks": plural(source.results["run_id"].nunique(), "network"),
        "reproduces": study.get("reproduces") or "",
        "preset": study.get("preset") or "",
        "changes": len(study.get("overrides") or []),
    }


def _write_files(sections: Sequence[MadeSection], first: Drawing | None, folder: Path, figures: bool) -> list[Path]:
    """Writes the tables and figures of a report's sections, and the figure of its first screen; returns the files."""
    contents = [section.content for section in sections if section.content is not None]
    printed: dict[str, list[Table]] = {}
    written: list[Path] = []
    drawings: list[Drawing] = [] if first is None else [first]
    for content in contents:
        written += write_csv(content.files, folder)
        drawings += [block for block in content.blocks if isinstance(block, Drawing)]
        for table in tables_of(content):
            if table.file:
                printed.setdefault(table.file, []).append(table)
    for name, tables in printed.items():
        for ending, text in ((".md", markdown(tables)), (".tex", latex(tables))):
            written.append(folder / f"{name}{ending}")
            records.write_atomic(written[-1], text.encode())
    return written + (write_drawings(drawings, folder / "figures") if figures else [])


def _remove_old(output_dir: Path, written: Sequence[Path]) -> None:
    """Removes what the last report wrote and this one did not; nobody else's files, so each keeps a list of its own."""
    files_of_last = output_dir / _WRITTEN
    try:
        before = list(records.read_json(files_of_last)["files"])
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        before = []  # this is the first report here, or the list says nothing, and so removes nothing
    names = [path.relative_to(output_dir).as_posix() for path in written]
    for name in {name for name in before if isinstance(name, str)} - {*names}:
        old = output_dir / name
        if old.resolve().is_relative_to((output_dir / FOLDER).resolve()) and old.is_file():
            old.unlink()
    records.write_json(files_of_last, {"files": names})
