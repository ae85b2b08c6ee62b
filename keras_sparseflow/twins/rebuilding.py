"""A new model with the graph, names and state of another, some layers replaced."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_sparseflow.twins.structure import is_rebuildable, own_variables, walk

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
            in place of a layer, or None to have it copied. Whoever replaces a layer sets its state.
        plain: whether models of this package's classes become `keras.Model`s.
    """
    copies: dict[int, Any] = {}

    def copy_of(layer: Any) -> Any:
        if id(layer) not in copies:
            copies[id(layer)] = clone(layer) if is_rebuildable(layer) else replace(layer) or _copy(layer, copy_of)
        return copies[id(layer)]

    def clone(old: keras.Model) -> keras.Model:
        new = keras.models.clone_model(old, clone_function=copy_of)
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


def _copy_state(source: keras.Model, target: keras.Model) -> None:
    """Copies which layers are trainable and, where the class is the same, all state of each layer."""
    targets = {path: chain[-1] for path, chain in walk(target)}
    target.trainable = source.trainable
    for path, chain in walk(source):
        old, new = chain[-1], targets.get(path)
        if new is None:
            continue  # within a layer that was replaced
        new.trainable = old.trainable
        if type(old) is type(new) and not is_rebuildable(old):
            _copy_own_state(old, new)


def _copy_own_state(source: Any, target: Any) -> None:
    """Copies what one layer itself holds, as saving and loading it would."""
    store: dict[str, Any] = {}
    if own_variables(source):
        source.save_own_variables(store)
        target.load_own_variables(store)
        for old, new in zip(source._seed_generators, target._seed_generators, strict=True):
            new.state.assign(old.state)
    if hasattr(source, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            source.save_assets(folder)
            target.load_assets(folder)
