"""VGG networks for small images, whose kernels are sparse or dense."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_sparseflow.checks import takes_density
from keras_sparseflow.models.architectures import Architecture, KernelUse
from keras_sparseflow.models.densities import kernel_densities
from keras_sparseflow.models.kernels import CLASSIFIER, check_image_shape, positions, refuse_skip_connections, scaled
from keras_sparseflow.models.parts import Parts

ENDS = ("group1_conv1", CLASSIFIER)
"""Names of the kernels that `dense_ends` leaves out."""

_CHANNELS = (64, 128, 256, 512, 512)
_CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


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
    model_class: type[keras.Model] = keras.Model,
) -> keras.Model:
    """Returns the VGG-`depth` with one linear classifier, which maps images to logits.

    Five groups of 3x3 convolutions with 64, 128, 256, 512 and 512 channels, the maximum of each 2x2 pixels after each
    group, the mean over the image and a linear classifier. A convolution has a bias, and is followed by BatchNorm and
    activation. Layers are named `group3_conv1`, `group3_norm1`, `group3_activation1`, ..., `group3_pool`, `output`.

    Args:
        input_shape: of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: 11, 13, 16 or 19, as published, where three fully connected layers stand for the one here.
        width: how many times the published channels; a fraction that makes whole numbers of them is one too.
        density: share of active weights in (0, 1], of every kernel or of each by name; masks are random.
            None for stock layers.
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
        >>> model = vgg((8, 8, 3), 10, depth=11, width=0.125, density=0.1)
        >>> model.get_layer("group1_conv1").active_count, model.get_layer("group5_pool").output.shape
        (22, (None, 1, 1, 64))

    References:
        Simonyan & Zisserman 2014, table 1: configurations A, B, D and E; BatchNorm and the single classifier are
        usual for CIFAR. Images of an odd size are padded before a maximum is taken.
    """
    kernels = vgg_kernels(input_shape, classes, depth, width, skip_connections=skip_connections)
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
    outputs = inputs = keras.Input(tuple(input_shape), name="images")
    for group, count in enumerate(_CONVOLUTIONS[depth], 1):
        for number in range(1, count + 1):
            outputs = parts.convolve(f"group{group}_conv{number}", outputs, use_bias=True)
            outputs = parts.norm(f"group{group}_norm{number}", outputs)
            outputs = parts.activate(f"group{group}_activation{number}", outputs)
        outputs = keras.layers.MaxPooling2D(2, padding="same", name=f"group{group}_pool")(outputs)
    outputs = keras.layers.GlobalAveragePooling2D(name="pool")(outputs)
    outputs = parts.drop("dropout", outputs, CLASSIFIER)
    return model_class(inputs, parts.classify(CLASSIFIER, outputs), name=f"vgg_{depth}_{width:g}")


def vgg_kernels(
    input_shape: Sequence[int], classes: int, depth: int, width: float, *, skip_connections: bool = False
) -> list[KernelUse]:
    """Returns the kernels of `vgg`, in the order in which an image meets them.

    Args:
        input_shape: of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: 11, 13, 16 or 19.
        width: how many times the published channels.
        skip_connections: there are none; True is refused.

    Raises:
        ValueError: an image of another rank, a depth or width that there is not, or skip connections.

    Example:
        >>> kernels = vgg_kernels((32, 32, 3), 10, depth=16, width=1)
        >>> sum(kernel.size for kernel in kernels), kernels[-2].name, kernels[-2].positions
        (14715584, 'group5_conv3', 4)
    """
    check_image_shape(input_shape)
    refuse_skip_connections("VGG", skip_connections)
    if depth not in _CONVOLUTIONS:
        raise ValueError(f"`depth` must be one of {', '.join(map(str, _CONVOLUTIONS))}; received {depth}.")
    kernels, channels = [], input_shape[-1]
    for group, count in enumerate(_CONVOLUTIONS[depth], 1):
        wide = scaled(_CHANNELS[group - 1], width)
        places = positions(input_shape, 2 ** (group - 1))
        for number in range(1, count + 1):
            kernels.append(KernelUse(f"group{group}_conv{number}", (3, 3, channels, wide), places))
            channels = wide
    return [*kernels, KernelUse(CLASSIFIER, (channels, classes), 1)]


VGG = Architecture(vgg, vgg_kernels, ENDS, small_depth=11, small_width=1)
"""Convolutions of 3 x 3 in five groups, each followed by pooling, and a classifier."""
