"""Variants at a glance: both arms' means beside each other, with their uncertainty and every run."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from keras_sparseflow.analysis.figures.against_size import measure_of
from keras_sparseflow.analysis.figures.drawing import scales
from keras_sparseflow.analysis.figures.drawing.colours import ARM_STYLES
from keras_sparseflow.analysis.figures.drawing.facets import Facets, NotApplicableError
from keras_sparseflow.analysis.figures.drawing.marks import draw_crosses, draw_dots, draw_intervals
from keras_sparseflow.analysis.figures.gallery import figure
from keras_sparseflow.analysis.figures.placing import place, require_finite
from keras_sparseflow.analysis.frames.cells import require_columns
from keras_sparseflow.analysis.frames.labels import value_label
from keras_sparseflow.analysis.frames.pairs import ARMS
from keras_sparseflow.analysis.frames.readings import reading_of
from keras_sparseflow.analysis.statistics.intervals import bootstrap_by

_OFFSET = {"sparse": -0.18, "dense": 0.18}
_CAPTION = "Both arms: mean over widths and seeds with its 95 percent bootstrap interval; a dot is a run."


@figure("performance", "{value}_by_variant", "{Quantity} by variant", _CAPTION)
@figure("flow", "{value}_by_variant", "{Quantity} by variant", _CAPTION, value=measure_of)
def by_variant(results: pd.DataFrame, value: str = "test_accuracy") -> Facets:
    """Returns both arms' mean over widths and seeds, beside each other for each variant, a panel per optimizer.

    The bar is the 95% bootstrap interval of the mean, each faint dot a run. Where activations were varied, these stand
    for variants. Diverged runs are no part of the means; a cross at the left edge says that there were some. The scale
    of values other than an accuracy is logarithmic where they span more than a factor of ten.

    Args:
        results: the runs of one table of pairs.
        value: the column to draw.

    Raises:
        NotApplicableError: no run that did not diverge has a finite `value`, or the runs are no pairs.
        ValueError: `results` is empty or holds several tables, or has no such column.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> figure = by_variant(read_results("runs/demo"))
        >>> [axes.get_title() for axes in figure.axes]
        ['adam']
    """
    require_columns(results, ["diverged", value])
    if "arm" not in results:
        raise NotApplicableError("`results` must hold the arms of pairs; received networks over densities.")
    placing = place(results)
    runs = placing.runs.assign(
        value=pd.to_numeric(placing.runs[value]).astype(float).mask(placing.runs["diverged"].astype(bool))
    )
    runs["value"] = runs["value"].where(np.isfinite(runs["value"]))
    require_finite(runs["value"], value)
    means = bootstrap_by(runs, ["panel", "line", "side"], "value")
    names = placing.names("line")
    drawn = Facets(
        [""],
        placing.names("panel"),
        [("", panel) for panel in placing.names("panel")],
        scales.of_values(runs["value"], log=not value.endswith("accuracy")),
        scales.rows(names),
        (value_label(value, reading_of(results)), ""),
        height=0.32 * len(names) + 0.3,
        title=lambda _, panel: panel,
    )
    for (_, panel), axes in drawn.panels.items():
        for arm in ARMS:
            own, mean = (frame[(frame["panel"] == panel) & (frame["side"] == arm)] for frame in (runs, means))
            _draw_arm(axes, own, mean, names, arm)
    return drawn.finish([*ARMS, *(f"{arm}: diverged" for arm in ARMS)])


def _draw_arm(axes: Axes, runs: pd.DataFrame, means: pd.DataFrame, names: list[str], arm: str) -> None:
    style = {key: ARM_STYLES[arm][key] for key in ("color", "marker")}

    def heights(frame: pd.DataFrame) -> pd.Series:
        return frame["line"].map(names.index).astype(float) + _OFFSET[arm]

    draw_dots(axes, runs["value"], heights(runs), arm, style["color"], runs.get("run_id", ()))
    draw_intervals(axes, means, heights(means), arm, style)
    lost = runs[runs["diverged"].astype(bool)].drop_duplicates("line")
    draw_crosses(axes, heights(lost), style["color"], f"{arm}: diverged", edge="left")
