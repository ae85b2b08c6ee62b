"""Against size: a value against dense width or density, a line per variant, arm or method."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from keras_sparseflow.analysis.figures.drawing import scales
from keras_sparseflow.analysis.figures.drawing.facets import Facets, NotApplicableError
from keras_sparseflow.analysis.figures.drawing.marks import draw_crosses, draw_dots, draw_line
from keras_sparseflow.analysis.figures.gallery import figure
from keras_sparseflow.analysis.figures.placing import PARTS, Part, Placing, means, part_of, place
from keras_sparseflow.analysis.frames.densities import dense_levels, mean_by_density
from keras_sparseflow.analysis.frames.labels import value_label
from keras_sparseflow.analysis.frames.readings import reading_of

_MANY = 4
"""More methods than these are compared in one panel, where there is one variant; more lines have no dots of runs."""


def measure_of(results: pd.DataFrame, measure: str) -> str:
    """Returns the flow measure of a report, for figures that take it for their `value`; refused where there is none."""
    if measure not in results:
        raise NotApplicableError(f"`results` must have a column {measure!r}; received none.")
    return measure


def side_of(results: pd.DataFrame) -> str:
    """Returns what lines stand for where they do not stand for variants: the arms of pairs, else methods."""
    return "arm" if "arm" in results else "method"


def _caption(results: pd.DataFrame, lines: str, value: str, measure: str) -> str:
    averaged = "Gradient flow, averaged over the measured epochs of each run. " if value == measure else ""
    mean = "mean over the seeds with its 95 percent bootstrap interval (of three seeds, their range)"
    dots = "; a dot is a run." if len(place(results).names(PARTS[lines])) <= _MANY else "."
    dense = "" if "arm" in results else " The dotted line continues the level of the dense network, if there is one."
    return f"{averaged}A line per {lines}: {mean}{dots}{dense}"


@figure("performance", "{value}_of_variants", "{Quantity} of each variant against {size}", _caption, lines="variant")
@figure("performance", "{value}_of_{side}s", "{Quantity} of each {side} against {size}", _caption, lines=side_of)
@figure(
    "flow", "{value}_of_variants", "{Quantity} of each variant against {size}", _caption,
    value=measure_of, lines="variant",
)  # fmt: skip
@figure(
    "flow", "{value}_of_{side}s", "{Quantity} of each {side} against {size}", _caption,
    value=measure_of, lines=side_of,
)  # fmt: skip
def against_size(results: pd.DataFrame, value: str = "test_accuracy", lines: str = "variant") -> Facets:
    """Returns a value against dense width, of pairs, or against density.

    A line is the mean over the seeds, its band the 95% bootstrap interval of that mean (of three seeds, their range); a
    dot is a run, where there are at most four lines. Lines are variants, with a column of panels per optimizer and a
    row per arm or method; or arms or methods, with a panel per optimizer and variant. Where activations were varied,
    these stand for variants. A thin dotted line continues the level of a dense network, of density 1. The panels share
    their scale, those of an optimizer where lines are arms; that of values other than an accuracy is logarithmic where
    means span more than a factor of ten. A cross at the foot of a panel marks a size at which runs diverged; those are
    no part of the rest.

    Args:
        results: the runs of one table.
        value: the column to draw: an accuracy, a loss or a flow measure.
        lines: what a line stands for: a "variant", or, of pairs, an "arm", over densities a "method".

    Raises:
        NotApplicableError: no run that did not diverge has a finite `value`; or there is one method to compare.
        ValueError: `results` is empty or holds several tables, or has no such column; or `lines` is unknown.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> [axes.get_title() for axes in against_size(read_results("runs/demo"), lines="arm").axes]
        ['adam, NR', 'adam, BN']

    References:
        Tessera, Hooker, Rosman 2021, figures 2 to 5, 8 to 13 and 15 to 24.
    """
    by = part_of(lines, ("variant", side_of(results)))
    placing = place(results)
    _require_several(placing, by)
    table = means(results, value)
    rows: Part = "side" if by == "line" else "panel"
    columns: Part = "panel" if by == "line" else "line"
    runs = placing.runs.assign(value=pd.to_numeric(placing.runs[value]).astype(float))
    runs = runs[~runs["diverged"].astype(bool)]

    def scale(row: Any, _: Any) -> scales.Scale:
        shared = by == "line" or not placing.pairs
        own, dots = (frame if shared else frame[frame["panel"] == row] for frame in (table, runs))
        around = pd.concat([own["low"], own["high"], dots["value"]])
        return scales.of_values(own["mean"], around, log=not value.endswith("accuracy"))

    drawn = Facets(
        placing.names(rows),
        placing.names(columns),
        zip(placing.runs[rows], placing.runs[columns], strict=True),
        placing.size_scale,
        scale,
        (placing.size_label, value_label(value, reading_of(results))),
        height=2.5 if by == "line" or len(placing.names(by)) > _MANY else 2.1,
        broadest=6.4 if len(placing.names(by)) > _MANY else 4.6,
        title=lambda row, column: ", ".join(
            [column, placing.words("side", row)] if by == "line" else [row, placing.words("line", column)]
        ),
    )
    levels = (
        table.head(0)
        if placing.pairs
        else dense_levels(mean_by_density(results, value)).rename(columns={"method": "side"})
    )
    for (row, column), axes in drawn.panels.items():
        line, dots, level = (f[(f[rows] == row) & (f[columns] == column)] for f in (table, runs, levels))
        _draw_lines(axes, placing, by, line, dots, level)
    names = [placing.words(by, name) for name in placing.names(by)]
    return drawn.finish([*names, *(f"{name}: diverged" for name in names)])


def _require_several(placing: Placing, by: Part) -> None:
    """Raises a NotApplicableError where the other figure shows the same lines beside each other."""
    sides = placing.names("side")
    if by == "side" and len(sides) == 1 and not placing.pairs:
        raise NotApplicableError(f"`results` must hold several methods to compare; received {sides[0]!r} alone.")
    if by == "line" and len(sides) > _MANY and len(placing.names("line")) == 1:
        raise NotApplicableError("`results` must hold several variants of so many methods; received one.")


def _draw_lines(
    axes: Axes,
    placing: Placing,
    by: Part,
    table: pd.DataFrame,
    runs: pd.DataFrame,
    levels: pd.DataFrame,
) -> None:
    styles = placing.styles(by)
    for index, (name, style) in enumerate(styles.items()):
        label, line, dots = placing.words(by, name), table[table[by] == name], runs[runs[by] == name]
        for level in levels.loc[levels[by] == name, "mean"]:
            axes.axhline(level, color=style["color"], linestyle=":", linewidth=0.8, alpha=0.6, zorder=1)
        if len(styles) <= _MANY:
            draw_dots(axes, dots["size"], dots["value"], label, style["color"], dots.get("run_id", ()))
        draw_line(axes, line, "size", label, style)
        _mark_lost(axes, placing, line, style, label, aside=(index - (len(styles) - 1) / 2) / len(styles))


def _mark_lost(
    axes: Axes, placing: Placing, line: pd.DataFrame, style: Mapping[str, Any], name: str, aside: float
) -> None:
    """Marks the sizes at which runs diverged, those of each line beside those of the others."""
    lost, ends = line.loc[line["diverged"] > 0, "size"].astype(float), placing.size_scale.ends
    shifted = lost * (ends[1] / ends[0]) ** (0.04 * aside) if placing.size_scale.kind == "log" else (
        lost + 0.04 * aside * (ends[1] - ends[0])
    )  # fmt: skip
    draw_crosses(axes, shifted, style["color"], f"{name}: diverged")
