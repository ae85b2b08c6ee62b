"""Rescaled initial weights: GradInit, one learned scale for each weight tensor, for masked networks."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd

from keras_sparseflow.checks import check_number
from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.training.tost.first_step import FirstStep, StepOutcome
from keras_sparseflow.training.tost.half_batches import half_new_pairs
from keras_sparseflow.training.tost.loss_at import LossAt

Row = dict[str, Any]

_EPSILON = 1e-6
"""Adam's epsilon. Some scales have no effect, such as that of a bias before BatchNorm; with the usual 1e-8 the rounding
errors in their slopes would make whole steps."""


@dataclass(frozen=True)
class Rescaling:
    """The scales that `rescale_init` has learned, and how.

    Args:
        scales: the factor of each weight tensor, by path, such as `hidden/kernel`.
        history: a dict for each iteration with `iteration`, `objective` ("norm" or "loss"), its `value` before the
            iteration's step, and `grad_norm`, the 2-norm of the gradient then.

    Example:
        >>> row = {"iteration": 0, "objective": "loss", "value": 2.3, "grad_norm": 0.5}
        >>> done = Rescaling({"hidden/kernel": 0.8}, [row])
        >>> done.to_frame().columns.tolist()
        ['iteration', 'objective', 'value', 'grad_norm']
    """

    scales: dict[str, float]
    history: list[Row]

    def to_frame(self) -> pd.DataFrame:
        """Returns the history as a DataFrame."""
        return pd.DataFrame(self.history, columns=["iteration", "objective", "value", "grad_norm"])


def rescale_init(
    model: keras.Model,
    data: Any,
    loss: Any = None,
    iterations: int = 180,
    learning_rate: float = 1e-2,
    gamma: float = 1.0,
    eta: float = 0.1,
    min_scale: float = 0.01,
    batch_size: int = 128,
    training: bool = True,
    seed: int = 0,
    progress: Callable[[Mapping[str, Any]], None] | None = None,
) -> Rescaling:
    """Multiplies each weight tensor of a model by a learned scale, so that a first training step lowers the loss most.

    Every trained tensor (kernels, biases, BatchNorm's gamma and beta) has one scale, which starts at 1. In each
    iteration g is the gradient of a batch's loss with respect to the scaled weights. If ||g||_2 > `gamma`, the scales
    take a step that lowers this norm; else one that lowers the loss after a trial step of length `eta` along
    -g / ||g||_2, on a batch of which half is new. Masked entries take no part: they are zero in g, in its norm and in
    the trial step, and stay zero in the model. Only trained weights change, and only at the end.

    Args:
        model: built, with masked or stock layers; compiled or not.
        data: arrays `(x, y)` or `(x, y, sample_weight)`, from which batches are drawn by the seed; or a
            `tf.data.Dataset` of at least two batches, taken in its own order, again from its beginning when it ends.
        loss: as for `keras_sparseflow.masks.loss_gradients`: None for the model's compiled one, else cross-entropy
            of logits. Weight regularisers take no part.
        iterations: at least 1.
        learning_rate: above 0, of the scales.
        gamma: above 0, the largest norm of the gradient that is not lowered.
        eta: above 0, the length of the trial step, in the space of all weights.
        min_scale: in (0, 1], no scale falls below it.
        batch_size: at least 2, for arrays, which must hold one and a half batches.
        training: whether layers such as BatchNorm and dropout run in training mode.
        seed: int, at least 0, seed of the draws from arrays.
        progress: called after each iteration with its row of the history.

    Raises:
        ValueError: an argument is out of its range, there are too few examples, or in some iteration the gradient is
            zero, or a norm or loss not finite. The model is then unchanged.

    Example:
        >>> keras.utils.set_random_seed(0)
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, use_bias=False, name="output")])
        >>> images, labels = np.eye(4, dtype="float32").repeat(3, axis=0), np.arange(12) % 3
        >>> done = rescale_init(model, (images, labels), iterations=3, batch_size=8)
        >>> list(done.scales), len(done.history)
        (['output/kernel'], 3)

    References:
        Zhu et al. 2021, GradInit: Learning to Initialize Neural Networks for Stable and Efficient Training, algorithm
        1; Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, section 2.3 (LRsI). Scales
        are trained by Adam, as in the authors' code. Unlike there, each objective has its own moments, and the trial
        step is differentiated through g, which that code takes for a constant.
    """
    check_tensorflow("rescale_init")
    _check(iterations, learning_rate, gamma, eta, min_scale)
    pairs = half_new_pairs(data, batch_size, seed)
    loss_at = LossAt(model, loss, training=training)
    first_step = FirstStep(loss_at, gamma, eta)
    scales = np.ones(len(loss_at.weights))
    moments = {"norm": _Adam(learning_rate), "loss": _Adam(learning_rate)}
    history: list[Row] = []
    # GradInit bounds the gradient's norm by gamma first: with an exploding gradient the loss after one step of fixed
    # length does not tell good scales from bad ones. The two objectives differ in unit and size, so each has its own
    # moments of Adam; shared ones would make wrong steps after each switch. Weights are assigned after the loop, so
    # that an error leaves the model as it was.
    for iteration in range(iterations):
        outcome = first_step(scales, *next(pairs))
        _check_outcome(outcome, iteration)
        scales = np.maximum(scales - moments[outcome.objective].step(outcome.slope), min_scale)
        history.append(
            {
                "iteration": iteration,
                "objective": outcome.objective,
                "value": outcome.value,
                "grad_norm": outcome.grad_norm,
            }
        )
        if progress is not None:
            progress(history[-1])
    for weight, scale in zip(loss_at.weights.values(), scales, strict=True):
        weight.variable.assign(weight.variable * keras.ops.cast(scale, weight.variable.dtype))
    return Rescaling(dict(zip(loss_at.weights, map(float, scales), strict=True)), history)


class _Adam:
    """Adam in float64, for the scales.

    References:
        Kingma, Ba 2015, Adam: A Method for Stochastic Optimization, algorithm 1, with its constants but epsilon.
    """

    def __init__(self, learning_rate: float):
        self._learning_rate = learning_rate
        self._mean, self._square, self._steps = np.zeros(()), np.zeros(()), 0

    def step(self, gradient: np.ndarray) -> np.ndarray:
        """Returns the step to subtract from the scales."""
        self._steps += 1
        self._mean = 0.9 * self._mean + 0.1 * gradient
        self._square = 0.999 * self._square + 0.001 * gradient**2
        mean, square = self._mean / (1 - 0.9**self._steps), self._square / (1 - 0.999**self._steps)
        return self._learning_rate * mean / (np.sqrt(square) + _EPSILON)


def _check(iterations: int, learning_rate: float, gamma: float, eta: float, min_scale: float) -> None:
    check_number("iterations", iterations, whole=True, minimum=1)
    for name, value in {"learning_rate": learning_rate, "gamma": gamma, "eta": eta}.items():
        check_number(name, value, above=0)
    check_number("min_scale", min_scale, above=0, maximum=1)


def _check_outcome(outcome: StepOutcome, iteration: int) -> None:
    if outcome.grad_norm == 0:
        raise ValueError(
            f"The gradient of the active weights is zero in iteration {iteration}, so there is no trial step. The "
            "model is unchanged. Look for a layer without active weights, or with activations that are all zero."
        )
    if not (math.isfinite(outcome.value) and np.isfinite(outcome.slope).all()):
        raise ValueError(
            f"The objective or its slope is not finite in iteration {iteration} (value {outcome.value}, norm of the "
            f"gradient {outcome.grad_norm}). The model is unchanged. Try a smaller `learning_rate` or `eta`."
        )
