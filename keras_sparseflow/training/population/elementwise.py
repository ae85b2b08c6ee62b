"""Whether networks can be stacked: what moves each weight by itself, and what does not see padding."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_sparseflow.flow.measures import FlowMeasure
from keras_sparseflow.training.schedules import Scheduled, constant

OptimizerFactory = Callable[..., keras.optimizers.Optimizer]
"""Called with `learning_rate=`, a float or a schedule, gives an optimizer that is not built yet."""

_STEPS = 3
_KERNEL = (2, 3)
_RATES = (0.1, 0.02)


def why_not_elementwise(factory: OptimizerFactory) -> str | None:
    """Returns why an optimizer can't train stacked networks, or None if it can.

    It is tried: two kernels are trained a few steps, stacked at two learning rates and each alone. That
    they agree is no proof for gradients of another scale, so norms that clip are looked for by name.

    Args:
        factory: makes the optimizer.

    Example:
        >>> why_not_elementwise(keras.optimizers.Adam) is None
        True
        >>> why_not_elementwise(keras.optimizers.Lamb)
        "it moves a weight by more than the weight's own gradients"
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
            return "it moves a weight by more than the weight's own gradients"
    return None


def why_not_unitwise(make_layer: Callable[[], keras.layers.Layer]) -> str | None:
    """Returns why a network with this activation can't be padded with units, or None if it can.

    It is tried: the values of six units with and without two more beside them.

    Args:
        make_layer: makes the activation's layer.

    Example:
        >>> why_not_unitwise(keras.layers.ReLU) is None
        True
        >>> why_not_unitwise(keras.layers.Softmax)
        'the value of a unit depends on other units, and narrower networks are padded with units that are not there'
    """
    units = tf.constant(np.random.default_rng(0).normal(size=(4, 6)), tf.float32)
    padded = make_layer()(tf.pad(units, ((0, 0), (0, 2))))[:, :6]
    if np.allclose(padded, make_layer()(units), rtol=1e-6):
        return None
    return "the value of a unit depends on other units, and narrower networks are padded with units that are not there"


def why_not_unpadded(measure: FlowMeasure) -> str | None:
    """Returns why a measure of gradient flow can't be taken of a padded network, or None if it can.

    It is tried: a kernel with and without rows and columns that are not there, masked and not.

    Args:
        measure: to try.

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
            return "its value depends on the size of a kernel, and narrower networks are padded"
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
