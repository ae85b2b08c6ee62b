"""Sparsity distributions: how many weights of each kernel are active at one density of the whole network.

A distribution is a function `(shapes, density) -> counts`. It returns one count for each shape, or one count for all
kernels together, whose scores are then compared with each other. `DISTRIBUTIONS` names them.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_sparseflow.checks import takes_density
from keras_sparseflow.layers.mask.arrays import active_count, check_density

if TYPE_CHECKING:
    import keras


@takes_density
def uniform(shapes: Sequence[Sequence[int]], density: float) -> list[int]:
    """Returns round(density * size) for each kernel: every kernel has the same density.

    Args:
        shapes: shapes of the kernels.
        density: float in [0, 1].

    Example:
        >>> uniform([(3, 3, 4, 8), (8, 10)], 0.25)
        [72, 20]
    """
    return [active_count(density, math.prod(shape)) for shape in shapes]


@takes_density
def erk(shapes: Sequence[Sequence[int]], density: float) -> list[int]:
    """Returns active counts by the Erdos-Renyi-kernel rule: larger kernels are sparser.

    The density of a kernel is proportional to sum(dims) / prod(dims). Kernels whose share exceeds 1
    are dense, and the rest is solved again until none exceeds 1. The counts add up to
    round(density * total) exactly: fractions are rounded by largest remainder; among equal remainders
    the first kernel is rounded up first.

    Args:
        shapes: shapes of the kernels.
        density: float in [0, 1], of all kernels together.

    Example:
        >>> erk([(2, 2), (20, 20)], 0.15)
        [4, 57]

    References:
        Mocanu et al. 2018; Evci et al. 2020, section 3, for convolutional kernels.
    """
    return _in_proportion(shapes, [sum(shape) / math.prod(shape) for shape in shapes], density)


@takes_density
def er(shapes: Sequence[Sequence[int]], density: float) -> list[int]:
    """Returns active counts by the Erdos-Renyi rule: as `erk`, but the height and width of kernels do not count.

    The density of a kernel is proportional to (inputs + outputs) / (inputs * outputs), its last two
    dimensions; for matrices this equals `erk`.

    Args:
        shapes: shapes of the kernels.
        density: float in [0, 1], of all kernels together.

    Example:
        >>> er([(3, 3, 4, 8), (8, 10)], 0.1), erk([(3, 3, 4, 8), (8, 10)], 0.1)
        ([32, 5], [19, 18])

    References:
        Mocanu et al. 2018; Evci et al. 2020, section 3.
    """
    return _in_proportion(shapes, [sum(shape[-2:]) / math.prod(shape[-2:]) for shape in shapes], density)


def all_together(shapes: Sequence[Sequence[int]], density: float) -> int:
    """Returns round(density * total): one threshold for all kernels, so that scores decide each kernel's share.

    Args:
        shapes: shapes of the kernels.
        density: float in [0, 1], of all kernels together.

    Example:
        >>> all_together([(3, 3, 4, 8), (8, 10)], 0.25)
        92
    """
    return active_count(density, sum(math.prod(shape) for shape in shapes))


def kernel_counts(model: "keras.Model") -> dict[str, int]:
    """Returns how many weights of each kernel of a built model are active; all if the kernel has no mask.

    As the `distribution` of another model's masks, the counts give that model the same capacity, kernel by kernel.
    With the counts of a narrow dense network, a wide network becomes its sparse arm (Tessera et al. 2021).

    Args:
        model: a built model with masked or stock layers.

    Example:
        >>> import keras
        >>> narrow = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="hidden")])
        >>> kernel_counts(narrow)
        {'hidden': 12}
    """
    from keras import ops

    from keras_sparseflow.layers.structure import kernels_of

    return {
        kernel.path: math.prod(kernel.shape)
        if kernel.mask is None
        else int(np.count_nonzero(ops.convert_to_numpy(kernel.mask)))
        for kernel in kernels_of(model)
    }


def _in_proportion(shapes: Sequence[Sequence[int]], densities: Sequence[float], density: float) -> list[int]:
    """Returns counts with an exact total whose densities have these proportions, but are at most 1."""
    sizes = np.array([math.prod(shape) for shape in shapes], dtype=np.int64)
    raw = np.array(densities, dtype=float)
    target = active_count(check_density(density), int(sizes.sum()))
    dense = np.zeros(len(shapes), dtype=bool)
    while True:
        left = target - int(sizes[dense].sum())
        weight = float((raw * sizes)[~dense].sum())
        solved = np.where(dense, 1.0, raw * (left / weight if weight else 0.0))
        over = ~dense & (solved > 1)
        if not over.any():
            return _round_to_total(solved * sizes, sizes, target)
        dense |= over


def _round_to_total(wanted: np.ndarray, sizes: np.ndarray, total: int) -> list[int]:
    """Returns integers next to the wanted numbers and at most the sizes, which add up to the total."""
    counts = np.minimum(np.floor(wanted + 1e-9), sizes).astype(np.int64)
    by_remainder = np.argsort(counts - wanted, kind="stable")
    for index in by_remainder[counts[by_remainder] < sizes[by_remainder]][: total - int(counts.sum())]:
        counts[index] += 1
    return counts.tolist()
