"""Plain networks for small images, without skip connections: VGG and MobileNet."""

from keras_sparseflow.models.architectures import Architecture, whole_channels
from keras_sparseflow.models.counted_network import Features, Network

# --- VGG --------------------------------------------------------------------------------------------------------------

_CHANNELS = (64, 128, 256, 512, 512)
_CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def _vgg(net: Network, images: Features, classes: int, depth: int, width: float) -> Features:
    if depth not in _CONVOLUTIONS:
        raise ValueError(f"`depth` must be one of {', '.join(map(str, _CONVOLUTIONS))}; received {depth}.")
    x = images
    for group, (channels, count) in enumerate(zip(_CHANNELS, _CONVOLUTIONS[depth], strict=True), 1):
        for number in range(1, count + 1):
            x = net.conv(f"group{group}_conv{number}", x, whole_channels(channels, width), use_bias=True)
            x = net.activate(f"group{group}_activation{number}", net.norm(f"group{group}_norm{number}", x))
        x = net.max_pool(f"group{group}_pool", x)
    return net.classify("output", net.drop("dropout", net.mean("pool", x)), classes)


VGG = Architecture("vgg", _vgg)
"""Convolutions of 3 x 3 in five groups, each followed by pooling, and a classifier."""

# --- MobileNet --------------------------------------------------------------------------------------------------------

_STEM_CHANNELS = 32
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
_DEPTH = 2 + 2 * len(_BLOCKS)


def _mobilenet(net: Network, images: Features, classes: int, depth: int, width: float) -> Features:
    if depth != _DEPTH:
        raise ValueError(f"`depth` must be {_DEPTH}, the only one of a MobileNet; received {depth}.")
    x = net.conv("stem", images, whole_channels(_STEM_CHANNELS, width))
    x = net.activate("stem_activation", net.norm("stem_norm", x))
    for number, (channels, strides) in enumerate(_BLOCKS, 1):
        x = net.depthwise(f"block{number}_depthwise", x, strides=strides)
        x = net.activate(f"block{number}_activation1", net.norm(f"block{number}_norm1", x))
        x = net.conv(f"block{number}_pointwise", x, whole_channels(channels, width), size=1)
        x = net.activate(f"block{number}_activation2", net.norm(f"block{number}_norm2", x))
    return net.classify("output", net.drop("dropout", net.mean("pool", x)), classes)


MOBILENET = Architecture("mobilenet", _mobilenet)
"""Depthwise separable convolutions: one filter per channel, then a mixture of channels."""
