"""Figures of diagnostics in a density study's report: curvature, activation sparsity, the loss around the weights."""

from collections.abc import Mapping
from functools import partial

import pandas as pd

from keras_sparseflow.analysis import figures
from keras_sparseflow.analysis.figures_density_curves import Lines, lines_to_compare
from keras_sparseflow.analysis.frames.formats import format_percent
from keras_sparseflow.analysis.gallery import Drawn

RANGE = "The band goes from the smallest to the largest run."
LINES: Mapping[Lines, str] = {
    "variant": "A line per variant, with its tweaks and activation, a panel per density",
    "density": "A line per density, the darker (on a dark page: the brighter), the denser; dashed is the dense network",
}
"""What a caption says of lines."""

_EIGENVALUE = (
    "The eigenvalue of largest absolute value of the Hessian of the loss on a fixed sample of training images, by "
    "power iteration: how sharply the loss bends at the weights in the direction in which it does so most."
)
_ZEROS = "The share of activations that are exactly zero, through which no gradient passes back"
_ALONG = (
    "By how much the test loss changes when the trained weights are moved along the unit eigenvector of the Hessian's "
    "top eigenvalue: the narrower the valley, the less a network bears. An eigenvector has no sign: each network's is "
    "turned so that the loss is higher to the right, on the mean."
)
_PLANE = (
    "The test loss over a plane through the trained weights, spanned by two random directions whose filters have the "
    "norms of the weights' own; of the first seed. All panels have one scale."
)

_MOST_MEDIANS = 5
"""A surface is cut off above this many times its median: corners of the plane can be higher by orders of magnitude."""


def diagnostic_figures(runs: pd.DataFrame, diagnostics: pd.DataFrame, landscape: pd.DataFrame) -> list[Drawn]:
    """Returns the figures of one table's diagnostics: lines of variants where several were measured, else of densities.

    Args:
        runs: those of one table of a density study.
        diagnostics: as `keras_sparseflow.records.read_diagnostics` returns it.
        landscape: as `keras_sparseflow.records.read_landscape` returns it.
    """
    meaning = f"{_EIGENVALUE}{_residual(diagnostics[diagnostics['run_id'].isin(runs['run_id'])])}"
    return [
        _over_epochs(runs, diagnostics, "top_eigenvalue", "Top eigenvalue of the Hessian", meaning),
        _over_epochs(runs, diagnostics, "activation_sparsity", "Activation sparsity", f"{_ZEROS}, in all layers."),
        _by_layer(runs, diagnostics),
        _along(runs, landscape[landscape["diagnostic"] == "loss_along"]),
        *_surfaces(runs, landscape[landscape["diagnostic"] == "loss_surface"]),
    ]


def _residual(diagnostics: pd.DataFrame) -> str:
    """Returns in a sentence how near power iteration came to eigenvalues; nothing where no residual was recorded."""
    rows = diagnostics[diagnostics["measure"].isin(["top_eigenvalue", "top_eigenvalue_residual"])]
    both = rows.astype({"value": float}).pivot_table("value", ["run_id", "epoch", "layer"], "measure").dropna()
    if both.shape[1] < 2 or both.empty:
        return ""
    share = float((both["top_eigenvalue_residual"] / both["top_eigenvalue"].abs()).median())
    return f" The median residual of the iteration is {format_percent(float(f'{share:.2g}'))} of the value."


def _over_epochs(runs: pd.DataFrame, diagnostics: pd.DataFrame, measure: str, name: str, meaning: str) -> Drawn:
    rows = diagnostics[diagnostics["measure"] == measure]
    lines = lines_to_compare(rows, runs)
    return (
        f"{measure}_over_epochs",
        f"{name} over the epochs",
        f"{meaning} {LINES[lines]}: mean over the seeds. {RANGE}",
        partial(figures.densities_over_epochs, rows, runs, measure, lines),
    )


def _by_layer(runs: pd.DataFrame, diagnostics: pd.DataFrame) -> Drawn:
    rows = diagnostics[diagnostics["measure"] == "activation_sparsity"]
    lines = lines_to_compare(rows, runs)
    return (
        "activation_sparsity_by_layer",
        "Activation sparsity layer by layer",
        f"{_ZEROS}, of trained networks: after the last epoch that was measured. {LINES[lines]}: mean over the "
        f"seeds. {RANGE}",
        partial(figures.densities_by_layer, rows, runs, "activation_sparsity", lines, "last"),
    )


def _along(runs: pd.DataFrame, landscape: pd.DataFrame) -> Drawn:
    lines = lines_to_compare(landscape, runs)
    return (
        "loss_along_top_eigenvector",
        "Test loss along the top eigenvector of the Hessian",
        f"{_ALONG} {LINES[lines]}: mean over the seeds. {RANGE}",
        partial(figures.densities_along, landscape, runs, lines),
    )


def _surfaces(runs: pd.DataFrame, landscape: pd.DataFrame) -> list[Drawn]:
    """Returns contours and a surface of each group of networks that are compared; none where no loss was taken."""
    if landscape.empty:
        return []
    surfaces = figures.density_surfaces(landscape, runs, lines_to_compare(landscape, runs))
    return [drawn for shared, surface in surfaces.items() for drawn in _of_surface(shared, surface)]


def _of_surface(shared: str, surface: pd.DataFrame) -> list[Drawn]:
    return [
        (
            f"loss_contours_{shared}",
            f"Contours of the test loss: {shared}",
            f"{_PLANE} Lines of equal loss; the cross is the trained network.",
            partial(figures.loss_contours, surface),
        ),
        (
            f"loss_surfaces_{shared}",
            f"The test loss as a surface: {shared}",
            f"{_PLANE} It is cut off above {_MOST_MEDIANS} times the median loss of the figure.",
            partial(figures.loss_surfaces, surface, _MOST_MEDIANS * float(surface["loss"].median())),
        ),
    ]
