"""Measures of gradient flow."""

from typing import Any

from keras import ops

from keras_sparseflow.flow import FlowMeasure


def share_of_zeros(gradient: Any, mask: Any) -> Any:
    """Returns the share of a layer's active weights whose gradient is exactly zero.

    Args:
        gradient: of the layer's effective kernel.
        mask: boolean, of the same shape; None where all of it is active.
    """
    zero = ops.cast(ops.equal(gradient, 0), "float32")
    if mask is None:
        return ops.mean(zero)
    active = ops.cast(mask, "float32")
    return ops.sum(zero * active) / ops.maximum(ops.sum(active), 1.0)


def mean_over_layers(shares: Any) -> Any:
    """Returns the mean of the layers' shares."""
    return ops.mean(ops.stack(shares))


DEAD_GRADIENTS = FlowMeasure(share_of_zeros, mean_over_layers, "share of g = 0")
"""Share of active weights whose gradient is exactly zero, mean over layers."""
