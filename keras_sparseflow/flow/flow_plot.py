"""Curves of gradient flow over epochs, for a notebook."""

from typing import Any

import pandas as pd

from keras_sparseflow.flow.measure_table import TOTAL


def plot_flow(rows: pd.DataFrame, measure: str | None = None, layers: bool = True) -> Any:
    """Returns a matplotlib figure of a flow measure over epochs: a panel per reading, a line per layer and the network.

    Args:
        rows: with the columns `epoch`, `reading`, `measure`, `layer` and `value`, as `GradientFlow.to_frame` returns.
        measure: the measure to draw; None for the last one, such as "egf_2".
        layers: whether the layers are drawn beside the network.

    Raises:
        ValueError: there are no rows, or none of the measure.

    Example:
        >>> rows = pd.DataFrame({"epoch": [0, 1], "reading": "end", "measure": "egf_2", "layer": "total",
        ...                      "value": [2.0, 1.0]})
        >>> plot_flow(rows).axes[0].get_title()
        'egf_2, end'
    """
    from matplotlib.figure import Figure

    measured = list(dict.fromkeys(rows["measure"]))
    chosen = measure or (measured[-1] if measured else None)
    if chosen not in measured:
        known = ", ".join(measured) or "none: no epoch was measured"
        raise ValueError(f"`measure` must be one of {known}; received {measure!r}.")
    rows = rows[(rows["measure"] == chosen) & (layers | (rows["layer"] == TOTAL))]
    readings = list(dict.fromkeys(rows["reading"]))
    figure = Figure(figsize=(6 * len(readings), 3.5), layout="constrained")
    panels = figure.subplots(1, len(readings), squeeze=False, sharey=True)[0]
    for axes, reading in zip(panels, readings, strict=True):
        inside = rows[rows["reading"] == reading]
        for layer, line in inside.groupby("layer", sort=False):
            width, colour = (2.5, "black") if layer == TOTAL else (1.0, None)
            axes.plot(line["epoch"], line["value"], label=str(layer), linewidth=width, color=colour)
        scale = "log" if (inside["value"] > 0).all() else "linear"
        axes.set(title=f"{chosen}, {reading}", xlabel="epoch", yscale=scale)
    panels[-1].legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    return figure
