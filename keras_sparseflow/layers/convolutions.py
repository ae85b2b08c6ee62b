"""Masked twins of the convolutions that are used less often: transposed ones, and depthwise in one dimension."""

import keras

from keras_sparseflow.layers.masked import MaskedKernel


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedConv1DTranspose(MaskedKernel, keras.layers.Conv1DTranspose):
    """`keras.layers.Conv1DTranspose` with a mask on its kernel of shape `(length, filters, inputs)`."""


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedConv2DTranspose(MaskedKernel, keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with a mask on its kernel of shape `(height, width, filters, inputs)`."""


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedConv3DTranspose(MaskedKernel, keras.layers.Conv3DTranspose):
    """`keras.layers.Conv3DTranspose` with a mask on its kernel of shape `(d, h, w, filters, inputs)`."""


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedDepthwiseConv1D(MaskedKernel, keras.layers.DepthwiseConv1D):
    """`keras.layers.DepthwiseConv1D` with a mask on its kernel of shape `(length, inputs, depth_multiplier)`."""
