"""The kernels of a residual network, counted without building it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from keras_sparseflow.models.architectures import KernelUse
from keras_sparseflow.models.kernels import CLASSIFIER, STEM, check_image_shape, positions, scaled

SMALLEST_DEPTH = 8
"""One block in each of three groups."""

_BASIC, _BOTTLENECK = "basic", "bottleneck"
_FOUR_GROUPS = {
    18: (_BASIC, (2, 2, 2, 2)),
    34: (_BASIC, (3, 4, 6, 3)),
    50: (_BOTTLENECK, (3, 4, 6, 3)),
    101: (_BOTTLENECK, (3, 4, 23, 3)),
    152: (_BOTTLENECK, (3, 8, 36, 3)),
}
_EXPANSION = 4  # a bottleneck's outputs by its inner channels


@dataclass(frozen=True)
class Convolution:
    """One convolution of a block: `(size, size, inputs, outputs)`, at a stride."""

    name: str
    size: int
    inputs: int
    outputs: int
    stride: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the kernel."""
        return (self.size, self.size, self.inputs, self.outputs)


@dataclass(frozen=True)
class Block:
    """One residual block.

    Args:
        name: with which the names of its layers begin.
        convolutions: on its way, in order.
        shortcut: the 1x1 convolution beside it; None where its input is added as it is.
        reduction: product of all strides ahead of it.
    """

    name: str
    convolutions: tuple[Convolution, ...]
    shortcut: Convolution | None
    reduction: int


def resnet_kernels(
    input_shape: Sequence[int], classes: int, depth: int, width: float, *, skip_connections: bool = True
) -> list[KernelUse]:
    """Returns the kernels of `resnet`, in the order in which an image meets them.

    Args:
        input_shape: of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: see `resnet`, as is `width`.
        width: how many times the published channels.
        skip_connections: whether there are 1x1 convolutions where the shape changes.

    Raises:
        ValueError: an image of another rank, or a depth or width that there is not.

    Example:
        >>> kernels = resnet_kernels((32, 32, 3), 10, depth=18, width=1)
        >>> len(kernels), kernels[-2].name, kernels[-2].shape, kernels[-2].positions
        (21, 'group4_block2_conv2', (3, 3, 512, 512), 16)
        >>> sum(kernel.size for kernel in kernels)
        11164352
    """
    check_image_shape(input_shape)
    base = first_channels(depth, width)
    kernels = [KernelUse(STEM, (3, 3, input_shape[-1], base), positions(input_shape, 1))]
    channels = base
    for block in blocks(depth, width):
        reduction = block.reduction
        for convolution in block.convolutions:
            reduction *= convolution.stride
            kernels.append(KernelUse(convolution.name, convolution.shape, positions(input_shape, reduction)))
        if skip_connections and block.shortcut:
            kernels.append(KernelUse(block.shortcut.name, block.shortcut.shape, positions(input_shape, reduction)))
        channels = block.convolutions[-1].outputs
    return [*kernels, KernelUse(CLASSIFIER, (channels, classes), 1)]


def blocks(depth: int, width: float) -> Iterator[Block]:
    """Yields the blocks in order.

    Raises:
        ValueError: a depth or a width that no ResNet has.
    """
    kind, counts = _plan(depth)
    base = inputs = first_channels(depth, width)
    reduction = 1
    for group, count in enumerate(counts):
        for number in range(count):
            stride = 2 if group and not number else 1
            block = _block(f"group{group + 1}_block{number + 1}", kind, inputs, base * 2**group, stride, reduction)
            yield block
            inputs = block.convolutions[-1].outputs
            reduction *= stride


def first_channels(depth: int, width: float) -> int:
    """Returns the channels of the first convolution: 16 or, of networks with four groups, 64, times the width.

    Raises:
        ValueError: a depth or a width that no ResNet has.
    """
    _, counts = _plan(depth)
    return scaled(64 if len(counts) == 4 else 16, width)


def _plan(depth: int) -> tuple[str, tuple[int, ...]]:
    """Returns the kind of the blocks and their number in each group."""
    if depth in _FOUR_GROUPS:
        return _FOUR_GROUPS[depth]
    if depth < SMALLEST_DEPTH or (depth - 2) % 6:
        raise ValueError(
            f"`depth` must be one of {', '.join(map(str, _FOUR_GROUPS))}, or 6 n + 2 for n blocks in each of three "
            f"groups, such as 20, 32, 56, 104 or 110; received {depth}."
        )
    return _BASIC, ((depth - 2) // 6,) * 3


def _block(name: str, kind: str, inputs: int, inner: int, stride: int, reduction: int) -> Block:
    steps = [(3, inner, stride), (3, inner, 1)]
    if kind == _BOTTLENECK:
        steps = [(1, inner, 1), (3, inner, stride), (1, _EXPANSION * inner, 1)]
    convolutions, channels = [], inputs
    for number, (size, outputs, step) in enumerate(steps, 1):
        convolutions.append(Convolution(f"{name}_conv{number}", size, channels, outputs, step))
        channels = outputs
    changes = stride > 1 or channels != inputs
    shortcut = Convolution(f"{name}_shortcut", 1, inputs, channels, stride) if changes else None
    return Block(name, tuple(convolutions), shortcut, reduction)
