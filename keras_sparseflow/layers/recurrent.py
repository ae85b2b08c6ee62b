"""Masked recurrent layers: a mask on the kernel and one on the recurrent kernel of their cells."""

from typing import Any

import keras
from keras.src.layers.rnn.conv_lstm import ConvLSTMCell

from keras_sparseflow.layers.mask.loop import kernels_read_once
from keras_sparseflow.layers.masked import MaskedKernel
from keras_sparseflow.layers.several_kernels import MaskedParts, kernel_of_part


class _MaskedCell(MaskedParts):
    kernel_attributes = ("kernel", "recurrent_kernel")
    kernel = kernel_of_part("kernel")
    recurrent_kernel = kernel_of_part("recurrent_kernel")


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedSimpleRNNCell(_MaskedCell, keras.layers.SimpleRNNCell):
    """`keras.layers.SimpleRNNCell` with masks on `kernel` and `recurrent_kernel`."""


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedLSTMCell(_MaskedCell, keras.layers.LSTMCell):
    """`keras.layers.LSTMCell` with masks on `kernel` and `recurrent_kernel`."""


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedGRUCell(_MaskedCell, keras.layers.GRUCell):
    """`keras.layers.GRUCell` with masks on `kernel` and `recurrent_kernel`."""


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedConvLSTMCell(_MaskedCell, ConvLSTMCell):
    """The cell of `keras.layers.ConvLSTM2D` and its kin, with masks on `kernel` and `recurrent_kernel`."""


_CELLS: dict[type, Any] = {
    keras.layers.SimpleRNNCell: MaskedSimpleRNNCell,
    keras.layers.LSTMCell: MaskedLSTMCell,
    keras.layers.GRUCell: MaskedGRUCell,
}


class KernelsReadOnce(keras.layers.Layer):
    """Mixin of `keras.layers.RNN` and its kin, which reads the masked kernels within once, before the loop."""

    def inner_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the stock layer's loop over time with effective kernels that are read once, before the loop."""
        masked = [layer for layer in self._flatten_layers(include_self=False) if isinstance(layer, MaskedKernel)]
        with kernels_read_once(masked):
            return super().inner_loop(*args, **kwargs)


class _MaskedRecurrent(KernelsReadOnce, MaskedParts):
    """Mixin of layers that make their own cell."""

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
