"""Networks that are described layer by layer, to follow shapes and list kernels without Keras."""

from dataclasses import dataclass, field
from math import ceil, prod
from typing import Any


@dataclass(frozen=True)
class KernelUse:
    """One kernel of a network that need not be built; `layers.Kernel` is a kernel of a built model.

    Args:
        name: path of the kernel in the built network.
        shape: shape of the kernel.
        positions: number of positions of an image at which the kernel is applied.
        fan_in: number of inputs of one unit or channel.

    Example:
        >>> KernelUse("stem", (3, 3, 3, 16), positions=1024, fan_in=27).size
        432
    """

    name: str
    shape: tuple[int, ...]
    positions: int
    fan_in: int

    @property
    def size(self) -> int:
        """Number of weights, inactive ones included."""
        return prod(self.shape)


@dataclass(frozen=True)
class Features:
    """The output of a layer for one image.

    Args:
        shape: `(height, width, channels)` or `(units,)`.
        tensor: Keras tensor; None where only shapes are followed.
        exist: False on a skip connection that the network leaves out, whose layers are not made.

    Example:
        >>> Features((32, 32, 3)).shape[-1]
        3
    """

    shape: tuple[int, ...]
    tensor: Any = None
    exist: bool = True


@dataclass(kw_only=True)
class Network:
    """A network under construction: each method applies one layer to features, and returns the layer's output.

    This class follows shapes and lists kernels; a `KerasNetwork` makes the layers, too. Descriptions call all methods
    for all options: the network itself leaves out the BatchNorm, dropout or skip connections that it does not have.

    Args:
        skip_connections: whether layers on skip connections, which begin with `skip`, are made.
        fraction: in (0, 1], see `channels`.
        batch_norm: whether `norm` applies a layer.

    Attributes:
        kernels: the kernels so far, in the order in which an image passes them.
        has_skips: whether the description has called `skip`.
        has_norms: whether it has called `norm`.
        streams: number of kernels so far, with those on skip connections even if they are left out. This number decides
            a kernel's random streams, so that networks with and without skip connections share their common kernels.

    Raises:
        ValueError: `fraction` is out of range.

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
    has_norms: bool = field(default=False, init=False)
    streams: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"`fraction` must be in (0, 1]; received {self.fraction}.")

    def images(self, shape: tuple[int, ...]) -> Features:
        """Returns the features of images of that shape, the input of the first layer."""
        return Features(shape)

    def channels(self, wide: int) -> int:
        """Returns round(fraction * wide), at least 1: how many of `wide` channels or units this network has."""
        return max(1, round(self.fraction * wide))

    # --- layers with a kernel ---------------------------------------------------------------------------------------

    def conv(
        self, name: str, x: Features, channels: int, size: int = 3, strides: int = 1, *, use_bias: bool = False
    ) -> Features:
        """Applies a convolution with square kernels, padded so that only the stride reduces height and width."""
        *sides, inputs = _strided(x, strides)
        filters = self.channels(channels)
        options = {"kernel_size": size, "strides": strides, "padding": "same", "use_bias": use_bias}
        kernel, shape = (size, size, inputs, filters), (*sides, filters)
        return self._kernel("Conv2D", name, x, kernel, shape, filters=filters, **options)

    def depthwise(self, name: str, x: Features, size: int = 3, strides: int = 1, *, use_bias: bool = False) -> Features:
        """Applies a separate convolution to each channel, padded as in `conv`."""
        shape = _strided(x, strides)
        options = {"kernel_size": size, "strides": strides, "padding": "same", "use_bias": use_bias}
        return self._kernel("DepthwiseConv2D", name, x, (size, size, shape[-1], 1), shape, **options)

    def dense(self, name: str, x: Features, units: int, *, use_bias: bool = True) -> Features:
        """Applies a fully connected layer to the last axis."""
        return self._dense(name, x, self.channels(units), use_bias=use_bias)

    def classify(self, name: str, x: Features, classes: int, *, use_bias: bool = True) -> Features:
        """Applies the linear classifier: as `dense`, but all classes at any fraction, and logits in full precision."""
        return self._dense(name, x, classes, use_bias=use_bias, precise=True)

    def attend(self, name: str, x: Features, size: int, heads: int) -> Features:
        """Applies self-attention of several heads of that size to a sequence.

        Its kernels are the projections `name_query`, `name_key` and `name_value` of each place, and `name_output` of
        what the heads attend to. A fraction of the network has as many heads, each with its share of the size.
        """
        projections = ("query", "key", "value")
        units = heads * self.channels(size)
        projected = [self._dense(f"{name}_{part}", x, units, use_bias=True) for part in projections]
        attended = self.layer("HeadAttention", f"{name}_heads", *projected, heads=heads)
        return self._dense(f"{name}_output", attended, x.shape[-1], use_bias=True)

    # --- layers without -----------------------------------------------------------------------------------------------

    def norm(self, name: str, x: Features, momentum: float = 0.9, epsilon: float = 1e-5) -> Features:
        """Applies BatchNorm, if the network has it; the defaults are those of the published codes, in Keras' terms."""
        self.has_norms = True
        return self.layer("BatchNormalization", name, x, momentum=momentum, epsilon=epsilon) if self.batch_norm else x

    def activate(self, name: str, x: Features) -> Features:
        """Applies the network's activation."""
        return x

    def drop(self, name: str, x: Features) -> Features:
        """Applies the network's dropout, if it has any, to the inputs of the next kernel."""
        return x

    def skip(self, x: Features) -> Features:
        """Begins a skip connection, which may have layers of its own; `add` ends it."""
        self.has_skips = True
        return Features(x.shape, x.tensor, x.exist and self.skip_connections)

    def add(self, name: str, x: Features, skipped: Features) -> Features:
        """Returns the sum with a skip connection, or only `x` in a network without skip connections.

        Raises:
            ValueError: the shapes differ.
        """
        if not skipped.exist:
            return x
        if x.shape != skipped.shape:
            raise ValueError(f"The sum {name!r} must be of features of one shape; received {x.shape}, {skipped.shape}.")
        return self.layer("Add", name, x, skipped)

    def max_pool(self, name: str, x: Features, size: int = 2) -> Features:
        """Returns the largest of each `size` x `size` pixels, or of fewer at the border."""
        return self.layer("MaxPooling2D", name, x, shape=_strided(x, size), pool_size=size, padding="same")

    def mean(self, name: str, x: Features) -> Features:
        """Returns the mean of each channel over the image."""
        return self.layer("GlobalAveragePooling2D", name, x, shape=x.shape[-1:])

    def flatten(self, name: str, x: Features) -> Features:
        """Returns the features as one vector."""
        return self.layer("Flatten", name, x, shape=(prod(x.shape),))

    def embed(self, name: str, x: Features) -> Features:
        """Puts a class token before the places of a sequence, and adds to each the embedding of its place."""
        return self.layer("TokenEmbedding", name, x, shape=(x.shape[0] + 1, x.shape[1]))

    def layer(
        self, kind: str, name: str, *inputs: Features, shape: tuple[int, ...] | None = None, **options: Any
    ) -> Features:
        """Applies any Keras layer that has no kernel.

        Args:
            kind: name of the layer's class in `keras.layers` or `keras_sparseflow.layers.tokens`.
            name: name of the layer.
            inputs: one input, or several, which the layer gets as a list.
            shape: shape of the output; None for that of the first input.
            options: arguments of the class.
        """
        return Features(shape or inputs[0].shape, exist=all(x.exist for x in inputs))

    def _dense(self, name: str, x: Features, units: int, **options: Any) -> Features:
        *places, inputs = x.shape
        return self._kernel("Dense", name, x, (inputs, units), (*places, units), units=units, **options)

    def _kernel(
        self, kind: str, name: str, x: Features, kernel: tuple[int, ...], shape: tuple[int, ...], **options: Any
    ) -> Features:
        """Lists a kernel of that shape, and applies the layer of that name which has it."""
        self.streams += 1
        if x.exist:
            fan_in = prod(kernel[: 2 if kind.startswith("Depthwise") else -1])
            self.kernels.append(KernelUse(name, kernel, prod(shape[:-1]), fan_in))
        return self.layer(kind, name, x, shape=shape, **options)


def _strided(x: Features, strides: int) -> tuple[int, ...]:
    """Returns the shape of images after a stride: height and width are divided and rounded up."""
    *sides, channels = x.shape
    return (*(ceil(side / strides) for side in sides), channels)
