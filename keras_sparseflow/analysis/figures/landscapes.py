"""The loss around a network's weights: along a direction, as contours and as a surface over a plane."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_sparseflow.analysis.figures.along_training import LINES, draw_lines
from keras_sparseflow.analysis.figures.drawing import scales
from keras_sparseflow.analysis.figures.drawing.colours import FAINT, INK, SEQUENCE, line_styles
from keras_sparseflow.analysis.figures.drawing.facets import Facets, NotApplicableError, styled
from keras_sparseflow.analysis.figures.drawing.marks import draw_line
from keras_sparseflow.analysis.figures.gallery import figure
from keras_sparseflow.analysis.figures.placing import (
    Placing,
    lines_to_compare,
    part_of,
    several_lines,
    with_places,
)
from keras_sparseflow.analysis.frames.cells import require_columns
from keras_sparseflow.analysis.frames.densities import configuration_name
from keras_sparseflow.analysis.frames.formats import format_percent

_MOST_COLUMNS = 3
_SHADES = ListedColormap(list(SEQUENCE))
_SURFACE = (3.4, 3.2)  # inches
_MOST_MEDIANS = 5
"""A report's surface is cut off above this many times its median: corners of the plane can be far higher."""

_ALONG = (
    "By how much the test loss changes when the trained weights are moved along the unit eigenvector of the Hessian's "
    "top eigenvalue: the narrower the valley, the less a network bears. An eigenvector has no sign: each network's is "
    "turned so that the loss is higher to the right, on the mean."
)
_PLANE = (
    "The test loss over a plane through the trained weights, spanned by two random directions whose filters have the "
    "norms of the weights' own; of the first seed. All panels have one scale."
)


@styled
def losses_along(lines: pd.DataFrame, change: bool = True) -> Facets:
    """Returns the loss against the distance that the weights are moved along a direction, a line per network.

    Args:
        lines: the columns `distance` and `loss`, as `keras_sparseflow.diagnostics.loss_along` returns them, and
            `network`, a name, where there are several. Losses that are not finite are left out.
        change: whether to draw the difference from the loss at distance 0, as the paper does.

    Raises:
        NotApplicableError: no loss is finite.
        ValueError: a column is missing, or, with `change`, a network has no finite loss at distance 0.

    Example:
        >>> lines = pd.DataFrame({"distance": [-1.0, 0.0, 1.0], "loss": [0.5, 0.25, 0.75]})
        >>> losses_along(lines).get_supylabel()
        'Change in loss'

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, figure 8.
    """
    lines = _named(lines, ["distance", "loss"], "lines")
    names = list(lines["network"].unique())
    own = {name: _centre(lines[lines["network"] == name], name) if change else 0.0 for name in names}
    lines = lines.assign(mean=lines["loss"] - lines["network"].map(own))
    drawn = Facets(
        [""], [""], [("", "")],
        scales.plain(lines["distance"]), scales.of_values(lines["mean"], log=False),
        ("Distance along the direction", "Change in loss" if change else "Loss"),
        height=3.0, title=lambda *_: "",
    )  # fmt: skip
    for place, (name, style) in enumerate(line_styles(names).items()):
        line = lines[lines["network"] == name]
        draw_line(drawn.panels["", ""], line, "distance", name, style, place=place, key=bool(name))
    return drawn.finish(names)


