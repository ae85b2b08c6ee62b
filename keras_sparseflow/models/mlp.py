"""The multilayer perceptron of SC-SDC: kernels without bias, sparse or dense."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_sparseflow.checks import check_seed
from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.layers.mask.arrays import random_mask


def mlp(
    input_shape: Sequence[int],
    classes: int,
    hidden_widths: Sequence[int],
    *,
    active: Sequence[int | None] | None = None,
    fan_ins: Sequence[float] | None = None,
    activation: str = "relu",
    activation_arguments: Mapping[str, Any] | None = None,
    batch_norm: bool = False,
    norm_place: str = "before",
    skip_connections: bool = False,
    skip_span: int = 2,
    skip_place: str = "before",
    dropout: float = 0.0,
    l2: float = 0.0,
    seed: int = 0,
    model_class: type[keras.Model] = keras.Model,
) -> keras.Model:
    """Returns a multilayer perceptron that maps images to logits; its kernels have no bias.

    A hidden layer is its kernel and its activation. BatchNorm stands between them, or after both; so
    does the sum with a skip connection that ends here, behind a BatchNorm of the same place before the
    activation, and ahead of it after. The kernels' layers are named `hidden_1`, ..., `output`.

    Args:
        input_shape: of one image, `(height, width, channels)`; it is flattened.
        classes: number of outputs.
        hidden_widths: units of each hidden layer.
        active: how many entries of each kernel are active, hidden layers first, then the output's;
            masks are random. None for a stock `Dense` layer, or for all of them.
        fan_ins: for each kernel, the fan-in that its He normal initialisation assumes, which sets
            the standard deviation sqrt(2 / fan_in); None for its own.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        batch_norm: BatchNorm in each hidden layer.
        norm_place: "before" the activation or "after" it.
        skip_connections: identity connections over `skip_span` hidden layers: the output of hidden
            layer 1 is added at layer 1 + span, that of layer 1 + span at layer 1 + 2 * span, and so on.
        skip_span: at least 1.
        skip_place: added "before" the activation or "after" it.
        dropout: share in [0, 1) of the inputs of each kernel but the first that is dropped; skip connections
            carry all.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: what initial kernels, masks and dropout depend on; they are drawn from separate streams.
        model_class: the class to make, for instance `SparseModel`.

    Raises:
        ValueError: no hidden layer, unknown activation or place, lengths that do not match the kernels,
            skip connections that span all hidden layers, or stand between widths that differ, or a dropout out of
            range.

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
    for name, place in (("norm_place", norm_place), ("skip_place", skip_place)):
        if place not in ("before", "after"):
            raise ValueError(f"`{name}` must be 'before' or 'after' the activation; received {place!r}.")
    if skip_connections and not 1 <= skip_span < len(hidden_widths):
        raise ValueError(
            f"Skip connections (SC) must span from 1 to {len(hidden_widths) - 1} of {len(hidden_widths)} hidden "
            f"layers; received `skip_span` {skip_span}."
        )
    if skip_connections and len(set(hidden_widths)) > 1:
        raise ValueError(
            "Skip connections (SC) are identities: expected hidden layers of one width; received "
            f"{list(hidden_widths)}."
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be in [0, 1); received {dropout}.")

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
        if name == names[-1]:  # logits of half precision would lose too much
            options["dtype"] = keras.config.dtype_policy().variable_dtype
        count = None if active is None else active[index]
        if count is None:
            return keras.layers.Dense(units, **options)
        density = count / (fan_in * units)
        return MaskedDense(units, density=density, mask_seed=stream_seed(seed, index, "mask"), **options)

    def apply_kernel(index: int, inputs: Any) -> Any:
        name = names[index]
        if dropout and index:
            drop = keras.layers.Dropout(dropout, seed=stream_seed(seed, index, "dropout"), name=f"{name}_dropout")
            inputs = drop(inputs)
        return kernel_layer(index, name)(inputs)

    inputs = keras.Input(tuple(input_shape), name="images")
    outputs = keras.layers.Flatten(name="flatten")(inputs)
    hidden: list[Any] = []
    names = kernel_names(len(hidden_widths))

    def beside_activation(place: str, outputs: Any) -> Any:
        """Adds what stands there: BatchNorm before the activation, the skip connection, BatchNorm after it."""
        number = len(hidden) + 1
        if batch_norm and norm_place == place == "before":
            outputs = keras.layers.BatchNormalization(name=f"norm_{number}")(outputs)
        if skip_connections and skip_place == place and number > skip_span and (number - 1) % skip_span == 0:
            outputs = keras.layers.Add(name=f"skip_{number}")([outputs, hidden[number - 1 - skip_span]])
        if batch_norm and norm_place == place == "after":
            outputs = keras.layers.BatchNormalization(name=f"norm_{number}")(outputs)
        return outputs

    for number in range(1, kernels):
        outputs = beside_activation("before", apply_kernel(number - 1, outputs))
        outputs = activation_layer(activation, f"activation_{number}", activation_arguments)(outputs)
        outputs = beside_activation("after", outputs)
        hidden.append(outputs)
    return model_class(inputs, apply_kernel(kernels - 1, outputs), name="mlp")


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
    """Returns the seed of one kernel's initial values, mask or dropout: independent streams of the run's seed."""
    key = ("kernel", "mask", "dropout").index(stream)
    return int(np.random.SeedSequence([check_seed(seed), index, key]).generate_state(1)[0] >> 1)


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
