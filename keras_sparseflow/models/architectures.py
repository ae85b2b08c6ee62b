"""Families of networks that a study can name, each described once: to count its kernels, and to build it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_sparseflow.models.counted_network import Features, KernelUse, Network
from keras_sparseflow.models.kernel_densities import kernel_densities

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Architecture:
    """A family of networks for images, by depth and width.

    Args:
        name: with which the names of its models begin.
        describe: called as `describe(net, images, classes, depth, width)`, applies the layers of the `Network` to its
            images one after the other, and returns the logits. Raises ValueError for a depth or width that there is
            not.
        small_depth: a deeper network takes about as long for an operation as one of this depth.
        small_width: a wider network takes about as long for an operation as one of this width.

    Example:
        >>> def describe(net, images, classes, depth, width):
        ...     x = images
        ...     for number in range(1, depth):
        ...         x = net.activate(f"activation{number}", net.conv(f"conv{number}", x, 16 * width, strides=2))
        ...     return net.classify("output", net.mean("pool", x), classes)
        >>> strided = Architecture("strided", describe, small_depth=3)
        >>> [kernel.shape for kernel in strided.kernels((8, 8, 3), 10, depth=3, width=2, fraction=0.25)]
        [(3, 3, 3, 8), (3, 3, 8, 8), (8, 10)]
        >>> strided.build((8, 8, 3), 10, depth=3, width=2, density=0.5).get_layer("conv2").active_count
        4608
    """

    name: str
    describe: Callable[[Network, Features, int, int, Any], Features]
    small_depth: int
    small_width: int = 4

    def kernels(
        self,
        input_shape: Sequence[int],
        classes: int,
        depth: int,
        width: float,
        *,
        skip_connections: bool = False,
        fraction: float = 1.0,
    ) -> list[KernelUse]:
        """Returns the kernels of one network, in the order in which an image meets them, without Keras.

        Args:
            input_shape: of one image, `(height, width, channels)`.
            classes: number of outputs.
            depth: as the family counts it.
            width: as the family counts it.
            skip_connections: whether the network has them.
            fraction: in (0, 1]: each layer has round(fraction * channels) of its channels or units, at least 1; images
                and classes stay.

        Raises:
            ValueError: an image of another rank, a depth, width or fraction that there is not, or skip connections of
                a network that has none.
        """
        if len(input_shape) != 3:
            raise ValueError(f"`input_shape` must be (height, width, channels); received {tuple(input_shape)}.")
        net = Network(skip_connections=skip_connections, fraction=fraction)
        self.describe(net, net.images(tuple(input_shape)), classes, depth, width)
        if skip_connections and not net.has_skips:
            raise ValueError(
                f"{self.name} has no skip connections (SC); expected a variant without SC, received one with."
            )
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
        skip_connections: bool = False,
        fraction: float = 1.0,
        **options: Any,
    ) -> "keras.Model":
        """Returns one network; its kernels are those of `kernels`.

        Args:
            input_shape: of one image, `(height, width, channels)`.
            classes: number of outputs.
            depth: as the family counts it.
            width: as the family counts it.
            density: share of active weights in (0, 1], of every kernel or of each by name; masks are random. None for
                stock layers.
            dense_ends: keeps the layers of the first and the last kernel stock layers; `density` leaves them out.
            skip_connections: whether the network has them.
            fraction: see `kernels`.
            options: `activation`, `activation_arguments`, `batch_norm`, `dropout`, `l2`, `seed` and `model_class`, as
                `wide_resnet` takes them; BatchNorm is left out by default.

        Raises:
            ValueError: see `kernels`; an unknown activation, a dropout out of range, or densities that do not match the
                kernels or leave one no active weight.
        """
        from keras_sparseflow.models.keras_network import keras_model

        kernels = self.kernels(input_shape, classes, depth, width, skip_connections=skip_connections, fraction=fraction)
        stock = (kernels[0].name, kernels[-1].name) if dense_ends else ()
        return keras_model(
            f"{self.name}_{depth}_{width:g}",
            lambda net, images: self.describe(net, images, classes, depth, width),
            tuple(input_shape),
            densities=kernel_densities(density, {kernel.name: kernel.shape for kernel in kernels}, stock),
            skip_connections=skip_connections,
            fraction=fraction,
            **options,
        )


def whole_channels(channels: int, width: float) -> int:
    """Returns `width` times as many channels.

    Raises:
        ValueError: that is no whole number, or none at all.

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