@styled
def loss_contours(surface: pd.DataFrame, levels: int = 8, highest: float | None = None) -> Facets:
    """Returns lines of equal loss over the plane of two directions, a panel per network, on one scale for all.

    A cross marks the weights themselves. Levels are spaced evenly in the logarithm of the loss where the losses are
    positive and span more than a factor of ten, else in the loss.

    Args:
        surface: the columns `x`, `y` and `loss`, as `keras_sparseflow.diagnostics.loss_surface` returns them, and
            `network`, a name, where there are several.
        levels: how many, at least 2.
        highest: no line is drawn above this loss; None for the largest one.

    Raises:
        NotApplicableError: fewer than two finite losses, or all are equal.
        ValueError: a column is missing, a network has no whole grid, or `levels` is out of its range.

    Example:
        >>> x, y = (side.ravel() for side in np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]))
        >>> surface = pd.DataFrame({"x": x, "y": y, "loss": 1 + x**2 + y**2})
        >>> len(loss_contours(surface).axes)
        1

    References:
        Li, Xu, Taylor, Studer, Goldstein 2018, Visualizing the Loss Landscape of Neural Nets, figures 1 and 5.
    """
    surface = _named(surface, ["x", "y", "loss"], "surface")
    bounds = _levels(surface["loss"], levels, highest)
    grids = _grids(surface)
    drawn = Facets(
        [""], list(grids), [("", name) for name in grids],
        scales.plain(surface["x"], margin=0.05), scales.plain(surface["y"], margin=0.05),
        ("Along the first direction", "Along the second direction"),
        height=2.7, broadest=2.7, title=lambda _, name: name,
    )  # fmt: skip
    colours = [list(SEQUENCE)[place] for place in np.linspace(0, len(SEQUENCE) - 1, levels).round().astype(int)]
    for (_, name), axes in drawn.panels.items():
        lines = axes.contour(*grids[name], levels=bounds, colors=colours, linewidths=1.2)
        axes.clabel(lines, fontsize=7, fmt=lambda level: f"{level:.3g}")
        axes.plot([0], [0], linestyle="none", marker="x", color=INK)
    return drawn.finish()


