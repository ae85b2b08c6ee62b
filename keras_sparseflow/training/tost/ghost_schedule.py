"""A callback that fades ghosts out while a network trains."""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from keras_sparseflow.checks import check_number
from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.ghost import GhostActivation, GhostSkip, ghosts_of
from keras_sparseflow.plugins import unknown_name
from keras_sparseflow.training.counting import batches_done, batches_per_step, steps_done

_ALPHAS: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
    "linear": lambda progress: 1 - progress,
    "constant": lambda progress: 1.0,
}


class GhostSchedule(keras.callbacks.Callback):
    """Turns ghost activations into ReLU and removes ghost skips, exactly, by a chosen epoch or step of `fit`.

    Until then `beta` grows geometrically and `alpha` falls along half a cosine, or a line, with each step of the
    optimizer. From then on every `beta` is infinite and every `alpha` 0: the original architecture trains on, which
    `strip_ghosts` exports. The last step with ghosts already sets these values, so validation after it sees none.
    Activations that were made with an infinite `beta` do not change.

    It works in any Keras model, on one device or under `MirroredStrategy`. Steps are the optimizer's iterations, so a
    resumed training goes on where it was. With `steps_per_execution` above 1, values change between executions.

    Args:
        end_epoch: the first epoch without ghosts, counted from 0, at least 1. In ToST it is the epoch of the first
            decay of the learning rate.
        end_step: instead of `end_epoch`, the number of optimizer steps with ghosts, at least 1.
        beta: value at the first step, and the value that it approaches at the end; both above 0.
        alpha: "cosine", "linear", or "constant" for skips that stay whole until they are removed at once; with equal
            values of `beta`, so do soft activations.
        first_step: iterations of the optimizer before the schedule begins.

    Attributes:
        rows: list of dicts, one for each epoch, with `epoch`, `step` (the optimizer's steps so far), and `beta` and
            `alpha` at its end.

    Raises:
        ValueError: arguments out of range; when `fit` begins: no ghosts, epochs of unknown length, or a schedule that
            has ended although ghosts are left.

    Example:
        >>> schedule = GhostSchedule(end_epoch=90)
        >>> [tuple(round(value, 3) for value in schedule.values_at(progress)) for progress in (0, 0.25, 0.5, 1)]
        [(1.0, 1.0), (2.659, 0.854), (7.071, 0.5), (inf, 0.0)]

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, section 2.2. It says only
        that beta grows and alpha falls; the curves and the 50 are ours.
    """

    columns: ClassVar[tuple[str, ...]] = ("epoch", "step", "beta", "alpha")

    def __init__(
        self,
        end_epoch: int | None = None,
        *,
        end_step: int | None = None,
        beta: tuple[float, float] = (1.0, 50.0),
        alpha: str = "cosine",
        first_step: int = 0,
    ):
        super().__init__()
        check_tensorflow("GhostSchedule")
        if (end_epoch is None) == (end_step is None):
            raise ValueError(f"One of `end_epoch` and `end_step` must be given; received {end_epoch} and {end_step}.")
        for name, end in (("end_epoch", end_epoch), ("end_step", end_step)):
            if end is not None:
                check_number(name, end, whole=True, minimum=1)
        if not isinstance(beta, Sequence) or len(beta) != 2:
            raise ValueError(f"`beta` must be two numbers above 0, its first and its last; received {beta}.")
        for each in beta:
            check_number("beta", each, above=0)
        if alpha not in _ALPHAS:
            raise unknown_name("schedule of `alpha`", alpha, list(_ALPHAS))
        check_number("first_step", first_step, whole=True, minimum=0)
        self.rows: list[dict[str, Any]] = []
        self._end_epoch, self._end_step, self._first_step = end_epoch or 0, end_step, first_step
        self._betas, self._alpha_at = beta, _ALPHAS[alpha]
        self._now = (math.nan, math.nan)
        self._epoch = self._batches_before = 0

    def values_at(self, progress: float) -> tuple[float, float]:
        """Returns beta and alpha at a share of the schedule, 0 at its beginning and 1 at its end."""
        if progress >= 1:
            return math.inf, 0.0
        first, last = self._betas
        return first * (last / first) ** max(progress, 0), self._alpha_at(max(progress, 0))

    def to_frame(self) -> pd.DataFrame:
        """Returns the rows as a DataFrame."""
        return pd.DataFrame(self.rows, columns=list(self.columns))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if not ghosts_of(self.model):
            raise ValueError(
                f"GhostSchedule needs ghosts; model {self.model.name!r} has none. `ghostify(model)` puts them in."
            )
        if self._end_step is None and self.params.get("steps") is None:
            raise ValueError(
                "`end_epoch` needs epochs of known length: pass `steps_per_epoch` to `fit`, or give `end_step`."
            )
        self._assign = _assigning(self.model)
        self._now = (math.nan, math.nan)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # Read only now: another callback may restore a training in its `on_train_begin`.
        self._epoch, self._batches_before = epoch, batches_done(self.model)
        if math.isnan(self._now[0]):
            self._check_not_over()
        self._update(batches_of_epoch=0)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._update(batches_of_epoch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.rows.append({"epoch": epoch, "step": steps_done(self.model), "beta": self._now[0], "alpha": self._now[1]})

    def _update(self, batches_of_epoch: int) -> None:
        """Assigns the ghosts the values of the next step."""
        values = self.values_at(self._progress(batches_of_epoch))
        if values != self._now:
            with self.model.distribute_strategy.scope():
                self._assign(*(tf.constant(value, tf.float32) for value in values))
            self._now = values

    def _progress(self, batches_of_epoch: int) -> float:
        a_step = batches_per_step(self.model)
        done = (self._batches_before + batches_of_epoch) // a_step - self._first_step
        if self._end_step is not None:
            return done / self._end_step
        # The optimizer does not count steps that loss scaling skips, so the epoch may reach the end first.
        if self._epoch + batches_of_epoch // self.params["steps"] >= self._end_epoch:
            return 1.0
        return done * a_step / (self._end_epoch * self.params["steps"])

    def _check_not_over(self) -> None:
        """Raises ValueError if the schedule would remove ghosts at once that have not faded."""
        live = [ghost for ghost in ghosts_of(self.model) if ghost.is_ghost]
        if live and self._progress(batches_of_epoch=0) >= 1:
            steps = self._batches_before // batches_per_step(self.model)
            raise ValueError(
                f"The schedule is over before epoch {self._epoch}, for the optimizer has done {steps} steps, but "
                f"{len(live)} ghosts have not faded: let it end later, or pass first_step={steps}."
            )


def _assigning(model: keras.Model) -> Callable[[tf.Tensor, tf.Tensor], None]:
    """Returns a compiled function that assigns a beta and an alpha to all ghosts of a model."""
    ghosts = ghosts_of(model)
    betas = [ghost.beta for ghost in ghosts if isinstance(ghost, GhostActivation) and np.isfinite(ghost.first_beta)]
    alphas = [ghost.alpha for ghost in ghosts if isinstance(ghost, GhostSkip)]

    @tf.function
    def assign(beta: tf.Tensor, alpha: tf.Tensor) -> None:
        for variable in betas:
            variable.assign(beta)
        for variable in alphas:
            variable.assign(alpha)

    return assign
