"""Kernels with LoRA: after `enable_lora` a layer computes with its stored kernel plus a product that trains."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_sparseflow.layers.structure import Kernel


def has_lora(kernel: Kernel) -> bool:
    """Returns whether LoRA adds a product to a kernel, so that the layer computes with other than the stored values."""
    return _adds_lora(kernel.layer) and kernel.variable is kernel.layer._kernel


@contextlib.contextmanager
def merged_lora(model: keras.layers.Layer) -> Iterator[None]:
    """Context in which LoRA's products are added to the stored kernels, and no layer has LoRA.

    Inside, values and gradients of stored kernels are those of the kernels that layers compute with. Trace graphs
    inside, too.

    Args:
        model: a built model.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.layers[0].enable_lora(1, a_initializer="ones", b_initializer="ones")
        >>> with merged_lora(model):
        ...     model.layers[0]._kernel.numpy().ravel().tolist()
        [1.0, 1.0]
        >>> model.layers[0]._kernel.numpy().ravel().tolist()
        [0.0, 0.0]
    """
    layers: list[Any] = [layer for layer in model._flatten_layers() if _adds_lora(layer)]
    before = [keras.ops.convert_to_numpy(layer._kernel) for layer in layers]
    try:
        for layer in layers:
            merged = layer.kernel
            layer.lora_enabled = False
            layer._kernel.assign(merged)
        yield
    finally:
        for layer, stored in zip(layers, before, strict=True):
            layer._kernel.assign(stored)
            layer.lora_enabled = True


def _adds_lora(layer: Any) -> bool:
    floating = hasattr(layer, "_kernel") and keras.backend.is_float_dtype(layer._kernel.dtype)
    return floating and getattr(layer, "lora_enabled", False)
