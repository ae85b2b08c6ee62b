"""Gradient flow as pure functions of gradients and masks (Tessera et al. 2021, section 2.2)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from keras import ops

BLOCK_ENTRIES = 2**19
"""Number of entries in a block of a gradient that is measured in blocks: 2 MB of float32."""

_ROW = 1024
"""Entries that are added up together of a gradient that has one axis."""


class FlowMeasure:
    """A measure of gradient flow: a number for each layer, and one for the network made from these.

    Call the measure with all gradients and masks to get the network's number.

    Args:
        per_layer: `(gradient, mask) -> scalar` for one layer; mask is boolean, or None for a layer
            whose weights are all active.
        total: `(list of the layers' scalars) -> scalar` for the network.
        formula: text of the measure in figures and reports.

    Example:
        >>> largest = FlowMeasure(lambda gradient, mask: ops.max(ops.abs(gradient)), total=max, formula="max |g|")
        >>> float(largest([ops.array([1.0, -4.0]), ops.array([2.0])], [None, None]))
        4.0
    """

    def __init__(self, per_layer: Callable[[Any, Any], Any], total: Callable[[Sequence[Any]], Any], formula: str):
        self.per_layer = per_layer
        self.total = total
        self.formula = formula

    def __call__(self, gradients: Sequence[Any], masks: Sequence[Any]) -> Any:
        """Returns the measure of the network, a scalar; takes a gradient and a mask (or None) for each layer."""
        return self.total([self.per_layer(g, m) for g, m in zip(gradients, masks, strict=True)])

    def of_stack(self, gradients: Sequence[Any], masks: Sequence[Any]) -> Any:
        """Returns the measure of several networks at once: a column for each layer, and the last for the network.

        Args:
            gradients: one tensor per layer, shape `(networks, ...)`.
            masks: one boolean tensor of the same shape per layer, or None where all weights are active.

        Returns:
            A tensor of shape `(networks, layers + 1)`.
        """
        present = [mask for mask in masks if mask is not None]

        def network(arguments: Any) -> Any:
            own = iter(arguments[1])
            values = [
                self.per_layer(gradient, None if mask is None else next(own))
                for gradient, mask in zip(arguments[0], masks, strict=True)
            ]
            return ops.stack([*values, self.total(values)])

        return ops.vectorized_map(network, (list(gradients), present))


class NormMeasure(FlowMeasure):
    """A measure whose value for a layer is a p-norm, a sum over entries that can be computed block by block.

    Args:
        p: 1 or 2.
        masked: whether inactive entries are left out.
        total: see `FlowMeasure`; must work entry by entry where a layer's value is an array.
        formula: see `FlowMeasure`.

    Raises:
        ValueError: `p` is neither 1 nor 2.

    Example:
        >>> largest = NormMeasure(2, masked=True, total=max, formula="max ||g||")
        >>> float(largest([ops.array([3.0, 4.0]), ops.array([9.0, 1.0])], [None, ops.array([False, True])]))
        5.0
    """

    def __init__(self, p: int, masked: bool, total: Callable[[Sequence[Any]], Any], formula: str):
        if p not in (1, 2):
            raise ValueError(f"`p` must be 1 or 2; received {p!r}.")
        super().__init__(self._norm, total, formula)
        self.p = p
        self.masked = masked

    def terms(self, gradient: Any, mask: Any) -> Any:
        """Returns the terms of the sum, one for each entry, in float32."""
        gradient = ops.cast(gradient, "float32")
        powers = ops.abs(gradient) if self.p == 1 else ops.square(gradient)
        if mask is None or not self.masked:
            return powers
        return ops.where(mask, powers, 0.0)

    def of_stack(self, gradients: Sequence[Any], masks: Sequence[Any]) -> Any:
        """Returns what `FlowMeasure.of_stack` returns, without a loop over networks."""

        def norms(gradient: Any, mask: Any) -> Any:
            terms = self.terms(gradient, mask)
            return self.of_sum(ops.sum(terms, axis=tuple(range(1, len(terms.shape)))))

        values = [norms(gradient, mask) for gradient, mask in zip(gradients, masks, strict=True)]
        return ops.stack([*values, self.total(values)], axis=1)

    def of_sum(self, total: Any) -> Any:
        """Returns the norm whose p-th power is this sum."""
        return total if self.p == 1 else ops.sqrt(total)

    def _norm(self, gradient: Any, mask: Any) -> Any:
        return self.of_sum(ops.sum(self.terms(gradient, mask)))


def layer_values(measures: Sequence[FlowMeasure], gradient: Any, mask: Any, *, in_blocks: bool = False) -> list[Any]:
    """Returns the value of each measure for one layer.

    Args:
        measures: the measures.
        gradient: tensor of any shape, the gradient of the layer's *effective* kernel.
        mask: boolean tensor of the same shape, or None when all weights are active.
        in_blocks: whether all norms read a block of the gradient before the next, while it is in the
            processor's cache. Under XLA on a CPU that takes half the time; elsewhere it takes longer.

    Returns:
        Float32 scalars, one per measure.

    Example:
        >>> from keras_sparseflow.flow.measure_table import MEASURES
        >>> measures = [MEASURES.get("grad_norm_1"), MEASURES.get("egf_1")]
        >>> values = layer_values(measures, ops.array([3.0, -4.0]), ops.array([True, False]))
        >>> [float(value) for value in values]
        [7.0, 3.0]
    """
    norms = [measure for measure in measures if isinstance(measure, NormMeasure)]
    if not in_blocks or not norms:
        return [measure.per_layer(gradient, mask) for measure in measures]
    sums = iter(_sums_in_blocks(norms, gradient, mask))
    return [m.of_sum(next(sums)) if isinstance(m, NormMeasure) else m.per_layer(gradient, mask) for m in measures]


def _sums_in_blocks(norms: Sequence[NormMeasure], gradient: Any, mask: Any) -> list[Any]:
    """Returns the sum of each norm's terms, as a product with ones, which XLA's CPU backend vectorises."""
    if len(gradient.shape) == 1 and mask is None:  # one long row would be added up entry after entry, and lose digits
        gradient = ops.pad(gradient, ((0, -gradient.shape[0] % _ROW),))
        gradient = ops.reshape(gradient, (-1, _ROW))
    columns = gradient.shape[-1]
    tensors = [ops.reshape(tensor, (-1, columns)) for tensor in (gradient, mask) if tensor is not None]
    rows = tensors[0].shape[0]
    height = max(1, min(rows, BLOCK_ENTRIES // columns))
    ones = ops.ones((columns,), dtype="float32")

    def block_sums(first: Any, height: int) -> Any:
        block = [ops.slice(tensor, (first, 0), (height, columns)) for tensor in tensors]
        terms = [norm.terms(block[0], block[1] if mask is not None else None) for norm in norms]
        return ops.stack([ops.sum(ops.matmul(term, ones)) for term in terms])

    sums = ops.fori_loop(
        0, rows // height, lambda i, total: total + block_sums(i * height, height), ops.zeros(len(norms), "float32")
    )
    if rows % height:
        sums = sums + block_sums(rows - rows % height, rows % height)
    return [sums[i] for i in range(len(norms))]


def norm_of_norms(layer_norms: Sequence[Any], p: int) -> Any:
    """Returns the p-norm of all layers' gradients concatenated, given the p-norm of each."""
    norms = ops.stack(list(layer_norms))
    return ops.sum(norms, axis=0) if p == 1 else ops.sqrt(ops.sum(ops.square(norms), axis=0))


