"""The multilayer perceptron of SC-SDC: kernels without bias."""

from collections.abc import Sequence
from typing import Any

from keras_sparseflow.models.architectures import Architecture
from keras_sparseflow.models.counted_network import Features, Network


def describe_perceptron(
    net: Network,
    images: Features,
    classes: int,
    hidden_widths: Sequence[int],
    *,
    norm_place: str = "before",
    skip_span: int = 2,
    skip_place: str = "before",
) -> Features:
    """Returns the logits of a multilayer perceptron; see `mlp`."""
    _check_places(net, hidden_widths, skip_span, norm_place=norm_place, skip_place=skip_place)
    hidden: list[Features] = []

    def beside_activation(place: str, x: Features) -> Features:
        """Applies BatchNorm and the skip connection of one side; BatchNorm first before the activation, last after."""
        number = len(hidden) + 1
        if norm_place == place == "before":
            x = net.norm(f"norm_{number}", x, **_NORM)
        if net.skip_connections and skip_place == place and number > skip_span and (number - 1) % skip_span == 0:
            x = net.add(f"skip_{number}", x, net.skip(hidden[number - 1 - skip_span]))
        if norm_place == place == "after":
            x = net.norm(f"norm_{number}", x, **_NORM)
        return x

    x = net.flatten("flatten", images)
    for number, width in enumerate(hidden_widths, 1):
        if number > 1:
            x = net.drop(f"hidden_{number}_dropout", x)
        x = beside_activation("before", net.dense(f"hidden_{number}", x, width, use_bias=False))
        x = beside_activation("after", net.activate(f"activation_{number}", x))
        hidden.append(x)
    return net.classify("output", net.drop("output_dropout", x), classes, use_bias=False)


_NORM = {"momentum": 0.99, "epsilon": 1e-3}  # Keras' defaults


def _check_places(net: Network, hidden_widths: Sequence[int], skip_span: int, **places: str) -> None:
    if not hidden_widths:
        raise ValueError("`hidden_widths` must name at least one hidden layer; received none.")
    for name, place in places.items():
        if place not in ("before", "after"):
            raise ValueError(f"`{name}` must be 'before' or 'after' the activation; received {place!r}.")
    if net.skip_connections and not 1 <= skip_span < len(hidden_widths):
        raise ValueError(
            f"Skip connections (SC) must span from 1 to {len(hidden_widths) - 1} of {len(hidden_widths)} hidden "
            f"layers; received `skip_span` {skip_span}."
        )
    if net.skip_connections and len(set(hidden_widths)) > 1:
        raise ValueError(
            "Skip connections (SC) are identities: expected hidden layers of one width; received "
            f"{list(hidden_widths)}."
        )


def _of_depth(net: Network, images: Features, classes: int, depth: int, width: int, **places: Any) -> Features:
    if depth < 2:
        raise ValueError(
            f"`depth` must be at least 2 for a multilayer perceptron, one hidden layer and the output's; received "
            f"{depth}."
        )
    if width < 1:
        raise ValueError(f"`width` must be at least 1; received {width}.")
    return describe_perceptron(net, images, classes, [width] * (depth - 1), **places)


MLP = Architecture("mlp", _of_depth)
"""Multilayer perceptron whose hidden layers are equally wide."""
