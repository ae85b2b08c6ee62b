"""Gradual magnitude pruning by a cubic schedule, without tfmot."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_sparseflow.checks import check_number, takes_density
from keras_sparseflow.layers.structure import Kernel
from keras_sparseflow.masks.selection import top_mask
from keras_sparseflow.training.dynamic.mask_updates import MaskUpdates


class GradualMagnitude(MaskUpdates):
    """Prunes each masked layer of a model by magnitude, to a density that falls by a cubic schedule.

    Before the steps begin_step, begin_step + frequency, ... and `end_step` the smallest weights of every layer are
    set to zero, and the optimizer's slots with them. They never return, so a layer that is already sparser keeps its
    mask. A layer keeps round(size * density) weights, at least one; of equal magnitudes the first stay. A layer whose
    weights are not finite keeps its mask.

    The masks are those of `MagnitudePruning` with tfmot's `PolynomialDecay`, with three exceptions. tfmot keeps all
    equal magnitudes; its counts, rounded in single precision, may differ by one; and it leaves `end_step` out unless
    that is a multiple of `frequency` after `begin_step`.

    It works in any Keras model, under any `tf.distribute` strategy that its `fit` supports.

    Args:
        final_density: share of each layer's weights that are active in the end, in (0, 1].
        begin_step: the step before which `initial_density` is reached, counted from 1; with 0 the first update is at
            step `frequency`.
        end_step: the step before which `final_density` is reached; if it is `begin_step`, one update does all.
        frequency: steps between two updates, at least 1.
        initial_density: share of active weights at `begin_step`, in [final_density, 1].
        layers: names or paths of the masked layers to prune, or patterns of these (`"*/query"`); None for all.
        first_step: iterations of the optimizer before the schedule begins.

    Attributes:
        rows: list of dicts, one for each kernel and update, with `step`, `layer` (the kernel's path), `sparsity` as
            asked for and `density` as reached, both in [0, 1].

    Raises:
        ValueError: arguments out of range; when `fit` begins: no masked layer, unknown names, a schedule that has
            ended although nothing is pruned, or several steps in one execution.

    Example:
        >>> pruning = GradualMagnitude(0.1, begin_step=0, end_step=1000)
        >>> [round(pruning.density_at(step), 4) for step in (0, 500, 1000)]
        [1.0, 0.2125, 0.1]

    References:
        Zhu & Gupta 2017, To prune, or not to prune, equation 1.
    """

    columns = ("step", "layer", "sparsity", "density")

    @takes_density
    def __init__(
        self,
        final_density: float,
        begin_step: int,
        end_step: int,
        *,
        frequency: int = 100,
        initial_density: float = 1.0,
        layers: Sequence[str] | None = None,
        first_step: int = 0,
    ):
        super().__init__(layers, first_step)
        check_number("final_density", final_density, above=0, maximum=1)
        check_number("initial_density", initial_density, minimum=final_density, maximum=1)
        check_number("begin_step", begin_step, whole=True, minimum=0)
        if check_number("end_step", end_step, whole=True, minimum=1) < begin_step:
            raise ValueError(
                "`begin_step` must be at least 0, and `end_step` at least 1 and not before it; received "
                f"{begin_step} and {end_step}."
            )
        check_number("frequency", frequency, whole=True, minimum=1)
        self._first, self._last = initial_density, final_density
        self._begin, self._end = begin_step, end_step
        self._frequency = frequency

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._check_not_over(self._end)

    def density_at(self, step: int) -> float:
        """Returns the density after an update at this step, in [begin_step, end_step]."""
        if step == self._end:
            return self._last
        left = (self._end - step) / (self._end - self._begin)
        return self._last + (self._first - self._last) * left**3

    def _before_step(self, step: int) -> None:
        if not self._begin <= step <= self._end:
            return
        if (step - self._begin) % self._frequency == 0 or step == self._end:
            density = self.density_at(step)
            self._set_masks(step, [_largest(kernel, density) for kernel in self._kernels], sparsity=1 - density)


def _largest(kernel: Kernel, density: float) -> np.ndarray:
    """Returns the mask of a kernel's largest weights, within the mask that it has."""
    weights, mask = kernel.values, keras.ops.convert_to_numpy(kernel.mask)
    if not np.isfinite(weights).all():
        return mask
    count = min(max(1, round(weights.size * density)), int(np.count_nonzero(mask)))
    return top_mask(np.where(mask, np.abs(np.asarray(weights, np.float32)), -1), count)
