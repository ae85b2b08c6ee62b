"""A network that is described layer by layer, made of Keras layers with masked or stock kernels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import keras

from keras_sparseflow import layers
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.models.counted_network import Features, Network
from keras_sparseflow.models.initial_values import kernel_initializer, stream_seed


@dataclass(kw_only=True)
class KerasNetwork(Network):
    """A network whose layers are made while it is described.

    Kernels start He normal by fan-in. Initial values, masks and dropout are drawn from separate streams.

    Args:
        densities: of the kernels that have a mask, by name; the others are those of stock layers.
        fan_ins: by name, the fan-in that a kernel's initial values assume where it is not its own.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        dropout: share in [0, 1) that `drop` drops.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: what everything random depends on.

    Raises:
        ValueError: dropout out of its range.
    """

    densities: Mapping[str, float] = field(default_factory=dict)
    fan_ins: Mapping[str, float] = field(default_factory=dict)
    activation: str = "relu"
    activation_arguments: Mapping[str, Any] | None = None
    dropout: float = 0.0
    l2: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1); received {self.dropout}.")

    def images(self, shape: tuple[int, ...]) -> Features:
        return Features(shape, keras.Input(shape, name="images"))

    def activate(self, name: str, x: Features) -> Features:
        if not x.exist:
            return x
        return replace(x, tensor=activation_layer(self.activation, name, self.activation_arguments)(x.tensor))

    def drop(self, name: str, x: Features) -> Features:
        if not self.dropout:
            return x
        seed = stream_seed(self.seed, self.streams, "dropout")
        return self.layer("Dropout", name, x, rate=self.dropout, seed=seed)

    def layer(
        self, kind: str, name: str, *inputs: Features, shape: tuple[int, ...] | None = None, **options: Any
    ) -> Features:
        features = super().layer(kind, name, *inputs, shape=shape)
        if not features.exist:
            return features
        made = getattr(layers, f"Masked{kind}") if "density" in options else getattr(keras.layers, kind)
        tensors = [x.tensor for x in inputs]
        return replace(features, tensor=made(name=name, **options)(tensors if len(tensors) > 1 else tensors[0]))

    def _kernel(
        self,
        kind: str,
        name: str,
        x: Features,
        kernel: tuple[int, ...],
        shape: tuple[int, ...],
        *,
        precise: bool = False,
        **options: Any,
    ) -> Features:
        # Keras counts the other channels in a depthwise kernel's fan-in, too.
        depthwise = kind.startswith("Depthwise")
        fan_in = self.fan_ins.get(name, prod(kernel[: 2 if depthwise else -1]))
        argument = "depthwise" if depthwise else "kernel"
        options[f"{argument}_initializer"] = kernel_initializer(self.seed, self.streams, prod(kernel[:-1]), fan_in)
        if self.l2:  # Keras' L2 penalises x * w^2, whose gradient is 2 * x * w.
            options[f"{argument}_regularizer"] = keras.regularizers.L2(self.l2 / 2)
        if precise:  # logits of half precision would lose too much
            options["dtype"] = keras.config.dtype_policy().variable_dtype
        if name in self.densities:
            options["density"] = self.densities[name]
            options["mask_seed"] = stream_seed(self.seed, self.streams, "mask")
        return super()._kernel(kind, name, x, kernel, shape, **options)


def keras_model(
    name: str,
    describe: Callable[[Network, Features], Features],
    input_shape: tuple[int, ...],
    *,
    model_class: type[keras.Model] = keras.Model,
    **options: Any,
) -> keras.Model:
    """Returns the model of a description.

    Args:
        name: of the model.
        describe: called with the network and its images, returns the logits.
        input_shape: of one image.
        model_class: the class to make, for instance `SparseModel`.
        options: of the `KerasNetwork`.
    """
    net = KerasNetwork(**options)
    images = net.images(tuple(input_shape))
    return model_class(images.tensor, describe(net, images).tensor, name=name)


def activation_layer(
    name: str, layer_name: str | None = None, arguments: Mapping[str, Any] | None = None
) -> keras.layers.Layer:
    """Returns a new layer that applies an activation.

    Args:
        name: in `ACTIVATIONS`.
        layer_name: of the layer; None for one that Keras gives.
        arguments: that the activation's layer is made with, if it is one; functions take none.

    Raises:
        TypeError: arguments that it does not take.
    """
    item = ACTIVATIONS.get(name)
    if isinstance(item, type):
        return item(name=layer_name, **(arguments or {}))
    if arguments:
        raise TypeError(f"Activation {name!r} is a function without arguments; received {', '.join(arguments)}.")
    return keras.layers.Activation(item, name=layer_name)
