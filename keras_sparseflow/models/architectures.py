"""Families of networks, each described once: to count kernels, and to build models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_sparseflow.models.counted_network import Features, KernelUse, Network
from keras_sparseflow.models.kernel_densities import dense_kernels, kernel_densities

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Architecture:
    """A family of networks for images, by depth and width.

    Args:
        name: the beginning of its models' names.
        describe: function called as `describe(net, images, classes, depth, width)`. It applies the layers of the
            `Network` to its images one after the other, and returns the logits. It may take further arguments by name,
            and raises ValueError for a depth or width that the family does not have.

    Example:
        >>> def describe(net, images, classes, depth, width):
        ...     x = images
        ...     for number in range(1, depth):
        ...         x = net.activate(f"activation{number}", net.conv(f"conv{number}", x, 16 * width, strides=2))
        ...     return net.classify("output", net.mean("pool", x), classes)
        >>> strided = Architecture("strided", describe)
        >>> [kernel.shape for kernel in strided.kernels((8, 8, 3), 10, depth=3, width=2, fraction=0.25)]
        [(3, 3, 3, 8), (3, 3, 8, 8), (8, 10)]
        >>> strided.build((8, 8, 3), 10, depth=3, width=2, density=0.5).get_layer("conv2").active_count
        4608
    """

    name: str
    describe: Callable[..., Features]

    def kernels(
        self,
        input_shape: Sequence[int],
        classes: int,
        depth: int,
        width: float,
        *,
        skip_connections: bool = False,
        batch_norm: bool = False,
        fraction: float = 1.0,
        details: Mapping[str, Any] | None = None,
    ) -> list[KernelUse]:
        """Returns the kernels of one network in the order in which an image passes them; needs no Keras.

        Args:
            input_shape: shape of one image, `(height, width, channels)`.
            classes: number of outputs.
            depth: as the family counts it.
            width: as the family counts it.
            skip_connections: whether the network has skip connections.
            batch_norm: whether the network has BatchNorm, which has no kernel.
            fraction: in (0, 1]: each layer has round(fraction * channels) of its channels or units, at least 1; images
                and classes stay.
            details: further arguments of `describe`, by name.

        Raises:
            ValueError: the image has another rank, the depth, width or fraction is out of range, or the family has no
                skip connections or no BatchNorm.
        """
        if len(input_shape) != 3:
            raise ValueError(f"`input_shape` must be (height, width, channels); received {tuple(input_shape)}.")
        net = Network(skip_connections=skip_connections, fraction=fraction, batch_norm=batch_norm)
        self.describe(net, net.images(tuple(input_shape)), classes, depth, width, **(details or {}))
        if skip_connections and not net.has_skips:
            raise ValueError(
                f"{self.name} has no skip connections (SC); expected a variant without SC, received one with."
            )
        if batch_norm and not net.has_norms:
            raise ValueError(f"{self.name} has no BatchNorm (BN); expected a variant without BN, received one with.")
        return net.kernels

    def build(
        self,
        input_shape: Sequence[int],
        classes: int,
        depth: int,
        width: float,
        *,
        density: float | Mapping[str, float] | None = None,
        dense_ends: bool = False,
        dense_classifier: bool = False,
        skip_connections: bool = False,
        batch_norm: bool = False,
        fraction: float = 1.0,
        details: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> "keras.Model":
        """Returns one network as a Keras model, with the kernels that `kernels` lists.

        Args:
            input_shape: shape of one image, `(height, width, channels)`.
            classes: number of outputs.
            depth: as the family counts it.
            width: as the family counts it.
            density: share of active weights in (0, 1], for every kernel or by name for each; masks are random. None for
                stock layers.
            dense_ends: whether the layers of the first and the last kernel are stock layers, without a density.
            dense_classifier: whether the layer of the last kernel is one.
            skip_connections: whether the network has skip connections.
            batch_norm: whether the network has BatchNorm.
            fraction: see `kernels`.
            details: see `kernels`.
            options: `activation`, `activation_arguments`, `dropout`, `l2`, `seed` and `model_class` as in
                `wide_resnet`; and `fan_ins`, the fan-ins by name that initial values assume instead of the kernels'
                own.

        Raises:
            ValueError: see `kernels`; or the activation is unknown, the dropout is out of range, or densities do not
                match the kernels or leave a kernel without active weights.
        """
        from keras_sparseflow.models.keras_network import keras_model

        size: dict[str, Any] = {"skip_connections": skip_connections, "batch_norm": batch_norm, "fraction": fraction}
        kernels = self.kernels(input_shape, classes, depth, width, details=details, **size)
        stock = dense_kernels([kernel.name for kernel in kernels], dense_ends, dense_classifier)
        return keras_model(
            f"{self.name}_{depth}_{width:g}",
            lambda net, images: self.describe(net, images, classes, depth, width, **(details or {})),
            tuple(input_shape),
            densities=kernel_densities(density, {kernel.name: kernel.shape for kernel in kernels}, stock),
            **size,
            **options,
        )


def whole_channels(channels: int, width: float) -> int:
    """Returns `width` times as many channels.

    Raises:
        ValueError: the product is not a whole number of at least 1.

    Example:
        >>> whole_channels(64, 0.25)
        16
    """
    wide = channels * width
    if wide < 1 or wide != int(wide):
        raise ValueError(
            f"`width` must make a whole number of channels, at least 1, of the {channels} of the first layer; "
            f"received {width}."
        )
    return int(wide)
