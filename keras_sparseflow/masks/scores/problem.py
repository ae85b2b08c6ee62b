"""What a score is given: the model, its kernels, how many weights are to be active, and the data."""

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
    """Which weights of a model are to be active: what a score may ask for and look at.

    Args:
        model: built; a score leaves it as it is.
        kernels: those that get a mask, in the order of the model's layers.
        counts: how many weights are active: of each kernel, or one number for all together.
        generators: of random numbers, one for each kernel, which depends on the seed and the kernel's place.
        data: as `as_batches` takes it, or None.
        loss: as `objective_of` takes it, or None.
        training: whether layers such as BatchNorm run in training mode where a score takes gradients of the loss.
        batch_size: examples in a batch where data are arrays.
        density: that was asked for, of all kernels together; None where counts were given.

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
        """Returns the effective weights of each kernel, zero where a mask that it has already is False."""
        return [as_float(kernel.variable) for kernel in self.kernels]

    @cached_property
    def batches(self) -> list[Batch]:
        """The data in batches, the same in each pass.

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
        """Returns the masks of the highest scores, with the counts asked for; the first come first among equals.

        Args:
            scores: of each kernel's shape.
            progress: in [0, 1], how far a score has come that removes weights round by round: the density
                of each kernel, or of all together, is raised to this power, so that 0 is dense.
        """
        if isinstance(self.counts, int):
            return top_masks(scores, self._count_on_the_way(self.counts, sum(array.size for array in scores), progress))
        return [
            top_mask(array, self._count_on_the_way(count, array.size, progress))
            for array, count in zip(scores, self.counts, strict=True)
        ]

    def _count_on_the_way(self, count: int, size: int, progress: float) -> int:
        """Returns how many of `size` weights are active when the density has fallen to its power `progress`.

        As in SynFlow's own code the number of weights that are gone is rounded down, not the number that stay to the
        nearest: over many rounds one weight more or less leads to other masks. Only the last count is the exact one.
        """
        if progress == 1:
            return count
        density = self.density
        if density is None or active_count(density, size) != count:  # of this kernel, or given as a count
            density = count / size
        return size - int((1 - density**progress) * size)


Score = Callable[[MaskProblem], Sequence[np.ndarray]]
"""Returns an array for each kernel of a problem; the weights with the highest scores are active."""


def as_float(tensor: Any) -> np.ndarray:
    """Returns a tensor or variable as an array of float32, or of float64 if it is that already."""
    array = ops.convert_to_numpy(tensor)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)
