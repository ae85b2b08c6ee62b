"""Activation functions and their derivatives side by side."""

import pandas as pd

from keras_sparseflow.analysis.figures.drawing import scales
from keras_sparseflow.analysis.figures.drawing.colours import line_styles
from keras_sparseflow.analysis.figures.drawing.facets import Facets, NotApplicableError, styled
from keras_sparseflow.analysis.figures.drawing.marks import draw_line
from keras_sparseflow.analysis.frames.cells import require_columns

_TITLES = {"value": "Activation", "derivative": "Derivative"}


@styled
def activation_functions(curves: pd.DataFrame) -> Facets:
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
    drawn = Facets(
        [""], list(_TITLES), [("", column) for column in _TITLES],
        scales.plain(curves["x"]), lambda _, column: scales.of_values(curves[column], log=False),
        ("Input of the activation", "Output, and its derivative"),
        height=3.0, title=lambda _, column: _TITLES[column],
    )  # fmt: skip
    for (_, column), axes in drawn.panels.items():
        for index, (name, style) in enumerate(line_styles(names).items()):
            line = curves.loc[curves["activation"] == name, ["x", column]].rename(columns={column: "mean"})
            draw_line(axes, line, "x", name, style, place=index)
    return drawn.finish(names)
