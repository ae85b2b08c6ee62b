"""The callback that lets ghosts fade while a network trains."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.ghost import GhostActivation, GhostSkip, ghosts_of
from keras_sparseflow.plugins import unknown_name
from keras_sparseflow.training.counting import batches_done, batches_per_step, steps_done

_ALPHAS: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
    "linear": lambda progress: 1 - progress,
}


class GhostSchedule(keras.callbacks.Callback):
    """Lets ghost activations become ReLU and ghost skips vanish, exactly, at a chosen epoch or step of `fit`.

    Until then `beta` grows geometrically and `alpha` falls along half a cosine, or a line, with each step of the
    optimizer; from then on every `beta` is infinite and every `alpha` 0, and what is left of the training is that of
    the original architecture, which `strip_ghosts` exports. The last step before the end already leaves them so:
    validation after it sees no ghosts. Activations that were made with an infinite `beta` are left alone.

    It works in any Keras model, on one device or under `MirroredStrategy`. Steps follow the optimizer's iterations: a
    training that is resumed goes on where it was. Where several steps are one execution, values change between
    executions.

    Args:
        end_epoch: the first epoch without ghosts, counted from 0, at least 1. ToST's is that of the first
            decay of the learning rate.
        end_step: in place of it, how many steps of the optimizer have ghosts, at least 1.
        beta: of the first step, and what it comes near to at the end; both above 0.
        alpha: "cosine" or "linear".
        first_step: iterations that the optimizer has done when step 0 is.

    Attributes:
        rows: list of dicts, one for each epoch, with `epoch`, the optimizer's steps that are done (`step`), and the
            `beta` and `alpha` that these have led to.

    Raises:
        ValueError: arguments out of range; when `fit` begins: no ghosts, epochs whose length Keras does not know, or
            a schedule that is over although ghosts are there.

    Example:
        >>> schedule = GhostSchedule(end_epoch=90)
        >>> [tuple(round(value, 3) for value in schedule.values_at(progress)) for progress in (0, 0.25, 0.5, 1)]
        [(1.0, 1.0), (2.659, 0.854), (7.071, 0.5), (inf, 0.0)]

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, section 2.2. It says that beta
        grows and alpha falls; how, and the 50, are ours.
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
            if end is not None and end < 1:
                raise ValueError(f"`{name}` must be at least 1; received {end}.")
        if len(beta) != 2 or not all(0 < each < math.inf for each in beta):
            raise ValueError(f"`beta` must be two numbers above 0, its first and its last; received {beta}.")
        if alpha not in _ALPHAS:
            raise unknown_name("schedule of `alpha`", alpha, list(_ALPHAS))
        if first_step < 0:
            raise ValueError(f"`first_step` must be at least 0; received {first_step}.")
        self.rows: list[dict[str, Any]] = []
        self._end_epoch, self._end_step, self._first_step = end_epoch or 0, end_step, first_step
        self._betas, self._alpha_at = beta, _ALPHAS[alpha]
        self._now = (math.nan, math.nan)
        self._epoch = self._batches_before = 0

    def values_at(self, progress: float) -> tuple[float, float]:
        """Returns beta and alpha after a share of the ghosts' time, 0 at its beginning and 1 at its end."""
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
        # Read now, for a callback may have restored a training in `on_train_begin`.
        self._epoch, self._batches_before = epoch, batches_done(self.model)
        if math.isnan(self._now[0]):
            self._check_not_over()
        self._update(batches_of_epoch=0)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._update(batches_of_epoch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.rows.append({"epoch": epoch, "step": steps_done(self.model), "beta": self._now[0], "alpha": self._now[1]})

    def _update(self, batches_of_epoch: int) -> None:
        """Gives the ghosts the values of the next step."""
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
        # The optimizer does not count steps that a loss scale drops: the epoch itself may be ahead.
        if self._epoch + batches_of_epoch // self.params["steps"] >= self._end_epoch:
            return 1.0
        return done * a_step / (self._end_epoch * self.params["steps"])

    def _check_not_over(self) -> None:
        """Refuses to make ghosts vanish at once that have not faded."""
        live = [ghost for ghost in ghosts_of(self.model) if ghost.is_ghost]
        if live and self._progress(batches_of_epoch=0) >= 1:
            steps = self._batches_before // batches_per_step(self.model)
            raise ValueError(
                f"The schedule is over before epoch {self._epoch}, in which the optimizer has done {steps} steps, but "
                f"{len(live)} ghosts have not faded: let it end later, or pass first_step={steps}."
            )


def _assigning(model: keras.Model) -> Callable[[tf.Tensor, tf.Tensor], None]:
    """Returns what gives all ghosts of a model a beta and an alpha, in one call to TensorFlow."""
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
