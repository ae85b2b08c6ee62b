"""The kernels of a Wide ResNet, counted without building it."""

from collections.abc import Mapping, Sequence

from keras_sparseflow.models.kernels import CLASSIFIER, STEM, check_image_shape, positions

__all__ = ["kernel_positions", "kernel_shapes"]

SMALLEST_DEPTH = 10
"""One block a group."""

_GROUPS = {1: (16, 1), 2: (32, 2), 3: (64, 2)}  # channels at width 1, stride of the first block


def kernel_shapes(
    input_shape: Sequence[int], classes: int, depth: int, width: int, *, skip_connections: bool = True
) -> dict[str, tuple[int, ...]]:
    """Returns the shape of each kernel of `wide_resnet`, `(height, width, inputs, outputs)`, by its layer's name.

    They stand in the order in which an image meets them; the last, `output`, is `(inputs, classes)`.

    Args:
        input_shape: of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: 6 n + 4.
        width: at least 1.
        skip_connections: whether there are 1x1 convolutions where the shape changes.

    Raises:
        ValueError: an image of another rank, or a depth or width that there is not.

    Example:
        >>> shapes = kernel_shapes((32, 32, 3), 10, depth=28, width=10)
        >>> len(shapes), shapes["group1_block1_shortcut"], shapes["output"]
        (29, (1, 1, 16, 160), (640, 10))
    """
    check_image_shape(input_shape)
    check_size(depth, width)
    channels = 16
    shapes: dict[str, tuple[int, ...]] = {STEM: (3, 3, input_shape[-1], channels)}
    for block, _ in blocks(depth):
        wide = _GROUPS[_group(block)][0] * width
        shapes[f"{block}_conv1"] = (3, 3, channels, wide)
        shapes[f"{block}_conv2"] = (3, 3, wide, wide)
        if skip_connections and channels != wide:
            shapes[f"{block}_shortcut"] = (1, 1, channels, wide)
        channels = wide
    return {**shapes, CLASSIFIER: (channels, classes)}


def kernel_positions(input_shape: Sequence[int], shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Returns at how many places of an image each kernel of `kernel_shapes` is applied.

    Args:
        input_shape: of one image, `(height, width, channels)`.
        shapes: what `kernel_shapes` gave.

    Example:
        >>> shapes = kernel_shapes((32, 32, 3), 10, depth=10, width=1)
        >>> positions = kernel_positions((32, 32, 3), shapes)
        >>> positions["stem"], positions["group3_block1_conv1"], positions["output"]
        (1024, 64, 1)
    """

    def applied(name: str) -> int:
        if name == CLASSIFIER:
            return 1
        stride = 1 if name == STEM else 2 ** (_group(name) - 1)
        return positions(input_shape, stride)

    return {name: applied(name) for name in shapes}


def blocks(depth: int) -> list[tuple[str, int]]:
    """Returns the name and the stride of each block, in order."""
    return [
        (f"group{group}_block{number}", first_stride if number == 1 else 1)
        for group, (_, first_stride) in _GROUPS.items()
        for number in range(1, (depth - 4) // 6 + 1)
    ]


def check_size(depth: int, width: int) -> None:
    """Raises ValueError for a depth or a width that no Wide ResNet has."""
    if depth < SMALLEST_DEPTH or (depth - 4) % 6:
        raise ValueError(
            f"`depth` must be 6 n + 4 for n blocks a group, such as 10, 16, 22, 28 or 40; received {depth}."
        )
    if width < 1:
        raise ValueError(f"`width` must be at least 1; received {width}.")


def _group(name: str) -> int:
    return int(name.removeprefix("group").partition("_")[0])
