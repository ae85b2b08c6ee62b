"""Performance against gradient flow at every density: density by colour, variant by marker."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_sparseflow.analysis.colours import INK, line_styles
from keras_sparseflow.analysis.figures_correlation import say_tau
from keras_sparseflow.analysis.figures_density import require_one_density_table
from keras_sparseflow.analysis.figures_density_curves import density_styles
from keras_sparseflow.analysis.frames.cells import require_columns
from keras_sparseflow.analysis.frames.densities import PLACE, arrange_densities, one_run_each
from keras_sparseflow.analysis.frames.formats import format_percent
from keras_sparseflow.analysis.frames.labels import flow_name, value_label
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.frames.readings import reading_of
from keras_sparseflow.analysis.panels import NotApplicableError, finish, make_grid, styled
from keras_sparseflow.analysis.scales import scale_decades, spans_decades
from keras_sparseflow.analysis.statistics.correlation import TARGETS, correlate_flow


@styled
def densities_against_flow(results: pd.DataFrame, measure: str = "egf_2", value: str = "test_accuracy") -> Figure:
    """Returns each run's final performance against its average gradient flow: density by colour, variant by marker.

    The panels are those of `variants_by_density`. Above each stand Kendall's tau-b over all of its runs, and
    the mean of its absolute value within the configurations, over densities and seeds. Diverged runs are
    left out, and counted.

    Args:
        results: the runs of one table of a density study.
        measure: the column with the average flow.
        value: "test_accuracy" or "test_loss".

    Raises:
        NotApplicableError: no run that did not diverge has both a finite flow and a finite `value`.
        ValueError: `results` is empty or holds several tables, an unknown `value`, or a missing column.

    Example:
        >>> runs = pd.DataFrame({"run_id": list("abc"), "dataset": "cifar100", "model": "wide_resnet", "depth": 28,
        ...                      "width": 10, "learning_rate": 0.1, "activation": "relu", "variant": "NR",
        ...                      "optimizer": "sgd", "method": "random", "density": [0.1, 0.5, 1.0], "seed": 0,
        ...                      "test_accuracy": [0.5, 0.6, 0.7], "test_loss": [3.0, 2.0, 1.0],
        ...                      "egf_2": [1.0, 2.0, 3.0], "diverged": False})
        >>> print(densities_against_flow(runs).axes[0].texts[0].get_text().splitlines()[0])
        Kendall's τ = 1.00 over 3 runs
    """
    require_columns(results, ["diverged", *TARGETS, measure])
    if value not in TARGETS:
        raise ValueError(f"`value` must be {' or '.join(map(repr, TARGETS))}; received {value!r}.")
    placed = one_run_each(arrange_densities(results))
    require_one_density_table(placed)
    points = placed[~placed["diverged"].astype(bool)]
    both = {name: pd.to_numeric(points[c]).astype(float) for name, c in (("flow", measure), ("value", value))}
    points = points.assign(**both)[np.isfinite(both["flow"]) & np.isfinite(both["value"])]
    if points.empty:
        raise NotApplicableError(
            f"`results` must hold a run that did not diverge with a finite {value!r} and a finite {measure!r}; "
            f"received {len(results)} runs, none of them with both."
        )
    figure, panels = make_grid(
        list(points["method"].unique()),
        list(points["panel"].unique()),
        zip(points["method"], points["panel"], strict=True),
        panel_size=(3.8, 3.0),
        title=lambda method, panel: f"{panel}, {method_name(method)}",
    )
    lines, densities = list(points["line"].unique()), sorted(points["density"].unique())
    for (method, panel), axes in panels.items():
        chosen = (placed["method"] == method) & (placed["panel"] == panel)
        inside = points[(points["method"] == method) & (points["panel"] == panel)]
        _draw_points(axes, inside, lines, densities)
        taus = correlate_flow(placed[chosen], [measure], configuration=PLACE, by=("table", "method"))
        within = taus[taus["target"] == value].iloc[0]
        say_tau(axes, inside, within, int(placed.loc[chosen, "diverged"].astype(bool).sum()))
        if spans_decades(points["flow"]):
            scale_decades(axes, "x")
    _explain_points(figure, lines, densities)
    finish(figure, f"Average {flow_name(measure, reading_of(results))}", value_label(value))
    return figure


def _draw_points(axes: Axes, points: pd.DataFrame, lines: Sequence[str], densities: Sequence[float]) -> None:
    looks, shades = line_styles(lines), density_styles(densities)
    for line, density in points[["line", "density"]].drop_duplicates().itertuples(index=False, name=None):
        inside = points[(points["line"] == line) & (points["density"] == density)]
        look = {key: looks[line][key] for key in ("marker", "fillstyle")}
        look |= {"linestyle": "none", "color": shades[density]["color"], "markersize": 4.2, "markeredgewidth": 1.0}
        axes.plot(inside["flow"], inside["value"], alpha=0.85, **look)


def _explain_points(figure: Figure, lines: Sequence[str], densities: Sequence[float]) -> None:
    """Adds to the legend, without drawing anything, what colours and markers stand for."""
    axes = figure.axes[0]
    for density, style in density_styles(densities).items():
        axes.plot([], [], linestyle="none", marker="o", color=style["color"], label=format_percent(density))
    for line, look in line_styles(lines).items() if len(lines) > 1 else ():
        marker = {key: look[key] for key in ("marker", "fillstyle")}
        axes.plot([], [], linestyle="none", color=INK, label=line, **marker)
