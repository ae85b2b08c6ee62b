"""Same capacity, sparse and dense: how many weights of each kernel are active (Tessera et al. 2021, A.1)."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

DENSE_WIDTH_FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class KernelCapacity:
    """One kernel in both arms: its shapes, and the number of weights that are active in either.

    Args:
        dense_shape: `(inputs, units)` in the dense arm, all active.
        sparse_shape: `(inputs, units)` in the sparse arm.
        active: active weights, the same in both.

    Example:
        >>> kernel = KernelCapacity(dense_shape=(64, 20), sparse_shape=(64, 68), active=1280)
        >>> round(kernel.density, 3), round(kernel.active_fan_in, 3)
        (0.294, 18.824)
    """

    dense_shape: tuple[int, int]
    sparse_shape: tuple[int, int]
    active: int

    @property
    def density(self) -> float:
        """Share of the sparse kernel's entries that are active, in [0, 1]."""
        return self.active / prod(self.sparse_shape)

    @property
    def active_fan_in(self) -> float:
        """Active weights into a unit of the sparse arm, on average."""
        return self.active / self.sparse_shape[1]


def match_capacity(
    inputs: int, classes: int, hidden_layers: int, dense_width: int, max_width: int
) -> list[KernelCapacity]:
    """Returns the kernels of a matched pair of multilayer perceptrons, first to last.

    Args:
        inputs: number of inputs n.
        classes: number of outputs.
        hidden_layers: at least 1.
        dense_width: width w of the dense arm.
        max_width: width W of the sparse arm, at least `dense_width`; the paper takes n + 4.

    Raises:
        ValueError: the sparse arm has no room for the dense arm's weights; both counts are shown.

    Example:
        >>> pair = match_capacity(inputs=3072, classes=10, hidden_layers=1, dense_width=308, max_width=3076)
        >>> sum(kernel.active for kernel in pair)
        949256

    References:
        Tessera, Hooker, Rosman 2021, eqs. 8 to 12. "20% of the weights in each layer", in the same
        appendix, contradicts these and the published counts.
    """
    if hidden_layers < 1:
        raise ValueError(f"`hidden_layers` must be at least 1; received {hidden_layers}.")
    if dense_width < 1:
        raise ValueError(f"`dense_width` must be at least 1; received {dense_width}.")
    dense = [inputs, *[dense_width] * hidden_layers, classes]
    sparse = [inputs, *[max_width] * hidden_layers, classes]
    dense_shapes = list(itertools.pairwise(dense))
    sparse_shapes = list(itertools.pairwise(sparse))
    if dense_width > max_width:
        raise ValueError(
            f"`dense_width` must be at most `max_width`: a dense network of width {dense_width} has "
            f"{sum(map(prod, dense_shapes)):,} active weights, a sparse one of width {max_width} has room for "
            f"{sum(map(prod, sparse_shapes)):,}."
        )
    return [KernelCapacity(d, s, prod(d)) for d, s in zip(dense_shapes, sparse_shapes, strict=True)]


def default_max_width(inputs: int) -> int:
    """Returns the maximum width n + 4 for n inputs.

    Args:
        inputs: values of one image.

    Example:
        >>> default_max_width(3072)
        3076
    """
    return inputs + 4


def dense_widths(max_width: int, fractions: Sequence[float] = DENSE_WIDTH_FRACTIONS) -> list[int]:
    """Returns the dense widths round(fraction * max_width).

    Args:
        max_width: W.
        fractions: each in (0, 1].

    Example:
        >>> dense_widths(3076)
        [308, 923, 1538, 2153, 2768]
    """
    odd = [fraction for fraction in fractions if not 0 < fraction <= 1]
    if odd:
        raise ValueError(f"`fractions` of the maximum width must be in (0, 1]; received {odd[0]}.")
    widths = [max(1, round(fraction * max_width)) for fraction in fractions]
    if len(set(widths)) < len(widths):
        raise ValueError(f"`fractions` must give different widths of {max_width}; received {widths}.")
    return widths
