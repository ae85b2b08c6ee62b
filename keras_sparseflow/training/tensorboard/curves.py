"""Curves of activation functions and of their derivatives."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import tensorflow as tf

from keras_sparseflow.models.keras_network import activation_layer


def activation_curves(names: Sequence[str], low: float = -5.0, high: float = 5.0, points: int = 401) -> pd.DataFrame:
    """Returns activation functions and their derivatives at evenly spread inputs.

    Values come from the layers that networks are built of, derivatives from automatic differentiation: at a
    kink the derivative is the one that training uses (0 for ReLU at 0). Parameters of an activation have
    their initial values. Each input is one unit by itself, so an activation over several units, such as
    softmax, is flat.

    Args:
        names: in `keras_sparseflow.layers.activations.ACTIVATIONS`, each once.
        low: the smallest input.
        high: the largest input, above `low`.
        points: number of inputs, at least 2; the default gives steps of 0.025.

    Returns:
        A DataFrame with the columns `activation`, `x`, `value` and `derivative`, `points` rows for each
        name, in the order of `names`.

    Raises:
        ValueError: no name, an unknown or repeated one, or an empty range.

    Example:
        >>> activation_curves(["relu"], low=-1, high=1, points=2)["derivative"].tolist()
        [0.0, 1.0]

    References:
        Tessera, Hooker, Rosman 2021, figure 14.
    """
    names = list(names)
    if not names or len(set(names)) < len(names):
        received = ", ".join(names) or "none"
        raise ValueError(f"`names` must name at least one activation, and each once; received {received}.")
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(f"`low` must be below `high`, both finite; received {low} and {high}.")
    if points < 2:
        raise ValueError(f"`points` must be at least 2; received {points}.")
    inputs = np.linspace(low, high, points)
    columns = ["activation", "x", "value", "derivative"]
    curves = [pd.DataFrame(dict(zip(columns, (name, inputs, *_curve(name, inputs)), strict=True))) for name in names]
    return pd.concat(curves, ignore_index=True)


def _curve(name: str, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    layer = activation_layer(name)
    units = tf.constant(inputs[:, np.newaxis], dtype=layer.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(units)
        values = layer(units)
    derivatives = tape.gradient(values, units, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return values.numpy()[:, 0].astype(float), derivatives.numpy()[:, 0].astype(float)
