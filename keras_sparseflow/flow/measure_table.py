"""The table of flow measures by name, and the names of the readings of an epoch."""

from keras_sparseflow.plugins import Table

DEFAULT_MEASURES = ("grad_norm_1", "grad_norm_2", "egf_1", "egf_2")

READINGS = ("steps", "end")
"""Readings of an epoch: a measure's mean over training steps, or the measure of the mean gradient at the end."""

TOTAL = "total"
"""The `layer` of a row that holds the measure of the whole network."""

MEASURES = Table(
    "flow measure",
    "keras_sparseflow.flow_measure",
    {name: f"keras_sparseflow.flow.measures:{name}" for name in DEFAULT_MEASURES},
    expects="keras_sparseflow.flow.measures:FlowMeasure",
)
"""Each entry is a `FlowMeasure`."""
