"""Sparsity distributions: how many weights of each kernel are active, for one density of all.

A distribution is a function `(shapes, density) -> counts`; `DISTRIBUTIONS` names them.
"""

import math
from collections.abc import Sequence

import numpy as np

from keras_sparseflow.layers.kernels import active_count, check_density
from keras_sparseflow.plugins import Table


def uniform(shapes: Sequence[Sequence[int]], density: float) -> list[int]:
    """Returns round(density * size) for each kernel: every kernel has the same density.

    Args:
        shapes: of the kernels.
        density: float in [0, 1].

    Example:
        >>> uniform([(3, 3, 4, 8), (8, 10)], 0.25)
        [72, 20]
    """
    return [active_count(density, math.prod(shape)) for shape in shapes]


def erk(shapes: Sequence[Sequence[int]], density: float) -> list[int]:
    """Returns active counts by the Erdos-Renyi-kernel rule: larger kernels are sparser.

    The density of a kernel is proportional to sum(dims) / prod(dims). Kernels whose share exceeds 1
    are dense, and the rest is solved again until none exceeds 1. The counts add up to
    round(density * total) exactly: fractions are rounded by largest remainder, the first kernel first
    among equals.

    Args:
        shapes: of the kernels.
        density: float in [0, 1], of all kernels together.

    Example:
        >>> erk([(2, 2), (20, 20)], 0.15)
        [4, 57]

    References:
        Mocanu et al. 2018; Evci et al. 2020, section 3, for convolutional kernels.
    """
    sizes = np.array([math.prod(shape) for shape in shapes], dtype=np.int64)
    raw = np.array([sum(shape) / math.prod(shape) for shape in shapes], dtype=float)
    target = active_count(check_density(density), int(sizes.sum()))
    dense = np.zeros(len(shapes), dtype=bool)
    while True:
        left = target - int(sizes[dense].sum())
        weight = float((raw * sizes)[~dense].sum())
        densities = np.where(dense, 1.0, raw * (left / weight if weight else 0.0))
        over = ~dense & (densities > 1)
        if not over.any():
            return _round_to_total(densities * sizes, sizes, target)
        dense |= over


def _round_to_total(wanted: np.ndarray, sizes: np.ndarray, total: int) -> list[int]:
    """Returns integers next to the wanted numbers, at most the sizes, that add up to the total."""
    counts = np.minimum(np.floor(wanted + 1e-9), sizes).astype(np.int64)
    by_remainder = np.argsort(counts - wanted, kind="stable")
    for index in by_remainder[counts[by_remainder] < sizes[by_remainder]][: total - int(counts.sum())]:
        counts[index] += 1
    return counts.tolist()


DISTRIBUTIONS = Table(
    "sparsity distribution",
    "keras_sparseflow.distributions",
    {
        "uniform": "keras_sparseflow.masks.distributions:uniform",
        "erk": "keras_sparseflow.masks.distributions:erk",
    },
)
"""Functions `(shapes, density) -> counts`, one count for each shape."""
