"""The gallery: which figures there are, in which section of a report, and what stands beneath each."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from keras_sparseflow.analysis import figures
from keras_sparseflow.analysis.figures.drawing.facets import NotApplicableError, styled
from keras_sparseflow.analysis.figures.drawing.figure_files import file_stem, write_figures
from keras_sparseflow.analysis.figures.drawing.svg import figure_bytes, page_markup
from keras_sparseflow.analysis.frames.cells import arrange
from keras_sparseflow.analysis.frames.densities import arrange_densities
from keras_sparseflow.analysis.frames.labels import FLOW_NAMES, flow_name, headline, measure_label
from keras_sparseflow.analysis.frames.study_source import Source

Drawn = Figure | Mapping[str, Figure]
"""Result of a figure's function: a figure, or several by name."""


@dataclass(frozen=True)
class Drawing:
    """A figure of a report.

    Attributes:
        name: of its files, without an ending.
        title: what it shows, in a few words.
        caption: how to read it, in sentences.
        figure: the figure.
        table: the table, or the dataset, whose runs it shows.

    Example:
        >>> drawing = Drawing("empty", "Nothing", "There is nothing to see.", Figure(figsize=(1, 1)))
        >>> drawing.svg.startswith(b"<?xml"), drawing.svg is drawing.svg
        (True, True)
    """

    name: str
    title: str
    caption: str
    figure: Figure
    table: str = ""

    @cached_property
    def svg(self) -> bytes:
        """The figure as an SVG file, drawn once."""
        return figure_bytes(self.figure)

    def markup(self, prefix: str) -> Any:
        """Returns the figure as markup of a page; `prefix` tells its ids from those of other figures.

        A figure that has one for narrow windows is followed by that one; the page shows one of the two.
        """
        narrow = getattr(self.figure, "narrow", None)
        if narrow is None:
            return page_markup(self.svg, prefix, self.title)
        other = page_markup(figure_bytes(narrow), f"{prefix}n", f"{self.title} (narrow)", "narrow")
        return page_markup(self.svg, prefix, self.title, "broad") + other


@dataclass(frozen=True)
class Idea:
    """A figure that a report may have: what draws it, and what stands beside it. See `figure`."""

    function: Callable[..., Drawn]
    section: str
    name: str
    title: str
    caption: str | Callable[..., str]
    over: str
    given: Mapping[str, Any]

    def draw(self, available: Mapping[str, Any], prefix: str = "", table: str = "") -> Iterator[Drawing]:
        """Yields the figures of this idea, none where the data do not have what it needs."""
        made = [value for value in self.given.values() if callable(value)]
        needed = set().union(_needed(self.function) - self.given.keys(), *map(_needed, made))
        if not needed <= available.keys():
            return
        try:
            own = {name: _call(value, available) if callable(value) else value for name, value in self.given.items()}
            every = {**available, **own}
            drawn = _call(self.function, every)
            caption = self.caption if isinstance(self.caption, str) else _call(self.caption, every)
        except NotApplicableError:
            return
        words = _words(every)
        name, title, several = self.name.format(**words), self.title.format(**words), isinstance(drawn, Mapping)
        for part, one in drawn.items() if isinstance(drawn, Mapping) else [("", drawn)]:
            stem = file_stem(f"{prefix} {name} {part}")
            yield Drawing(stem, f"{title}: {part}" if several else title, caption.format(**words), one, table)


IDEAS: list[Idea] = []
"""Every figure that was imported, see `ideas`; those of other packages join it then."""


