"""Magnitude pruning over the steps of `fit`: tfmot's schedules and masks, on masked layers."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_sparseflow.training.dynamic.mask_updates import MaskUpdates
from keras_sparseflow.training.dynamic.tfmot import import_tfmot, tfmot_mask


class MagnitudePruning(MaskUpdates):
    """Prunes each masked layer of a model by magnitude, at the steps of a tfmot schedule.

    Before a training step that the schedule asks for, tfmot computes every layer's mask from its weights.
    Removed weights and their optimizer slots become zero. They never return, so a layer that is already
    sparser keeps its mask. (In tfmot a removed weight returns if a single step takes it over the threshold.)
    Steps are the optimizer's iterations, counted from 1 as by tfmot's own callback, so a resumed training
    continues the schedule.

    It works in any Keras model, under any `tf.distribute` strategy that its `fit` supports.

    Args:
        schedule: a `tfmot.sparsity.keras.PruningSchedule`, such as `ConstantSparsity` or
            `PolynomialDecay`; see `import_tfmot`. None with `sparsity_m_by_n`.
        layers: names or paths of the masked layers to prune, or patterns of these (`"*/query"`); None for all.
        block_size: rows and columns of the blocks in which kernels of rank 2 are pruned.
        block_pooling_type: "AVG" or "MAX", how a block's magnitudes become its score.
        sparsity_m_by_n: m and n: in every n successive inputs of a unit the m smallest weights are removed.
            tfmot does so once, at step 1, and has no schedule for it.
        first_step: iterations of the optimizer before the schedule begins, so that pruning can begin
            late in a training, or after one.

    Attributes:
        rows: list of dicts, one for each kernel and update, with `step`, `layer` (the kernel's path), `sparsity` as
            asked for and `density` as reached, both in [0, 1].

    Raises:
        ImportError: tfmot is not installed.
        TypeError: the schedule is not one of tfmot.
        ValueError: other arguments out of range, or both a schedule and `sparsity_m_by_n`; when `fit`
            begins: no masked layer, unknown names, kernels that cannot have such masks, a schedule that
            has ended although nothing is pruned, or several steps in one execution.

    Example:
        >>> schedules = import_tfmot().sparsity.keras
        >>> MagnitudePruning(schedules.ConstantSparsity(0.9, begin_step=100, end_step=100)).rows
        []

    References:
        Zhu & Gupta 2017, To prune, or not to prune: `PolynomialDecay` is their gradual schedule.
    """

    columns = ("step", "layer", "sparsity", "density")

    def __init__(
        self,
        schedule: Any = None,
        *,
        layers: Sequence[str] | None = None,
        block_size: Sequence[int] = (1, 1),
        block_pooling_type: str = "AVG",
        sparsity_m_by_n: Sequence[int] | None = None,
        first_step: int = 0,
    ):
        super().__init__(layers, first_step)
        schedules = import_tfmot().sparsity.keras
        _check_blocks(block_size, block_pooling_type)
        if sparsity_m_by_n is not None:
            _check_m_by_n(sparsity_m_by_n, schedule, block_size)
            schedule = schedules.ConstantSparsity(sparsity_m_by_n[0] / sparsity_m_by_n[1], 1, end_step=1, frequency=1)
        _check_schedule(schedule, schedules.PruningSchedule)
        self._schedule = schedule
        self._options: dict[str, Any] = {
            "block_size": tuple(block_size),
            "block_pooling_type": block_pooling_type,
            "sparsity_m_by_n": None if sparsity_m_by_n is None else tuple(sparsity_m_by_n),
        }
        self._at = tf.function(schedule.__call__, input_signature=[tf.TensorSpec((), tf.int64)])

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._check_kernels()
        end = getattr(self._schedule, "end_step", -1)
        self._check_not_over(None if end < 0 else end)

    # tfmot's own code computes the mask, so ties, blocks and N:M patterns are exactly tfmot's; a copy of it could drift
    # away. It works on variables that live for this call only, because tfmot's wrappers need Keras 2. Removed weights
    # are zero and could win a tie between zeros, so the new mask is restricted to the old one.
    def _before_step(self, step: int) -> None:
        with tf.device("CPU"):  # need not wait for a step that still runs on an accelerator
            due, sparsity = self._at(tf.constant(step, tf.int64))
        if due:
            masks = [
                tfmot_mask(kernel.values, step, self._schedule, **self._options)
                & keras.ops.convert_to_numpy(kernel.mask)
                for kernel in self._kernels
            ]
            self._set_masks(step, masks, sparsity=float(sparsity))

    def _check_kernels(self) -> None:
        """Tries structured masks before training: tfmot refuses some kernels."""
        if self._options["block_size"] == (1, 1) and self._options["sparsity_m_by_n"] is None:
            return
        every_step = import_tfmot().sparsity.keras.ConstantSparsity(0.5, 1, frequency=1)
        for kernel in self._kernels:
            try:
                tfmot_mask(kernel.values, 1, every_step, **self._options)
            except ValueError as error:
                raise ValueError(
                    f"tfmot cannot prune layer {kernel.path!r}, whose kernel has the shape "
                    f"{kernel.shape}, with {self._options}; leave it out by `layers`. ({error})"
                ) from error


def _check_schedule(schedule: Any, expected: type) -> None:
    if not isinstance(schedule, expected):
        raise TypeError(
            "`schedule` must be a `PruningSchedule` of tfmot, such as `ConstantSparsity(0.9, begin_step=1)`, or None "
            f"with `sparsity_m_by_n`; received {schedule!r}."
        )
    first, last = (getattr(schedule, f"{name}_sparsity", None) for name in ("initial", "final"))
    if first is not None and last is not None and first > last:
        raise ValueError(
            "`schedule` must not let the sparsity fall: weights that were removed do not return; received "
            f"`initial_sparsity` {first} and `final_sparsity` {last}."
        )


def _check_blocks(block_size: Sequence[int], pooling: str) -> None:
    if len(block_size) != 2 or any(not isinstance(side, int) or side < 1 for side in block_size):
        raise ValueError(f"`block_size` must be two whole numbers of at least 1; received {block_size}.")
    if pooling not in ("AVG", "MAX"):
        raise ValueError(f"`block_pooling_type` must be 'AVG' or 'MAX'; received {pooling!r}.")


def _check_m_by_n(m_by_n: Sequence[int], schedule: Any, block_size: Sequence[int]) -> None:
    if len(m_by_n) != 2 or any(not isinstance(count, int) for count in m_by_n) or not 0 < m_by_n[0] < m_by_n[1]:
        raise ValueError(
            f"`sparsity_m_by_n` must be whole numbers 0 < m < n, for m zeros in every n; received {m_by_n}."
        )
    if schedule is not None or tuple(block_size) != (1, 1):
        raise ValueError(
            "`sparsity_m_by_n` goes with neither `schedule` nor `block_size`, for tfmot sets such masks once, at the "
            f"step after `first_step`; received `schedule` {schedule!r} and `block_size` {tuple(block_size)}."
        )
