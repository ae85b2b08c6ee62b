"""The ReLUs of a model: operations of their own, and the activations of other layers."""

from typing import Any

import keras
from keras.src.activations.activations import ReLU as ReLUWithOptions
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv
from keras.src.layers.convolutional.base_separable_conv import BaseSeparableConv
from keras.src.ops.nn import Relu

from keras_sparseflow.twins.kinds import has_twin

_ACTIVATED_LAST = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    BaseConv,
    BaseConvTranspose,
    BaseDepthwiseConv,
    BaseSeparableConv,
)
"""Layers that apply their activation to what they would return without one."""


def is_relu(operation: Any) -> bool:
    """Returns whether a layer or operation is exactly ReLU and nothing else."""
    kind = type(operation)
    if kind is keras.layers.Activation:
        return operation.activation is keras.activations.relu
    if kind in (keras.layers.ReLU, ReLUWithOptions):
        return operation.max_value is None and operation.negative_slope == operation.threshold == 0
    return kind is Relu


def has_own_relu(layer: Any) -> bool:
    """Returns whether a layer is a kernel, and then a ReLU; subclasses may compute something else."""
    return isinstance(layer, _ACTIVATED_LAST) and has_twin(layer) and layer.activation is keras.activations.relu
