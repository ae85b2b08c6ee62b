"""Directions in which a filter is moved as far as it is long."""

from typing import Any

import keras
import numpy as np
from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv

from keras_sparseflow.layers.structure import Kernel


def filter_axes(kernel: Kernel) -> tuple[int, ...]:
    """Returns the axes of a kernel that say which filter: the weights that share them make one output.

    The last one for dense, convolutional and recurrent kernels, the last but one for transposed convolutions, the
    last two for depthwise ones, and those that the output has too where the layer has an einsum equation.
    """
    layer, rank = kernel.layer, len(kernel.shape)
    if isinstance(layer, keras.layers.EinsumDense):
        inputs, outputs = layer.equation.replace(" ", "").split("->")
        labels = inputs.split(",")[1]
        return tuple(axis for axis, label in enumerate(labels) if label in outputs)
    if isinstance(layer, BaseConvTranspose):
        return (rank - 2,)
    if isinstance(layer, BaseDepthwiseConv) or kernel.path.endswith("depthwise_kernel"):
        return (rank - 2, rank - 1)
    return (rank - 1,)


def filter_normalised(direction: np.ndarray, weights: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Returns a direction whose every filter has the norm of the weights' filter; zeros for a filter of zeros.

    Args:
        direction: of the kernel's shape, zero where inactive.
        weights: the kernel.
        axes: as `filter_axes` returns them.

    Example:
        >>> filter_normalised(np.ones((4, 2)), np.array([[3.0, 0], [4, 0], [0, 0], [0, 0]]), (1,))[:, 0]
        array([2.5, 2.5, 2.5, 2.5])

    References:
        Li, Xu, Taylor, Studer, Goldstein 2018, Visualizing the Loss Landscape of Neural Nets, section 4.
    """
    within = tuple(axis for axis in range(weights.ndim) if axis not in axes)

    def lengths(array: np.ndarray) -> Any:
        return np.sqrt(np.sum(np.square(array), axis=within, keepdims=True))

    own = lengths(direction)
    return direction * np.divide(lengths(weights), own, out=np.zeros_like(own), where=own > 0)
