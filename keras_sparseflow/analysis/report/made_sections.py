"""Sections as a page shows them: those of this package, and those of other packages, which may fail."""

from dataclasses import dataclass

from keras_sparseflow.analysis.report.section import Content, Section
from keras_sparseflow.analysis.report.sections.index import SECTIONS
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers

_OTHERS = "numbers"
"""The group of the sections of other packages."""


@dataclass(frozen=True)
class MadeSection:
    """A section that a page shows: its content, or HTML of another package, or the error of one that failed."""

    id: str
    group: str
    heading: str
    content: Content | None = None
    html: str = ""
    error: str = ""


def make_sections(numbers: StudyNumbers) -> list[MadeSection]:
    """Returns the sections for which a study has what they need."""
    made = (_own(name, numbers) if name in SECTIONS.builtins else _other(name, numbers) for name in SECTIONS)
    return [section for section in made if section is not None]


def _own(name: str, numbers: StudyNumbers) -> MadeSection | None:
    section: Section = SECTIONS.get(name)
    content = section.make(numbers)
    return None if content is None else MadeSection(name, section.group, section.heading, content)


def _other(name: str, numbers: StudyNumbers) -> MadeSection | None:
    try:
        make = SECTIONS.get(name)
    except ValueError as error:  # it says whose it is
        return MadeSection(f"own-{name}", _OTHERS, name, error=str(error))
    try:
        made = make(numbers.source)
        if made is None:
            return None
        heading, shown = made
    except Exception as error:  # a failing section of a plugin must not cost the rest of the report
        failed = f"{SECTIONS.plugin(name)} failed: {type(error).__name__}: {error}."
        return MadeSection(f"own-{name}", _OTHERS, name, error=failed)
    if isinstance(shown, Content):
        return MadeSection(f"own-{name}", _OTHERS, str(heading), shown)
    return MadeSection(f"own-{name}", _OTHERS, str(heading), html=str(shown))
