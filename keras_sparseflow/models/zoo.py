"""The architectures of this package as functions that make Keras models."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_sparseflow.checks import takes_density
from keras_sparseflow.models.counted_network import Network
from keras_sparseflow.models.keras_network import keras_model
from keras_sparseflow.models.perceptron import describe_perceptron
from keras_sparseflow.models.plain import MOBILENET, VGG
from keras_sparseflow.models.residual import RESNET, WIDE_RESNET

__all__ = ["mlp", "mobilenet", "resnet", "vgg", "wide_resnet"]


def mlp(
    input_shape: Sequence[int],
    classes: int,
    hidden_widths: Sequence[int],
    *,
    active: Sequence[int | None] | None = None,
    fan_ins: Sequence[float] | None = None,
    activation: str = "relu",
    activation_arguments: Mapping[str, Any] | None = None,
    batch_norm: bool = False,
    norm_place: str = "before",
    skip_connections: bool = False,
    skip_span: int = 2,
    skip_place: str = "before",
    dropout: float = 0.0,
    l2: float = 0.0,
    seed: int = 0,
    fraction: float = 1.0,
    model_class: type[keras.Model] = keras.Model,
) -> keras.Model:
    """Returns a multilayer perceptron that maps images to logits; its kernels have no bias.

    A hidden layer is a kernel and an activation. BatchNorm, and the sum with a skip connection, come before
    or after the activation. If both come before, BatchNorm is first; if both come after, the sum is first.
    The kernels' layers are named `hidden_1`, ..., `output`.

    Args:
        input_shape: shape of one image, `(height, width, channels)`; it is flattened.
        classes: number of outputs.
        hidden_widths: units of each hidden layer.
        active: number of active entries of each kernel, hidden layers first, then the output's; masks
            are random. An entry of None gives a stock `Dense` layer, None for the whole gives only those.
        fan_ins: for each kernel, the fan-in that its He normal initialisation assumes, which sets
            the standard deviation sqrt(2 / fan_in); None for the kernels' own.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        batch_norm: whether each hidden layer has BatchNorm.
        norm_place: "before" the activation or "after" it.
        skip_connections: identity connections over `skip_span` hidden layers: the output of hidden
            layer 1 is added at layer 1 + span, that of layer 1 + span at layer 1 + 2 * span, and so on.
        skip_span: hidden layers that a skip connection spans, at least 1.
        skip_place: skip connections are added "before" the activation or "after" it.
        dropout: share in [0, 1) of inputs that are dropped before each kernel except the first; skip
            connections drop none.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: seed of initial kernels, masks and dropout, which are drawn from separate streams.
        fraction: in (0, 1]: each hidden layer has round(fraction * width) units, at least 1.
        model_class: class of the model, for instance `SparseModel`.

    Raises:
        ValueError: there is no hidden layer, the activation or a place is unknown, lengths do not match the
            kernels, skip connections span all hidden layers or join layers of different widths, or the dropout
            is out of range.

    Example:
        >>> model = mlp((8, 8, 1), 10, [20, 20], active=[640, 200, 100])
        >>> [layer.active_count for layer in model.layers if hasattr(layer, "active_count")]
        [640, 200, 100]

    References:
        Tessera, Hooker, Rosman 2021, appendix A; skip connections every two layers: its first version.
    """
    describe = functools.partial(
        describe_perceptron,
        classes=classes,
        hidden_widths=hidden_widths,
        norm_place=norm_place,
        skip_span=skip_span,
        skip_place=skip_place,
    )
    net = Network(skip_connections=skip_connections, fraction=fraction)
    describe(net, net.images(tuple(input_shape)))
    for name, values in (("active", active), ("fan_ins", fan_ins)):
        if values is not None and len(values) != len(net.kernels):
            raise ValueError(
                f"`{name}` must have one entry for each of {len(net.kernels)} kernels; received {len(values)}."
            )
    names = [kernel.name for kernel in net.kernels]
    counts = {} if active is None else dict(zip(net.kernels, active, strict=True))
    return keras_model(
        "mlp",
        describe,
        tuple(input_shape),
        model_class=model_class,
        densities={kernel.name: count / kernel.size for kernel, count in counts.items() if count is not None},
        fan_ins={} if fan_ins is None else dict(zip(names, fan_ins, strict=True)),
        activation=activation,
        activation_arguments=activation_arguments,
        batch_norm=batch_norm,
        skip_connections=skip_connections,
        dropout=dropout,
        l2=l2,
        seed=seed,
        fraction=fraction,
    )


@takes_density
def wide_resnet(
    input_shape: Sequence[int],
    classes: int,
    depth: int = 28,
    width: int = 10,
    *,
    density: float | Mapping[str, float] | None = None,
    dense_ends: bool = False,
    activation: str = "relu",
    activation_arguments: Mapping[str, Any] | None = None,
    batch_norm: bool = True,
    skip_connections: bool = True,
    dropout: float = 0.0,
    l2: float = 0.0,
    seed: int = 0,
    fraction: float = 1.0,
    model_class: type[keras.Model] = keras.Model,
) -> keras.Model:
    """Returns the Wide ResNet WRN-`depth`-`width`, which maps images to logits.

    A 3x3 convolution, three groups of `(depth - 4) / 6` blocks with `16 * width`, `32 * width` and
    `64 * width` channels, the last two groups at half and a quarter of the resolution, the mean over the
    image and a linear classifier. A block applies BatchNorm, activation and a 3x3 convolution twice, and
    adds its input; where the shape changes, it adds a 1x1 convolution of the first activation instead.
    Convolutions have no bias, the classifier has one.

    Args:
        input_shape: shape of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: 6 n + 4 for n blocks a group: 10, 16, 22, 28, ...
        width: multiplier of the channels, at least 1; at 1 they are 16, 32 and 64.
        density: share of active weights in (0, 1], for every kernel or by name for each; masks are random.
            None for stock layers.
        dense_ends: whether the first convolution and the classifier are stock layers, without a density.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        batch_norm: whether BatchNorm precedes each activation.
        skip_connections: whether blocks add their input; if not, no 1x1 convolution is made.
        dropout: share in [0, 1) of inputs that are dropped before each block's second convolution.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: seed of initial kernels, masks and dropout, which are drawn from separate streams.
        fraction: in (0, 1]: each layer has round(fraction * channels) of its channels, at least 1.
        model_class: class of the model, for instance `SparseModel`.

    Raises:
        ValueError: depth, width or dropout is out of range, the activation is unknown, or densities do not
            match the kernels or leave a kernel without active weights.

    Example:
        >>> model = wide_resnet((32, 32, 3), 10, depth=10, width=1, density=0.1)
        >>> model.get_layer("stem").active_count, model.get_layer("group3_block1_conv2").active_count
        (43, 3686)

    References:
        Zagoruyko & Komodakis 2016, Wide Residual Networks; He normal initial values as there. At stride 2
        images are padded as TensorFlow does, below and to the right, where the published code pads all sides.
    """
    return WIDE_RESNET.build(**locals())


@takes_density
def resnet(
    input_shape: Sequence[int],
    classes: int,
    depth: int = 18,
    width: float = 1,
    *,
    density: float | Mapping[str, float] | None = None,
    dense_ends: bool = False,
    activation: str = "relu",
    activation_arguments: Mapping[str, Any] | None = None,
    batch_norm: bool = True,
    skip_connections: bool = True,
    dropout: float = 0.0,
    l2: float = 0.0,
    seed: int = 0,
    fraction: float = 1.0,
    model_class: type[keras.Model] = keras.Model,
) -> keras.Model:
    """Returns the ResNet-`depth` for images of 32x32 or 64x64 pixels, which maps them to logits.

    A 3x3 convolution, BatchNorm and activation, groups of residual blocks, the mean over the image and a linear
    classifier; each group but the first halves the resolution and doubles the channels. A basic block is two 3x3
    convolutions, a bottleneck a 1x1, a 3x3 and a 1x1 one with four times the channels; BatchNorm follows each,
    and an activation each but the last. Then the block's input is added, through a 1x1 convolution with BatchNorm
    where the shape changes, and the sum is activated. Convolutions have no bias, the classifier has one.

    Layers are named `stem`, `stem_norm`, `stem_activation`, `group2_block3_conv1`, `..._norm1`, `..._activation1`,
    `..._conv2`, `..._norm2`, `..._shortcut`, `..._shortcut_norm`, `..._sum`, `..._activation2` and `output`.

    Args:
        input_shape: shape of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: 18, 34 (basic blocks), 50, 101 or 152 (bottlenecks) for four groups of 64 to 512 channels; or
            6 n + 2, such as 20, 32, 56, 104 or 110, for three groups of n basic blocks of 16 to 64 channels.
        width: multiplier of these channels, also a fraction that makes whole numbers of them. GraSP's
            ResNet-32 has width 2.
        density: share of active weights in (0, 1], for every kernel or by name for each; masks are random.
            None for stock layers.
        dense_ends: whether the first convolution and the classifier are stock layers, without a density.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        batch_norm: whether BatchNorm follows each convolution.
        skip_connections: whether blocks add their input; if not, no 1x1 convolution of it is made.
        dropout: share in [0, 1) of inputs that are dropped before each block's second convolution.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: seed of initial kernels, masks and dropout, which are drawn from separate streams.
        fraction: in (0, 1]: each layer has round(fraction * channels) of its channels, at least 1.
        model_class: class of the model, for instance `SparseModel`.

    Raises:
        ValueError: depth, width or dropout is out of range, the activation is unknown, or densities do not
            match the kernels or leave a kernel without active weights.

    Example:
        >>> model = resnet((8, 8, 3), 10, depth=8, width=0.5, density=0.1)
        >>> model.get_layer("group3_block1_conv2").active_count, model.get_layer("group3_block1_sum").output.shape
        (922, (None, 2, 2, 32))

    References:
        He, Zhang, Ren, Sun 2016, Deep Residual Learning: section 4.2 for three groups, with projections instead of
        padded identities; table 1 for four, with a 3x3 convolution of stride 1 ahead and no pooling, as is usual for
        CIFAR. In a bottleneck the 3x3 convolution has the stride. At stride 2 images are padded as TensorFlow
        does, below and to the right.
    """
    return RESNET.build(**locals())


@takes_density
def vgg(
    input_shape: Sequence[int],
    classes: int,
    depth: int = 16,
    width: float = 1,
    *,
    density: float | Mapping[str, float] | None = None,
    dense_ends: bool = False,
    activation: str = "relu",
    activation_arguments: Mapping[str, Any] | None = None,
    batch_norm: bool = True,
    skip_connections: bool = False,
    dropout: float = 0.0,
    l2: float = 0.0,
    seed: int = 0,
    fraction: float = 1.0,
    model_class: type[keras.Model] = keras.Model,
) -> keras.Model:
    """Returns the VGG-`depth` with one linear classifier, which maps images to logits.

    Five groups of 3x3 convolutions with 64, 128, 256, 512 and 512 channels, the maximum of each 2x2 pixels after each
    group, the mean over the image and a linear classifier. A convolution has a bias, and is followed by BatchNorm and
    activation. Layers are named `group3_conv1`, `group3_norm1`, `group3_activation1`, ..., `group3_pool`, `output`.

    Args:
        input_shape: shape of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: 11, 13, 16 or 19, as published, with three fully connected layers where this has one.
        width: multiplier of the published channels, also a fraction that makes whole numbers of them.
        density: share of active weights in (0, 1], for every kernel or by name for each; masks are random.
            None for stock layers.
        dense_ends: whether the first convolution and the classifier are stock layers, without a density.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        batch_norm: whether BatchNorm follows each convolution.
        skip_connections: there are none; True is refused.
        dropout: share in [0, 1) of inputs that are dropped before the classifier.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: seed of initial kernels, masks and dropout, which are drawn from separate streams.
        fraction: in (0, 1]: each layer has round(fraction * channels) of its channels, at least 1.
        model_class: class of the model, for instance `SparseModel`.

    Raises:
        ValueError: depth, width or dropout is out of range, skip connections are requested, the activation is
            unknown, or densities do not match the kernels or leave a kernel without active weights.

    Example:
        >>> model = vgg((8, 8, 3), 10, depth=11, width=0.125, density=0.1)
        >>> model.get_layer("group1_conv1").active_count, model.get_layer("group5_pool").output.shape
        (22, (None, 1, 1, 64))

    References:
        Simonyan & Zisserman 2014, table 1: configurations A, B, D and E; BatchNorm and the single classifier are
        usual for CIFAR. Images of an odd size are padded before a maximum is taken.
    """
    return VGG.build(**locals())


@takes_density
def mobilenet(
    input_shape: Sequence[int],
    classes: int,
    depth: int = 28,
    width: float = 1,
    *,
    density: float | Mapping[str, float] | None = None,
    dense_ends: bool = False,
    activation: str = "relu",
    activation_arguments: Mapping[str, Any] | None = None,
    batch_norm: bool = True,
    skip_connections: bool = False,
    dropout: float = 0.0,
    l2: float = 0.0,
    seed: int = 0,
    fraction: float = 1.0,
    model_class: type[keras.Model] = keras.Model,
) -> keras.Model:
    """Returns the first MobileNet for images of 32x32 or 64x64 pixels, which maps them to logits.

    A 3x3 convolution with 32 channels, 13 blocks with 64 to 1024 channels, four of which halve the resolution, the
    mean over the image and a linear classifier. A block is a 3x3 convolution of each channel by itself (depthwise)
    and a 1x1 convolution (pointwise). BatchNorm and activation follow each convolution; convolutions have no bias,
    the classifier has one. Layers are named `stem`, `stem_norm`, `stem_activation`, `block7_depthwise`,
    `block7_norm1`, `block7_activation1`, `block7_pointwise`, `block7_norm2`, `block7_activation2` and `output`.

    Args:
        input_shape: shape of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: 28, the only depth.
        width: multiplier of the published channels (the paper's alpha), such as 0.25, 0.5, 0.75 or 1; it must make
            whole numbers of them.
        density: share of active weights in (0, 1], for every kernel, depthwise ones included, or by name for
            each; masks are random. None for stock layers.
        dense_ends: whether the first convolution and the classifier are stock layers, without a density.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        batch_norm: whether BatchNorm follows each convolution.
        skip_connections: there are none; True is refused.
        dropout: share in [0, 1) of inputs that are dropped before the classifier.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: seed of initial kernels, masks and dropout, which are drawn from separate streams.
        fraction: in (0, 1]: each layer has round(fraction * channels) of its channels, at least 1.
        model_class: class of the model, for instance `SparseModel`.

    Raises:
        ValueError: depth, width or dropout is out of range, skip connections are requested, the activation is
            unknown, or densities do not match the kernels or leave a kernel without active weights.

    Example:
        >>> model = mobilenet((8, 8, 3), 10, width=0.25, density=0.1)
        >>> model.get_layer("block13_depthwise").active_count, model.get_layer("block13_pointwise").active_count
        (230, 6554)

    References:
        Howard et al. 2017, table 1, with stride 1 in the first convolution, as is usual for CIFAR. At stride 2 images
        are padded as TensorFlow does, below and to the right.
    """
    return MOBILENET.build(**locals())
