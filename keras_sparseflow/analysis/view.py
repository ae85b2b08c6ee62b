"""What every report's page shows, whatever kind of study it is of, and what a report consists of."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from keras_sparseflow.analysis import summary
from keras_sparseflow.analysis.bootstrap import LEVEL
from keras_sparseflow.analysis.cells import spec_columns
from keras_sparseflow.analysis.figures.drawing.colours import ON_DARK
from keras_sparseflow.analysis.figures.gallery import Drawing
from keras_sparseflow.analysis.formats import format_large
from keras_sparseflow.analysis.labels import flow_name, reading_name
from keras_sparseflow.analysis.readings import reading_of
from keras_sparseflow.analysis.sources import Source

FOLDER = "report"
"""The folder of tables and figures beside the page."""

_RECORDED = (
    *("name", "title", "created", "command", "choices", "versions", "machine", "runs_planned"),
    *("preset", "reproduces", "notes", "overrides", "cost"),
)
_COST = {
    "steps": "gradient steps, planned",
    "active_weights": "active weights, all networks",
    "stored_weights": "stored weights, all networks",
    "flops": "floating-point operations, planned",
    "active_flops": "floating-point operations that active weights alone would need",
}
_WIDTH_OF_THE_PAGE = 11  # inches


@dataclass(frozen=True)
class Report:
    """A report that is ready to be written.

    Attributes:
        view: everything that the template shows.
        template: the name of the page's template.
        write_files: writes tables and figures into a folder.
        colours: each colour that a figure is drawn in, with the one to take its place on a dark page.
    """

    view: Mapping[str, Any]
    template: str
    write_files: Callable[[Path], None]
    colours: Mapping[str, str] = field(default_factory=lambda: ON_DARK)


@dataclass(frozen=True)
class RunColumn:
    """A column of the list of diverged runs: `key` of the run, and whether it is text, as `text_key` shows it."""

    heading: str
    key: str
    text: bool = False
    text_key: str = ""


def view_study(source: Source) -> dict[str, Any]:
    """Returns what the page of any study shows: its name, what it was set to, what it cost, how it was made."""
    study, results = recorded(source), source.results
    once = results.drop_duplicates("run_id")  # one may stand in several pairs
    reading = reading_of(results) if source.measure in results else ""
    chosen = {choice["choice"] for choice in study["choices"] or ()}
    return {
        "study": study,
        "title": study["title"] or study["name"] or "Study",
        "value": source.value,
        "measure": source.measure,
        "flow_name": flow_name(source.measure, reading),
        "reading": reading_name(reading),
        "alpha": summary.ALPHA,
        "level": f"{100 * LEVEL:g}",
        "folder": FOLDER,
        "figure_files": source.figure_files,
        "has_diagnostics": not source.diagnostics.empty,
        "scaled_down": summary.scaled_down(study),
        "notes": [study["notes"]] if isinstance(study["notes"], str) else study["notes"] or [],
        "networks": len(once),
        "settings": summary.settings(results, [c for c in spec_columns(results) if c not in chosen]),
        "cost": _cost(study["cost"] or {}),
        "seconds": float(pd.to_numeric(once["seconds"]).sum()) if "seconds" in results else None,
    }


def recorded(source: Source) -> dict[str, Any]:
    """Returns what `study.json` says, with None for what it does not."""
    return {**dict.fromkeys(_RECORDED), **source.study}


def view_figures(drawings: Iterable[Drawing], prefix: str) -> list[dict[str, Any]]:
    """Returns the figures of a section as its template shows them; `prefix` tells their ids from all others."""
    return [_figure(drawing, f"{prefix}{number}") for number, drawing in enumerate(drawings, 1)]


def _figure(drawing: Drawing, prefix: str) -> dict[str, Any]:
    return {
        "name": drawing.name,
        "title": drawing.title,
        "caption": drawing.caption,
        "svg": drawing.markup(prefix),
        "large": drawing.figure.get_figwidth() > 1.3 * _WIDTH_OF_THE_PAGE,
    }


def _cost(cost: Mapping[str, Any]) -> dict[str, str]:
    """Returns what the planned networks cost, counted when the study began, in words."""
    counted = {_COST.get(name, name.replace("_", " ")): amount for name, amount in cost.items() if name != "networks"}
    return {name: format_large(amount) for name, amount in counted.items()}
