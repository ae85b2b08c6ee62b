"""The loss around a network's weights: along a direction, as contours and as a surface over a plane."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_sparseflow.analysis.colours import FAINT, INK, SEQUENCE, line_styles
from keras_sparseflow.analysis.frames.cells import require_columns
from keras_sparseflow.analysis.panels import NotApplicableError, finish, make_grid, styled

_MOST_COLUMNS = 3
_SHADES = ListedColormap(list(SEQUENCE))


@styled
def losses_along(lines: pd.DataFrame, change: bool = True) -> Figure:
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
        >>> losses_along(lines).axes[0].lines[0].get_ydata().tolist()
        [0.25, 0.0, 0.5]

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, figure 8.
    """
    lines = _named(lines, ["distance", "loss"], "lines")
    names = list(lines["network"].unique())
    figure, panels = make_grid([""], [""], [("", "")], (4.4, 3.2), title=lambda row, column: "")
    (axes,) = panels.values()
    for name, style in line_styles(names).items():
        line = lines[lines["network"] == name].sort_values("distance")
        losses = line["loss"] - _centre(line, name) if change else line["loss"]
        axes.plot(line["distance"], losses, label=name or "_", markevery=max(len(line) // 8, 1), **style)
    label = "Change in loss" if change else "Loss"
    finish(figure, "Distance along the direction", label, names if any(names) else [])
    return figure


@styled
def loss_contours(surface: pd.DataFrame, levels: int = 8, highest: float | None = None) -> Figure:
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
    figure, panels = _panels(list(grids))
    colours = [list(SEQUENCE)[place] for place in np.linspace(0, len(SEQUENCE) - 1, levels).round().astype(int)]
    for name, axes in panels.items():
        x, y, losses = grids[name]
        drawn = axes.contour(x, y, losses, levels=bounds, colors=colours, linewidths=1.2)
        axes.clabel(drawn, fontsize=7, fmt=lambda level: f"{level:.3g}")
        axes.plot([0], [0], linestyle="none", marker="x", color=INK)
        axes.set_aspect("equal")
        for one in (axes.xaxis, axes.yaxis):
            one.set_major_locator(MaxNLocator(4))
    finish(figure, "Along the first direction", "Along the second direction")
    return figure


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
    rows, columns = _shape(len(grids))
    figure = Figure(figsize=(3.6 * columns + 0.4, 3.3 * rows), layout="constrained")
    norm = BoundaryNorm(np.linspace(low, high, len(SEQUENCE) + 1), len(SEQUENCE))
    for place, (name, (x, y, losses)) in enumerate(grids.items(), 1):
        axes: Any = figure.add_subplot(rows, columns, place, projection="3d")
        cut = np.where(losses <= high, losses, np.where(np.isnan(losses), np.nan, high))
        axes.plot_surface(
            *np.meshgrid(x, y), cut, cmap=_SHADES, norm=norm, shade=False, rcount=len(y), ccount=len(x),
            edgecolor=FAINT, linewidth=0.3, antialiased=True,
        )  # fmt: skip
        axes.set(xlabel="First direction", ylabel="Second direction", zlabel="Loss", zlim=(low, high), title=name)
        axes.set_box_aspect(None, zoom=0.86)
        for one in (axes.xaxis, axes.yaxis, axes.zaxis):
            one.set_pane_color((0, 0, 0, 0))
            one.line.set_color(FAINT)
            one.set_major_locator(MaxNLocator(4))
        axes.tick_params(labelsize=7, pad=0)
    return figure


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


def _shape(count: int) -> tuple[int, int]:
    """Returns rows and columns for that many panels."""
    columns = min(count, _MOST_COLUMNS)
    return -(-count // columns), columns


def _panels(names: Sequence[str]) -> tuple[Figure, dict[str, Axes]]:
    rows, columns = _shape(len(names))
    places = {(place // columns, place % columns): name for place, name in enumerate(names)}
    figure, panels = make_grid(
        range(rows), range(columns), places, (3.1, 3.1), title=lambda row, column: places[row, column]
    )
    return figure, {places[place]: axes for place, axes in panels.items()}


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
