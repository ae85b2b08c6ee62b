"""Sections of a report: what each holds, and the table by which a report finds them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.table import Table

GROUPS = {
    "answer": "What was found",
    "paper": "Beside the papers",
    "flow": "Gradient flow",
    "figures": "Figures",
    "inside": "Inside the networks",
    "numbers": "All numbers",
    "made": "How it was made",
}
"""Groups of sections, by the question that they answer, in the order of a page."""


@dataclass(frozen=True)
class Content:
    """The content of a section.

    Attributes:
        blocks: paragraphs (text), tables and drawings, in order.
        files: frames to be written as CSV files in full precision, by the name without its ending.
        before: text that stands above the blocks, in small print.

    Example:
        >>> Content(["Nothing was pruned."]).files
        {}
    """

    blocks: Sequence[Any]
    files: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    before: str = ""


_Make = Callable[[StudyNumbers], Content | None]


@dataclass(frozen=True)
class Section:
    """A section of a report.

    Attributes:
        help: what it shows, for lists of plugins.
        group: one of `GROUPS`.
        heading: what stands above it.
        make: returns its content, or None where the study has nothing of what it needs.
    """

    help: str
    group: str
    heading: str
    make: _Make


BUILT_IN: dict[str, Section] = {}
"""Every section of this package whose file was imported, see `sections.index`."""


def section(name: str, group: str, heading: str, help: str) -> Callable[[_Make], _Make]:
    """Returns a decorator: the function makes a section of this package's reports.

    Args:
        name: its id on a page.
        group: one of `GROUPS`.
        heading: what stands above it.
        help: what it shows, for lists of plugins.
    """

    def decorate(make: _Make) -> _Make:
        BUILT_IN[name] = Section(help, group, heading, make)
        return make

    return decorate


def tables_of(content: Content) -> list[Table]:
    """Returns the tables of a section."""
    return [block for block in content.blocks if isinstance(block, Table)]
