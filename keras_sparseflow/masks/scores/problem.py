"""The problem that a score solves: a model, its kernels, the numbers of active weights, and data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_sparseflow.layers.mask.arrays import active_count
from keras_sparseflow.layers.structure import Kernel
from keras_sparseflow.masks.scores.examples import Batch, as_batches
from keras_sparseflow.masks.selection import top_mask, top_masks


@dataclass(frozen=True)
class MaskProblem:
    """The problem that a score solves: which weights of a model should be active.

    Args:
        model: a built model; scores must not change it.
        kernels: the kernels that get a mask, in the order of the model's layers.
        counts: number of active weights of each kernel, or one number for all kernels together.
        generators: random generators, one for each kernel, set by the seed and the kernel's place.
        data: see `as_batches`, or None.
        loss: see `objective_of`, or None.
        training: whether layers such as BatchNorm run in training mode where a score takes gradients of the loss.
        batch_size: examples in a batch where data are arrays.
        density: the requested density of all kernels together; None where counts were given.

    Example:
        >>> from keras_sparseflow.layers.structure import kernels_of
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.set_weights([np.array([[2.0], [1.0]])])
        >>> problem = MaskProblem(model, kernels_of(model), counts=1, generators=[np.random.default_rng(0)])
        >>> problem.values()[0].tolist()
        [[2.0], [1.0]]
        >>> problem.select([np.array([[0.5], [0.7]])])[0].tolist()
        [[False], [True]]
    """

    model: keras.Model
    kernels: Sequence[Kernel]
    counts: Sequence[int] | int
    generators: Sequence[np.random.Generator]
    data: Any = None
    loss: Any = None
    training: bool = True
    batch_size: int = 256
    density: float | None = None

    def values(self) -> list[np.ndarray]:
        """Returns the effective weights of each kernel, zero where the kernel's present mask is False."""
        return [as_float(kernel.variable) for kernel in self.kernels]

    @cached_property
    def batches(self) -> list[Batch]:
        """The data in batches, which are the same in each pass.

        Raises:
            ValueError: no data were given.
        """
        if self.data is None:
            raise ValueError(
                "`data` must be given, because the score is computed from examples: arrays (x, y) or a "
                "tf.data.Dataset of batches; received None."
            )
        return as_batches(self.data, self.batch_size)

    def select(self, scores: Sequence[np.ndarray], progress: float = 1.0) -> list[np.ndarray]:
        """Returns the masks of the highest scores with the requested counts; among equal scores the first are active.

        Args:
            scores: one array of each kernel's shape.
            progress: in [0, 1], below 1 for scores that remove weights round by round: the density of
                each kernel, or of all together, is raised to this power, so that 0 is dense.
        """
        if isinstance(self.counts, int):
            return top_masks(scores, self._count_on_the_way(self.counts, sum(array.size for array in scores), progress))
        return [
            top_mask(array, self._count_on_the_way(count, array.size, progress))
            for array, count in zip(scores, self.counts, strict=True)
        ]

    def _count_on_the_way(self, count: int, size: int, progress: float) -> int:
        """Returns how many of `size` weights are active at the density to the power of `progress`.

        The number of removed weights is rounded down as in SynFlow's own code, because over many rounds one weight
        more or less leads to other masks. At progress 1 the count is exact.
        """
        if progress == 1:
            return count
        density = self.density
        if density is None or active_count(density, size) != count:  # the kernel has a density of its own
            density = count / size
        return size - int((1 - density**progress) * size)


Score = Callable[[MaskProblem], Sequence[np.ndarray]]
"""Returns an array for each kernel of a problem; the weights with the highest scores are active."""


def as_float(tensor: Any) -> np.ndarray:
    """Returns a tensor or variable as an array of float32, or of float64 if it is that already."""
    array = ops.convert_to_numpy(tensor)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)
