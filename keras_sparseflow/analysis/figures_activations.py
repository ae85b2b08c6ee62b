"""Activation functions and their derivatives side by side."""

import pandas as pd
from matplotlib.figure import Figure

from keras_sparseflow.analysis.colours import line_styles
from keras_sparseflow.analysis.frames.cells import require_columns
from keras_sparseflow.analysis.panels import NotApplicableError, finish, make_grid, styled

_TITLES = {"value": "Activation", "derivative": "Derivative"}


@styled
def activation_functions(curves: pd.DataFrame) -> Figure:
    """Returns each activation function in the left panel, and its derivative in the right one.

    Args:
        curves: the columns `activation`, `x`, `value` and `derivative`, as
            `keras_sparseflow.training.tensorboard.curves.activation_curves` returns them. Lines stand in the order in
            which the activations first occur.

    Raises:
        NotApplicableError: `curves` has no row.
        ValueError: a column is missing.

    Example:
        >>> curves = pd.DataFrame({"activation": "relu", "x": [-1.0, 1.0], "value": [0.0, 1.0], "derivative": [0, 1]})
        >>> [axes.get_title() for axes in activation_functions(curves).axes]
        ['Activation', 'Derivative']

    References:
        Tessera, Hooker, Rosman 2021, figure 14.
    """
    require_columns(curves, ["activation", "x", *_TITLES], "curves")
    if curves.empty:
        raise NotApplicableError("`curves` must hold at least one activation; received none.")
    names = list(curves["activation"].unique())
    figure, panels = make_grid(
        [""], list(_TITLES), [("", column) for column in _TITLES], (4.0, 3.4), share_y="none",
        title=lambda _, column: _TITLES[column],
    )  # fmt: skip
    marked = max(curves.groupby("activation").size().max() // 8, 1)
    for (_, column), axes in panels.items():
        for index, (name, style) in enumerate(line_styles(names).items()):
            line = curves[curves["activation"] == name].sort_values("x")
            # Markers apart along the line, and each line's at places of its own, as functions coincide in parts.
            every = (index * marked // len(names), marked)
            axes.plot(line["x"], line[column], label=name, **style, markevery=every)
    finish(figure, "Input of the activation", "Output, and its derivative", names)
    return figure
