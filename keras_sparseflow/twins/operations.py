"""The uses of a kernel's weights for one example, from which floating-point operations follow."""

import contextlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv
from keras.src.layers.convolutional.base_separable_conv import BaseSeparableConv
from keras.src.layers.rnn.conv_lstm import ConvLSTMCell

from keras_sparseflow.layers.several_kernels import KernelPart
from keras_sparseflow.layers.structure import Kernel, input_tensors
from keras_sparseflow.masks.scores.tracing import inlined

Shape = tuple[int, ...]


def uses_per_example(model: keras.Model, kernels: Sequence[Kernel], inputs: Any = None) -> list[int | None]:
    """Returns for each kernel how often each of its weights is multiplied in the forward pass of one example.

    That is the number of output positions for a convolution, of time steps for a recurrent layer, of
    vectors for a dense one, summed over the calls of a layer that is shared. Found by one forward pass.
    Positions that padding adds are counted; products without a kernel, such as attention scores, are not.

    Args:
        model: built.
        kernels: of the model, by `kernels_of`.
        inputs: what to call the model on; its first example is used. None for zeros of the model's
            own input shape.

    Returns:
        None for kernels of layers whose computation is not known or that were not seen to run, and for all of them
        where the model's input has dimensions that are not known and `inputs` is None.
    """
    example = _zeros_like_inputs(model) if inputs is None else keras.tree.map_structure(_first_example, inputs)
    if example is None:
        return [None] * len(kernels)
    computing = [_computing_layer(kernel) for kernel in kernels]
    with _calls_of(computing) as calls, keras.StatelessScope(), inlined():
        model(example, training=False)
    return [_uses(layer, _owner(kernel), calls[id(layer)]) for layer, kernel in zip(computing, kernels, strict=True)]


def _zeros_like_inputs(model: keras.Model) -> Any:
    tensors = input_tensors(model)
    if tensors is None:
        return None
    flat = keras.tree.flatten(tensors)
    if any(None in tensor.shape[1:] or tensor.dtype == "string" for tensor in flat):
        return None
    return keras.tree.map_structure(
        lambda tensor: keras.ops.zeros((tensor.shape[0] or 1, *tensor.shape[1:]), dtype=tensor.dtype), tensors
    )


def _first_example(array: Any) -> Any:
    return keras.ops.convert_to_tensor(array)[:1]


def _computing_layer(kernel: Kernel) -> keras.layers.Layer:
    """Returns the layer whose call uses the kernel: a recurrent layer for the kernels of its cell."""
    for layer in kernel.chain:
        if isinstance(layer, keras.layers.RNN):
            return layer
    return _owner(kernel)


def _owner(kernel: Kernel) -> keras.layers.Layer:
    return [layer for layer in kernel.chain if not isinstance(layer, KernelPart)][-1]


@contextlib.contextmanager
def _calls_of(layers: Sequence[keras.layers.Layer]) -> Iterator[dict[int, list[tuple[Shape, Shape]]]]:
    """Within it, shapes of the first input and output of each call of these layers are kept, by the layer's `id`."""
    calls: dict[int, list[tuple[Shape, Shape]]] = defaultdict(list)

    def recording(layer: Any, method: str) -> Callable[..., Any]:
        call = getattr(layer, method)

        def recorded(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            first = args[0] if args else next(iter(kwargs.values()))
            shapes = [tuple(keras.tree.flatten(tensors)[0].shape) for tensors in (first, outputs)]
            calls[id(layer)].append((shapes[0], shapes[1]))
            return outputs

        return recorded

    methods = {id(layer): (layer, "call" if layer.quantization_mode is None else "quantized_call") for layer in layers}
    for layer, method in methods.values():
        vars(layer)[method] = recording(layer, method)
    try:
        yield calls
    finally:
        for layer, method in methods.values():
            del vars(layer)[method]


def _uses(layer: Any, owner: Any, calls: Sequence[tuple[Shape, Shape]]) -> int | None:
    """Returns the uses in all calls for one example; None if there was no call, or the computation is not known."""
    uses = [_uses_in_call(layer, owner, inputs, outputs) for inputs, outputs in calls]
    known = [use for use in uses if use is not None]
    return sum(known) if known and len(known) == len(uses) else None


def _uses_in_call(layer: Any, owner: Any, inputs: Shape, outputs: Shape) -> int | None:
    """Returns the uses in a call of the layer that computes with a kernel, of the layer itself or of its cell."""
    if isinstance(layer, keras.layers.RNN):
        at_once = _uses_in_step(owner, outputs)
        return None if at_once is None else inputs[1] * at_once
    if isinstance(layer, keras.layers.Dense):
        return math.prod(inputs[1:-1])
    if isinstance(layer, keras.layers.EinsumDense):
        return _einsum_uses(layer.equation, inputs)
    if isinstance(layer, BaseConvTranspose):
        return _positions(layer, inputs)
    if isinstance(layer, (BaseConv, BaseDepthwiseConv, BaseSeparableConv)):
        return _positions(layer, outputs)
    return None


def _uses_in_step(cell: Any, outputs: Shape) -> int | None:
    if isinstance(cell, (keras.layers.SimpleRNNCell, keras.layers.LSTMCell, keras.layers.GRUCell)):
        return 1
    if isinstance(cell, ConvLSTMCell):  # its recurrent kernel runs over the positions that the other one gives
        channel = -1 if cell.data_format == "channels_last" else len(outputs)
        return math.prod(outputs[:channel][-cell.rank :])
    return None


def _positions(layer: Any, shape: Shape) -> int:
    return math.prod(shape[1:-1] if layer.data_format == "channels_last" else shape[2:])


def _einsum_uses(equation: str, inputs: Shape) -> int:
    """Returns the product of the input's dimensions that the kernel does not have, the batch excepted."""
    of_input, of_kernel = equation.replace(" ", "").split("->")[0].split(",")
    head, _, tail = of_input.partition("...")
    broadcast = len(inputs) - len(head) - len(tail)
    labels = [*head, *[""] * broadcast, *tail]
    free = [size for label, size in zip(labels, inputs, strict=True) if label not in [*of_kernel]]
    return math.prod(free[1:])
