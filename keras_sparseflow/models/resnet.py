"""Residual networks for small images, whose kernels are sparse or dense: ResNet-18, 32, 50, 104 and their like."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_sparseflow.checks import takes_density
from keras_sparseflow.models.architectures import Architecture
from keras_sparseflow.models.densities import kernel_densities
from keras_sparseflow.models.kernels import CLASSIFIER, STEM
from keras_sparseflow.models.parts import Parts
from keras_sparseflow.models.resnet_kernels import SMALLEST_DEPTH, Block, blocks, resnet_kernels

ENDS = (STEM, CLASSIFIER)
"""Names of the kernels that `dense_ends` leaves out."""


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
        input_shape: of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: 18, 34 (basic blocks), 50, 101 or 152 (bottlenecks) for four groups of 64 to 512 channels; or
            6 n + 2, such as 20, 32, 56, 104 or 110, for three groups of n basic blocks of 16 to 64 channels.
        width: how many times these channels; a fraction that makes whole numbers of them is one too. GraSP's
            ResNet-32 has width 2.
        density: share of active weights in (0, 1], of every kernel or of each by name; masks are random.
            None for stock layers.
        dense_ends: keeps the first convolution and the classifier stock layers; `density` leaves them out.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        batch_norm: BatchNorm after each convolution.
        skip_connections: without them a block is its convolutions alone, and no shortcut is made.
        dropout: share in [0, 1) of the inputs of each block's second convolution that is dropped.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: what initial kernels, masks and dropout depend on; they are drawn from separate streams.
        model_class: the class to make, for instance `SparseModel`.

    Raises:
        ValueError: a depth, width or dropout out of range, unknown activation, densities that do not
            match the kernels, or a density that leaves a kernel no active weight.

    Example:
        >>> model = resnet((8, 8, 3), 10, depth=8, width=0.5, density=0.1)
        >>> model.get_layer("group3_block1_conv2").active_count, model.get_layer("group3_block1_sum").output.shape
        (922, (None, 2, 2, 32))

    References:
        He, Zhang, Ren, Sun 2016, Deep Residual Learning: section 4.2 for three groups, with projections instead of
        padded identities; table 1 for four, with a 3x3 convolution of stride 1 ahead and no pooling, as is usual for
        CIFAR. The stride of a bottleneck is its 3x3 convolution's. At stride 2 images are padded as TensorFlow
        does, below and to the right.
    """

    def kernels(with_shortcuts: bool) -> dict[str, tuple[int, ...]]:
        listed = resnet_kernels(input_shape, classes, depth, width, skip_connections=with_shortcuts)
        return {kernel.name: kernel.shape for kernel in listed}

    shapes = kernels(skip_connections)
    parts = Parts(
        shapes=shapes,
        order=list(kernels(True)),
        densities=kernel_densities(density, shapes, ENDS if dense_ends else ()),
        activation=activation,
        activation_arguments=activation_arguments,
        batch_norm=batch_norm,
        dropout=dropout,
        l2=l2,
        seed=seed,
    )
    inputs = keras.Input(tuple(input_shape), name="images")
    outputs = parts.norm("stem_norm", parts.convolve(STEM, inputs))
    outputs = parts.activate("stem_activation", outputs)
    for block in blocks(depth, width):
        outputs = _apply_block(parts, block, outputs, skip_connections)
    outputs = keras.layers.GlobalAveragePooling2D(name="pool")(outputs)
    return model_class(inputs, parts.classify(CLASSIFIER, outputs), name=f"resnet_{depth}_{width:g}")


def _apply_block(parts: Parts, block: Block, inputs: Any, skip_connections: bool) -> Any:
    outputs = inputs
    for number, convolution in enumerate(block.convolutions, 1):
        if number > 1:
            outputs = parts.activate(f"{block.name}_activation{number - 1}", outputs)
        if number == 2:
            outputs = parts.drop(f"{block.name}_dropout", outputs, convolution.name)
        outputs = parts.convolve(convolution.name, outputs, convolution.stride)
        outputs = parts.norm(f"{block.name}_norm{number}", outputs)
    if skip_connections:
        if block.shortcut:
            inputs = parts.convolve(block.shortcut.name, inputs, block.shortcut.stride)
            inputs = parts.norm(f"{block.shortcut.name}_norm", inputs)
        outputs = keras.layers.Add(name=f"{block.name}_sum")([outputs, inputs])
    return parts.activate(f"{block.name}_activation{len(block.convolutions)}", outputs)


RESNET = Architecture(resnet, resnet_kernels, ENDS, small_depth=SMALLEST_DEPTH, small_width=4)
"""Residual network: four groups of blocks as for ImageNet, or three for small images, by its depth."""
