"""Ghosts of ToST: soft activations and skip connections that fade away while a network trains."""

import abc
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_sparseflow.layers.branches import either


class GhostActivation(keras.layers.Layer, abc.ABC):
    """Base class of activations that tend to ReLU as `beta` grows, and are exactly ReLU at infinite `beta`.

    Their gradient is then exactly that of ReLU, too, even for infinite or NaN inputs.

    Args:
        beta: initial value in (0, inf]; infinite for a ReLU that `GhostSchedule` leaves alone.
        replaces: object that `strip_ghosts` restores: a serialized layer, the name of the layer that applied the
            activation itself, or None for a ReLU.
        **options: arguments of `keras.layers.Layer`.

    Attributes:
        beta: scalar float32 variable that is not trained.
    """

    def __init__(self, beta: float = 1.0, replaces: Mapping[str, Any] | str | None = None, **options: Any):
        super().__init__(**options)
        if not beta > 0:
            raise ValueError(f"`beta` must be in (0, inf]; received {beta}.")
        self.supports_masking = True
        self.first_beta = float(beta)
        self.replaces = replaces
        self.beta = _scalar(self, "beta", self.first_beta)
        self.built = True

    @property
    def is_ghost(self) -> bool:
        """True while the activation differs from ReLU."""
        return math.isfinite(ops.convert_to_numpy(self.beta))

    def call(self, inputs: Any) -> Any:
        beta = ops.cast(self.beta, inputs.dtype)
        return either(ops.isfinite(beta), self._smooth, lambda inputs, beta: ops.relu(inputs), inputs, beta)

    @abc.abstractmethod
    def _smooth(self, inputs: Any, beta: Any) -> Any:
        """Returns the activation at a finite beta."""

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta": self.first_beta, "replaces": self.replaces}


@keras.saving.register_keras_serializable("keras_sparseflow")
class GhostSwish(GhostActivation):
    """Swish x * sigmoid(beta x), or ReLU at infinite `beta`; see `GhostActivation` for the arguments.

    Example:
        >>> layer = GhostSwish()
        >>> print(layer(ops.array([-1.0, 2.0])).numpy().round(4))
        [-0.2689  1.7616]
        >>> _ = layer.beta.assign(float("inf"))
        >>> layer(ops.array([-1.0, 2.0])).numpy().tolist()
        [0.0, 2.0]

    References:
        Ramachandran et al. 2017, Searching for Activation Functions; Jaiswal et al. 2022, Training Your Sparse Neural
        Network Better with Any Mask, section 2.2 (GSw).
    """

    def _smooth(self, inputs: Any, beta: Any) -> Any:
        return inputs * ops.sigmoid(beta * inputs)


@keras.saving.register_keras_serializable("keras_sparseflow")
class GhostMish(GhostActivation):
    """Mish x * tanh(softplus(beta x)), or ReLU at infinite `beta`; see `GhostActivation` for the arguments.

    Example:
        >>> print(GhostMish()(ops.array([-1.0, 2.0])).numpy().round(4))
        [-0.3034  1.944 ]

    References:
        Misra 2019, Mish: A Self Regularized Non-Monotonic Activation Function, at beta 1. Jaiswal et al. 2022 do not
        say how their Mish becomes ReLU; here beta scales the input, as in Swish.
    """

    def _smooth(self, inputs: Any, beta: Any) -> Any:
        return inputs * ops.tanh(ops.softplus(beta * inputs))