@styled
def loss_surfaces(surface: pd.DataFrame, highest: float | None = None) -> Figure:
    """Returns the loss as a surface over the plane of two directions, a panel per network, on one scale for all.

    Args:
        surface: as `loss_contours` takes it.
        highest: the surface is cut off at this loss; None for the largest one.

    Raises:
        NotApplicableError: fewer than two finite losses, or all are equal.
        ValueError: a column is missing, or a network has no whole grid.

    Example:
        >>> x, y = (side.ravel() for side in np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]))
        >>> surface = pd.DataFrame({"x": x, "y": y, "loss": 1 + x**2 + y**2})
        >>> len(loss_surfaces(surface).axes)
        1

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, figure 10.
    """
    surface = _named(surface, ["x", "y", "loss"], "surface")
    low, high = _range(surface["loss"], highest)
    grids = _grids(surface)
    across = min(len(grids), _MOST_COLUMNS)
    down = -(-len(grids) // across)
    drawn = Figure(figsize=(_SURFACE[0] * across, _SURFACE[1] * down))
    norm = BoundaryNorm(np.linspace(low, high, len(SEQUENCE) + 1), len(SEQUENCE))
    for place, (name, (x, y, losses)) in enumerate(grids.items()):
        box = (place % across / across, 1 - (place // across + 1) / down, 0.97 / across, 0.9 / down)
        axes: Any = drawn.add_axes(box, projection="3d", label=name)
        cut = np.where(losses <= high, losses, np.where(np.isnan(losses), np.nan, high))
        axes.plot_surface(
            *np.meshgrid(x, y), cut, cmap=_SHADES, norm=norm, shade=False, rcount=len(y), ccount=len(x),
            edgecolor=FAINT, linewidth=0.3, antialiased=True,
        )  # fmt: skip
        axes.set(xlabel="First direction", ylabel="Second direction", zlabel="Loss", zlim=(low, high), title=name)
        axes.set_box_aspect(None, zoom=0.8)
        for one in (axes.xaxis, axes.yaxis, axes.zaxis):
            one.set_pane_color((0, 0, 0, 0))
            one.line.set_color(FAINT)
            one.set_major_locator(MaxNLocator(4))
        axes.tick_params(labelsize=7, pad=0)
    return drawn


def _along_caption(landscape: pd.DataFrame, results: pd.DataFrame) -> str:
    return f"{_ALONG} {LINES[lines_to_compare(landscape, results)]}"


@figure(
    "diagnostics", "loss_along_top_eigenvector", "Test loss along the top eigenvector of the Hessian", _along_caption
)
def densities_along(landscape: pd.DataFrame, results: pd.DataFrame, lines: str | None = None) -> Facets:
    """Returns by how much the test loss changes along the top eigenvector of the Hessian, by density or by variant.

    A line is the mean over the seeds of trained networks, in the 95% bootstrap interval of that mean. The change
    is from a network's own loss, in the middle. An eigenvector has no sign: each network's is turned so that the loss
    is higher to the right, on the mean. Runs that diverged, and those whose own loss is not finite, are left out.

    Args:
        landscape: as `keras_sparseflow.records.read_landscape` returns it; rows of `loss_along` are drawn.
        results: the runs of one table of a density study.
        lines: what a line stands for, a "density" or a "variant"; None for variants where several share a panel.

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
    rows, placing = _placed(landscape, results, "loss_along")
    by = part_of(lines or lines_to_compare(rows, results), ("variant", "density"))
    own = rows[rows["x"] == 0].drop_duplicates("run_id").set_index("run_id")["loss"]
    rows = rows.assign(value=rows["loss"] - rows["run_id"].map(own))
    rows = rows[np.isfinite(rows["value"])]
    if rows.empty:
        raise NotApplicableError("`landscape` must hold a finite loss at distance 0 of some run; received none.")
    labels = ("Distance along the top eigenvector", "Change in test loss (nats)")
    return draw_lines(_turned(rows), placing, by, "x", scales.plain(rows["x"]), labels, _mark_middle)


def density_surfaces(
    landscape: pd.DataFrame, results: pd.DataFrame, lines: str | None = None
) -> dict[str, pd.DataFrame]:
    """Returns surfaces of the loss that are to be compared, ready for `loss_contours` and `loss_surfaces`.

    Of each configuration and density it is that of the first seed that has one and did not diverge.

    Args:
        landscape: as `keras_sparseflow.records.read_landscape` returns it; rows of `loss_surface` are taken.
        results: the runs of one table of a density study.
        lines: what the networks side by side differ in, see `densities_along`.

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
    rows, placing = _placed(landscape, results, "loss_surface")
    by = part_of(lines or lines_to_compare(rows, results), ("variant", "density"))
    rows = rows[rows["seed"] == rows.groupby(["panel", "line", "side", "size"])["seed"].transform("min")]
    if by == "line":
        common, rows = ["panel", "side", "size"], several_lines(rows).assign(network=lambda r: r["line"])
    else:
        rows = rows.sort_values("size", kind="stable")
        common, rows = ["panel", "side", "line"], rows.assign(network=rows["size"].map(format_percent))
    several = len(placing.names("side")) > 1
    groups = rows.groupby(common, sort=False)
    return {_shared(inside.iloc[0], by, several): inside[["network", "x", "y", "loss"]] for _, inside in groups}


@figure(
    "diagnostics", "loss_contours", "Contours of the test loss",
    f"{_PLANE} Lines of equal loss; the cross is the trained network.",
)  # fmt: skip
def contours_to_compare(landscape: pd.DataFrame, results: pd.DataFrame) -> dict[str, Facets]:
    """Returns contours of each group of networks that are compared, by what they have in common."""
    return {shared: loss_contours(surface) for shared, surface in density_surfaces(landscape, results).items()}


@figure(
    "diagnostics", "loss_surfaces", "The test loss as a surface",
    f"{_PLANE} It is cut off above {_MOST_MEDIANS} times the median loss of the figure.",
)  # fmt: skip
def surfaces_to_compare(landscape: pd.DataFrame, results: pd.DataFrame) -> dict[str, Figure]:
    """Returns a surface of each group of networks that are compared, by what they have in common."""
    return {
        shared: loss_surfaces(surface, _MOST_MEDIANS * float(surface["loss"].median()))
        for shared, surface in density_surfaces(landscape, results).items()
    }


def _placed(landscape: pd.DataFrame, results: pd.DataFrame, diagnostic: str) -> tuple[pd.DataFrame, Placing]:
    require_columns(landscape, ["run_id", "diagnostic", "x", "y", "loss"], "landscape")
    rows, placing = with_places(landscape[landscape["diagnostic"] == diagnostic], results)
    if rows.empty:
        known = ", ".join(landscape["diagnostic"].unique()) or "none"
        raise NotApplicableError(f"`landscape` must hold {diagnostic!r} of these runs; received {known}.")
    return rows.astype({"x": float, "y": float, "loss": float}), placing


def _turned(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows with the distances of each run turned so that more of its change lies to the right."""
    right = (np.sign(rows["x"]) * rows["value"]).groupby(rows["run_id"]).transform("sum")
    return rows.assign(x=rows["x"].where(right >= 0, -rows["x"]) + 0.0)


def _mark_middle(axes: Axes, _: pd.DataFrame) -> None:
    axes.axvline(0, color=INK, linewidth=0.7, zorder=1)


def _shared(row: pd.Series, by: str, several_methods: bool) -> str:
    """Returns in words what the networks of a figure have in common, of the first of their rows."""
    if by == "size":
        return configuration_name(row, several_methods)
    return configuration_name({**row, "line": f"{format_percent(row['size'])} density"}, several_methods)


def _named(frame: pd.DataFrame, columns: Sequence[str], argument: str) -> pd.DataFrame:
    """Returns the frame with a name for each row's network, an empty one where there is but one."""
    require_columns(frame, columns, argument)
    if not np.isfinite(frame["loss"].astype(float)).any():
        raise NotApplicableError(f"`{argument}` must hold a finite loss; received {len(frame)} rows without one.")
    named = frame if "network" in frame else frame.assign(network="")
    return named.assign(loss=named["loss"].astype(float).where(lambda losses: np.isfinite(losses) | (losses > 0)))


def _centre(line: pd.DataFrame, name: str) -> float:
    centre = line.loc[line["distance"] == 0, "loss"]
    if len(centre) != 1 or not np.isfinite(centre.iloc[0]):
        of_network = f" of network {name!r}" if name else ""
        raise ValueError(
            f"`lines` must hold one finite loss at distance 0{of_network}, from which to take the change; received "
            f"{list(centre)}. `change=False` draws the losses themselves."
        )
    return float(centre.iloc[0])


def _grids(surface: pd.DataFrame) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns x, y and the losses, shape `(y, x)`, of each network."""
    grids = {}
    for name, rows in surface.groupby("network", sort=False):
        count = rows["x"].nunique() * rows["y"].nunique()
        if len(rows) != count or rows.duplicated(["x", "y"]).any():
            raise ValueError(f"`surface` must hold a whole grid once; received {len(rows)} points of {count}.")
        table = rows.pivot(index="y", columns="x", values="loss")
        grids[str(name)] = table.columns.to_numpy(float), table.index.to_numpy(float), table.to_numpy(float)
    return grids


def _range(losses: pd.Series, highest: float | None) -> tuple[float, float]:
    finite = losses[np.isfinite(losses)]
    low, high = float(finite.min()), float(finite.max() if highest is None else min(highest, finite.max()))
    if not low < high:
        raise NotApplicableError(
            f"`surface` must hold losses that differ, some of them below `highest`; received losses from {low} to "
            f"{finite.max()} and `highest` {highest}."
        )
    return low, high


def _levels(losses: pd.Series, count: int, highest: float | None) -> np.ndarray:
    """Returns the losses of contour lines, between the lowest and the highest one."""
    if count < 2:
        raise ValueError(f"`levels` must be at least 2; received {count}.")
    low, high = _range(losses, highest)
    spaced = np.geomspace if low > 0 and high > 10 * low else np.linspace
    return spaced(low, high, count + 2)[1:-1]
