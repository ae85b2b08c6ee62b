"""Wide residual networks for small images: pre-activation blocks whose kernels are sparse or dense."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_sparseflow.checks import takes_density
from keras_sparseflow.models.densities import kernel_densities
from keras_sparseflow.models.kernels import CLASSIFIER, STEM
from keras_sparseflow.models.parts import Parts
from keras_sparseflow.models.wide_resnet_kernels import blocks, kernel_shapes


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
    model_class: type[keras.Model] = keras.Model,
) -> keras.Model:
    """Returns the Wide ResNet WRN-`depth`-`width`, which maps images to logits.

    A 3x3 convolution, three groups of `(depth - 4) / 6` blocks with `16 * width`, `32 * width` and
    `64 * width` channels, the last two groups at half and a quarter of the resolution, the mean over the
    image and a linear classifier. A block is BatchNorm, activation, 3x3 convolution, twice, plus its input;
    where the shape changes, plus a 1x1 convolution of its first activation instead. Convolutions have no
    bias, the classifier has one. `kernel_shapes` lists the kernels, which give their layers their names.

    Args:
        input_shape: of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: 6 n + 4 for n blocks a group: 10, 16, 22, 28, ...
        width: how many times as many channels as a ResNet of its kind, at least 1.
        density: share of active weights in (0, 1], of every kernel or of each by name; masks are random.
            None for stock layers.
        dense_ends: keeps the first convolution and the classifier stock layers; `density` leaves them out.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        batch_norm: BatchNorm before each activation.
        skip_connections: without them a block is its two convolutions alone, and no 1x1 convolution is made.
        dropout: share in [0, 1) of the inputs of each block's second convolution that is dropped.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: what initial kernels, masks and dropout depend on; they are drawn from separate streams.
        model_class: the class to make, for instance `SparseModel`.

    Raises:
        ValueError: a depth, width or dropout out of range, unknown activation, densities that do not
            match the kernels, or a density that leaves a kernel no active weight.

    Example:
        >>> model = wide_resnet((32, 32, 3), 10, depth=10, width=1, density=0.1)
        >>> model.get_layer("stem").active_count, model.get_layer("group3_block1_conv2").active_count
        (43, 3686)

    References:
        Zagoruyko & Komodakis 2016, Wide Residual Networks; He normal initial values as there. At stride 2
        images are padded as TensorFlow does, below and to the right, where the published code pads all sides.
    """
    shapes = kernel_shapes(input_shape, classes, depth, width, skip_connections=skip_connections)
    parts = Parts(
        shapes=shapes,
        order=list(kernel_shapes(input_shape, classes, depth, width)),
        densities=kernel_densities(density, shapes, (STEM, CLASSIFIER) if dense_ends else ()),
        activation=activation,
        activation_arguments=activation_arguments,
        batch_norm=batch_norm,
        dropout=dropout,
        l2=l2,
        seed=seed,
    )
    inputs = keras.Input(tuple(input_shape), name="images")
    outputs = parts.convolve(STEM, inputs)
    for block, strides in blocks(depth):
        outputs = _apply_block(parts, block, outputs, strides, skip_connections)
    outputs = _activate(parts, "final", outputs)
    outputs = keras.layers.GlobalAveragePooling2D(name="pool")(outputs)
    return model_class(inputs, parts.classify(CLASSIFIER, outputs), name=f"wide_resnet_{depth}_{width}")


def _apply_block(parts: Parts, name: str, inputs: Any, strides: int, skip_connections: bool) -> Any:
    active = _activate(parts, f"{name}_1", inputs)
    outputs = parts.convolve(f"{name}_conv1", active, strides)
    outputs = _activate(parts, f"{name}_2", outputs)
    outputs = parts.drop(f"{name}_dropout", outputs, f"{name}_conv2")
    outputs = parts.convolve(f"{name}_conv2", outputs)
    if not skip_connections:
        return outputs
    shortcut = f"{name}_shortcut"
    skipped = parts.convolve(shortcut, active, strides) if shortcut in parts.shapes else inputs
    return keras.layers.Add(name=f"{name}_sum")([outputs, skipped])


def _activate(parts: Parts, name: str, inputs: Any) -> Any:
    return parts.activate(f"{name}_activation", parts.norm(f"{name}_norm", inputs))
