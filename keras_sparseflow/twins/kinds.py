"""The masked class of each class of layers, and back."""

import functools
from typing import Any

import keras

from keras_sparseflow.layers import masked
from keras_sparseflow.layers.convolutions import (
    MaskedConv1DTranspose,
    MaskedConv2DTranspose,
    MaskedConv3DTranspose,
    MaskedDepthwiseConv1D,
)
from keras_sparseflow.layers.recurrent import (
    MaskedConvLSTMCell,
    MaskedGRU,
    MaskedGRUCell,
    MaskedLSTM,
    MaskedLSTMCell,
    MaskedSimpleRNN,
    MaskedSimpleRNNCell,
)
from keras_sparseflow.layers.several_kernels import (
    MaskedGroupQueryAttention,
    MaskedMultiHeadAttention,
    MaskedParts,
    MaskedSeparableConv1D,
    MaskedSeparableConv2D,
)
from keras_sparseflow.layers.sparse.sparse_kernel import SparseKernel
from keras_sparseflow.layers.sparse.sparse_layers import SparseConv2D, SparseDense, SparseEinsumDense

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
    MaskedSimpleRNNCell,
    MaskedLSTMCell,
    MaskedGRUCell,
    MaskedConvLSTMCell,
)

MASKED_OF: dict[type, type] = {kind.__bases__[-1]: kind for kind in _MASKED}
"""The masked class of each stock class."""

STOCK_OF: dict[type, type] = {kind: stock for stock, kind in MASKED_OF.items()}
"""The stock class of each masked class, and of each sparse one."""

SPARSE_OF: dict[type, type[SparseKernel]] = {
    keras.layers.Dense: SparseDense,
    keras.layers.Conv2D: SparseConv2D,
    keras.layers.EinsumDense: SparseEinsumDense,
}
"""The class of each stock class that stores active weights alone."""

STOCK_OF.update({kind: stock for stock, kind in SPARSE_OF.items()})

_OWN_CLASS: dict[type, type] = {}
"""The class that each class made by `subclass_of` stands for."""


def has_twin(layer: keras.layers.Layer) -> bool:
    """Returns whether the layer is masked already or can be, and is of a stock class but for its masks."""
    return type(layer) in MASKED_OF or type(layer) in STOCK_OF


def masked_class(layer: keras.layers.Layer) -> Any:
    """Returns the masked class for a layer of a stock class or of a subclass of one; None for any other."""
    kind: Any = type(layer)
    return _masked_class(kind)


@functools.cache
def _masked_class(kind: type) -> type | None:
    if issubclass(kind, (masked.MaskedKernel, MaskedParts)):
        return None
    known = next((MASKED_OF[each] for each in kind.__mro__ if each in MASKED_OF), None)
    return known if known is None or kind in MASKED_OF else subclass_of(kind, known)


def subclass_of(kind: type, *mixins: type) -> type:
    """Returns a new class of these mixins and a class, under the name of the class."""
    attributes = {"__doc__": kind.__doc__, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    new = type(kind.__name__, (*mixins, kind), attributes)
    _OWN_CLASS[new] = kind
    return new


def own_class(kind: type) -> type:
    """Returns the class that a layer was of before anything of it was masked."""
    while kind in _OWN_CLASS:
        kind = _OWN_CLASS[kind]
    return STOCK_OF.get(kind, kind)
