"""Residual networks for small images: Wide ResNets, and ResNets such as ResNet-18, 32, 50 and 104."""

from keras_sparseflow.models.architectures import Architecture, whole_channels
from keras_sparseflow.models.counted_network import Features, Network

# --- Wide ResNets -----------------------------------------------------------------------------------------------------

_SMALLEST_WIDE = 10  # one block a group
_WIDE_GROUPS = ((16, 1), (32, 2), (64, 2))  # channels at width 1, stride of the first block


def _wide_resnet(net: Network, images: Features, classes: int, depth: int, width: int) -> Features:
    if depth < _SMALLEST_WIDE or (depth - 4) % 6:
        raise ValueError(
            f"`depth` must be 6 n + 4 for n blocks a group, such as 10, 16, 22, 28 or 40; received {depth}."
        )
    if width < 1:
        raise ValueError(f"`width` must be at least 1; received {width}.")
    channels = _WIDE_GROUPS[0][0]
    x = net.conv("stem", images, channels)
    for group, (base, first_strides) in enumerate(_WIDE_GROUPS, 1):
        for number in range(1, (depth - 4) // 6 + 1):
            wide, strides = base * width, first_strides if number == 1 else 1
            x = _wide_block(net, f"group{group}_block{number}", x, wide, strides, changes=wide != channels)
            channels = wide
    return net.classify("output", net.mean("pool", _norm_and_activate(net, "final", x)), classes)


def _wide_block(net: Network, name: str, inputs: Features, channels: int, strides: int, *, changes: bool) -> Features:
    active = _norm_and_activate(net, f"{name}_1", inputs)
    x = net.conv(f"{name}_conv1", active, channels, strides=strides)
    x = net.drop(f"{name}_dropout", _norm_and_activate(net, f"{name}_2", x))
    x = net.conv(f"{name}_conv2", x, channels)
    skipped = net.skip(active if changes else inputs)
    if changes:
        skipped = net.conv(f"{name}_shortcut", skipped, channels, size=1, strides=strides)
    return net.add(f"{name}_sum", x, skipped)


def _norm_and_activate(net: Network, name: str, x: Features) -> Features:
    return net.activate(f"{name}_activation", net.norm(f"{name}_norm", x))


WIDE_RESNET = Architecture("wide_resnet", _wide_resnet)
"""Wide residual network of three groups of blocks, for small images."""

# --- ResNets ----------------------------------------------------------------------------------------------------------

_SMALLEST = 8  # one block in each of three groups
_BASIC, _BOTTLENECK = "basic", "bottleneck"
_FOUR_GROUPS = {
    18: (_BASIC, (2, 2, 2, 2)),
    34: (_BASIC, (3, 4, 6, 3)),
    50: (_BOTTLENECK, (3, 4, 6, 3)),
    101: (_BOTTLENECK, (3, 4, 23, 3)),
    152: (_BOTTLENECK, (3, 8, 36, 3)),
}
_EXPANSION = 4  # output channels of a bottleneck per inner channel


def _resnet(net: Network, images: Features, classes: int, depth: int, width: float) -> Features:
    kind, counts = _groups(depth)
    base = channels = whole_channels(64 if len(counts) == 4 else 16, width)
    x = net.conv("stem", images, channels)
    x = net.activate("stem_activation", net.norm("stem_norm", x))
    for group, count in enumerate(counts):
        for number in range(count):
            inner, strides = base * 2**group, 2 if group and not number else 1
            steps = [(inner, 3, strides), (inner, 3, 1)]
            if kind == _BOTTLENECK:
                steps = [(inner, 1, 1), (inner, 3, strides), (_EXPANSION * inner, 1, 1)]
            x = _block(net, f"group{group + 1}_block{number + 1}", x, channels, steps, strides)
            channels = steps[-1][0]
    return net.classify("output", net.mean("pool", x), classes)


def _groups(depth: int) -> tuple[str, tuple[int, ...]]:
    """Returns the kind of the blocks and their number in each group."""
    if depth in _FOUR_GROUPS:
        return _FOUR_GROUPS[depth]
    if depth < _SMALLEST or (depth - 2) % 6:
        raise ValueError(
            f"`depth` must be one of {', '.join(map(str, _FOUR_GROUPS))}, or 6 n + 2 for n blocks in each of three "
            f"groups, such as 20, 32, 56, 104 or 110; received {depth}."
        )
    return _BASIC, ((depth - 2) // 6,) * 3


def _block(
    net: Network, name: str, inputs: Features, channels: int, steps: list[tuple[int, int, int]], strides: int
) -> Features:
    """Applies one block; inputs have `channels`, and a step is a convolution's channels, size and stride."""
    x = inputs
    for number, step in enumerate(steps, 1):
        if number > 1:
            x = net.activate(f"{name}_activation{number - 1}", x)
        if number == 2:
            x = net.drop(f"{name}_dropout", x)
        x = net.norm(f"{name}_norm{number}", net.conv(f"{name}_conv{number}", x, *step))
    skipped, outputs = net.skip(inputs), steps[-1][0]
    if strides > 1 or outputs != channels:
        skipped = net.conv(f"{name}_shortcut", skipped, outputs, size=1, strides=strides)
        skipped = net.norm(f"{name}_shortcut_norm", skipped)
    return net.activate(f"{name}_activation{len(steps)}", net.add(f"{name}_sum", x, skipped))


RESNET = Architecture("resnet", _resnet)
"""Residual network; its depth decides on four groups of blocks, as for ImageNet, or three, for small images."""
