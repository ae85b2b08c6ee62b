"""The layers of a model that ghost skips are laid over."""

import fnmatch
from collections.abc import Callable, Iterable
from typing import Any

import keras
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv
from keras.src.layers.convolutional.base_separable_conv import BaseSeparableConv
from keras.src.models.functional import Functional

from keras_sparseflow.layers.several_kernels import KernelPart
from keras_sparseflow.layers.structure import is_rebuildable, kernels_of
from keras_sparseflow.plugins import unknown_name
from keras_sparseflow.twins.ghosts.ghost_graph import graph_of, nodes_of
from keras_sparseflow.twins.ghosts.ghost_relus import has_own_relu

_CONVOLUTIONS = (BaseConv, BaseDepthwiseConv, BaseSeparableConv)


def skipped_layers(model: keras.Model, skips: bool | str | Iterable[str]) -> list[keras.layers.Layer]:
    """Returns the layers of a model that get a ghost skip; see `ghostify` for which these are.

    Raises:
        ValueError: a name matches no layer that can have one.
    """
    layers = _possible(model)
    if skips is False:
        return []
    if skips is True:
        return _usual(model, list(layers.values()))
    chosen: dict[str, keras.layers.Layer] = {}
    for pattern in [skips] if isinstance(skips, str) else skips:
        matches = {path: layer for path, layer in layers.items() if _matches(path, pattern)}
        if not matches:
            raise unknown_name("layer for a ghost skip", pattern, list(layers))
        chosen.update(matches)
    return list(chosen.values())


def skip_options(layer: Any) -> dict[str, Any]:
    """Returns the arguments of a `GhostSkip` over a layer that depend on what the layer does with positions."""
    if not isinstance(layer, _CONVOLUTIONS):
        return {}
    lost = [(size - 1) * rate for size, rate in zip(layer.kernel_size, _dilations(layer), strict=True)]
    crop = lost if layer.padding == "valid" else [0] * len(lost)
    strides = layer.strides if isinstance(layer.strides, tuple) else (layer.strides,) * len(crop)
    return {"strides": strides, "crop": tuple(crop), "data_format": layer.data_format}


def _possible(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Returns the layers that a skip can be laid over, by path: those with a kernel that do not lose channels."""
    layers = {}
    for kernel in kernels_of(model):
        *around, layer = [layer for layer in kernel.chain if not isinstance(layer, KernelPart)]
        path = "/".join(each.name for each in (*around, layer))
        if all(is_rebuildable(each) for each in around) and _can_be_skipped(layer):
            layers[path] = layer
    return layers


def _can_be_skipped(layer: Any) -> bool:
    if not isinstance(layer, (*_CONVOLUTIONS, keras.layers.Dense)):
        return False
    channels = 1 if getattr(layer, "data_format", None) == "channels_first" else -1
    own = layer.activation is keras.activations.linear or has_own_relu(layer)
    return own and layer.output.shape[channels] >= layer.input.shape[channels]


def _usual(model: keras.Model, layers: list[Any]) -> list[Any]:
    """Returns the 3x3 convolutions of a model, or of one without any convolution the hidden dense layers."""
    graph = graph_of(model)
    if graph is None:
        return []
    with_kernels = {id(layer) for kernel in kernels_of(model) for layer in kernel.chain}
    later: set[int] = set()
    earlier: set[int] = set()
    _find_later(graph, with_kernels, False, later)
    _find_earlier(graph, with_kernels, False, earlier)
    if any(isinstance(layer, _CONVOLUTIONS) for layer in model._flatten_layers()):
        return [layer for layer in layers if id(layer) in later and _is_three_wide(layer)]
    return [layer for layer in layers if id(layer) in later & earlier]


def _is_three_wide(layer: Any) -> bool:
    return isinstance(layer, _CONVOLUTIONS) and set(layer.kernel_size) == {3}


def _find_later(graph: Functional, with_kernels: set[int], entered: bool, found: set[int]) -> bool:
    """Adds the ids of the operations whose inputs have passed a kernel; returns whether the graph's outputs have.

    Args:
        graph: of the model.
        with_kernels: ids of the operations that have kernels.
        entered: whether the graph's inputs have passed one.
        found: to which ids are added, those of nested models' operations too.
    """
    passed = {id(tensor): entered for tensor in graph.inputs}
    for node in nodes_of(graph):
        before = any(passed[id(tensor)] for tensor in node.input_tensors)
        after = _through(node.operation, with_kernels, before, found, _find_later)
        passed.update({id(tensor): after for tensor in node.outputs})
    return any(passed[id(tensor)] for tensor in graph.outputs)


def _find_earlier(graph: Functional, with_kernels: set[int], goes_on: bool, found: set[int]) -> bool:
    """As `_find_later`, for the operations whose outputs are going to pass a kernel."""
    leading = {id(tensor) for tensor in graph.outputs if goes_on}
    for node in reversed(nodes_of(graph)):
        after = any(id(tensor) in leading for tensor in node.outputs)
        if _through(node.operation, with_kernels, after, found, _find_earlier):
            leading.update(id(tensor) for tensor in node.input_tensors)
    return any(id(tensor) in leading for tensor in graph.inputs)


def _through(
    operation: Any, with_kernels: set[int], so_far: bool, found: set[int], within: Callable[..., bool]
) -> bool:
    graph = graph_of(operation)
    if graph is not None:
        return within(graph, with_kernels, so_far, found)
    if so_far:
        found.add(id(operation))
    return so_far or id(operation) in with_kernels


def _dilations(layer: Any) -> tuple[int, ...]:
    rates = layer.dilation_rate
    return (rates,) * len(layer.kernel_size) if isinstance(rates, int) else tuple(rates)


def _matches(path: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, f"*/{pattern}")
