"""The multilayer perceptron of SC-SDC: kernels without bias, sparse or dense."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.layers.kernels import random_mask

SKIP_SPAN = 2
"""How many hidden layers a skip connection spans."""


def mlp(
    input_shape: Sequence[int],
    classes: int,
    hidden_widths: Sequence[int],
    *,
    active: Sequence[int] | None = None,
    fan_ins: Sequence[float] | None = None,
    activation: str = "relu",
    batch_norm: bool = False,
    skip_connections: bool = False,
    l2: float = 0.0,
    seed: int = 0,
    model_class: type[keras.Model] = keras.Model,
) -> keras.Model:
    """Returns a multilayer perceptron that maps images to logits; its kernels have no bias.

    A hidden layer is kernel, then BatchNorm if asked for, then the sum with a skip connection if one
    ends here, then the activation. The kernels' layers are named `hidden_1`, ..., `output`.

    Args:
        input_shape: of one image, `(height, width, channels)`; it is flattened.
        classes: number of outputs.
        hidden_widths: units of each hidden layer.
        active: how many entries of each kernel are active, hidden layers first, then the output's;
            masks are random. None for stock `Dense` layers.
        fan_ins: for each kernel, the fan-in that its He normal initialisation assumes, which sets
            the standard deviation sqrt(2 / fan_in); None for its own.
        activation: a name in `ACTIVATIONS`.
        batch_norm: BatchNorm before each activation.
        skip_connections: identity connections over every two hidden layers: the output of hidden
            layer 1 is added before the activation of layer 3, that of layer 3 at layer 5, and so on.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: what initial kernels and masks depend on; they are drawn from separate streams.
        model_class: the class to make, for instance `SparseModel`.

    Raises:
        ValueError: no hidden layer, unknown activation, lengths that do not match the kernels, or
            skip connections with fewer than three hidden layers, or between widths that differ.

    Example:
        >>> model = mlp((8, 8, 1), 10, [20, 20], active=[640, 200, 100])
        >>> [layer.active_count for layer in model.layers if hasattr(layer, "active_count")]
        [640, 200, 100]

    References:
        Tessera, Hooker, Rosman 2021, appendix A; skip connections every two layers: its first version.
    """
    widths = [int(np.prod(input_shape)), *hidden_widths, classes]
    kernels = len(widths) - 1
    if not hidden_widths:
        raise ValueError("`hidden_widths` must name at least one hidden layer; received none.")
    for name, values in (("active", active), ("fan_ins", fan_ins)):
        if values is not None and len(values) != kernels:
            raise ValueError(f"`{name}` must have one entry for each of {kernels} kernels; received {len(values)}.")
    if skip_connections and (len(hidden_widths) <= SKIP_SPAN or len(set(hidden_widths)) > 1):
        raise ValueError(
            f"Skip connections (SC) span {SKIP_SPAN} hidden layers by identity: expected at least {SKIP_SPAN + 1} "
            f"hidden layers of one width; received the widths {list(hidden_widths)}."
        )

    def kernel_layer(index: int, name: str) -> keras.layers.Layer:
        fan_in, units = widths[index], widths[index + 1]
        assumed = fan_in if fan_ins is None else fan_ins[index]
        options: dict[str, Any] = {
            "use_bias": False,
            "kernel_initializer": kernel_initializer(seed, index, fan_in, assumed),
            # Keras' L2 penalises x * w^2, whose gradient is 2 * x * w.
            "kernel_regularizer": keras.regularizers.L2(l2 / 2) if l2 else None,
            "name": name,
        }
        if active is None:
            return keras.layers.Dense(units, **options)
        density = active[index] / (fan_in * units)
        return MaskedDense(units, density=density, mask_seed=stream_seed(seed, index, "mask"), **options)

    inputs = keras.Input(tuple(input_shape), name="images")
    outputs = keras.layers.Flatten(name="flatten")(inputs)
    activated: list[Any] = []
    names = kernel_names(len(hidden_widths))
    for number in range(1, kernels):
        outputs = kernel_layer(number - 1, names[number - 1])(outputs)
        if batch_norm:
            outputs = keras.layers.BatchNormalization(name=f"norm_{number}")(outputs)
        if skip_connections and number > SKIP_SPAN and number % SKIP_SPAN == 1:
            outputs = keras.layers.Add(name=f"skip_{number}")([outputs, activated[number - 1 - SKIP_SPAN]])
        outputs = activation_layer(activation, f"activation_{number}")(outputs)
        activated.append(outputs)
    outputs = kernel_layer(kernels - 1, names[-1])(outputs)
    return model_class(inputs, outputs, name="mlp")


def kernel_names(hidden_layers: int) -> list[str]:
    """Returns the names of the layers that hold the kernels of `mlp`, first to last."""
    return [*(f"hidden_{number}" for number in range(1, hidden_layers + 1)), "output"]


def kernel_mask(seed: int, index: int, shape: Sequence[int], active: int) -> np.ndarray:
    """Returns the random mask of one kernel of `mlp`, a boolean array with `active` True entries."""
    return random_mask(shape, active, stream_seed(seed, index, "mask"))


def kernel_initializer(seed: int, index: int, fan_in: int, assumed_fan_in: float) -> keras.initializers.Initializer:
    """Returns what draws the initial values of one kernel of `mlp`: He normal for the fan-in assumed.

    Args:
        seed: the network's.
        index: the kernel's, from 0.
        fan_in: its first dimension.
        assumed_fan_in: sets the standard deviation sqrt(2 / assumed_fan_in).
    """
    return keras.initializers.VarianceScaling(
        2.0 * fan_in / assumed_fan_in, "fan_in", "truncated_normal", seed=stream_seed(seed, index, "kernel")
    )


def stream_seed(seed: int, index: int, stream: str) -> int:
    """Returns the seed of one kernel's initial values or mask: independent streams of the run's seed."""
    key = ("kernel", "mask").index(stream)
    return int(np.random.SeedSequence([seed, index, key]).generate_state(1)[0] >> 1)


def activation_layer(name: str, layer_name: str | None = None) -> keras.layers.Layer:
    """Returns a new layer that applies an activation of `ACTIVATIONS`."""
    item = ACTIVATIONS.get(name)
    return item(name=layer_name) if isinstance(item, type) else keras.layers.Activation(item, name=layer_name)