def figure(
    section: str, name: str, title: str, caption: str | Callable[..., str], over: str = "table", **given: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Returns a decorator: the function draws a figure of a report, in a section, under a title, above a caption.

    A parameter's name says what the function is given: "results", "flow", "diagnostics" or "landscape", frames of one
    table; "value", the column by which networks are compared; "measure", the flow measure; or a frame that the section
    gives, such as "comparison". A figure whose parameters without a default are not all there is left out.

    Args:
        section: where it stands in a report: "tests", "performance", "flow", "correlations", "diagnostics".
        name: of its files. Name, title and caption may have fields in braces: those of `given`, value and
            measure; "quantity", which is one of these in words; "side", "arm" or "method"; and "size", "dense width" or
            "density".
        title: what it shows, in a few words.
        caption: how to read it, in sentences; or a function that returns it, of parameters with the same names.
        over: what a figure shows the runs of: "table", "dataset" or "study".
        **given: values of the function's parameters in place of the report's; or functions that return them.

    Example:
        >>> @figure("flow", "{measure}_mean", "Mean {quantity}", "A bar per run.")
        ... def mean_flow(results, measure="egf_2"):
        ...     made = Figure()
        ...     made.add_subplot().bar(results["run_id"], results[measure])
        ...     return made
        >>> runs = pd.DataFrame({"run_id": ["a", "b"], "grad_norm_1": [0.5, 0.25]})
        >>> [drawing.title for drawing in IDEAS.pop().draw({"results": runs, "measure": "grad_norm_1"})]
        ['Mean gradient 1-norm']
    """

    def decorate(function: Callable[..., Drawn]) -> Callable[..., Drawn]:
        drawing = function if hasattr(function, "__wrapped__") else styled(function)
        own = [place for place, idea in enumerate(IDEAS) if idea.function is drawing]
        place = min(own, default=len(IDEAS))  # decorators are applied from the lowest, and read from the highest
        IDEAS.insert(place, Idea(drawing, section, name, title, caption, over, given))
        return drawing

    return decorate


def ideas() -> list[Idea]:
    """Returns every figure: those of this folder, file by file in any order of imports, then those of others."""
    modules = [f"{figures.__name__}.{module.name}" for module in pkgutil.iter_modules(figures.__path__)]
    for module in modules:
        importlib.import_module(module)
    places = {module: place for place, module in enumerate(modules)}
    return sorted(IDEAS, key=lambda idea: places.get(idea.function.__module__, len(modules)))


def drawings(source: Source, section: str | Sequence[str], **frames: pd.DataFrame) -> list[Drawing]:
    """Returns the figures of one section of a report, or of several, for which the study has the numbers.

    Args:
        source: the study.
        section: the section, or sections, in whose order the figures of a table stand.
        **frames: by the name of a figure's parameter, frames that the section has computed. Of one with a column
            `table`, a figure of a table is given that table's rows.
    """
    wanted = [section] if isinstance(section, str) else list(section)
    available = {name: getattr(source, name) for name in ("flow", "diagnostics", "landscape", "value", "measure")}
    return drawings_of(wanted, source.results, {**available, **frames})


def drawings_of(sections: Sequence[str], results: pd.DataFrame, available: Mapping[str, Any]) -> list[Drawing]:
    """Returns the figures of sections for which there are numbers.

    Args:
        sections: in whose order they stand.
        results: one row per finished run.
        available: what figures are drawn from besides, by the name of their parameter.
    """
    chosen = [idea for section in sections for idea in ideas() if idea.section == section]
    placed = arrange(results) if "arm" in results else arrange_densities(results)
    whole = pd.Series("", results.index)
    found: list[Drawing] = []
    for over, names in {"study": whole, "table": placed["table"], "dataset": results["dataset"]}.items():
        several = names.nunique() > 1
        for label in names.unique() if any(idea.over == over for idea in chosen) else ():
            frames = available if over == "study" else _of_table(available, label)
            own = {**frames, "results": results[names.reindex(results.index) == label]}
            for idea in chosen:
                if idea.over == over:
                    found += idea.draw(own, label if several else "", str(label))
    return found


def write_drawings(drawn: Sequence[Drawing], folder: Path) -> list[Path]:
    """Writes figures of a report as PNG and SVG and returns their paths."""
    return write_figures({d.name: d.figure for d in drawn}, folder, drawn={d.name: d.svg for d in drawn})


def _of_table(available: Mapping[str, Any], label: str) -> dict[str, Any]:
    return {
        name: frame[frame["table"] == label] if isinstance(frame, pd.DataFrame) and "table" in frame else frame
        for name, frame in available.items()
    }


def _call(function: Callable[..., Any], available: Mapping[str, Any]) -> Any:
    """Returns what a function returns that is given what its parameters are named after, where it is there."""
    wanted = inspect.signature(function).parameters
    return function(**{name: available[name] for name in wanted if name in available})


def _needed(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {parameter.name for parameter in parameters if parameter.default is parameter.empty}


def _words(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of names, titles and captions."""
    pairs = "results" in given and "arm" in given["results"]
    measure, value = given.get("measure", ""), given.get("value", "")
    plain = {name: text for name, text in given.items() if isinstance(text, str)}
    return {
        **plain,
        "quantity": _quantity(value) if value in FLOW_NAMES else measure_label(measure),
        "Quantity": _quantity(value),
        "Measure": capital(measure_label(measure)),
        "value_words": headline(value).lower(),
        "side": "arm" if pairs else "method",
        "size": "dense width" if pairs else "density",
    }


def _quantity(value: str) -> str:
    return capital(flow_name(value)) if value in FLOW_NAMES else headline(value)


def capital(words: str) -> str:
    return words[:1].upper() + words[1:]
