"""Figures of a report: performance, gradient flow and diagnostics."""

from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers


@section("figures", "figures", "Performance in figures", "figures of performance")
def performance_figures(numbers: StudyNumbers) -> Content | None:
    """Returns the figures of performance; nothing where no run has finished without diverging."""
    return _content(numbers, "performance")


@section("flow_figures", "flow", "Gradient flow in figures", "figures of gradient flow")
def flow_figures(numbers: StudyNumbers) -> Content | None:
    """Returns the figures of gradient flow; nothing where none was recorded."""
    return _content(numbers, "flow")


@section("diagnostics", "inside", "Diagnostics in figures", "figures of diagnostics")
def diagnostic_figures(numbers: StudyNumbers) -> Content | None:
    """Returns the figures of diagnostics and their numbers; nothing where none were measured."""
    if numbers.of_pairs or numbers.source.diagnostics.empty:
        return _content(numbers, "diagnostics")
    return Content(numbers.drawings("diagnostics"), {"diagnostics": numbers.diagnostics})


def _content(numbers: StudyNumbers, section: str) -> Content | None:
    drawings = numbers.drawings(section)
    return Content(drawings) if drawings else None