def mean_of_norms(layer_norms: Sequence[Any]) -> Any:
    """Returns the mean over layers, not divided by the number of weights."""
    return ops.mean(ops.stack(list(layer_norms)), axis=0)


def grad_norm(gradients: Sequence[Any], masks: Sequence[Any] | None = None, p: int = 2) -> Any:
    """Returns the norm of all gradients concatenated, ||g||_p (eq. 5), inactive entries included.

    Args:
        gradients: one tensor per layer, the gradient of the layer's effective kernel.
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
        gradients: one tensor per layer.
        masks: one boolean tensor per layer, or None for a layer whose weights are all active.
        p: 1 or 2.

    Example:
        >>> import numpy as np
        >>> float(egf([np.float32([3, 100]), np.float32([5])], [np.array([True, False]), None], p=2))
        4.0

    References:
        Tessera, Hooker, Rosman 2021, eqs. 6 and 7. The paper's text says that EGF is normalised
        by the number of active weights; its equations and Table 1 are not, and this function follows them.
    """
    return _egf(p)(gradients, masks)


def _grad_norm(p: int) -> NormMeasure:
    return NormMeasure(p, False, partial(norm_of_norms, p=p), f"||g||_{p}")


def _egf(p: int) -> NormMeasure:
    return NormMeasure(p, True, mean_of_norms, f"EGF_{p}")


grad_norm_1 = _grad_norm(1)
"""1-norm of all gradients concatenated, inactive weights included."""

grad_norm_2 = _grad_norm(2)
"""2-norm of all gradients concatenated, inactive weights included."""

egf_1 = _egf(1)
"""Effective gradient flow: mean over layers of the 1-norm of the active weights' gradient."""

egf_2 = _egf(2)
"""Effective gradient flow: mean over layers of the 2-norm of the active weights' gradient."""
