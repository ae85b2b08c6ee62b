"""Figures of a report, in the groups of sections that they belong to."""

from keras_sparseflow.analysis.report.section import Content
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers


def curves(numbers: StudyNumbers) -> Content | None:
    """Returns the figures of performance and flow, and diagnostics as numbers; nothing where there is neither."""
    drawings = numbers.drawings
    measured = not numbers.of_pairs and len(numbers.source.diagnostics) > 0
    files = {"diagnostics": numbers.diagnostics} if measured else {}
    return Content(drawings, files) if drawings or files else None
