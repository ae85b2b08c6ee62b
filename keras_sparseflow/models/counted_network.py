"""A network that is described layer by layer: shapes are followed and kernels listed, without Keras."""

from dataclasses import dataclass, field
from math import ceil, prod
from typing import Any


@dataclass(frozen=True)
class KernelUse:
    """One kernel of a network that need not be built; see `layers.Kernel` for one of a model.

    Args:
        name: the path that it has in the built network.
        shape: of the kernel.
        positions: at how many places of an image it is applied.

    Example:
        >>> KernelUse("stem", (3, 3, 3, 16), positions=1024).size
        432
    """

    name: str
    shape: tuple[int, ...]
    positions: int

    @property
    def size(self) -> int:
        """Its weights, inactive ones included."""
        return prod(self.shape)


@dataclass(frozen=True)
class Features:
    """The values that a layer gives for one image.

    Args:
        shape: `(height, width, channels)` or `(units,)`.
        tensor: of Keras; None where shapes alone are followed.
        exist: False on a skip connection of a network without skip connections, whose layers are not made.

    Example:
        >>> Features((32, 32, 3)).shape[-1]
        3
    """

    shape: tuple[int, ...]
    tensor: Any = None
    exist: bool = True


@dataclass(kw_only=True)
class Network:
    """A network in the making: each method applies one layer to features, and returns those that it gives.

    This class follows shapes and lists kernels. A `KerasNetwork` makes the layers, too. A description uses every
    method whatever the options are: a network without BatchNorm, dropout or skip connections leaves them out itself.

    Args:
        skip_connections: whether what begins with `skip` is made.
        fraction: in (0, 1], see `channels`.
        batch_norm: whether `norm` applies a layer.

    Attributes:
        kernels: the kernels so far, in the order in which an image meets them.
        has_skips: whether the description has called `skip`.
        streams: how many kernels there would be so far with skip connections. A kernel's place among them decides its
            random streams, so that networks with and without share the kernels that they have in common.

    Raises:
        ValueError: a fraction out of its range.

    Example:
        >>> net = Network(fraction=0.5)
        >>> x = net.conv("stem", net.images((8, 8, 3)), 16, strides=2)
        >>> x = net.classify("output", net.mean("pool", x), 10)
        >>> [(kernel.name, kernel.shape, kernel.positions) for kernel in net.kernels]
        [('stem', (3, 3, 3, 8), 16), ('output', (8, 10), 1)]
    """

    skip_connections: bool = False
    fraction: float = 1.0
    batch_norm: bool = False
    kernels: list[KernelUse] = field(default_factory=list, init=False)
    has_skips: bool = field(default=False, init=False)
    streams: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"`fraction` must be in (0, 1]; received {self.fraction}.")

    def images(self, shape: tuple[int, ...]) -> Features:
        """Returns the features that the first layer takes: images of that shape."""
        return Features(shape)

    def channels(self, wide: int) -> int:
        """Returns round(fraction * wide), at least 1: how many channels or units a layer of `wide` of them has here."""
        return max(1, round(self.fraction * wide))

    # --- layers with a kernel ---------------------------------------------------------------------------------------

    def conv(
        self, name: str, x: Features, channels: int, size: int = 3, strides: int = 1, *, use_bias: bool = False
    ) -> Features:
        """Applies a convolution with square kernels, padded to keep height and width, or these by the stride."""
        *sides, inputs = _strided(x, strides)
        filters = self.channels(channels)
        options = {"kernel_size": size, "strides": strides, "padding": "same", "use_bias": use_bias}
        kernel, shape = (size, size, inputs, filters), (*sides, filters)
        return self._kernel("Conv2D", name, x, kernel, shape, filters=filters, **options)

    def depthwise(self, name: str, x: Features, size: int = 3, strides: int = 1, *, use_bias: bool = False) -> Features:
        """Applies to each channel a convolution of its own, padded as by `conv`."""
        shape = _strided(x, strides)
        options = {"kernel_size": size, "strides": strides, "padding": "same", "use_bias": use_bias}
        return self._kernel("DepthwiseConv2D", name, x, (size, size, shape[-1], 1), shape, **options)

    def dense(self, name: str, x: Features, units: int, *, use_bias: bool = True) -> Features:
        """Applies a fully connected layer, to the last axis."""
        return self._dense(name, x, self.channels(units), use_bias=use_bias)

    def classify(self, name: str, x: Features, classes: int, *, use_bias: bool = True) -> Features:
        """Applies the linear classifier: as `dense`, but every fraction has as many classes, and logits are precise."""
        return self._dense(name, x, classes, use_bias=use_bias, precise=True)

    # --- layers without -----------------------------------------------------------------------------------------------

    def norm(self, name: str, x: Features, momentum: float = 0.9, epsilon: float = 1e-5) -> Features:
        """Applies BatchNorm, if the network has it; by default that of the published codes, in Keras' terms."""
        return self.layer("BatchNormalization", name, x, momentum=momentum, epsilon=epsilon) if self.batch_norm else x

    def activate(self, name: str, x: Features) -> Features:
        """Applies the network's activation."""
        return x

    def drop(self, name: str, x: Features) -> Features:
        """Applies the network's dropout, if it has any, to what the next kernel takes."""
        return x

    def skip(self, x: Features) -> Features:
        """Returns the beginning of a skip connection, on which layers may stand; `add` ends it."""
        self.has_skips = True
        return Features(x.shape, x.tensor, x.exist and self.skip_connections)

    def add(self, name: str, x: Features, skipped: Features) -> Features:
        """Returns the sum with a skip connection; without skip connections `x` as it is.

        Raises:
            ValueError: shapes that differ.
        """
        if not skipped.exist:
            return x
        if x.shape != skipped.shape:
            raise ValueError(f"The sum {name!r} must be of features of one shape; received {x.shape}, {skipped.shape}.")
        return self.layer("Add", name, x, skipped)

    def max_pool(self, name: str, x: Features, size: int = 2) -> Features:
        """Returns the largest of each `size` x `size` pixels; at the border of fewer."""
        return self.layer("MaxPooling2D", name, x, shape=_strided(x, size), pool_size=size, padding="same")

    def mean(self, name: str, x: Features) -> Features:
        """Returns the mean of each channel over the image."""
        return self.layer("GlobalAveragePooling2D", name, x, shape=x.shape[-1:])

    def flatten(self, name: str, x: Features) -> Features:
        """Returns the features in a row."""
        return self.layer("Flatten", name, x, shape=(prod(x.shape),))

    def layer(
        self, kind: str, name: str, *inputs: Features, shape: tuple[int, ...] | None = None, **options: Any
    ) -> Features:
        """Applies any layer of Keras that has no kernel.

        Args:
            kind: the name of its class in `keras.layers`.
            name: of the layer.
            inputs: one, or those that the layer is given as a list.
            shape: of the features that it gives; None for that of the first input.
            options: the class's arguments.
        """
        return Features(shape or inputs[0].shape, exist=all(x.exist for x in inputs))

    def _dense(self, name: str, x: Features, units: int, **options: Any) -> Features:
        *places, inputs = x.shape
        return self._kernel("Dense", name, x, (inputs, units), (*places, units), units=units, **options)

    def _kernel(
        self, kind: str, name: str, x: Features, kernel: tuple[int, ...], shape: tuple[int, ...], **options: Any
    ) -> Features:
        """Applies a layer whose kernel has that shape, and gives the layer its name."""
        self.streams += 1
        if x.exist:
            self.kernels.append(KernelUse(name, kernel, prod(shape[:-1])))
        return self.layer(kind, name, x, shape=shape, **options)


def _strided(x: Features, strides: int) -> tuple[int, ...]:
    """Returns the shape of images of which every so many rows and columns are kept, rounded up."""
    *sides, channels = x.shape
    return (*(ceil(side / strides) for side in sides), channels)
