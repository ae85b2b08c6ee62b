"""The layers that networks for images are made of, masked or stock, each kernel with random streams of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from keras_sparseflow.layers import MaskedConv2D, MaskedDense, MaskedDepthwiseConv2D
from keras_sparseflow.models.mlp import activation_layer, kernel_initializer, stream_seed

_NORM = {"momentum": 0.9, "epsilon": 1e-5}  # the published codes', which count momentum the other way round: 0.1


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Makes the layers of one network and applies them; a kernel gives its layer its name.

    Kernels start He normal by fan-in. Initial values, masks and dropout are drawn from separate streams.

    Args:
        shapes: of the network's kernels, by name.
        order: names of all kernels that the network would have with every option: a kernel's place among them
            decides its streams, so that variants share the kernels that they have in common.
        densities: of the kernels that have a mask; the others are stock layers.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        batch_norm: whether `norm` does anything.
        dropout: share in [0, 1) that `drop` drops.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: what everything random depends on.

    Raises:
        ValueError: dropout out of its range.
    """

    shapes: Mapping[str, tuple[int, ...]]
    order: Sequence[str]
    densities: Mapping[str, float]
    activation: str
    activation_arguments: Mapping[str, Any] | None
    batch_norm: bool
    dropout: float
    l2: float
    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1); received {self.dropout}.")

    def convolve(self, name: str, inputs: Any, strides: int = 1, use_bias: bool = False) -> Any:
        """Returns the convolution with that kernel, padded to keep the size, or the size by the stride rounded up."""
        size, _, _, filters = self.shapes[name]
        layer = MaskedConv2D if name in self.densities else keras.layers.Conv2D
        options = {"strides": strides, "padding": "same", "use_bias": use_bias, **self._kernel_options(name)}
        return layer(filters, size, **options)(inputs)

    def convolve_depthwise(self, name: str, inputs: Any, strides: int = 1) -> Any:
        """Returns each channel's convolution with its own filter of that kernel, padded as by `convolve`."""
        size, _, channels, _ = self.shapes[name]
        layer = MaskedDepthwiseConv2D if name in self.densities else keras.layers.DepthwiseConv2D
        # Keras counts the other channels as fan-in too.
        options = self._kernel_options(name, prefix="depthwise", fan_in_excess=channels)
        return layer(size, strides=strides, padding="same", use_bias=False, **options)(inputs)

    def classify(self, name: str, inputs: Any) -> Any:
        """Returns the logits of a linear classifier with that kernel, and a bias."""
        layer = MaskedDense if name in self.densities else keras.layers.Dense
        precise = keras.config.dtype_policy().variable_dtype  # logits of half precision would lose too much
        return layer(self.shapes[name][-1], dtype=precise, **self._kernel_options(name))(inputs)

    def norm(self, name: str, inputs: Any) -> Any:
        """Returns BatchNorm of the inputs, or without it the inputs."""
        return keras.layers.BatchNormalization(**_NORM, name=name)(inputs) if self.batch_norm else inputs

    def activate(self, name: str, inputs: Any) -> Any:
        """Returns the activation of the inputs."""
        return activation_layer(self.activation, name, self.activation_arguments)(inputs)

    def drop(self, name: str, inputs: Any, kernel: str) -> Any:
        """Returns the inputs of a kernel with dropout, or without it the inputs."""
        if not self.dropout:
            return inputs
        seed = stream_seed(self.seed, self.order.index(kernel), "dropout")
        return keras.layers.Dropout(self.dropout, seed=seed, name=name)(inputs)

    def _kernel_options(self, name: str, prefix: str = "kernel", fan_in_excess: int = 1) -> dict[str, Any]:
        index = self.order.index(name)
        options = {
            f"{prefix}_initializer": kernel_initializer(self.seed, index, fan_in_excess, 1.0),
            # Keras' L2 penalises x * w^2, whose gradient is 2 * x * w.
            f"{prefix}_regularizer": keras.regularizers.L2(self.l2 / 2) if self.l2 else None,
            "name": name,
        }
        if name not in self.densities:
            return options
        return {**options, "density": self.densities[name], "mask_seed": stream_seed(self.seed, index, "mask")}
