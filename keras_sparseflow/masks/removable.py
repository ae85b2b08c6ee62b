"""The inputs and units of a layer that have an active weight, from the axes of the layer's kernel."""

from typing import Any

import keras
import numpy as np
from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv

from keras_sparseflow.layers.structure import Kernel

Axes = tuple[int, ...]


def alive(kernel: Kernel, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns which inputs and which units (or channels) of a kernel's layer have an active weight in a mask.

    Args:
        kernel: a kernel from `kernels_of`; its layer decides what the axes of the kernel count.
        mask: boolean, of the kernel's shape.

    Returns:
        Two boolean arrays, one entry for each input and for each unit.
    """
    # An input or unit is alive if any of its weights is active, so it is enough to know the axes that count them. Axes
    # are numbered from the last one, because kernels have any number of spatial axes in front. A grouped convolution
    # stores one group's inputs: unless the last axis is split by group, inputs of several groups would count as one.
    groups = getattr(kernel.layer, "groups", 1)
    if groups == 1:
        inputs, units = _axes(kernel)
    else:
        mask = mask.reshape(*mask.shape[:-1], groups, -1)
        inputs, units = (-3, -2), (-2, -1)
    return _any_along(mask, inputs), _any_along(mask, units)


def _any_along(mask: np.ndarray, kept: Axes) -> np.ndarray:
    return np.asarray(mask.any(axis=tuple(axis for axis in range(-mask.ndim, 0) if axis not in kept)))


def _axes(kernel: Kernel) -> tuple[Axes, Axes]:
    """Returns the axes of a kernel that count inputs and units, as negative numbers."""
    layer: Any = kernel.layer
    if isinstance(layer, keras.layers.EinsumDense):
        return _einsum_axes(layer.equation)
    if isinstance(layer, BaseConvTranspose):
        return (-1,), (-2,)
    if isinstance(layer, BaseDepthwiseConv) or kernel.path.endswith("/depthwise_kernel"):
        return (-2,), (-2, -1)
    return (-2,), (-1,)


def _einsum_axes(equation: str) -> tuple[Axes, Axes]:
    operands, output = equation.replace(" ", "").split("->")
    of_input, of_kernel = operands.split(",")
    places = [(label, place - len(of_kernel)) for place, label in enumerate(of_kernel)]
    return (
        tuple(place for label, place in places if label in of_input),
        tuple(place for label, place in places if label in output),
    )
