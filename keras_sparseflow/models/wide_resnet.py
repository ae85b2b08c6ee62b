"""Wide residual networks for small images: pre-activation blocks whose kernels are sparse or dense."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from keras_sparseflow.layers import MaskedConv2D, MaskedDense
from keras_sparseflow.models.densities import kernel_densities
from keras_sparseflow.models.mlp import activation_layer, kernel_initializer, stream_seed
from keras_sparseflow.models.wide_resnet_kernels import CLASSIFIER, STEM, blocks, kernel_shapes

_NORM = {"momentum": 0.9, "epsilon": 1e-5}  # the published code's, which counts momentum the other way round: 0.1


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
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be in [0, 1); received {dropout}.")
    parts = _Parts(
        shapes=shapes,
        order=list(kernel_shapes(input_shape, classes, depth, width)),
        densities=kernel_densities(density, shapes, (STEM, CLASSIFIER) if dense_ends else ()),
        activation=activation,
        activation_arguments=activation_arguments,
        batch_norm=batch_norm,
        skip_connections=skip_connections,
        dropout=dropout,
        l2=l2,
        seed=seed,
    )
    inputs = keras.Input(tuple(input_shape), name="images")
    outputs = parts.convolve(STEM, inputs)
    for block, strides in blocks(depth):
        outputs = parts.block(block, outputs, strides)
    outputs = parts.activate("final", outputs)
    outputs = keras.layers.GlobalAveragePooling2D(name="pool")(outputs)
    return model_class(inputs, parts.classify(outputs), name=f"wide_resnet_{depth}_{width}")


@dataclass(frozen=True)
class _Parts:
    """Makes the parts of one network and applies them."""

    shapes: Mapping[str, tuple[int, ...]]
    order: Sequence[str]  # with every shortcut, so that networks with and without them share the other kernels
    densities: Mapping[str, float]
    activation: str
    activation_arguments: Mapping[str, Any] | None
    batch_norm: bool
    skip_connections: bool
    dropout: float
    l2: float
    seed: int

    def block(self, name: str, inputs: Any, strides: int) -> Any:
        active = self.activate(f"{name}_1", inputs)
        outputs = self.convolve(f"{name}_conv1", active, strides)
        outputs = self.activate(f"{name}_2", outputs)
        if self.dropout:
            outputs = keras.layers.Dropout(self.dropout, seed=self._dropout_seed(name), name=f"{name}_dropout")(outputs)
        outputs = self.convolve(f"{name}_conv2", outputs)
        if not self.skip_connections:
            return outputs
        shortcut = f"{name}_shortcut"
        skipped = self.convolve(shortcut, active, strides) if shortcut in self.shapes else inputs
        return keras.layers.Add(name=f"{name}_sum")([outputs, skipped])

    def activate(self, name: str, outputs: Any) -> Any:
        if self.batch_norm:
            outputs = keras.layers.BatchNormalization(**_NORM, name=f"{name}_norm")(outputs)
        return activation_layer(self.activation, f"{name}_activation", self.activation_arguments)(outputs)

    def convolve(self, name: str, inputs: Any, strides: int = 1) -> Any:
        size, _, _, filters = self.shapes[name]
        options = {"strides": strides, "padding": "same", "use_bias": False, **self._kernel_options(name)}
        layer = MaskedConv2D if name in self.densities else keras.layers.Conv2D
        return layer(filters, size, **options)(inputs)

    def classify(self, inputs: Any) -> Any:
        layer = MaskedDense if CLASSIFIER in self.densities else keras.layers.Dense
        options = self._kernel_options(CLASSIFIER)
        precise = keras.config.dtype_policy().variable_dtype  # logits of half precision would lose too much
        return layer(self.shapes[CLASSIFIER][-1], dtype=precise, **options)(inputs)

    def _kernel_options(self, name: str) -> dict[str, Any]:
        index = self.order.index(name)
        options = {
            "kernel_initializer": kernel_initializer(self.seed, index, 1, 1.0),
            # Keras' L2 penalises x * w^2, whose gradient is 2 * x * w.
            "kernel_regularizer": keras.regularizers.L2(self.l2 / 2) if self.l2 else None,
            "name": name,
        }
        if name not in self.densities:
            return options
        return {**options, "density": self.densities[name], "mask_seed": stream_seed(self.seed, index, "mask")}

    def _dropout_seed(self, block: str) -> int:
        return stream_seed(self.seed, self.order.index(f"{block}_conv2"), "dropout")
