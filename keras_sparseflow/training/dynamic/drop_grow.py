"""Dynamic sparse training: at some steps the smallest weights of each layer are replaced by others."""

import abc
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_sparseflow.checks import check_number
from keras_sparseflow.layers.structure import Kernel
from keras_sparseflow.masks.selection import top_mask
from keras_sparseflow.training.counting import batches_per_step
from keras_sparseflow.training.dynamic.mask_updates import MaskUpdates

DECAYS = ("cosine", "constant")
SHARE_OF_TRAINING = 0.75
"""Default end of updates: the share of the steps of `fit` that Evci et al. (2020) choose."""


def drop_and_grow(weights: np.ndarray, mask: np.ndarray, growth: np.ndarray, count: int) -> np.ndarray:
    """Returns the mask after the smallest active weights are dropped and those with the highest scores grown.

    Dropped weights compete with inactive ones, as in the authors' code: a dropped weight with one of the highest
    growth scores stays. Ties go to the first.

    Args:
        weights: the kernel, of any shape.
        mask: boolean, of the kernel's shape.
        growth: scores of the kernel's shape, at least 0.
        count: number of weights to drop and to grow, in [0, active weights].

    Returns:
        A boolean mask of the kernel's shape with as many active weights as before.

    Example:
        >>> weights, mask = np.array([3.0, -1.0, 2.0, 0.0, 0.0]), np.array([True, True, True, False, False])
        >>> drop_and_grow(weights, mask, growth=np.array([9.0, 1.0, 9.0, 5.0, 2.0]), count=1)
        array([ True, False,  True,  True, False])

    References:
        Evci et al. 2020, Rigging the Lottery, algorithm 1.
    """
    # Two choices of an exact number: first the active weights that stay, then the others that grow. Entries that may
    # not be chosen score -1, below every magnitude and growth score, so that zeros and ties can't take their place.
    # With thresholds, ties would change the number of active weights, and the density would drift.
    kept = top_mask(np.where(mask, np.abs(weights), -1), int(np.count_nonzero(mask)) - count)
    return kept | top_mask(np.where(kept, -1, growth), count)


def drop_share(step: float, last_step: float, first: float = 0.3) -> float:
    """Returns the share of a layer's active weights to replace at a step, which falls by a cosine to 0.

    Args:
        step: in [0, last_step].
        last_step: the step at which the share is 0, above 0.
        first: the share at step 0, in [0, 1].

    Example:
        >>> [round(drop_share(step, 100), 3) for step in (0, 50, 75, 100)]
        [0.3, 0.15, 0.044, 0.0]

    References:
        Evci et al. 2020, section 3: f_decay.
    """
    return first / 2 * (1 + math.cos(math.pi * step / last_step))


