"""Which stock layers have a masked twin."""

import keras

from keras_sparseflow.layers import masked
from keras_sparseflow.layers.convolutions import (
    MaskedConv1DTranspose,
    MaskedConv2DTranspose,
    MaskedConv3DTranspose,
    MaskedDepthwiseConv1D,
)
from keras_sparseflow.layers.recurrent import MaskedGRU, MaskedLSTM, MaskedSimpleRNN
from keras_sparseflow.layers.several_kernels import (
    MaskedGroupQueryAttention,
    MaskedMultiHeadAttention,
    MaskedSeparableConv1D,
    MaskedSeparableConv2D,
)

_MASKED = (
    masked.MaskedDense,
    masked.MaskedEinsumDense,
    masked.MaskedConv1D,
    masked.MaskedConv2D,
    masked.MaskedConv3D,
    MaskedConv1DTranspose,
    MaskedConv2DTranspose,
    MaskedConv3DTranspose,
    MaskedDepthwiseConv1D,
    masked.MaskedDepthwiseConv2D,
    MaskedSeparableConv1D,
    MaskedSeparableConv2D,
    MaskedMultiHeadAttention,
    MaskedGroupQueryAttention,
    MaskedSimpleRNN,
    MaskedLSTM,
    MaskedGRU,
)

MASKED_OF: dict[type, type] = {kind.__bases__[-1]: kind for kind in _MASKED}
"""The masked class of each stock class; a subclass of a stock layer has none, as it may compute something else."""

STOCK_OF: dict[type, type] = {kind: stock for stock, kind in MASKED_OF.items()}
"""The stock class of each masked class."""


def has_twin(layer: keras.layers.Layer) -> bool:
    """Returns whether the layer is masked already or can be."""
    return type(layer) in MASKED_OF or type(layer) in STOCK_OF
