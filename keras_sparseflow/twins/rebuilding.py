"""A new model with the graph, names and state of another, some layers replaced."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_sparseflow.layers import MaskedKernel
from keras_sparseflow.layers.several_kernels import KernelPart, MaskedParts
from keras_sparseflow.layers.structure import is_rebuildable, own_variables, sublayers, walk

Replace = Callable[[keras.layers.Layer], keras.layers.Layer | None]


WRAPPERS = (keras.layers.TimeDistributed, keras.layers.Bidirectional)
"""Wrappers whose inner layers can be replaced: they only call them."""


def rebuild(model: keras.Model, replace: Replace, plain: bool = False) -> keras.Model:
    """Returns a new model like this one, uncompiled, each layer replaced or copied, with the same state.

    Nested models and the layers within `TimeDistributed` and `Bidirectional` are rebuilt too; a layer
    that is used several times stays one layer.

    Args:
        model: functional or sequential, built.
        replace: returns the new layer, which `Bidirectional` may copy once more through its config,
            in place of a layer, or None to have it copied. A masked layer and its stock twin get each other's weights.
        plain: whether models of this package's classes become `keras.Model`s.
    """
    copies: dict[int, Any] = {}

    def copy_of(layer: Any) -> Any:
        if id(layer) not in copies:
            copies[id(layer)] = clone(layer) if is_rebuildable(layer) else replace(layer) or _copy(layer, copy_of)
        return copies[id(layer)]

    def clone(old: keras.Model) -> keras.Model:
        new = keras.models.clone_model(old, _with_inputs_of(old), clone_function=copy_of)
        if plain and type(new).__module__.startswith("keras_sparseflow."):
            return keras.Model(new.input, new.output, name=new.name)
        return new

    with _uncompiled(model):
        new = clone(model)
    _copy_state(model, new)
    return new


def _copy(layer: Any, copy_of: Callable[[keras.layers.Layer], keras.layers.Layer]) -> Any:
    """Returns an unbuilt copy of a layer, or of an operation, which has no state."""
    if type(layer) is keras.layers.TimeDistributed:
        return keras.layers.TimeDistributed(copy_of(layer.layer), **_base_config(layer))
    if type(layer) is keras.layers.Bidirectional:
        return keras.layers.Bidirectional(
            copy_of(layer.forward_layer),
            merge_mode=layer.merge_mode,
            backward_layer=copy_of(layer.backward_layer),
            **_base_config(layer),
        )
    if type(layer) is keras.layers.Lambda:  # Keras refuses to read a lambda from a config, where this one comes from
        return keras.layers.Lambda(
            layer.function,
            output_shape=layer._output_shape,
            mask=layer.mask,
            arguments=layer.arguments,
            **_base_config(layer),
        )
    return type(layer).from_config(layer.get_config())


def _base_config(layer: keras.layers.Layer) -> dict[str, Any]:
    return {"name": layer.name, "dtype": layer.dtype_policy, "trainable": layer.trainable}


@contextlib.contextmanager
def _uncompiled(model: keras.Model) -> Iterator[None]:
    """Within it, a model and those nested in it seem not to be compiled: a clone would get a new optimizer."""
    layers = [model, *(chain[-1] for _, chain in walk(model))]
    compiled = [layer for layer in layers if getattr(layer, "compiled", False)]
    for layer in compiled:
        layer.compiled = False
    try:
        yield
    finally:
        for layer in compiled:
            layer.compiled = True


def _with_inputs_of(model: keras.Model) -> Any:
    """Returns new inputs for a functional model that are named as its own; None for a sequential one."""
    if isinstance(model, keras.Sequential):
        return None

    def like(tensor: Any) -> Any:
        layer = tensor._keras_history.operation
        return keras.Input(
            batch_shape=tensor.shape, dtype=tensor.dtype, sparse=tensor.sparse, name=layer.name, optional=layer.optional
        )

    return keras.tree.map_structure(like, model.input)


def _copy_state(old: Any, new: Any) -> None:
    """Copies which layers are trainable, and all that layers hold, from a model or layer to its copy or twin."""
    new.trainable = old.trainable
    has_lora = getattr(old, "lora_enabled", False)  # saving and loading would end what it trains
    if (type(old) is not type(new) or has_lora) and not is_rebuildable(old):
        _copy_weights(old, new)
    elif own_variables(old) or isinstance(old, MaskedParts) or hasattr(old, "save_assets"):
        _copy_own_state(old, new)
    for inner, inner_copy in _inner_pairs(old, new):
        _copy_state(inner, inner_copy)


def _inner_pairs(old: Any, new: Any) -> list[tuple[Any, Any]]:
    """Returns the layers directly within, each with its copy: by name in models, by place in layers."""
    if is_rebuildable(old):
        named = {layer.name: layer for layer in sublayers(new)}
        return [(layer, named[layer.name]) for layer in sublayers(old)]
    inner, inner_copies = (
        [part for part in sublayers(layer) if not isinstance(part, KernelPart)] for layer in (old, new)
    )
    return list(zip(inner, inner_copies, strict=True))


def _copy_own_state(old: Any, new: Any) -> None:
    """Copies what one layer itself holds, as saving and loading it would."""
    store: dict[str, Any] = {}
    old.save_own_variables(store)
    new.load_own_variables(store)
    for generator, generator_copy in zip(old._seed_generators, new._seed_generators, strict=True):
        generator_copy.state.assign(generator.state)
    if hasattr(old, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            old.save_assets(folder)
            new.load_assets(folder)


def _copy_weights(old: Any, new: Any) -> None:
    """Copies the weights of a layer by name; LoRA's part is merged into the kernel where the new layer has none."""
    values: dict[str, Any] = _weights_by_name(old)
    if getattr(new, "lora_enabled", False):
        new.lora_alpha = old.lora_alpha  # Keras' Dense loses it when it is built
    elif getattr(old, "lora_enabled", False):
        values["kernel"] = old.kernel
    for name, variable in _weights_by_name(new).items():
        variable.assign(values[name])


def _weights_by_name(layer: Any) -> dict[str, keras.Variable]:
    own = {variable.name: variable for variable in own_variables(layer)}
    return {**own, **{name: masked.stored_kernel for name, masked in _masked_by_name(layer).items()}}


def _masked_by_name(layer: Any) -> dict[str, MaskedKernel]:
    """Returns the layer itself, if it is masked, and its parts, by what a stock layer calls their kernels."""
    if isinstance(layer, MaskedKernel):
        return {"kernel": layer}
    return {part.name: part for part in sublayers(layer) if isinstance(part, KernelPart)}
