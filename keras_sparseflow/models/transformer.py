"""The Vision Transformer: a sequence of an image's patches, which attend to each other."""

from keras_sparseflow.models.architectures import Architecture, whole_channels
from keras_sparseflow.models.counted_network import Features, Network

_SIZE = 16  # of embeddings at width 1
_EXPANSION = 4  # hidden units of a block's perceptron per entry of an embedding


def _vit(
    net: Network, images: Features, classes: int, depth: int, width: float, *, patch_size: int = 4, heads: int = 4
) -> Features:
    *sides, _ = images.shape
    size = whole_channels(_SIZE, width)
    if depth < 1:
        raise ValueError(f"`depth` must be at least 1, the number of a vit's blocks; received {depth}.")
    if not 1 <= patch_size <= min(sides):
        raise ValueError(
            f"`patch_size` must be in [1, {min(sides)}], for images of {sides[0]} x {sides[1]} pixels; received "
            f"{patch_size}."
        )
    if heads < 1 or size % heads:
        raise ValueError(f"`heads` must divide {size}, the size of embeddings at width {width:g}; received {heads}.")
    x = net.conv("patches", images, size, size=patch_size, strides=patch_size, use_bias=True)
    rows, columns, channels = x.shape
    places = rows * columns
    x = net.layer("Reshape", "tokens", x, shape=(places, channels), target_shape=(places, channels))
    x = net.embed("embedding", x)
    for number in range(1, depth + 1):
        x = _block(net, f"block{number}", x, size, heads)
    x = net.layer("Cropping1D", "class_token", _norm(net, "final_norm", x), shape=(1, channels), cropping=(0, places))
    return net.classify("output", net.flatten("flatten", x), classes)


def _block(net: Network, name: str, inputs: Features, size: int, heads: int) -> Features:
    x = net.attend(name, _norm(net, f"{name}_norm1", inputs), size // heads, heads)
    attended = net.add(f"{name}_sum1", x, net.skip(inputs))
    x = net.dense(f"{name}_mlp1", _norm(net, f"{name}_norm2", attended), _EXPANSION * size)
    x = net.drop(f"{name}_dropout", net.activate(f"{name}_activation", x))
    return net.add(f"{name}_sum2", net.dense(f"{name}_mlp2", x, size), net.skip(attended))


def _norm(net: Network, name: str, x: Features) -> Features:
    return net.layer("LayerNormalization", name, x, epsilon=1e-6)


VIT = Architecture("vit", _vit)
"""Vision Transformer: blocks of attention between patches of an image, and perceptrons."""
