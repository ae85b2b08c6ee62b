"""Layers whose kernels carry a mask; they run on every Keras backend."""

from keras_sparseflow.layers.kernels import dense_gradients, random_mask
from keras_sparseflow.layers.masked import (
    MaskedConv1D,
    MaskedConv2D,
    MaskedConv3D,
    MaskedDense,
    MaskedDepthwiseConv2D,
    MaskedEinsumDense,
    MaskedKernel,
)

__all__ = [
    "MaskedConv1D",
    "MaskedConv2D",
    "MaskedConv3D",
    "MaskedDense",
    "MaskedDepthwiseConv2D",
    "MaskedEinsumDense",
    "MaskedKernel",
    "dense_gradients",
    "random_mask",
]
