"""Masked transposed convolutions, and the masked depthwise convolution in one dimension."""

import keras

from keras_sparseflow.layers.masked import MaskedKernel


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedConv1DTranspose(MaskedKernel, keras.layers.Conv1DTranspose):
    """`keras.layers.Conv1DTranspose` with a mask on its kernel of shape `(length, filters, inputs)`.

    Example:
        >>> layer = MaskedConv1DTranspose(4, 3, strides=2, density=0.5, mask_seed=0)
        >>> tuple(layer(keras.ops.ones((1, 5, 2))).shape), layer.active_count
        ((1, 11, 4), 12)
    """


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedConv2DTranspose(MaskedKernel, keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with a mask on its kernel of shape `(height, width, filters, inputs)`.

    Example:
        >>> layer = MaskedConv2DTranspose(4, 2, strides=2, density=0.5, mask_seed=0)
        >>> tuple(layer(keras.ops.ones((1, 3, 3, 2))).shape), layer.active_count
        ((1, 6, 6, 4), 16)
    """


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedConv3DTranspose(MaskedKernel, keras.layers.Conv3DTranspose):
    """`keras.layers.Conv3DTranspose` with a mask on its kernel of shape `(d, h, w, filters, inputs)`.

    Example:
        >>> layer = MaskedConv3DTranspose(2, 2, strides=2, density=0.5, mask_seed=0)
        >>> tuple(layer(keras.ops.ones((1, 2, 2, 2, 3))).shape), layer.active_count
        ((1, 4, 4, 4, 2), 24)
    """


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedDepthwiseConv1D(MaskedKernel, keras.layers.DepthwiseConv1D):
    """`keras.layers.DepthwiseConv1D` with a mask on its kernel of shape `(length, inputs, depth_multiplier)`.

    Example:
        >>> layer = MaskedDepthwiseConv1D(3, density=0.5, mask_seed=0)
        >>> tuple(layer(keras.ops.ones((1, 6, 4))).shape), layer.active_count
        ((1, 4, 4), 6)
    """
