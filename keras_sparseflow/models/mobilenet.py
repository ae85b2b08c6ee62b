"""MobileNet for small images, whose kernels are sparse or dense, those of depthwise convolutions too."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_sparseflow.checks import takes_density
from keras_sparseflow.models.architectures import Architecture, KernelUse
from keras_sparseflow.models.densities import kernel_densities
from keras_sparseflow.models.kernels import (
    CLASSIFIER,
    STEM,
    check_image_shape,
    positions,
    refuse_skip_connections,
    scaled,
)
from keras_sparseflow.models.parts import Parts

ENDS = (STEM, CLASSIFIER)
"""Names of the kernels that `dense_ends` leaves out."""

_STEM_CHANNELS = 32
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
_DEPTH = 2 + 2 * len(_BLOCKS)


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
    model_class: type[keras.Model] = keras.Model,
) -> keras.Model:
    """Returns the first MobileNet for images of 32x32 or 64x64 pixels, which maps them to logits.

    A 3x3 convolution with 32 channels, 13 blocks with 64 to 1024 channels, four of which halve the resolution, the
    mean over the image and a linear classifier. A block is a 3x3 convolution of each channel by itself (depthwise)
    and a 1x1 convolution (pointwise). BatchNorm and activation follow each convolution; convolutions have no bias,
    the classifier has one. Layers are named `stem`, `stem_norm`, `stem_activation`, `block7_depthwise`,
    `block7_norm1`, `block7_activation1`, `block7_pointwise`, `block7_norm2`, `block7_activation2` and `output`.

    Args:
        input_shape: of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: 28; there is no other.
        width: how many times the published channels (its alpha), such as 0.25, 0.5, 0.75 or 1; it must make whole
            numbers of them.
        density: share of active weights in (0, 1], of every kernel, depthwise ones included, or of each by name;
            masks are random. None for stock layers.
        dense_ends: keeps the first convolution and the classifier stock layers; `density` leaves them out.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        batch_norm: BatchNorm after each convolution.
        skip_connections: there are none; True is refused.
        dropout: share in [0, 1) of the classifier's inputs that is dropped.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: what initial kernels, masks and dropout depend on; they are drawn from separate streams.
        model_class: the class to make, for instance `SparseModel`.

    Raises:
        ValueError: a depth, width or dropout out of range, skip connections, unknown activation, densities that
            do not match the kernels, or a density that leaves a kernel no active weight.

    Example:
        >>> model = mobilenet((8, 8, 3), 10, width=0.25, density=0.1)
        >>> model.get_layer("block13_depthwise").active_count, model.get_layer("block13_pointwise").active_count
        (230, 6554)

    References:
        Howard et al. 2017, table 1, with stride 1 in the first convolution, as is usual for CIFAR. At stride 2 images
        are padded as TensorFlow does, below and to the right.
    """
    kernels = mobilenet_kernels(input_shape, classes, depth, width, skip_connections=skip_connections)
    shapes = {kernel.name: kernel.shape for kernel in kernels}
    parts = Parts(
        shapes=shapes,
        order=list(shapes),
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
    for number, (_, strides) in enumerate(_BLOCKS, 1):
        outputs = parts.convolve_depthwise(f"block{number}_depthwise", outputs, strides)
        outputs = parts.activate(f"block{number}_activation1", parts.norm(f"block{number}_norm1", outputs))
        outputs = parts.convolve(f"block{number}_pointwise", outputs)
        outputs = parts.activate(f"block{number}_activation2", parts.norm(f"block{number}_norm2", outputs))
    outputs = keras.layers.GlobalAveragePooling2D(name="pool")(outputs)
    outputs = parts.drop("dropout", outputs, CLASSIFIER)
    return model_class(inputs, parts.classify(CLASSIFIER, outputs), name=f"mobilenet_{depth}_{width:g}")


def mobilenet_kernels(
    input_shape: Sequence[int], classes: int, depth: int, width: float, *, skip_connections: bool = False
) -> list[KernelUse]:
    """Returns the kernels of `mobilenet`, in the order in which an image meets them.

    A depthwise kernel is `(3, 3, channels, 1)`.

    Args:
        input_shape: of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: 28.
        width: how many times the published channels.
        skip_connections: there are none; True is refused.

    Raises:
        ValueError: an image of another rank, a depth or width that there is not, or skip connections.

    Example:
        >>> kernels = mobilenet_kernels((32, 32, 3), 10, depth=28, width=1)
        >>> len(kernels), sum(kernel.size for kernel in kernels), kernels[3].name, kernels[3].positions
        (28, 3195328, 'block2_depthwise', 256)
    """
    check_image_shape(input_shape)
    refuse_skip_connections("MobileNet", skip_connections)
    if depth != _DEPTH:
        raise ValueError(f"`depth` must be {_DEPTH}, the only one of a MobileNet; received {depth}.")
    channels, reduction = scaled(_STEM_CHANNELS, width), 1
    kernels = [KernelUse(STEM, (3, 3, input_shape[-1], channels), positions(input_shape, 1))]
    for number, (outputs, strides) in enumerate(_BLOCKS, 1):
        reduction *= strides
        places, wide = positions(input_shape, reduction), scaled(outputs, width)
        kernels.append(KernelUse(f"block{number}_depthwise", (3, 3, channels, 1), places))
        kernels.append(KernelUse(f"block{number}_pointwise", (1, 1, channels, wide), places))
        channels = wide
    return [*kernels, KernelUse(CLASSIFIER, (channels, classes), 1)]


MOBILENET = Architecture(mobilenet, mobilenet_kernels, ENDS, small_depth=_DEPTH, small_width=1)
"""Depthwise separable convolutions: one filter a channel, then a mixture of channels."""
