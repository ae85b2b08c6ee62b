"""Sections of a report's page: the built-in ones in the order in which they stand, and those of other packages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from keras_sparseflow.analysis.report.sources import Source
from keras_sparseflow.plugins import Table

Shown = Mapping[str, Any]
"""Everything that a page shows, by the names that templates know it by."""

Contents = list[tuple[str, str]]
"""Id and heading of parts of a page."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A built-in section of the pages of some kinds of study.

    Args:
        help: what it shows.
        studies: the kinds of study whose pages have it.
        template: the name of its template, which is given everything that the page shows.
        contents: returns id and heading of each of its parts, given what the page shows; the page leaves out a
            section that has none.
        closing: whether it stands behind the sections of other packages.
    """

    help: str
    studies: tuple[str, ...]
    template: str
    contents: Callable[[Shown], Contents]
    closing: bool = False


def page_sections(kind: str, shown: Shown, source: Source) -> dict[str, Any]:
    """Returns the sections of a page, and its contents, as its template takes them.

    Args:
        kind: of study, "pairs" or "density".
        shown: what the page shows besides.
        source: what sections of other packages are made from.

    Returns:
        `sections` and `closing`, names of templates; between them `own_sections`, each with `id`, `heading`, and
        `html` or `error`; and `contents`, id and heading of all.
    """
    sections: list[Section] = [SECTIONS.get(name) for name in SECTIONS.builtins]
    here = [section for section in sections if kind in section.studies and section.contents(shown)]
    opening, closing = ([section for section in here if section.closing == last] for last in (False, True))
    own = own_sections(source)
    return {
        "sections": [section.template for section in opening],
        "own_sections": own,
        "closing": [section.template for section in closing],
        "contents": [
            *(part for section in opening for part in section.contents(shown)),
            *((section["id"], section["heading"]) for section in own),
            *(part for section in closing for part in section.contents(shown)),
        ],
    }


def own_sections(source: Source) -> list[dict[str, str]]:
    """Returns the sections that other packages add to a page; of one that fails the error, in place of its markup.

    Args:
        source: the study.
    """
    found = (_own_section(name, source) for name in SECTIONS if name not in SECTIONS.builtins)
    return [section for section in found if section is not None]


def _own_section(name: str, source: Source) -> dict[str, str] | None:
    section = {"id": f"own-{name}", "heading": name, "html": "", "error": ""}
    try:
        make = SECTIONS.get(name)
    except ValueError as error:  # it says whose it is
        return {**section, "error": str(error)}
    try:
        made = make(source)
        if made is None:
            return None
        heading, html = made
    except Exception as error:  # whatever somebody else's section raises: the rest of the report is wanted
        return {**section, "error": f"{SECTIONS.plugin(name)} failed: {type(error).__name__}: {error}."}
    return {**section, "heading": str(heading), "html": str(html)}


def _part(id: str, heading: str, needs: str = "") -> Callable[[Shown], Contents]:
    """Returns the contents of a section of one part, which is left out where there is nothing of what it needs."""
    return lambda shown: [(id, heading)] if not needs or shown[needs] else []


def _figures(shown: Shown) -> Contents:
    labels = [table["label"] for table in shown["tables"]]
    headings = [f"Figures: {label}" for label in labels] if len(labels) > 1 else ["Figures"] * len(labels)
    return [(f"figures-{number}", heading) for number, heading in enumerate(headings, 1)]


def _choices(shown: Shown) -> Contents:
    changed = [("scaled", "What differs from the preset")] if shown["study"]["preset"] else []
    return [*changed, ("choices", "Every choice made")]


_PAIRS, _DENSITY = ("pairs",), ("density",)
_ANY = (*_PAIRS, *_DENSITY)
_FLOW = "Does gradient flow go with performance?"
_MEANS = _part("means", "Means over the seeds")

SECTIONS = Table(
    "report section",
    "keras_sparseflow.report_section",
    {
        "claims": Section(
            help="the paper's claims, each with a verdict and the numbers behind it",
            studies=_PAIRS,
            template="claims.html.j2",
            contents=_part("claims", "The paper's claims"),
        ),
        "p_values": Section(
            help="p-values of sparse against dense, in the layout of the paper's tables",
            studies=_PAIRS,
            template="p_values.html.j2",
            contents=_part("p-values", "Is sparse better than dense?"),
        ),
        "correlations": Section(
            help="Kendall correlations of gradient flow and performance, of pairs",
            studies=_PAIRS,
            template="correlations.html.j2",
            contents=_part("correlations", _FLOW, needs="correlations"),
        ),
        "densities": Section(
            help="performance by density: a row for each configuration",
            studies=_DENSITY,
            template="density_table.html.j2",
            contents=_part("densities", "Performance by density"),
        ),
        "published": Section(
            help="results beside the published ones",
            studies=_DENSITY,
            template="density_published.html.j2",
            contents=_part("published", "Beside the published accuracies", needs="published"),
        ),
        "published_sparsity": Section(
            help="activation sparsity beside the published one",
            studies=_DENSITY,
            template="density_sparsity.html.j2",
            contents=_part("sparsity", "Activation sparsity beside the published one", needs="sparsities"),
        ),
        "figures": Section(
            help="the figures of each table", studies=_ANY, template="figures.html.j2", contents=_figures
        ),
        "comparisons": Section(
            help="which differences hold over densities and seeds, by signed-rank tests",
            studies=_DENSITY,
            template="density_comparisons.html.j2",
            contents=_part("comparisons", "Which differences hold over densities and seeds?", needs="comparisons"),
        ),
        "density_correlations": Section(
            help="Kendall correlations of gradient flow and performance, over densities and seeds",
            studies=_DENSITY,
            template="density_correlations.html.j2",
            contents=_part("correlations", _FLOW, needs="correlations"),
        ),
        "means": Section(
            help="means over the seeds by dense width", studies=_PAIRS, template="means.html.j2", contents=_MEANS
        ),
        "density_means": Section(
            help="means over the seeds by density", studies=_DENSITY, template="density_means.html.j2", contents=_MEANS
        ),
        "diverged": Section(
            help="the runs that diverged",
            studies=_ANY,
            template="diverged.html.j2",
            contents=_part("diverged", "Diverged runs", needs="diverged_runs"),
            closing=True,
        ),
        "choices": Section(
            help="what differs from the preset, and every choice with its source",
            studies=_ANY,
            template="choices.html.j2",
            contents=_choices,
            closing=True,
        ),
        "made": Section(
            help="versions, machine, command and cost",
            studies=_ANY,
            template="made.html.j2",
            contents=_part("made", "How this was made, and what it cost"),
            closing=True,
        ),
    },
    expects="callable",
)
"""Every section that can be named, the built-in ones each a `Section`.

One of another package is a function of a report's `Source`, of any kind of study, which returns a heading and HTML, or
None where it has nothing to show.
"""
