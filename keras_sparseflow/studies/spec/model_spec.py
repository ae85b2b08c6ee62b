"""The network of a run."""

from dataclasses import dataclass
from typing import Any

from keras_sparseflow.studies.spec.arguments import arguments_of
from keras_sparseflow.studies.spec.combined import parse_variant
from keras_sparseflow.studies.spec.fields import OURS, PAPER, Values, spec_field

DETAILS = ("norm_place", "skip_span", "skip_place", "patch_size", "heads")
"""Fields of one architecture alone: an mlp or a vit."""


def is_perceptron(values: Values) -> bool:
    """Returns whether the network is a multilayer perceptron."""
    return bool(values["model"] == "mlp")


def _is_vit(values: Values) -> bool:
    return bool(values["model"] == "vit")


def _has_skips(values: Values) -> bool:
    return is_perceptron(values) and "SC" in parse_variant(values["variant"])


def _scales_widths(values: Values) -> bool:
    return values["matched_fraction"] is not None or values["width_fraction"] != 1


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """An architecture, its size, and what stands between its kernels.

    Example:
        >>> ModelSpec(architecture="wide_resnet", depth=28, width=10).activation
        'relu'
    """

    architecture: str = spec_field("mlp", "architecture by name", PAPER, called="model")
    hidden_layers: int | None = spec_field(
        4, "of an mlp: number of hidden layers", PAPER, when=is_perceptron, minimum=1
    )
    depth: int | None = spec_field(
        28,
        "of other networks: layers with weights, 6 n + 4 of a Wide ResNet; 18, 34, 50, 101, 152 or 6 n + 2 of a "
        "resnet; 11, 13, 16 or 19 of a vgg; 28 of a mobilenet; of a vit its blocks",
        PAPER,
        when=lambda values: not is_perceptron(values),
        minimum=1,
    )
    width: int | None = spec_field(
        None,
        "how many times the channels of its base a network has, 10 unless given; of an mlp the units of each hidden "
        "layer, inputs + 4 unless given",
        PAPER,
        minimum=1,
    )
    width_fraction: float = spec_field(
        1.0,
        "units or channels of each layer over those of a network of that width, rounded; images and classes stay",
        PAPER,
        above=0,
        maximum=1,
    )
    activation: str = spec_field("relu", "activation function of the hidden layers", PAPER)
    activation_options: tuple[str, ...] = spec_field(
        (), "arguments of activations that are layers, such as prelu.slope=0.1 or srelu.left_slope=0", OURS
    )
    dropout: float = spec_field(
        0.0,
        "share of inputs that is dropped: of the later convolutions of each block, of a vgg's or mobilenet's "
        "classifier, of the last kernel of a vit's blocks, of each kernel of an mlp but the first",
        "Zagoruyko & Komodakis 2016",
        minimum=0,
        below=1,
    )
    norm_place: str | None = spec_field(
        "before",
        "of an mlp: where BN stands, before the activation or after it",
        OURS,
        when=lambda values: is_perceptron(values) and "BN" in parse_variant(values["variant"]),
        choices=("before", "after"),
    )
    skip_span: int | None = spec_field(
        2,
        "of an mlp: hidden layers that a connection of SC spans, from the first on",
        f"{PAPER}, first version, 2.3",
        when=_has_skips,
        minimum=1,
    )
    skip_place: str | None = spec_field(
        "before",
        "of an mlp: where SC is added, before the activation of the later layer or after it",
        OURS,
        when=_has_skips,
        choices=("before", "after"),
    )
    patch_size: int | None = spec_field(
        4, "of a vit: height and width of a patch, in pixels", OURS, when=_is_vit, minimum=1
    )
    heads: int | None = spec_field(
        4, "of a vit: attention heads of each block, also at a fraction of the width", OURS, when=_is_vit, minimum=1
    )
    init_fan_in: str | None = spec_field(
        "dense",
        "of a matched pair: whose fan-in sets the He normal initialisation of both arms, the dense arm's, the sparse "
        "arm's, or the active weights into a unit of the sparse arm",
        OURS,
        when=_scales_widths,
        choices=("dense", "sparse", "active"),
    )

    @property
    def activation_arguments(self) -> dict[str, Any]:
        """The arguments of the activation's layers."""
        return arguments_of(self.activation, self.activation_options)

    @property
    def size(self) -> dict[str, Any]:
        """Depth and width as architectures take them: the depth of an mlp counts the output's layer too."""
        depth = self.depth if self.hidden_layers is None else self.hidden_layers + 1
        return {"depth": depth, "width": self.width, "fraction": self.width_fraction}

    @property
    def details(self) -> dict[str, Any]:
        """The options that this architecture alone has: where an mlp's BatchNorm stands, or a vit's heads."""
        return {name: getattr(self, name) for name in DETAILS if getattr(self, name) is not None}
