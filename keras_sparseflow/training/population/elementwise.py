"""Trials of optimizers, activations and flow measures: which ones can stacked and padded networks have?"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_sparseflow.flow.measures import FlowMeasure
from keras_sparseflow.training.schedules import Scheduled, constant

OptimizerFactory = Callable[..., keras.optimizers.Optimizer]
"""Function of `learning_rate`, a float or a schedule, that returns an optimizer which is not built yet."""

_STEPS = 3
_KERNEL = (2, 3)
_RATES = (0.1, 0.02)


# A stack keeps a weight tensor of all its networks in one variable. An optimizer can train it only if each weight's
# step depends on that weight alone: Lamb's and Muon's norms over a tensor would mix the networks and silently change
# their results. No attribute of an optimizer says so, hence this trial, which also works for optimizers of plugins.
def why_not_elementwise(factory: OptimizerFactory) -> str | None:
    """Returns why an optimizer can't train stacked networks, or None if it can.

    Two kernels are trained for a few steps, stacked with two learning rates and each alone, and must agree. Clipping
    might not set in at the scale of these gradients, so it is looked for by name.

    Args:
        factory: makes the optimizer.

    Example:
        >>> why_not_elementwise(keras.optimizers.Adam) is None
        True
        >>> why_not_elementwise(keras.optimizers.Lamb)
        'its step of a weight depends on other weights'
    """
    optimizer = factory(learning_rate=_RATES[0])
    for attribute in ("clipnorm", "global_clipnorm"):
        if getattr(optimizer, attribute, None) is not None:
            return f"its `{attribute}` is a norm over a whole tensor, which would hold several networks"
    for attribute in ("use_ema", "loss_scale_factor"):
        if getattr(optimizer, attribute, None):
            return f"`{attribute}` is not supported when networks are stacked"
    rng = np.random.default_rng(0)
    start = rng.normal(size=(2, *_KERNEL)).astype("float32")
    gradients = (10.0 ** rng.uniform(-3, 1, (_STEPS, 2, *_KERNEL)) * rng.choice([-1, 1], (_STEPS, 2, *_KERNEL))).astype(
        "float32"
    )
    rates = Scheduled(np.reshape(_RATES, (-1, 1)), constant, _STEPS)
    try:
        stacked = _trained(factory(learning_rate=rates), start.reshape(2, -1), gradients)
    except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
        return f"it does not take stacked weights, each member with its own learning rate ({type(error).__name__})"
    for member, rate in enumerate(_RATES):
        alone = _trained(factory(learning_rate=rate), start[member], gradients[:, member])
        if not np.allclose(stacked[member], alone.ravel(), rtol=1e-5, atol=1e-7):
            return "its step of a weight depends on other weights"
    return None


def why_not_unitwise(make_layer: Callable[[], keras.layers.Layer]) -> str | None:
    """Returns why a network with this activation can't be padded with units, or None if it can.

    The values of six units must be the same with and without two more units.

    Args:
        make_layer: makes the activation's layer.

    Example:
        >>> why_not_unitwise(keras.layers.ReLU) is None
        True
        >>> why_not_unitwise(keras.layers.Softmax)
        'the value of a unit depends on other units, so the padding of narrower networks would change it'
    """
    units = tf.constant(np.random.default_rng(0).normal(size=(4, 6)), tf.float32)
    padded = make_layer()(tf.pad(units, ((0, 0), (0, 2))))[:, :6]
    if np.allclose(padded, make_layer()(units), rtol=1e-6):
        return None
    return "the value of a unit depends on other units, so the padding of narrower networks would change it"


def why_not_unpadded(measure: FlowMeasure) -> str | None:
    """Returns why a measure of gradient flow can't be taken of a padded network, or None if it can.

    Its value for a kernel must be the same with and without padding, masked and not.

    Args:
        measure: the flow measure.

    Example:
        >>> from keras_sparseflow.flow import MEASURES
        >>> why_not_unpadded(MEASURES.get("egf_2")) is None
        True
    """
    rng = np.random.default_rng(0)
    gradient, mask = rng.normal(size=(4, 3)).astype("float32"), rng.random((4, 3)) < 0.5
    padding = ((0, 2), (0, 1))
    padded = np.pad(gradient, padding)
    for own, with_padding in (
        (tf.constant(mask), np.pad(mask, padding)),
        (None, np.pad(np.ones_like(mask), padding)),
    ):
        value = measure.per_layer(tf.constant(gradient), own)
        if not np.allclose(measure.per_layer(tf.constant(padded), tf.constant(with_padding)), value, rtol=1e-5):
            return "its value depends on the size of a kernel, so the padding of narrower networks would change it"
    return None


def slots_per_weight(factory: OptimizerFactory) -> int:
    """Returns how many numbers an optimizer keeps for each weight: 0 for SGD, 2 for Adam.

    Args:
        factory: makes the optimizer.

    Example:
        >>> slots_per_weight(keras.optimizers.SGD), slots_per_weight(keras.optimizers.Adam)
        (0, 2)
    """
    optimizer = factory(learning_rate=_RATES[0])
    kernel = keras.Variable(np.zeros(_KERNEL, "float32"), name="kernel")
    optimizer.build([kernel])
    return sum(tuple(variable.shape) == _KERNEL for variable in optimizer.variables)


def _trained(optimizer: keras.optimizers.Optimizer, start: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Returns a kernel after one step with each of the gradients."""
    kernel = keras.Variable(start, name="kernel")
    optimizer.build([kernel])
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient.reshape(start.shape))], [kernel])
    return keras.ops.convert_to_numpy(kernel)
