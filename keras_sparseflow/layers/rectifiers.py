"""Rectifiers whose slopes and thresholds are learned, one set for each unit."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_sparseflow")
class PReLU(keras.layers.Layer):
    """Parametric rectifier: x above 0, and x times a slope below 0; each unit learns its slope.

    Args:
        slope: initial slope of every unit; any number.
        **options: arguments of `keras.layers.Layer`.

    Example:
        >>> PReLU(slope=0.5)(ops.array([[-2.0, 3.0]])).numpy().tolist()
        [[-1.0, 3.0]]

    References:
        He et al. 2015, Delving Deep into Rectifiers, also for the initial slope of 0.25.
    """

    def __init__(self, slope: float = 0.25, **options: Any):
        super().__init__(**options)
        self.slope = float(slope)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._slope = _per_unit(self, "slope", input_shape, self.slope)

    def call(self, inputs: Any) -> Any:
        return ops.where(inputs > 0, inputs, self._slope * inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "slope": self.slope}


@keras.saving.register_keras_serializable("keras_sparseflow")
class SReLU(keras.layers.Layer):
    """S-shaped rectifier: x between two thresholds, and a line of another slope beyond each; each unit learns all four.

    Where a unit's thresholds have crossed and both lines apply, the right line is taken.

    Args:
        right_threshold: initial t_r; from t_r upwards the value is t_r + a_r (x - t_r).
        right_slope: initial a_r.
        left_threshold: initial t_l; from t_l downwards the value is t_l + a_l (x - t_l).
        left_slope: initial a_l.
        **options: arguments of `keras.layers.Layer`.

    Example:
        >>> layer = SReLU(right_threshold=1, right_slope=0.5, left_threshold=0, left_slope=0.25)
        >>> layer(ops.array([[-4.0, 0.5, 3.0]])).numpy().tolist()
        [[-1.0, 0.5, 2.0]]

    References:
        Jin et al. 2015, Deep Learning with S-shaped Rectified Linear Activation Units, eq. 1.
        Tessera et al. 2021 leave the initial values open; t_r = 1, a_r = 1, t_l = 0, a_l = 0.2 are ours.
    """

    def __init__(
        self,
        right_threshold: float = 1.0,
        right_slope: float = 1.0,
        left_threshold: float = 0.0,
        left_slope: float = 0.2,
        **options: Any,
    ):
        super().__init__(**options)
        self.starts = {
            "right_threshold": float(right_threshold),
            "right_slope": float(right_slope),
            "left_threshold": float(left_threshold),
            "left_slope": float(left_slope),
        }

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        # Not named `_parameters`: on PyTorch layers are modules, which use that name themselves.
        self._learned = [_per_unit(self, name, input_shape, start) for name, start in self.starts.items()]

    def call(self, inputs: Any) -> Any:
        right, right_slope, left, left_slope = self._learned
        below = left + left_slope * (inputs - left)
        above = right + right_slope * (inputs - right)
        return ops.where(inputs >= right, above, ops.where(inputs <= left, below, inputs))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.starts}


def _per_unit(
    layer: keras.layers.Layer, name: str, input_shape: tuple[int | None, ...], start: float
) -> keras.Variable:
    """Adds a trainable vector to a layer, one entry for each unit of the last axis, and returns it."""
    initializer = keras.initializers.Constant(start)
    return layer.add_weight(shape=(input_shape[-1],), initializer=initializer, name=name)
