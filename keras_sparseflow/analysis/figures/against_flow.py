"""Performance against gradient flow, a point per run: what stands behind each Kendall correlation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from keras_sparseflow.analysis.figures.drawing import scales
from keras_sparseflow.analysis.figures.drawing.colours import INK, density_styles, line_styles
from keras_sparseflow.analysis.figures.drawing.facets import Facets, NotApplicableError
from keras_sparseflow.analysis.figures.drawing.marks import draw_points, explain
from keras_sparseflow.analysis.figures.gallery import capital, figure
from keras_sparseflow.analysis.figures.placing import Placing, place
from keras_sparseflow.analysis.frames.cells import require_columns
from keras_sparseflow.analysis.frames.densities import PLACE
from keras_sparseflow.analysis.frames.formats import format_fixed, format_percent, plural
from keras_sparseflow.analysis.frames.labels import FLOW_NAMES, flow_name, value_label
from keras_sparseflow.analysis.frames.readings import reading_of
from keras_sparseflow.analysis.statistics.correlation import TARGETS, correlate_flow, kendall_tau


def measures_of(results: pd.DataFrame, measure: str) -> list[str]:
    """Returns the flow measure of a report as the only one to draw; refused where it was not taken."""
    if measure not in results:
        raise NotApplicableError(f"`results` must have a column {measure!r}; received none.")
    return [measure]


def target_of(value: str) -> str:
    """Returns what flow is correlated with: the value that networks are compared by, if it is one of these."""
    return value if value in TARGETS else "test_accuracy"


@figure(
    "correlations", "{measure}_against_{value}", "{Measure} against {value_words}",
    "A point per run that did not diverge; above each panel Kendall's tau-b over all of them, and the mean of its "
    "absolute value within the configurations.",
    over="dataset", measures=measures_of, value=target_of,
)  # fmt: skip
def against_flow(
    results: pd.DataFrame,
    measures: Sequence[str] | None = None,
    value: str = "test_accuracy",
    by: str | None = None,
    rows: str | None = None,
) -> Facets:
    """Returns the final performance of each run against its average gradient flow.

    Of pairs the arms stand side by side, and variants differ by colour and marker. Over densities there is a panel per
    optimizer and method; colour says density, marker variant. Above each panel stand Kendall's tau-b over all of its
    runs, and the mean of its absolute value within the configurations, which is what the paper's table 1 holds. The
    two can differ in sign and size: over all runs, tau also says how configurations differ. Diverged runs are left
    out, and counted.

    Args:
        results: runs of one dataset.
        measures: the flow measures, a row of panels each; default, those of the paper that are there.
        value: "test_accuracy" or "test_loss".
        by: of pairs, the column whose values are told apart by colour and marker; default, the variant, or the
            activation where activations were varied.
        rows: of pairs, a further column, such as "optimizer", for each of whose values there is a row of panels.

    Raises:
        NotApplicableError: no run that did not diverge has both a finite flow and a finite `value`.
        ValueError: several datasets, an unknown `value`, or a missing column.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> figure = against_flow(read_results("runs/demo"), measures=["egf_2"])
        >>> len(figure.axes)
        2

    References:
        Tessera, Hooker, Rosman 2021, table 1.
    """
    measures = [name for name in FLOW_NAMES if name in results] if measures is None else list(measures)
    require_columns(results, ["dataset", "diverged", value, *measures, *filter(None, (by, rows))])
    if value not in TARGETS:
        raise ValueError(f"`value` must be {' or '.join(map(repr, TARGETS))}; received {value!r}.")
    if results["dataset"].nunique() != 1:
        received = ", ".join(map(str, results["dataset"].unique())) or "none"
        raise ValueError(f"`results` must hold the runs of one dataset; received {received}.")
    placing = place(results, one_table=False)
    runs = _with_parts(placing, by, rows)
    points = _points(runs, measures, value)
    if points.empty:
        raise NotApplicableError(
            f"`results` must hold a run that did not diverge with a finite {value!r} and a finite flow of "
            f"{', '.join(measures) or 'any measure'}; received {len(results)} runs, none of them with both."
        )
    parts = [(measure, part) for measure in measures for part in runs["part"].unique()]
    drawn = Facets(
        parts,
        list(dict.fromkeys([*placing.names("side"), *runs["across"]]))
        if placing.pairs
        else list(runs["across"].unique()),
        zip(zip(points["measure"], points["part"], strict=True), points["across"], strict=True),
        lambda place, _: scales.of_values(points.loc[points["measure"] == place[0], "flow"]),
        scales.of_values(points["value"], log=False),
        (_flow_label(measures, results), value_label(value)),
        height=2.4,
        title=lambda place, across: _title(placing, place[0] if len(measures) > 1 else "", place, across),
        notes=2,
    )
    styles = line_styles(list(runs["name"].unique()))
    shades = {} if placing.pairs else density_styles(sorted(points["size"].unique()))
    for (place_, across), axes in drawn.panels.items():
        inside = points[(points["measure"] == place_[0]) & (points["part"] == place_[1]) & (points["across"] == across)]
        own = runs[(runs["part"] == place_[1]) & (runs["across"] == across)]
        _draw_points(axes, inside, styles, shades)
        _say_tau(axes, inside, _within(own, results, place_[0], value), int(own["diverged"].astype(bool).sum()))
    for density, style in shades.items():
        explain(drawn, format_percent(density), {"marker": "o", "color": style["color"]})
    for name, style in styles.items() if shades and len(styles) > 1 else ():
        explain(drawn, name, {"color": INK, "marker": style["marker"], "fillstyle": style["fillstyle"]})
    return drawn.finish([*styles] if placing.pairs else [])


def _with_parts(placing: Placing, by: str | None, rows: str | None) -> pd.DataFrame:
    """Returns the runs with their column of panels `across`, their row of panels `part`, and their line's `name`."""
    runs = placing.runs
    if not placing.pairs:
        return runs.assign(across=runs["panel"], part=runs["side"], name=runs["line"])
    names = runs["line"] if by is None else runs[by].map(str)
    order = placing.names("line") if by is None else list(names.unique())
    runs = runs.assign(across=runs["side"], part="" if rows is None else runs[rows].map(str), name=names)
    return runs.sort_values("name", key=lambda name: name.map(order.index), kind="stable")