@keras.saving.register_keras_serializable("keras_sparseflow")
class GhostSkip(keras.layers.Layer):
    """Adds alpha times the input of a layer to its output; at alpha 0 the output is unchanged, bit for bit.

    Call it on `[outputs, inputs]`; it trains no weight. The input is brought to the output's shape: edges on which the
    layer does not centre its kernel are cropped, strides become average pooling, and missing channels are zeros. At
    alpha 0 no value and no gradient passes, even from infinite or NaN inputs.

    Args:
        alpha: initial value in [0, 1].
        strides: the layer's strides, an int or one for each spatial axis.
        crop: positions that are cropped along each spatial axis before strides act, an int or one for each:
            (size - 1) * dilation for a convolution without padding, 0 for `padding="same"`.
        data_format: "channels_last" or "channels_first"; None for Keras' default.
        **options: arguments of `keras.layers.Layer`.

    Attributes:
        alpha: scalar float32 variable that is not trained.

    Raises:
        ValueError: `alpha` is out of range; at build, the output has fewer channels than the input, or the positions
            do not match.

    Example:
        >>> skip = GhostSkip(alpha=0.5)
        >>> skip([ops.array([[1.0, 1.0, 1.0]]), ops.array([[4.0, 2.0]])]).numpy().tolist()
        [[3.0, 2.0, 1.0]]

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, section 2.2 (GSk). The paper
        leaves unequal shapes open; the authors' code learns a 1x1 convolution with BatchNorm for each skip.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        strides: int | Sequence[int] = 1,
        crop: int | Sequence[int] = 0,
        data_format: str | None = None,
        **options: Any,
    ):
        super().__init__(**options)
        if not 0 <= alpha <= 1:
            raise ValueError(f"`alpha` must be in [0, 1]; received {alpha}.")
        self.first_alpha = float(alpha)
        self.strides = strides if isinstance(strides, int) else tuple(strides)
        self.crop = crop if isinstance(crop, int) else tuple(crop)
        self.data_format = keras.config.image_data_format() if data_format is None else data_format
        self.alpha = _scalar(self, "alpha", self.first_alpha)

    @property
    def is_ghost(self) -> bool:
        """True while the skip adds anything."""
        return bool(ops.convert_to_numpy(self.alpha) != 0)

    def build(self, input_shape: Any) -> None:
        outputs, inputs = map(tuple, input_shape)
        reached = self._pooled_shape(inputs)
        if not self._reaches(outputs, reached):
            raise ValueError(
                f"The skip {self.name!r} cannot reach an output of shape {outputs} from an input of shape {inputs} "
                f"with `strides` {self.strides} and `crop` {self.crop}: expected an output with the positions of "
                f"{reached} and at least as many channels."
            )
        channels = self._channel_axis(len(inputs))
        missing = outputs[channels] - inputs[channels]
        self._padding = [(0, missing if axis == channels else 0) for axis in range(len(inputs))]
        self.built = True

    def call(self, inputs: Any) -> Any:
        outputs, source = inputs
        alpha = ops.cast(self.alpha, outputs.dtype)
        return either(alpha != 0, self._added, lambda outputs, *_: outputs, outputs, source, alpha)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        own = {"alpha": self.first_alpha, "strides": self.strides, "crop": self.crop, "data_format": self.data_format}
        return {**super().get_config(), **own}

    def _added(self, outputs: Any, source: Any, alpha: Any) -> Any:
        return outputs + alpha * ops.pad(self._pool(self._cropped(source)), self._padding)

    def _channel_axis(self, rank: int) -> int:
        return 1 if self.data_format == "channels_first" and rank > 2 else rank - 1

    def _spatial_axes(self, rank: int) -> list[int]:
        return [axis for axis in range(1, rank) if axis != self._channel_axis(rank)]

    def _of_axes(self, values: int | Sequence[int], rank: int) -> dict[int, int]:
        axes = self._spatial_axes(rank)
        return dict(zip(axes, [values] * len(axes) if isinstance(values, int) else values, strict=True))

    def _reaches(self, outputs: Sequence[Any], reached: Sequence[Any]) -> bool:
        if len(outputs) != len(reached):
            return False
        channels = self._channel_axis(len(outputs))
        pairs = [pair for axis, pair in enumerate(zip(outputs, reached, strict=True)) if axis != channels]
        return outputs[channels] >= reached[channels] and all(None in pair or pair[0] == pair[1] for pair in pairs)

    def _pooled_shape(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        sizes = list(shape)
        crop, strides = self._of_axes(self.crop, len(sizes)), self._of_axes(self.strides, len(sizes))
        for axis in self._spatial_axes(len(sizes)):
            size = sizes[axis]
            sizes[axis] = None if size is None else -(-(size - crop[axis]) // strides[axis])
        return tuple(sizes)

    def _cropped(self, source: Any) -> Any:
        crop = self._of_axes(self.crop, len(source.shape))
        if not any(crop.values()):
            return source
        cuts = [crop.get(axis, 0) for axis in range(len(source.shape))]
        return source[tuple(slice(cut // 2, (cut // 2 - cut) or None) for cut in cuts)]

    def _pool(self, source: Any) -> Any:
        strides = tuple(self._of_axes(self.strides, len(source.shape)).values())
        if all(stride == 1 for stride in strides):
            return source
        return ops.average_pool(source, strides, strides, padding="same", data_format=self.data_format)


def ghosts_of(model: keras.layers.Layer) -> list[GhostActivation | GhostSkip]:
    """Returns all ghosts within a model or layer, also those that have faded to ReLU or nothing."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, (GhostActivation, GhostSkip))]


def _scalar(layer: keras.layers.Layer, name: str, start: float) -> keras.Variable:
    """Adds an untrained scalar to a layer and returns it: float32, also where the layer computes in another type."""
    initializer = keras.initializers.Constant(start)
    return layer.add_weight(name=name, shape=(), dtype="float32", initializer=initializer, trainable=False)
