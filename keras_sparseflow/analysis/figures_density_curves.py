"""Curves of a density study: lines of densities in a panel per variant, or lines of variants in a panel per density."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_sparseflow.analysis.colours import line_styles, sequence_styles
from keras_sparseflow.analysis.figures_density import require_one_density_table
from keras_sparseflow.analysis.frames.cells import require_columns
from keras_sparseflow.analysis.frames.densities import PLACE, arrange_densities, rows_of_one_run_each
from keras_sparseflow.analysis.frames.formats import format_percent
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.frames.readings import of_one_reading
from keras_sparseflow.analysis.panels import NotApplicableError, draw_line, finish, make_grid
from keras_sparseflow.analysis.scales import (
    scale_decades,
    scale_decades_with_signs,
    spans_decades,
    spans_decades_with_signs,
)

Lines = Literal["density", "variant"]
"""What a line stands for: a density, or a variant with its activation and tweaks, the `line` of `arrange_densities`."""

_COLUMNS = {"density": "line", "variant": "density"}
"""The column of placed runs that tells panels beside each other apart, by what a line stands for."""

_MOST_MARKERS = 8
"""A line with twice as many points has markers at some: they would hide it."""


def place_rows(rows: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """Returns rows of runs of one table that did not diverge, with their place, density and seed, in a report's order.

    Of runs that are the same training, they are those of the first that has any.

    Args:
        rows: anything with a column `run_id`.
        results: the runs of one table of a density study.
    """
    placed = arrange_densities(results)
    require_one_density_table(placed)
    trained = placed.loc[~placed["diverged"].astype(bool), ["run_id", *PLACE, "density", "seed"]]
    return rows_of_one_run_each(trained.merge(rows, on="run_id"))


def measured_rows(rows: pd.DataFrame, results: pd.DataFrame, measure: str, argument: str = "flow") -> pd.DataFrame:
    """Returns the finite values of a measure, each with its run's place, see `place_rows`.

    Args:
        rows: one row per run, epoch, measure and layer.
        results: the runs of one table of a density study.
        measure: which of the measures.
        argument: what the caller's caller knows `rows` as.

    Raises:
        NotApplicableError: there is no such row.
    """
    require_columns(rows, ["run_id", "epoch", "measure", "layer", "value"], argument)
    rows = of_one_reading(rows)
    placed = place_rows(rows[rows["measure"] == measure], results)
    placed = placed[np.isfinite(placed["value"].astype(float))]
    if placed.empty:
        known = ", ".join(sorted(rows["measure"].unique())) or "none"
        raise NotApplicableError(f"`{argument}` must hold {measure!r} of these runs; received the measures {known}.")
    return placed


def lines_to_compare(rows: pd.DataFrame, results: pd.DataFrame) -> Lines:
    """Returns what lines of these rows had best stand for: variants where several share a panel, else densities.

    Args:
        rows: anything with a column `run_id`.
        results: the runs of one table of a density study.
    """
    placed = place_rows(rows[["run_id"]].drop_duplicates(), results)
    several = placed.groupby(["panel", "method", "density"])["line"].nunique() > 1
    return "variant" if several.any() else "density"


def draw_curves(
    rows: pd.DataFrame,
    results: pd.DataFrame,
    x: str,
    axis_labels: tuple[str, str],
    lines: Lines = "density",
    complete: Callable[[Axes, pd.DataFrame], None] = lambda axes, runs: None,
    share: bool = False,
) -> Figure:
    """Returns values against `x`: the mean over the seeds, in a band from the smallest to the largest.

    Each row of panels is an optimizer and a method. Axes are logarithmic where means span decades.

    Args:
        rows: placed rows with the columns `x` and `value`, one per run and x.
        results: the runs of one table of a density study.
        x: the column along the horizontal axis.
        axis_labels: of the horizontal and the vertical axis.
        lines: what a line stands for; each panel beside another is one of the other.
        complete: called with each panel and the runs, placed, that it is of.
        share: whether values are shares, whose axis begins just below 0 and is never logarithmic.

    Raises:
        NotApplicableError: `lines` is "variant", and at no density there are rows of several.
        ValueError: `lines` is unknown.
    """
    by, across = _sides(lines)
    rows = compared_rows(rows) if lines == "variant" else rows
    groups = rows.groupby([*PLACE, "density", x], sort=False)["value"]
    curves = groups.agg(mean="mean", low="min", high="max").reset_index()
    placed = arrange_densities(results)
    styles = _styles(placed, curves, by)
    figure, panels = _panels(placed, curves, across)
    apart = max(curves[x].nunique() // _MOST_MARKERS, 1)
    for place, axes in panels.items():
        inside = _of_panel(curves, place, across)
        for index, (key, style) in enumerate(styles.items()):
            every = (index % apart, apart)  # at places of their own, as lines may coincide
            look = {**style, "markersize": 3.2, "linewidth": 1.3, "markevery": every}
            draw_line(axes, inside[inside[by] == key], x, _in_words(key), look, opacity=0.12)
        complete(axes, _of_panel(placed, place, across))
    for axes in panels.values():
        if share:
            axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])  # lines at 0 stand clear of the edge
        elif spans_decades(curves["mean"]):
            scale_decades(axes, "y")
        elif spans_decades_with_signs(curves["mean"]):
            scale_decades_with_signs(axes, curves["mean"])
    finish(figure, *axis_labels, [_in_words(key) for key in styles])
    return figure


def density_styles(densities: Sequence[float]) -> dict[float, dict[str, Any]]:
    """Returns the look of each density; that of the dense network, which has no mask, is dashed."""
    styles = dict(zip(densities, sequence_styles(len(densities)), strict=True))
    return {d: {**style, "linestyle": (0, (4, 2))} if d == 1 else style for d, style in styles.items()}


def compared_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the placed rows of those optimizers, methods and densities of which several variants have some.

    Raises:
        NotApplicableError: there are none.
    """
    several = rows.groupby(["panel", "method", "density"])["line"].transform("nunique") > 1
    if not several.any():
        names = ", ".join(rows["line"].unique())
        raise NotApplicableError(f"`results` must hold several variants to compare at some density; received {names}.")
    return rows[several]


