"""Filter normalisation: directions with filters as long as those of the weights."""

from typing import Any

import keras
import numpy as np
from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv

from keras_sparseflow.layers.structure import Kernel


def filter_axes(kernel: Kernel) -> tuple[int, ...]:
    """Returns the axes of a kernel that index its filters: weights of one filter make one output.

    They are the last axis of dense, convolutional and recurrent kernels, the last but one of transposed
    convolutions, the last two of depthwise ones, and the axes that an einsum equation shares with the output.
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
    """Returns a direction scaled so that each filter has the norm of the weights' filter, which may be zero.

    Args:
        direction: array of the kernel's shape, zero where inactive.
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
