"""Gradient flow as pure functions of gradients and masks (Tessera et al. 2021, section 2.2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from keras import ops

from keras_sparseflow.plugins import Table


def gradient_norm(gradient: Any, mask: Any, p: int) -> Any:
    """Returns the p-norm of one layer's gradient, inactive entries included.

    Args:
        gradient: tensor of any shape, the gradient of the layer's *effective* kernel.
        mask: ignored; every layer norm takes the same arguments.
        p: 1 or 2.

    Returns:
        A float32 scalar.
    """
    del mask
    gradient = ops.cast(gradient, "float32")
    if p == 1:
        return ops.sum(ops.abs(gradient))
    if p == 2:
        return ops.sqrt(ops.sum(ops.square(gradient)))
    raise ValueError(f"`p` must be 1 or 2; received {p!r}.")


def effective_gradient_norm(gradient: Any, mask: Any, p: int) -> Any:
    """Returns the p-norm of one layer's gradient over its active weights.

    Args:
        gradient: tensor of any shape.
        mask: boolean tensor of the same shape, or None for a layer whose weights are all active.
        p: 1 or 2.

    Returns:
        A float32 scalar.
    """
    if mask is not None:
        gradient = ops.where(mask, gradient, ops.zeros((), dtype=gradient.dtype))
    return gradient_norm(gradient, None, p)


def norm_of_norms(layer_norms: Sequence[Any], p: int) -> Any:
    """Returns the p-norm of all layers' gradients concatenated, given the p-norm of each."""
    return gradient_norm(ops.stack(list(layer_norms)), None, p)


def mean_of_norms(layer_norms: Sequence[Any]) -> Any:
    """Returns the mean over layers; nothing is divided by the number of weights."""
    return ops.mean(ops.stack(list(layer_norms)))


@dataclass(frozen=True)
class FlowMeasure:
    """A measure of gradient flow: a number for each layer, and one for the network made from these.

    Calling it with all gradients and masks gives the network's.

    Args:
        per_layer: `(gradient, mask) -> scalar` for one layer; mask is boolean, or None for a layer
            whose weights are all active.
        total: `(list of the layers' scalars) -> scalar` for the network.
        formula: how to write it in a figure or a report.
    """

    per_layer: Callable[[Any, Any], Any]
    total: Callable[[Sequence[Any]], Any]
    formula: str

    def __call__(self, gradients: Sequence[Any], masks: Sequence[Any]) -> Any:
        """Returns the measure of the network, a scalar; one gradient and one mask (or None) a layer."""
        return self.total([self.per_layer(g, m) for g, m in zip(gradients, masks, strict=True)])


def grad_norm(gradients: Sequence[Any], masks: Sequence[Any] | None = None, p: int = 2) -> Any:
    """Returns the norm of all gradients concatenated, ||g||_p (eq. 5), inactive entries included.

    Args:
        gradients: one tensor a layer, each the gradient of the layer's effective kernel.
        masks: ignored.
        p: 1 or 2.

    Example:
        >>> float(grad_norm([[3.0, 0.0], [4.0]], p=2))
        5.0
    """
    del masks
    return _grad_norm(p)(gradients, [None] * len(gradients))


def egf(gradients: Sequence[Any], masks: Sequence[Any], p: int = 2) -> Any:
    """Returns effective gradient flow, EGF_p: the mean over layers of the masked gradient's p-norm (eqs. 6, 7).

    Args:
        gradients: one tensor a layer.
        masks: one boolean tensor a layer, or None for a layer whose weights are all active.
        p: 1 or 2.

    Example:
        >>> import numpy as np
        >>> float(egf([np.float32([3, 100]), np.float32([5])], [np.array([True, False]), None], p=2))
        4.0

    References:
        Tessera, Hooker, Rosman 2021, eqs. 6 and 7. Its prose says that EGF is normalised by the
        number of active weights; neither the equations nor its Table 1 are, and nor is this.
    """
    return _egf(p)(gradients, masks)


def _grad_norm(p: int) -> FlowMeasure:
    return FlowMeasure(partial(gradient_norm, p=p), partial(norm_of_norms, p=p), f"||g||_{p}")


def _egf(p: int) -> FlowMeasure:
    return FlowMeasure(partial(effective_gradient_norm, p=p), mean_of_norms, f"EGF_{p}")


MEASURES = Table(
    "flow measure",
    "keras_sparseflow.flow_measures",
    {"grad_norm_1": _grad_norm(1), "grad_norm_2": _grad_norm(2), "egf_1": _egf(1), "egf_2": _egf(2)},
)
"""Every measure that can be named; a third-party one is a `FlowMeasure`."""

DEFAULT_MEASURES = ("grad_norm_1", "grad_norm_2", "egf_1", "egf_2")
