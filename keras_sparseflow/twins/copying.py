"""A copy of a model as Keras makes it: of its own class, from its config, with its weights and all other state."""

import contextlib
import tempfile
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.saving.serialization_lib import SafeModeScope

from keras_sparseflow.layers.structure import Kernel, holds_configs, variables_at_places, walk
from keras_sparseflow.twins.kinds import own_class

_REMEDY = (
    "Give the class a `get_config` of all arguments that its constructor takes, and a `build` that builds the layers "
    "within; or let the model itself be changed by `inplace=True`."
)


def copy_model(model: keras.Model) -> Any:
    """Returns an uncompiled copy of a built model, masks included.

    Graphs of layers are cloned, and layers used several times stay one layer. Other models and layers are made by
    their own `from_config`, and built.

    Raises:
        ValueError: the model has no config, or one that does not give its layers, as its class says.
    """
    copies: dict[int, Any] = {}

    def copy_of(layer: Any) -> Any:
        if id(layer) not in copies:
            copies[id(layer)] = clone(layer) if _can_be_cloned(layer) else _copy(layer, copy_of)
        return copies[id(layer)]

    def clone(old: keras.Model) -> keras.Model:
        return keras.models.clone_model(old, _with_inputs_of(old), clone_function=copy_of)

    classes = {own_class(type(layer)) for layer in layers_of(model)}
    known = {kind.__name__: kind for kind in classes if not kind.__module__.startswith(("keras.", "keras_sparseflow."))}
    with _uncompiled(model), keras.saving.CustomObjectScope(known), SafeModeScope(False):
        try:
            new = copy_of(model)
            if not holds_configs(model):
                new.name = model.name
                new.build_from_config(model.get_build_config())
                new.built = True  # if variables are missing, that is said below
        except (NotImplementedError, TypeError) as error:
            said = " ".join(str(error).split())[:200]
            raise ValueError(f"Model {model.name!r} cannot be copied: Keras says {said!r}. {_REMEDY}") from error
    _check_copy(model, new)
    for layer, layer_copy in zip(layers_of(model), layers_of(new), strict=True):
        layer_copy.trainable = layer.trainable  # outer layers first, as they hand it down
    _copy_variables(model, new)
    for layer, layer_copy in zip(layers_of(model), layers_of(new), strict=True):
        _copy_state(layer, layer_copy)
    return new


def _can_be_cloned(layer: Any) -> bool:
    """Returns whether a layer is a model that Keras clones layer by layer, and keeps its class."""
    if isinstance(layer, keras.Sequential):
        return type(layer) is keras.Sequential
    return isinstance(layer, keras.Model) and holds_configs(layer)


def _copy(layer: Any, copy_of: Any) -> Any:
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
    if type(layer) is keras.layers.Lambda:  # a config would lose what a lambda has taken from around it
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
    compiled = [layer for layer in layers_of(model) if getattr(layer, "compiled", False)]
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


def layers_of(model: keras.Model) -> list[Any]:
    """Returns a model and all layers within, each once."""
    return [model, *(chain[-1] for _, chain in walk(model))]


def _check_copy(old: keras.Model, new: keras.Model) -> None:
    """Raises ValueError unless the copy has the same variables at the same places."""
    expected, found = _by_place(old), _by_place(new)
    odd = [path for path in expected if path not in found or found[path].shape != expected[path].shape]
    own = {id(place.variable) for place in expected.values()}
    kept = [path for path, place in found.items() if id(place.variable) in own and path in expected]
    shared = len({id(place.variable) for place in expected.values()}), len({id(p.variable) for p in found.values()})
    count = [len(layers_of(model)) for model in (old, new)]
    if odd or kept or len(found) != len(expected) or shared[0] != shared[1] or count[0] != count[1]:
        place = expected[(odd + kept)[0]] if odd + kept else None
        layer = old if place is None else next((each for each in (old, *place.chain) if not _is_keras(each)), old)
        what = "layers are shared in another way"
        if place is not None:
            what = f"{place.path!r} is {'missing or of another shape' if odd else 'the variable of the model itself'}"
        raise ValueError(
            f"Model {old.name!r} cannot be copied: in what Keras makes from the config of {type(layer).__name__} "
            f"{layer.name!r}, {what}. {_REMEDY}"
        )


def _copy_variables(old: keras.Model, new: keras.Model) -> None:
    found = _by_place(new)
    for path, place in _by_place(old).items():
        variable = found[path].variable
        variable.assign(place.variable)
        if variable.trainable != place.variable.trainable:
            variable.trainable = place.variable.trainable


def _by_place(model: keras.Model) -> dict[str, Kernel]:
    return {place.path: place for place in variables_at_places(model)}


def _is_keras(layer: keras.layers.Layer) -> bool:
    return type(layer).__module__.startswith(("keras.", "keras_sparseflow."))


def _copy_state(old: Any, new: Any) -> None:
    """Copies what one layer holds beside its variables to its copy."""
    if getattr(old, "lora_enabled", False):
        new.lora_alpha = old.lora_alpha  # Keras' Dense loses it when it is built
    if hasattr(old, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            old.save_assets(folder)
            new.load_assets(folder)
    if isinstance(old, keras.layers.RNN) and old.stateful:
        for state, state_copy in zip(keras.tree.flatten(old.states), keras.tree.flatten(new.states), strict=True):
            state_copy.assign(state)
    if isinstance(new, keras.layers.Normalization):
        new.finalize_state()
