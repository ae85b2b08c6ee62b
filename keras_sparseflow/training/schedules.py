"""Learning rates over a training run."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_sparseflow.checks import check_number

Factor = Callable[[tf.Tensor], tf.Tensor]
"""Function from progress, the share of all steps that are done, in [0, 1), to the factor of the learning rate."""


def constant(progress: tf.Tensor) -> tf.Tensor:
    """Returns 1.

    Args:
        progress: float tensor, the share of the training that is done, in [0, 1].

    Example:
        >>> constant(tf.constant([0.0, 0.5])).numpy().tolist()
        [1.0, 1.0]
    """
    return tf.ones_like(progress)


def cosine(progress: tf.Tensor) -> tf.Tensor:
    """Returns half a cosine, from 1 down to 0 (Loshchilov & Hutter 2017, without restarts).

    Args:
        progress: float tensor, the share of the training that is done, in [0, 1].

    Example:
        >>> cosine(tf.constant([0.0, 0.5, 1.0])).numpy().round(3).tolist()
        [1.0, 0.5, 0.0]
    """
    return (1 + tf.cos(np.pi * progress)) / 2


def step(progress: tf.Tensor) -> tf.Tensor:
    """Returns 1 in the first half of training, 0.1 up to three quarters and 0.01 after (He et al. 2016).

    Args:
        progress: float tensor, the share of the training that is done, in [0, 1].

    Example:
        >>> step(tf.constant([0.0, 0.5, 0.75])).numpy()
        array([1.  , 0.1 , 0.01], dtype=float32)
    """
    return tf.where(progress < 0.5, 1.0, tf.where(progress < 0.75, 0.1, 0.01))


def wide_resnet(progress: tf.Tensor) -> tf.Tensor:
    """Returns 1, multiplied by 0.2 at 0.3, 0.6 and 0.8 of training: epochs 60, 120 and 160 of 200.

    Args:
        progress: float tensor, the share of the training that is done, in [0, 1].

    Example:
        >>> wide_resnet(tf.constant([0.0, 0.3, 0.6, 0.8])).numpy().round(4)
        array([1.   , 0.2  , 0.04 , 0.008], dtype=float32)

    References:
        Zagoruyko & Komodakis 2016, Wide Residual Networks, on CIFAR.
    """
    drops = sum(tf.cast(progress >= share, tf.float32) for share in (0.3, 0.6, 0.8))
    return 0.2**drops


class Scheduled(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that follows a schedule over a training of known length.

    Args:
        rate: learning rate above 0 that the schedule scales, or an array of them.
        factor: see `Factor`.
        steps: steps of the whole training, at least 1.
        first_step: the optimizer's first step, counted from 0 in the whole training.

    Example:
        >>> round(float(Scheduled(0.1, cosine, steps=100)(50)), 6)
        0.05
    """

    def __init__(self, rate: Any, factor: Factor, steps: int, first_step: int = 0):
        self._rate, self._factor = np.asarray(rate, "float32"), factor
        if not (np.isfinite(self._rate) & (self._rate > 0)).all():
            raise ValueError(f"`rate` must be above 0 and finite; received {rate}.")
        self._steps = check_number("steps", steps, whole=True, minimum=1)
        self._first_step = check_number("first_step", first_step, whole=True, minimum=0)

    def __call__(self, step: Any) -> tf.Tensor:
        """Returns the learning rates at a step of the optimizer, counted from 0, in the shape of `rate`."""
        return self._rate * self._factor((tf.cast(step, tf.float32) + self._first_step) / self._steps)

    def get_config(self) -> dict[str, Any]:
        own = {"factor": self._factor, "steps": self._steps, "first_step": self._first_step}
        return {"rate": self._rate.tolist(), **own}