def _points(runs: pd.DataFrame, measures: Sequence[str], value: str) -> pd.DataFrame:
    """Returns a row per run that did not diverge and measure, with a finite `flow` and `value`, and its parts."""
    trained = runs[~runs["diverged"].astype(bool)]
    kept = trained[["across", "part", "name", "size", *(["run_id"] if "run_id" in trained else [])]]
    found = [
        kept.assign(
            measure=measure,
            flow=pd.to_numeric(trained[measure]).astype(float),
            value=pd.to_numeric(trained[value]).astype(float),
        )
        for measure in measures
    ]
    points = pd.concat(found, ignore_index=True) if found else kept.head(0).assign(measure="", flow=0.0, value=0.0)
    return points[np.isfinite(points[["flow", "value"]].to_numpy(float)).all(axis=1)]


def _draw_points(
    axes: Axes, points: pd.DataFrame, styles: dict[str, dict[str, Any]], shades: dict[float, dict[str, Any]]
) -> None:
    """Draws points by line; where densities have shades, by line and density."""
    small = {"markersize": 4.0, "markeredgewidth": 0.9, "alpha": 0.75, "linestyle": "none"}
    parts: Any = points.assign(size=points["size"] if shades else 0).groupby(["name", "size"], sort=False)
    for (name, size), inside in parts:
        look = {**styles[name], **small, **({"color": shades[size]["color"]} if shades else {})}
        label = format_percent(size) if shades else name
        draw_points(axes, inside["flow"], inside["value"], label, look, inside.get("run_id", ()), key=not shades)


def _within(runs: pd.DataFrame, results: pd.DataFrame, measure: str, value: str) -> pd.Series:
    """Returns how flow and value correlate within the configurations of a panel's runs."""
    if "arm" in results:
        taus = correlate_flow(results.loc[runs.index], [measure])
    else:
        taus = correlate_flow(runs, [measure], configuration=PLACE, by=("table", "method"))
    return taus[taus["target"] == value].iloc[0]


def _say_tau(axes: Axes, points: pd.DataFrame, within: pd.Series, lost: int) -> None:
    """Writes Kendall's tau between a panel and its title."""
    overall = kendall_tau(points["flow"], points["value"])
    diverged = f" ({lost} more diverged)" if lost else ""
    lines = [f"Kendall's τ = {_printed(overall)} over {len(points)} runs{diverged}"]
    if within["configurations"]:
        configurations = plural(int(within["configurations"]), "configuration")
        lines.append(f"mean |τ| = {_printed(within['mean_abs_tau'])} within {configurations}")
    else:
        lines.append("no configuration has a τ of its own")
    axes.text(0.5, 1.015, "\n".join(lines), transform=axes.transAxes, ha="center", va="bottom", size=7.5)


def _flow_label(measures: Sequence[str], results: pd.DataFrame) -> str:
    reading = reading_of(results)
    return f"Average {flow_name(measures[0], reading)}" if len(measures) == 1 else "Average of the flow measure"


def _title(placing: Placing, several: str, place: tuple[str, str], across: str) -> str:
    measure, part = place
    if placing.pairs:
        return capital(", ".join(filter(None, [flow_name(measure), part, across])))
    return ", ".join([*([capital(flow_name(several))] if several else []), across, placing.words("side", part)])


def _printed(tau: float) -> str:
    return "undefined" if np.isnan(tau) else format_fixed(tau, 3)
