"""Gradient flow by density: over the epochs, layer by layer, and against accuracy."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_sparseflow.analysis.cells import require_columns
from keras_sparseflow.analysis.colours import INK, line_styles, sequence_styles
from keras_sparseflow.analysis.correlation import TARGETS, correlate_flow
from keras_sparseflow.analysis.density import PLACE, arrange_densities, method_name
from keras_sparseflow.analysis.figures_correlation import say_tau
from keras_sparseflow.analysis.figures_density import require_one_density_table
from keras_sparseflow.analysis.formats import format_percent
from keras_sparseflow.analysis.labels import flow_name, value_label
from keras_sparseflow.analysis.panels import NotApplicableError, draw_line, finish, make_grid, styled
from keras_sparseflow.analysis.scales import label_layers, scale_decades, spans_decades
from keras_sparseflow.flow.named import TOTAL

_PRUNED = "magnitude"
"""The method that trains a dense network until it prunes it."""

_MOST_MARKERS = 16
"""With more points, a line has no markers: they would hide it."""


@styled
def densities_over_epochs(flow: pd.DataFrame, results: pd.DataFrame, measure: str = "egf_2") -> Figure:
    """Returns gradient flow at the measured epochs: a line per density, a panel per configuration.

    A line is the mean over the seeds, its band goes from the smallest to the largest; the darker, the denser.
    Where networks are pruned by magnitude, a vertical line marks the epoch before which that begins.
    Diverged runs are left out.

    Args:
        flow: one row per run, epoch, measure and layer, as `keras_sparseflow.records.read_flow` gives it.
        results: the runs of one table of a density study.
        measure: which of the measures in `flow` to draw.

    Raises:
        NotApplicableError: `flow` has no row of these runs and that measure, or no run did not diverge.
        ValueError: `results` is empty or holds several tables, or a column is missing.

    Example:
        >>> runs = pd.DataFrame({"run_id": list("abc"), "dataset": "cifar100", "model": "wide_resnet", "depth": 28,
        ...                      "width": 10, "learning_rate": 0.1, "activation": "relu", "variant": "NR",
        ...                      "optimizer": "sgd", "method": "random", "density": [0.1, 0.5, 1.0], "seed": 0,
        ...                      "test_accuracy": [0.5, 0.6, 0.7], "test_loss": [3.0, 2.0, 1.0],
        ...                      "egf_2": [1.0, 2.0, 3.0], "diverged": False})
        >>> flow = pd.DataFrame({"run_id": "a", "epoch": [0, 0, 0], "measure": "egf_2",
        ...                      "layer": ["conv", "classifier", "total"], "value": [1.0, 3.0, 2.0]})
        >>> figure = densities_over_epochs(flow, runs)
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['10%']
    """
    rows = _flow_rows(flow, results, measure)
    lines = _spread(rows[rows["layer"] == TOTAL], "epoch")
    starts = _pruning_epochs(arrange_densities(results))

    def label(axes: Axes, place: tuple[str, ...]) -> None:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
        for epoch in starts.get(place, ()):
            axes.axvline(epoch - 0.5, color=INK, linestyle=(0, (2, 2)), linewidth=1, label="pruning begins")

    return _panels(results, lines, "epoch", "Epoch (the first is 0)", flow_name(measure), label)


@styled
def densities_by_layer(flow: pd.DataFrame, results: pd.DataFrame, measure: str = "egf_2") -> Figure:
    """Returns gradient flow in each layer, from input to output: a line per density, a panel per configuration.

    A line is the mean over seeds and measured epochs, those before pruning included; its band goes from the
    smallest to the largest run. Arguments and errors are those of `densities_over_epochs`.

    Example:
        >>> runs = pd.DataFrame({"run_id": list("abc"), "dataset": "cifar100", "model": "wide_resnet", "depth": 28,
        ...                      "width": 10, "learning_rate": 0.1, "activation": "relu", "variant": "NR",
        ...                      "optimizer": "sgd", "method": "random", "density": [0.1, 0.5, 1.0], "seed": 0,
        ...                      "test_accuracy": [0.5, 0.6, 0.7], "test_loss": [3.0, 2.0, 1.0],
        ...                      "egf_2": [1.0, 2.0, 3.0], "diverged": False})
        >>> flow = pd.DataFrame({"run_id": "a", "epoch": [0, 0, 0], "measure": "egf_2",
        ...                      "layer": ["conv", "classifier", "total"], "value": [1.0, 3.0, 2.0]})
        >>> [label.get_text() for label in densities_by_layer(flow, runs).axes[0].get_xticklabels()]
        ['conv', 'classifier']
    """
    rows = _flow_rows(flow, results, measure)
    rows = rows[rows["layer"] != TOTAL]
    if rows.empty:
        raise NotApplicableError(f"`flow` must have rows of single layers for {measure!r}; received only {TOTAL!r}.")
    names = list(rows["layer"].unique())  # in the order written, which is that of the network
    rows = rows.assign(position=rows["layer"].map(names.index))
    by_run = rows.groupby([*PLACE, "density", "run_id", "position"], sort=False)["value"].mean().reset_index()
    lines = _spread(by_run, "position")

    def label(axes: Axes, place: tuple[str, ...]) -> None:
        label_layers(axes, names)

    return _panels(results, lines, "position", "Layer, from input to output", flow_name(measure), label)


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
    placed = arrange_densities(results)
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
    finish(figure, f"Average {flow_name(measure)}", value_label(value))
    return figure


def _flow_rows(flow: pd.DataFrame, results: pd.DataFrame, measure: str) -> pd.DataFrame:
    require_columns(flow, ["run_id", "epoch", "measure", "layer", "value"], "flow")
    placed = arrange_densities(results)
    require_one_density_table(placed)
    placed = placed.loc[~placed["diverged"].astype(bool), ["run_id", *PLACE, "density"]]
    rows = flow[flow["measure"] == measure].merge(placed, on="run_id")
    rows = rows[np.isfinite(rows["value"].astype(float))]
    if rows.empty:
        known = ", ".join(sorted(flow["measure"].unique())) or "none"
        raise NotApplicableError(f"`flow` must hold {measure!r} of these runs; received the measures {known}.")
    return rows


def _spread(rows: pd.DataFrame, x: str) -> pd.DataFrame:
    groups = rows.groupby([*PLACE, "density", x], sort=False)["value"]
    return groups.agg(mean="mean", low="min", high="max").reset_index()


def _panels(
    results: pd.DataFrame,
    lines: pd.DataFrame,
    x: str,
    x_label: str,
    y_label: str,
    label: Callable[[Axes, Any], None],
) -> Figure:
    """Returns a figure with a panel per configuration and a line per density in it; `label` completes a panel."""
    placed, several = arrange_densities(results), results["method"].nunique() > 1
    densities, many = sorted(lines["density"].unique()), lines[x].nunique() > _MOST_MARKERS
    rows = list(placed[["panel", "method"]].drop_duplicates().itertuples(index=False, name=None))
    columns = list(placed["line"].unique())
    figure, panels = make_grid(
        rows,
        columns,
        {((row["panel"], row["method"]), row["line"]) for row in lines.to_dict("records")},
        panel_size=(3.1 if len(columns) <= 3 else 2.5, 2.0),
        title=lambda row, line: ", ".join([row[0], line, *([method_name(row[1])] if several else [])]),
    )
    for ((panel, method), line), axes in panels.items():
        inside = lines[(lines["panel"] == panel) & (lines["method"] == method) & (lines["line"] == line)]
        for density, style in _density_styles(densities).items():
            look = {**style, "markersize": 3.2, "linewidth": 1.3, **({"marker": ""} if many else {})}
            draw_line(axes, inside[inside["density"] == density], x, format_percent(density), look, opacity=0.12)
        label(axes, (panel, method, line))
        if spans_decades(lines["mean"]):
            scale_decades(axes, "y")
    finish(figure, x_label, y_label, [format_percent(density) for density in densities])
    return figure


def _density_styles(densities: Sequence[float]) -> dict[float, dict[str, Any]]:
    """Returns the look of each density; that of the dense network, which has no mask, is dashed."""
    styles = dict(zip(densities, sequence_styles(len(densities)), strict=True))
    return {d: {**style, "linestyle": (0, (4, 2))} if d == 1 else style for d, style in styles.items()}


def _pruning_epochs(placed: pd.DataFrame) -> dict[tuple[str, ...], list[float]]:
    """Returns, by panel, method and line, the number of epochs before pruning, where networks are pruned."""
    if not {"prune_from", "epochs"} <= set(placed.columns):
        return {}
    pruned = placed[(placed["method"] == _PRUNED) & (placed["density"] < 1)]
    starts = (pruned["prune_from"] * pruned["epochs"]).astype(float)
    places = zip(pruned["panel"], pruned["method"], pruned["line"], strict=True)
    found: dict[tuple[str, ...], set[float]] = {}
    for place, start in zip(places, starts, strict=True):
        found.setdefault(place, set()).add(start)
    return {place: sorted(inside) for place, inside in found.items()}


def _draw_points(axes: Axes, points: pd.DataFrame, lines: Sequence[str], densities: Sequence[float]) -> None:
    looks, shades = line_styles(lines), _density_styles(densities)
    for line, density in points[["line", "density"]].drop_duplicates().itertuples(index=False, name=None):
        inside = points[(points["line"] == line) & (points["density"] == density)]
        look = {key: looks[line][key] for key in ("marker", "fillstyle")}
        look |= {"linestyle": "none", "color": shades[density]["color"], "markersize": 4.2, "markeredgewidth": 1.0}
        axes.plot(inside["flow"], inside["value"], alpha=0.85, **look)


def _explain_points(figure: Figure, lines: Sequence[str], densities: Sequence[float]) -> None:
    """Adds to the legend, without drawing anything, what colours and markers stand for."""
    axes = figure.axes[0]
    for density, style in _density_styles(densities).items():
        axes.plot([], [], linestyle="none", marker="o", color=style["color"], label=format_percent(density))
    for line, look in line_styles(lines).items() if len(lines) > 1 else ():
        marker = {key: look[key] for key in ("marker", "fillstyle")}
        axes.plot([], [], linestyle="none", color=INK, label=line, **marker)