class DropAndGrow(MaskUpdates):
    """Base of RigL and SET: when to update, how many weights to replace, and which of them to drop.

    Before the steps begin_step, begin_step + frequency, ... below `end_step` each layer replaces its
    floor(share * active weights) smallest weights. A layer whose weights or scores are not finite keeps its mask.

    Args:
        end_step: the step from which nothing is replaced; None for three quarters of the steps of `fit`.
        frequency: steps between two updates, at least 1.
        drop_fraction: share of the active weights that is replaced at first, in (0, 1].
        decay: "cosine", by which the share falls to 0 at `end_step`, or "constant".
        begin_step: step of the first update, at least 0; with 0 it is at step `frequency`.
        layers: names or paths of the masked layers to act on, or patterns of these (`"*/query"`); None for all that
            are not frozen.
        first_step: iterations of the optimizer before the schedule begins.

    Attributes:
        rows: list of dicts, one for each kernel and update, with `step`, `layer` (the kernel's path), `drop_fraction`,
            `grown` (the number of weights that became active) and `density`.
    """

    columns = ("step", "layer", "drop_fraction", "grown", "density")

    def __init__(
        self,
        end_step: int | None = None,
        *,
        frequency: int = 100,
        drop_fraction: float = 0.3,
        decay: str = "cosine",
        begin_step: int = 0,
        layers: Sequence[str] | None = None,
        first_step: int = 0,
    ):
        super().__init__(layers, first_step)
        check_number("frequency", frequency, whole=True, minimum=1)
        check_number("drop_fraction", drop_fraction, above=0, maximum=1)
        if decay not in DECAYS:
            raise ValueError(f"`decay` must be one of {', '.join(DECAYS)}; received {decay!r}.")
        check_number("begin_step", begin_step, whole=True, minimum=0)
        self._asked_end = end_step
        self._frequency = frequency
        self._drop_fraction = drop_fraction
        self._decay = decay
        self._begin = begin_step
        self._end = 0
        if end_step is not None:
            self._check_end(check_number("end_step", end_step, whole=True))

    @abc.abstractmethod
    def _update(self, step: int) -> None:
        """Updates the masks before a step that is due."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._end = self._end_of_fit() if self._asked_end is None else self._asked_end
        self._check_end(self._end)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        done = self._steps_done
        if epoch == 0 and done >= self._end:  # a later epoch: training is resumed
            raise ValueError(
                f"{type(self).__name__} has nothing to do: its last step is {self._end}, after `first_step` "
                f"{self._first_step}, and the optimizer has done {done + self._first_step} steps. Choose another "
                f"`end_step`, or pass first_step={done + self._first_step}."
            )

    def share(self, step: int) -> float:
        """Returns the share of active weights that is replaced at a step that is due."""
        if self._decay == "constant":
            return self._drop_fraction
        return drop_share(step - self._begin, self._end - self._begin, self._drop_fraction)

    def _before_step(self, step: int) -> None:
        if self._begin <= step < self._end and (step - self._begin) % self._frequency == 0:
            self._update(step)

    def _replace(self, step: int, growth: Sequence[np.ndarray]) -> None:
        """Sets every kernel's mask by its growth scores."""
        share = self.share(step)
        masks = [_updated_mask(kernel, scores, share) for kernel, scores in zip(self._kernels, growth, strict=True)]
        self._set_masks(step, masks, drop_fraction=share)

    def _changes(self, before: np.ndarray, after: np.ndarray) -> Mapping[str, Any]:
        return {"grown": int(np.count_nonzero(after & ~before))}

    def _find_kernels(self) -> list[Kernel]:
        """Returns the kernels to act on; frozen ones are left out and keep their masks."""
        found = super()._find_kernels()
        trained = [kernel for kernel in found if kernel.variable.trainable]
        frozen = [kernel.path for kernel in found if not kernel.variable.trainable]
        if not trained or (frozen and self._names is not None):
            raise ValueError(
                f"{type(self).__name__} needs layers that train; received {frozen}, which are frozen. Leave them out "
                "of `layers`, or set `trainable`."
            )
        return trained

    def _end_of_fit(self) -> int:
        """Returns the default end of updates, from the arguments of `fit`."""
        batches = self.params["steps"]
        if batches is None:
            raise ValueError(
                f"{type(self).__name__} can't tell where three quarters of the training are, for the data do not say "
                "how many batches they have: give `end_step`, or `steps_per_epoch` to `fit`."
            )
        return round(SHARE_OF_TRAINING * self.params["epochs"] * batches / batches_per_step(self.model))

    def _check_end(self, end: int) -> None:
        if end <= max(self._begin, self._frequency if self._begin == 0 else 0):
            first = self._begin or self._frequency
            raise ValueError(
                f"`end_step` must be above {first}, the step of the first update; received {end}"
                f"{', three quarters of the steps of `fit`' if self._asked_end is None else ''}."
            )


def _updated_mask(kernel: Kernel, growth: np.ndarray, share: float) -> np.ndarray:
    weights, mask = kernel.values, keras.ops.convert_to_numpy(kernel.mask)
    if not (np.isfinite(weights).all() and np.isfinite(growth).all()):
        return mask
    weights, growth = (np.asarray(values, np.float32) for values in (weights, growth))
    return drop_and_grow(weights, mask, growth, math.floor(share * np.count_nonzero(mask)))
