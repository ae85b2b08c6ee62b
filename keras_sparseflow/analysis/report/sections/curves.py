"""Figures of a report, in the groups of sections that they belong to."""

from keras_sparseflow.analysis.report.section import Content
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers


def curves(numbers: StudyNumbers) -> Content | None:
    """Returns the figures of performance and flow; nothing where no run has finished without diverging."""
    drawings = numbers.drawings
    return Content(drawings) if drawings else None
