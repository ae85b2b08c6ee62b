"""Gradient flow against final performance, a point per run: what stands behind each Kendall correlation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_sparseflow.analysis.colours import line_styles
from keras_sparseflow.analysis.frames.cells import arrange, columns_in_order, require_columns
from keras_sparseflow.analysis.frames.formats import plural
from keras_sparseflow.analysis.frames.labels import FLOW_NAMES, flow_name, value_label
from keras_sparseflow.analysis.frames.pairs import ARMS
from keras_sparseflow.analysis.frames.readings import reading_of
from keras_sparseflow.analysis.panels import NotApplicableError, finish, make_grid, styled
from keras_sparseflow.analysis.scales import scale_decades, spans_decades
from keras_sparseflow.analysis.statistics.correlation import TARGETS, correlate_flow, kendall_tau


@styled
def flow_against_accuracy(
    results: pd.DataFrame,
    measures: Sequence[str] | None = None,
    value: str = "test_accuracy",
    by: str | None = None,
    rows: str | None = None,
) -> Figure:
    """Returns the final performance of each run against its average gradient flow, sparse and dense side by side.

    Above each panel stand Kendall's tau-b over all of its runs, and the mean of its absolute value within
    the configurations, which is what the paper's table 1 holds. The two can differ in sign and size: over
    all runs, tau also says how configurations differ. Diverged runs are left out, and counted.

    Args:
        results: runs of one dataset.
        measures: the flow measures, a row of panels each; default, those of the paper that are there.
        value: "test_accuracy" or "test_loss".
        by: the column whose values are told apart by colour and marker; default, that of the tables'
            columns: the variant, or the activation where activations were varied.
        rows: a further column, such as "optimizer", for each of whose values there is a row of panels.

    Raises:
        NotApplicableError: no run that did not diverge has both a finite flow and a finite `value`.
        ValueError: several datasets, an unknown `value`, or a missing column.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> figure = flow_against_accuracy(read_results("runs/demo"), measures=["egf_2"])
        >>> len(figure.axes)
        2

    References:
        Tessera, Hooker, Rosman 2021, table 1.
    """
    measures = [name for name in FLOW_NAMES if name in results] if measures is None else list(measures)
    named = [column for column in (by, rows) if column is not None]
    require_columns(results, ["dataset", "arm", "diverged", value, *measures, *named])
    if value not in TARGETS:
        raise ValueError(f"`value` must be {' or '.join(map(repr, TARGETS))}; received {value!r}.")
    if results["dataset"].nunique() != 1:
        received = ", ".join(map(str, results["dataset"].unique())) or "none"
        raise ValueError(f"`results` must hold the runs of one dataset; received {received}.")

    points = _points(results, measures, value, by, rows)
    if points.empty:
        raise NotApplicableError(
            f"`results` must hold a run that did not diverge with a finite {value!r} and a finite flow of "
            f"{', '.join(measures) or 'any measure'}; received {len(results)} runs, none of them with both."
        )
    names = list(points["name"].cat.categories)
    places = [(measure, part) for measure in measures for part in points["part"].cat.categories]
    figure, panels = make_grid(
        places,
        [arm for arm in ARMS if (points["arm"] == arm).any()],
        set(zip(zip(points["measure"], points["part"], strict=True), points["arm"], strict=True)),
        panel_size=(3.8, 2.9),
        share_x="row",
        title=lambda place, arm: _title(flow_name(place[0]), place[1], arm),
    )
    for (place, arm), axes in panels.items():
        chosen = (points["measure"] == place[0]) & (points["part"] == place[1])
        inside = points[chosen & (points["arm"] == arm)]
        _draw_points(axes, inside, names)
        runs = _runs_of(results, rows, place[1], arm)
        within = correlate_flow(runs, [place[0]]).query("target == @value").iloc[0]
        say_tau(axes, inside, within, int(runs["diverged"].astype(bool).sum()))
        axes.tick_params(which="both", labelbottom=True)
        axes.set_xlabel(f"Average {flow_name(place[0], reading_of(results))}")
        if spans_decades(points.loc[chosen, "flow"]):
            scale_decades(axes, "x")
    finish(figure, "", value_label(value), names)
    return figure


def _points(
    results: pd.DataFrame, measures: Sequence[str], value: str, by: str | None, rows: str | None
) -> pd.DataFrame:
    """Returns a row per run and measure: `measure`, `arm`, `flow`, `value`, and what it is told apart by."""
    placed = arrange(results)
    placed["name"] = placed["column" if by is None else by].map(str)
    placed["part"] = "" if rows is None else placed[rows].map(str)
    names = columns_in_order(placed) if by is None else list(placed["name"].unique())
    placed["name"] = pd.Categorical(placed["name"], names)
    placed["part"] = pd.Categorical(placed["part"], list(placed["part"].unique()))
    trained = placed[~placed["diverged"].astype(bool)]
    parts = [
        trained[["name", "part", "arm"]].assign(
            measure=measure,
            flow=pd.to_numeric(trained[measure]).astype(float),
            value=pd.to_numeric(trained[value]).astype(float),
        )
        for measure in measures
    ]
    points = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["measure"])
    return points[np.isfinite(points[["flow", "value"]].to_numpy()).all(axis=1)] if parts else points


def _title(*parts: str) -> str:
    words = ", ".join(filter(None, parts))
    return words[0].upper() + words[1:]


def _draw_points(axes: Axes, points: pd.DataFrame, names: Sequence[str]) -> None:
    for name, style in line_styles(names).items():
        inside = points[points["name"] == name]
        if len(inside):
            look = {**style, "linestyle": "none", "markersize": 3.8, "markeredgewidth": 0.8, "alpha": 0.7}
            axes.plot(inside["flow"], inside["value"], label=name, **look)


def _runs_of(results: pd.DataFrame, rows: str | None, part: str, arm: str) -> pd.DataFrame:
    chosen = results["arm"] == arm
    return results[chosen if rows is None else chosen & (results[rows].map(str) == part)]


def say_tau(axes: Axes, points: pd.DataFrame, within: pd.Series, lost: int) -> None:
    """Writes Kendall's tau between a panel and its title.

    Args:
        axes: the panel.
        points: its points, with the columns `flow` and `value`.
        within: the row of `correlate_flow` that says how these correlate within the configurations.
        lost: how many runs diverged.
    """
    overall = kendall_tau(points["flow"], points["value"])
    lines = [
        f"Kendall's τ = {_printed(overall)} over {len(points)} runs" + (f" ({lost} more diverged)" if lost else "")
    ]
    if within["configurations"]:
        configurations = plural(int(within["configurations"]), "configuration")
        lines.append(f"mean |τ| = {_printed(within['mean_abs_tau'])} within {configurations}")
    else:
        lines.append("no configuration has a τ of its own")
    axes.text(0.5, 1.02, "\n".join(lines), transform=axes.transAxes, ha="center", va="bottom", size=7.5)
    axes.set_title(axes.get_title(), pad=27)


def _printed(tau: float) -> str:
    return "undefined" if np.isnan(tau) else f"{tau:.2f}".replace("-", "\N{MINUS SIGN}")
