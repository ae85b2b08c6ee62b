"""GradInit's objective: the effect of a first gradient step, as a function of scales of a network's weights."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_sparseflow.masks.scores.examples import Batch
from keras_sparseflow.masks.scores.tracing import graph_function
from keras_sparseflow.training.tost.loss_at import LossAt


@dataclass(frozen=True)
class StepOutcome:
    """GradInit's objective at given scales.

    Args:
        objective: "norm" where the norm of the gradient is above gamma, else "loss".
        value: the norm, or the loss after a trial step.
        grad_norm: the 2-norm of the gradient of all active weights, before any step.
        slope: the gradient of the value with respect to the scales, shape `(scales,)`, in float64.
    """

    objective: str
    value: float
    grad_norm: float
    slope: np.ndarray


class FirstStep:
    """GradInit's objective, a function of one scale for each weight tensor of a model.

    Let w be the scaled weights, and g the gradient of a batch's loss at w, zero where a mask is False. If
    ||g||_2 > gamma, the objective is that norm; else it is the loss of another batch at w - eta * g / ||g||_2.

    Args:
        loss: loss of the model; scales are in the order of `loss.weights`.
        gamma: above 0, the largest norm of the gradient that the trial step is taken with.
        eta: above 0, the length of the trial step.
    """

    def __init__(self, loss: LossAt, gamma: float, eta: float):
        self._loss, self._gamma, self._eta = loss, gamma, eta
        doubles = any(weight.variable.dtype == "float64" for weight in loss.weights.values())
        self._dtype = tf.float64 if doubles else tf.float32
        self._compiled = graph_function(self._outcome)

    def __call__(self, scales: np.ndarray, batch: Batch, trial_batch: Batch) -> StepOutcome:
        """Returns the objective at these scales, of shape `(weights,)`."""
        above, value, norm, slope = self._compiled(tf.convert_to_tensor(scales, self._dtype), batch, trial_batch)
        return StepOutcome("norm" if above else "loss", float(value), float(norm), slope.numpy().astype(np.float64))

    # A scale changes the objective in two ways: by the weights, and by the gradient g at these weights. The tape
    # therefore also records how g is computed, and the slope has second derivatives of the loss. If g were a constant,
    # its norm would have no slope at all. `tf.cond` runs the trial step, a further forward pass, only where it is the
    # objective.
    def _outcome(self, scales: tf.Tensor, batch: Batch, trial_batch: Batch) -> list[tf.Tensor]:
        weights = self._loss.values()

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(scales)
            at = [weight * tf.cast(scales[place], weight.dtype) for place, weight in enumerate(weights)]
            gradients = self._loss.gradients(at, batch)
            norm = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(tf.cast(g, self._dtype))) for g in gradients]))

            def trial_loss() -> tf.Tensor:
                length = self._eta / norm
                moved = [w - tf.cast(length, w.dtype) * g for w, g in zip(at, gradients, strict=True)]
                return tf.cast(self._loss(moved, trial_batch), self._dtype)

            above = norm > self._gamma
            value = tf.cond(above, lambda: norm, trial_loss)
        slope = tape.gradient(value, scales, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [above, value, norm, tf.convert_to_tensor(slope)]
