"""The loss around trained networks of a density study: along the Hessian's top eigenvector, and over a plane."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_sparseflow.analysis.figures_density_curves import Lines, compared_rows, draw_curves, place_rows
from keras_sparseflow.analysis.frames.cells import require_columns
from keras_sparseflow.analysis.frames.densities import PLACE, configuration_name
from keras_sparseflow.analysis.frames.formats import format_percent
from keras_sparseflow.analysis.panels import INK, NotApplicableError, styled

_COLUMNS = ["run_id", "diagnostic", "x", "y", "loss"]


@styled
def densities_along(landscape: pd.DataFrame, results: pd.DataFrame, lines: Lines = "density") -> Figure:
    """Returns by how much the test loss changes along the top eigenvector of the Hessian, by density or by variant.

    A line is the mean over the seeds of trained networks, its band goes from the smallest to the largest. The change
    is from a network's own loss, in the middle. An eigenvector has no sign: each network's is turned so that the loss
    is higher to the right, on the mean. Runs that diverged, and those whose own loss is not finite, are left out.

    Args:
        landscape: as `keras_sparseflow.records.read_landscape` returns it; rows of `loss_along` are drawn.
        results: the runs of one table of a density study.
        lines: what a line stands for, "density" or "variant", see `densities_over_epochs`.

    Raises:
        NotApplicableError: there is no such row of these runs, or variants are to be compared of which there is one.
        ValueError: `results` is empty or holds several tables, a column is missing, or `lines` is unknown.

    Example:
        >>> runs = pd.DataFrame({"run_id": ["a", "b"], "dataset": "cifar100", "model": "wide_resnet", "depth": 28,
        ...                      "width": 10, "learning_rate": 0.1, "activation": "relu", "variant": "NR",
        ...                      "optimizer": "sgd", "method": "random", "density": [0.1, 1.0], "seed": 0,
        ...                      "test_accuracy": [0.5, 0.6], "diverged": False})
        >>> landscape = pd.DataFrame({"run_id": ["a"] * 3 + ["b"] * 3, "diagnostic": "loss_along",
        ...                           "x": [-0.5, 0.0, 0.5] * 2, "y": 0.0, "loss": [1.5, 1.0, 2.0, 0.75, 0.5, 0.75]})
        >>> figure = densities_along(landscape, runs)
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['10%', '100%']

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, figure 8.
    """
    rows = _placed(landscape, results, "loss_along")
    own = rows[rows["x"] == 0].drop_duplicates("run_id").set_index("run_id")["loss"]
    rows = rows.assign(value=rows["loss"] - rows["run_id"].map(own))
    rows = rows[np.isfinite(rows["value"])]
    if rows.empty:
        raise NotApplicableError("`landscape` must hold a finite loss at distance 0 of some run; received none.")
    labels = ("Distance along the top eigenvector", "Change in test loss (nats)")
    return draw_curves(_turned(rows), results, "x", labels, lines, _mark_middle)


def density_surfaces(
    landscape: pd.DataFrame, results: pd.DataFrame, lines: Lines = "density"
) -> dict[str, pd.DataFrame]:
    """Returns surfaces of the loss that are to be compared, ready for `loss_contours` and `loss_surfaces`.

    Of each configuration and density it is that of the first seed that has one and did not diverge.

    Args:
        landscape: as `keras_sparseflow.records.read_landscape` returns it; rows of `loss_surface` are taken.
        results: the runs of one table of a density study.
        lines: what the networks side by side differ in: "density" or "variant", see `densities_over_epochs`.

    Returns:
        By what they have in common in words, the surfaces: `network`, a density in percent or a variant, `x`, `y`
        and `loss`.

    Raises:
        NotApplicableError: as `densities_along`; so are the ValueErrors.

    Example:
        >>> runs = pd.DataFrame({"run_id": ["a", "b"], "dataset": "cifar100", "model": "wide_resnet", "depth": 28,
        ...                      "width": 10, "learning_rate": 0.1, "activation": "relu", "variant": "NR",
        ...                      "optimizer": "sgd", "method": "random", "density": [0.1, 1.0], "seed": 0,
        ...                      "test_accuracy": [0.5, 0.6], "diverged": False})
        >>> landscape = pd.DataFrame({"run_id": ["a"] * 2 + ["b"] * 2, "diagnostic": "loss_surface",
        ...                           "x": [0.0, 1.0] * 2, "y": 0.0, "loss": [1.5, 1.0, 2.0, 0.75]})
        >>> (surfaces,) = density_surfaces(landscape, runs).values()
        >>> surfaces[["network", "loss"]].values.tolist()
        [['10%', 1.5], ['10%', 1.0], ['100%', 2.0], ['100%', 0.75]]
    """
    rows = _placed(landscape, results, "loss_surface")
    rows = rows[rows["seed"] == rows.groupby([*PLACE, "density"])["seed"].transform("min")]
    if lines == "variant":
        common, rows = ["panel", "method", "density"], compared_rows(rows).assign(network=lambda r: r["line"])
    elif lines == "density":
        rows = rows.sort_values("density", kind="stable")
        common, rows = ["panel", "method", "line"], rows.assign(network=rows["density"].map(format_percent))
    else:
        raise ValueError(f"`lines` must be 'density' or 'variant'; received {lines!r}.")
    several = results["method"].nunique() > 1
    groups = rows.groupby(common, sort=False)
    return {_shared(inside.iloc[0], lines, several): inside[["network", "x", "y", "loss"]] for _, inside in groups}


def _placed(landscape: pd.DataFrame, results: pd.DataFrame, diagnostic: str) -> pd.DataFrame:
    require_columns(landscape, _COLUMNS, "landscape")
    rows = place_rows(landscape[landscape["diagnostic"] == diagnostic], results)
    if rows.empty:
        known = ", ".join(landscape["diagnostic"].unique()) or "none"
        raise NotApplicableError(f"`landscape` must hold {diagnostic!r} of these runs; received {known}.")
    return rows.astype({"x": float, "y": float, "loss": float})


def _turned(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows with the distances of each run turned so that more of its change lies to the right."""
    right = (np.sign(rows["x"]) * rows["value"]).groupby(rows["run_id"]).transform("sum")
    return rows.assign(x=rows["x"].where(right >= 0, -rows["x"]) + 0.0)


def _mark_middle(axes: Axes, _: pd.DataFrame) -> None:
    axes.axvline(0, color=INK, linewidth=0.7, zorder=1)


def _shared(row: pd.Series, lines: Lines, several_methods: bool) -> str:
    """Returns in words what the networks of a figure have in common, of the first of their rows."""
    if lines == "density":
        return configuration_name(row, several_methods)
    return configuration_name({**row, "line": f"{format_percent(row['density'])} density"}, several_methods)