def _sides(lines: Lines) -> tuple[str, str]:
    """Returns the column that lines are of, and the one that panels beside each other are of."""
    if lines not in _COLUMNS:
        raise ValueError(f"`lines` must be {' or '.join(map(repr, _COLUMNS))}; received {lines!r}.")
    across = _COLUMNS[lines]
    return ("line" if across == "density" else "density"), across


def _styles(placed: pd.DataFrame, curves: pd.DataFrame, by: str) -> dict[Any, dict[str, Any]]:
    """Returns the look of each line, those of variants in the order of a report, whatever was measured."""
    if by == "density":
        return density_styles(sorted(curves["density"].unique()))
    return line_styles(list(placed["line"].unique()))


def _panels(placed: pd.DataFrame, curves: pd.DataFrame, across: str) -> tuple[Figure, dict[Any, Axes]]:
    several = curves["method"].nunique() > 1
    drawn = set(curves[["panel", "method", across]].itertuples(index=False, name=None))
    rows = dict.fromkeys(placed[["panel", "method"]].itertuples(index=False, name=None))
    keys = sorted(placed[across].unique()) if across == "density" else placed[across].unique()
    columns = [key for key in keys if any(place[2] == key for place in drawn)]
    few = len(columns) <= 3
    figure, panels = make_grid(
        [row for row in rows if any(place[:2] == row for place in drawn)],
        columns,
        {((panel, method), key) for panel, method, key in drawn},
        panel_size=(3.4 if few else 2.6, 2.5) if across == "density" else (3.1 if few else 2.5, 2.0),
        title=lambda row, key: ", ".join([row[0], _titled(key), *([method_name(row[1])] if several else [])]),
    )
    return figure, {(*row, key): axes for (row, key), axes in panels.items()}


def _of_panel(frame: pd.DataFrame, place: tuple[Any, ...], across: str) -> pd.DataFrame:
    panel, method, key = place
    return frame[(frame["panel"] == panel) & (frame["method"] == method) & (frame[across] == key)]


def _in_words(key: Any) -> str:
    return key if isinstance(key, str) else format_percent(key)


def _titled(key: Any) -> str:
    return key if isinstance(key, str) else f"{format_percent(key)} density"
