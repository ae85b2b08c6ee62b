"""Keras models made from descriptions of networks, with masked or stock layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import keras

from keras_sparseflow import layers
from keras_sparseflow.layers import tokens
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.models.counted_network import Features, Network
from keras_sparseflow.models.initial_values import kernel_initializer, stream_seed


@dataclass(kw_only=True)
class KerasNetwork(Network):
    """A network whose Keras layers are made while the network is described.

    Kernels start He normal by fan-in. Initial values, masks and dropout are drawn from separate streams.

    Args:
        densities: densities of the masked kernels, by name; all others get stock layers.
        fan_ins: fan-ins, by name, that initial values assume instead of the kernels' own.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        dropout: share in [0, 1) of values that `drop` drops.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: seed of initial values, masks and dropout.

    Raises:
        ValueError: `dropout` is out of range.
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

    def embed(self, name: str, x: Features) -> Features:
        shape, seed = (x.shape[0] + 1, x.shape[1]), stream_seed(self.seed, self.streams, "embedding")
        return self.layer("TokenEmbedding", name, x, shape=shape, seed=seed)

    def layer(
        self, kind: str, name: str, *inputs: Features, shape: tuple[int, ...] | None = None, **options: Any
    ) -> Features:
        features = super().layer(kind, name, *inputs, shape=shape)
        if not features.exist:
            return features
        stock = getattr(tokens, kind, None) or getattr(keras.layers, kind)
        made = getattr(layers, f"Masked{kind}") if "density" in options else stock
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
        # Keras' fan-in of a depthwise kernel includes the other channels, the true one does not.
        depthwise = kind.startswith("Depthwise")
        fan_in = self.fan_ins.get(name, prod(kernel[: 2 if depthwise else -1]))
        argument = "depthwise" if depthwise else "kernel"
        options[f"{argument}_initializer"] = kernel_initializer(self.seed, self.streams, prod(kernel[:-1]), fan_in)
        if self.l2:  # Keras' L2 penalises x * w^2, whose gradient is 2 * x * w.
            options[f"{argument}_regularizer"] = keras.regularizers.L2(self.l2 / 2)
        if precise:  # logits lose too much in half precision
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
    """Returns the Keras model of a description.

    Args:
        name: name of the model.
        describe: function of the network and its images that returns the logits.
        input_shape: shape of one image.
        model_class: class of the model, for instance `SparseModel`.
        options: arguments of `KerasNetwork`.
    """
    net = KerasNetwork(**options)
    images = net.images(tuple(input_shape))
    return model_class(images.tensor, describe(net, images).tensor, name=name)


def activation_layer(
    name: str, layer_name: str | None = None, arguments: Mapping[str, Any] | None = None
) -> keras.layers.Layer:
    """Returns a new layer that applies an activation.

    Args:
        name: a name in `ACTIVATIONS`.
        layer_name: name of the layer; None to let Keras choose.
        arguments: arguments of the activation's layer class; functions take none.

    Raises:
        TypeError: the activation does not take these arguments.
    """
    item = ACTIVATIONS.get(name)
    if isinstance(item, type):
        return item(name=layer_name, **(arguments or {}))
    if arguments:
        raise TypeError(f"Activation {name!r} is a function without arguments; received {', '.join(arguments)}.")
    return keras.layers.Activation(item, name=layer_name)
