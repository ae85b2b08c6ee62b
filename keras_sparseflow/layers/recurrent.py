"""Masked recurrent layers: a mask on the kernel and one on the recurrent kernel of their cells."""

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

import keras
from keras import ops

from keras_sparseflow.layers.several_kernels import MaskedParts

_kernels_of_loop: ContextVar[Mapping[int, Any]] = ContextVar("kernels_of_loop", default=MappingProxyType({}))
"""Effective kernels of the layer whose loop over time runs now, by the `id` of their parts."""


def _kernel_in_loop(name: str) -> Any:
    """Returns the property through which a cell reads a kernel; within a loop, what was read before it."""

    def read(cell: Any) -> Any:
        part = getattr(cell, f"{name}_part")
        in_loop = _kernels_of_loop.get().get(id(part))
        return part.kernel if in_loop is None else in_loop

    return property(read)


class _MaskedCell(MaskedParts):
    kernel_attributes = ("kernel", "recurrent_kernel")
    kernel = _kernel_in_loop("kernel")
    recurrent_kernel = _kernel_in_loop("recurrent_kernel")


class _MaskedSimpleRNNCell(_MaskedCell, keras.layers.SimpleRNNCell):
    pass


class _MaskedLSTMCell(_MaskedCell, keras.layers.LSTMCell):
    pass


class _MaskedGRUCell(_MaskedCell, keras.layers.GRUCell):
    pass


_CELLS: dict[type, Any] = {
    keras.layers.SimpleRNNCell: _MaskedSimpleRNNCell,
    keras.layers.LSTMCell: _MaskedLSTMCell,
    keras.layers.GRUCell: _MaskedGRUCell,
}


class _MaskedRecurrent(MaskedParts):
    """Mixin of layers that make their own cell."""

    def inner_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the stock layer's loop over time with effective kernels that are read once, before the loop.

        Custom gradients within a TensorFlow loop must not capture masks or switches. Reading once is cheaper, too.
        """
        kernels = {id(part): ops.copy(part.kernel) for part in self.parts.values()}
        token = _kernels_of_loop.set({**_kernels_of_loop.get(), **kernels})
        try:
            return super().inner_loop(*args, **kwargs)
        finally:
            _kernels_of_loop.reset(token)

    def _masked_part(self, value: Any) -> Any:
        cell = _CELLS.get(type(value))
        if cell is None:
            return super()._masked_part(value)
        return cell.from_config({**value.get_config(), "density": self._requested_density, "mask_seed": self.mask_seed})


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedSimpleRNN(_MaskedRecurrent, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN` with masks on `kernel` and `recurrent_kernel` of its cell.

    Example:
        >>> layer = MaskedSimpleRNN(4, density=0.5, mask_seed=0)
        >>> layer.build((None, 10, 6))
        >>> {name: part.active_count for name, part in layer.parts.items()}
        {'recurrent_kernel': 8, 'kernel': 12}
    """


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedLSTM(_MaskedRecurrent, keras.layers.LSTM):
    """`keras.layers.LSTM` with masks on `kernel` and `recurrent_kernel`, the four gates of each together.

    Example:
        >>> layer = MaskedLSTM(4, density=0.5, mask_seed=0)
        >>> layer.build((None, 10, 6))
        >>> {name: part.active_count for name, part in layer.parts.items()}
        {'recurrent_kernel': 32, 'kernel': 48}
    """


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedGRU(_MaskedRecurrent, keras.layers.GRU):
    """`keras.layers.GRU` with masks on `kernel` and `recurrent_kernel`, the three gates of each together.

    Example:
        >>> layer = MaskedGRU(4, density=0.5, mask_seed=0)
        >>> layer.build((None, 10, 6))
        >>> {name: part.active_count for name, part in layer.parts.items()}
        {'recurrent_kernel': 24, 'kernel': 36}
    """
