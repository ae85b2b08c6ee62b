"""Places of runs in figures, the same words for both ways in which networks are compared.

Every run has a panel (its optimizer), a line (its variant, with activation and tweaks where these vary), a side and a
size. The side of a pair's network is its arm, and its size the dense width; the side of a network over densities is the
method by which it became sparse, and its size the density.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.figures.drawing import scales
from keras_sparseflow.analysis.figures.drawing.colours import ARM_STYLES, density_styles, line_styles
from keras_sparseflow.analysis.figures.drawing.facets import NotApplicableError
from keras_sparseflow.analysis.figures.drawing.scales import Scale
from keras_sparseflow.analysis.frames.cells import arrange, cell_columns, columns_in_order, require_columns
from keras_sparseflow.analysis.frames.densities import PLACE as CONFIGURATION
from keras_sparseflow.analysis.frames.densities import (
    arrange_densities,
    mean_by_density,
    one_run_each,
    rows_of_one_run_each,
)
from keras_sparseflow.analysis.frames.formats import format_percent
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.frames.pairs import ARMS, mean_by_width
from keras_sparseflow.analysis.frames.readings import of_one_reading

Part = Literal["panel", "line", "side", "size"]
PARTS: dict[str, Any] = {"variant": "line", "arm": "side", "method": "side", "density": "size", "layer": "layer"}
"""For what a line of a figure can stand for, the column that tells lines apart."""


@dataclass(frozen=True)
class Placing:
    """The runs of one table, each with its place.

    Attributes:
        runs: sorted as in tables, with the columns `table`, `panel`, `line`, `side` and `size`.
        pairs: whether the runs are the arms of pairs, of which a place has one for each dense width; else they are
            networks over densities.
    """

    runs: pd.DataFrame
    pairs: bool

    def names(self, part: Part) -> list[Any]:
        """Returns the different panels, lines, sides or sizes, in the order of tables."""
        if self.pairs and part == "line":
            return columns_in_order(self.runs.rename(columns={"line": "column"}))
        if self.pairs and part == "side":
            return [arm for arm in ARMS if (self.runs["side"] == arm).any()]
        found = list(self.runs[part].unique())
        return sorted(found) if part == "size" else found

    def words(self, part: str, name: Any) -> str:
        """Returns the name of a line, side, size or layer as legends and titles show it."""
        if part == "size" and not self.pairs:
            return format_percent(name)
        return method_name(name) if part == "side" and not self.pairs else str(name)

    def styles(self, part: Part) -> dict[Any, dict[str, Any]]:
        """Returns the look of each line of a figure whose lines are panels, lines, sides or sizes."""
        names = self.names(part)
        if part == "side" and self.pairs:
            return {arm: ARM_STYLES[arm] for arm in names}
        return density_styles(names) if part == "size" else line_styles(names)

    def title(self, panel: Any, name: str, side: Any = None) -> str:
        """Returns the title of a panel; a method is named where there are several."""
        several = self.pairs or self.runs["side"].nunique() > 1
        return ", ".join([panel, name, *([self.words("side", side)] if side is not None and several else [])])

    @cached_property
    def size_scale(self) -> Scale:
        """The scale of an axis along which dense width or density stands."""
        places = list(self.runs["size"].unique())
        return scales.widths(places) if self.pairs else scales.densities(places)

    @property
    def size_label(self) -> str:
        """The label of that axis: perceptrons have a width in units, other networks a factor of their channels."""
        if not self.pairs:
            return "Density (share of weights that are active)"
        whole = (self.runs["size"] % 1 == 0).all()
        return "Dense width (units)" if whole else "Dense width (times the base's channels)"


def place(results: pd.DataFrame, one_table: bool = True) -> Placing:
    """Returns the runs of one table, or of several, with their places.

    Args:
        results: one row per finished run, of pairs or over densities.
        one_table: whether to refuse several tables.

    Raises:
        ValueError: a column is missing, or there are no runs, or those of several tables where one is wanted.
    """
    pairs = "arm" in results
    placed = arrange(results) if pairs else one_run_each(arrange_densities(results))
    names = {"row": "panel", "column": "line"} if pairs else {}
    side, size = ("arm", "dense_width") if pairs else ("method", "density")
    require_columns(placed, [side, "diverged"])
    runs = placed.rename(columns=names).assign(side=placed[side], size=placed.get(size, 1))
    if one_table:
        require_one_table(runs)
    return Placing(runs, pairs)


def require_one_table(placed: pd.DataFrame, argument: str = "results") -> None:
    """Raises a ValueError unless the rows are those of one table."""
    tables = placed["table"].unique()
    if len(tables) != 1:
        raise ValueError(
            f"`{argument}` must hold the runs of one dataset, architecture, learning rate and activation; received "
            f"{len(tables)} tables{': ' if len(tables) else ''}{'; '.join(tables)}. Select one of them."
        )


def means(results: pd.DataFrame, value: str) -> pd.DataFrame:
    """Returns the mean of each place over the seeds, its 95% bootstrap interval, and how many runs diverged.

    Returns:
        A DataFrame with the columns `panel`, `line`, `side`, `size`, `mean`, `low`, `high` and `diverged`.

    Raises:
        NotApplicableError: there is no finite value of a run that did not diverge.
    """
    pairs = "arm" in results
    table = arrange(mean_by_width(results, value), cell_columns(results)) if pairs else mean_by_density(results, value)
    require_finite(table["mean"], value)
    side, size = ("arm", "dense_width") if pairs else ("method", "density")
    names = {"row": "panel", "column": "line", side: "side", size: "size", "ci_low": "low", "ci_high": "high"}
    return table.rename(columns=names)


def require_finite(values: Any, value: str) -> None:
    """Raises a NotApplicableError unless at least one of the values, those of runs that did not diverge, is finite."""
    if not np.isfinite(np.asarray(values, float)).any():
        raise NotApplicableError(
            f"`results` must hold a finite {value!r} of a run that did not diverge; received {len(values)} rows "
            "without one."
        )


def measured(
    rows: pd.DataFrame, results: pd.DataFrame, measure: str, argument: str = "flow"
) -> tuple[pd.DataFrame, Placing]:
    """Returns the finite values of a measure of runs that did not diverge, each with its run's place; and the places.

    Args:
        rows: one row per run, epoch, measure and layer; of two readings, the one that a study is judged by is taken.
        results: the runs of one table.
        measure: which of the measures.
        argument: what the caller's caller knows `rows` as.

    Raises:
        NotApplicableError: there is no such row.
    """
    require_columns(rows, ["run_id", "epoch", "measure", "layer", "value"], argument)
    rows = of_one_reading(rows)
    placed, placing = with_places(rows[rows["measure"] == measure], results)
    placed = placed[np.isfinite(placed["value"].astype(float))]
    if placed.empty:
        known = ", ".join(sorted(rows["measure"].unique())) or "none"
        raise NotApplicableError(f"`{argument}` must hold {measure!r} of these runs; received the measures {known}.")
    return placed, placing


def with_places(rows: pd.DataFrame, results: pd.DataFrame) -> tuple[pd.DataFrame, Placing]:
    """Returns rows of runs that did not diverge, each with its run's place; and the places of all runs.

    Of runs over densities that are the same training, measured otherwise, rows are those of the first that has any.

    Args:
        rows: anything with a column `run_id`.
        results: the runs of one table.
    """
    placing = place(results)
    if placing.pairs:
        trained = placing.runs
        wanted = ["run_id", "table", "panel", "line", "side", "size"]
        return trained.loc[~trained["diverged"].astype(bool), wanted].merge(rows, on="run_id"), placing
    every = arrange_densities(results)
    trained = every.loc[~every["diverged"].astype(bool), ["run_id", *CONFIGURATION, "density", "seed"]]
    found = rows_of_one_run_each(trained.merge(rows, on="run_id"))
    return found.assign(side=found["method"], size=found["density"]), placing


def lines_to_compare(rows: pd.DataFrame, results: pd.DataFrame) -> str:
    """Returns what lines of these rows had best stand for: arms; variants, where several share a panel; or densities.

    Args:
        rows: anything with a column `run_id`.
        results: the runs of one table.
    """
    if "arm" in results:
        return "arm"
    placed, _ = with_places(rows[["run_id"]].drop_duplicates(), results)
    several = placed.groupby(["panel", "side", "size"])["line"].nunique() > 1
    return "variant" if several.any() else "density"


def several_lines(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the placed rows of those panels, sides and sizes of which several lines have some.

    Raises:
        NotApplicableError: there are none.
    """
    several = rows.groupby(["panel", "side", "size"])["line"].transform("nunique") > 1
    if not several.any():
        names = ", ".join(rows["line"].unique())
        raise NotApplicableError(f"`results` must hold several variants to compare at some density; received {names}.")
    return rows[several]


def part_of(lines: str, known: Sequence[str]) -> Any:
    """Returns the column that tells lines apart, checked: "side" where they stand for arms, and so on."""
    if lines not in known:
        raise ValueError(f"`lines` must be {' or '.join(map(repr, known))}; received {lines!r}.")
    return PARTS[lines]
