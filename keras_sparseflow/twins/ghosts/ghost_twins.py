"""A model's twin with ghosts, and back to the architecture without them."""

from collections.abc import Callable, Iterable
from typing import Any

import keras

from keras_sparseflow.layers.ghost import GhostActivation, GhostMish, GhostSwish, ghosts_of
from keras_sparseflow.layers.structure import is_rebuildable, walk
from keras_sparseflow.plugins import unknown_name
from keras_sparseflow.twins.copying import copy_model
from keras_sparseflow.twins.ghosts.ghost_graph import rewire
from keras_sparseflow.twins.ghosts.ghost_relus import has_own_relu
from keras_sparseflow.twins.ghosts.ghost_rewiring import Exorcism, Haunting
from keras_sparseflow.twins.ghosts.ghost_skips import skipped_layers

_SOFT: dict[str, Callable[..., GhostActivation]] = {"swish": GhostSwish, "mish": GhostMish}


def ghostify(model: keras.Model, swish: bool | str = True, skips: bool | str | Iterable[str] = True) -> keras.Model:
    """Returns the twin of a model with ghosts: soft activations for ReLUs, and skips over layers with kernels.

    `GhostSchedule` lets them fade while the twin trains, and `strip_ghosts` gives back the architecture. The twin has
    the model's layers, stock or masked, under their names, with their weights and masks; it trains no weight beside
    these. The model itself is not changed. The twin is not compiled.

    Activations are replaced where they are exactly ReLU: layers, operations, and those that dense and convolutional
    layers have as their own, which become a layer behind them. Those within recurrent layers, wrappers and layers of
    other packages stay.

    A skip adds a layer's input to its output ahead of the activation, behind a normalisation that alone follows the
    layer. By default there is one over each convolution of size 3 in every direction, except where the model's input
    has passed no kernel yet (the stem), and where channels would be lost. In a model without convolutions it is the
    hidden dense layers that get one: those with a kernel before and after them, at least as wide as their input.
    Layers whose own activation is neither linear nor ReLU get none.

    Args:
        model: functional or sequential, built.
        swish: True or "swish" for `GhostSwish`, "mish" for `GhostMish`, False to leave activations as they are.
        skips: True for those above; False for none; or names or paths of layers, or patterns of these, of any size and
            place, which must not lose channels.

    Raises:
        TypeError: the model is subclassed, so that its graph is not known.
        ValueError: it is not built, has ghosts already or no place for one, or a name is unknown.

    Example:
        >>> inputs = keras.Input((8,))
        >>> hidden = keras.layers.Dense(16, activation="relu", name="first")(inputs)
        >>> hidden = keras.layers.Dense(16, activation="relu", name="second")(hidden)
        >>> twin = ghostify(keras.Model(inputs, keras.layers.Dense(2, name="output")(hidden)))
        >>> [layer.name for layer in twin.layers[1:]]
        ['first', 'first_activation', 'second', 'second_skip', 'second_activation', 'output']

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, section 2.2 and figure 4, for
        residual blocks; networks without them are left open there.
    """
    _check_model(model, "ghostify")
    if not isinstance(swish, bool) and swish not in _SOFT:
        raise unknown_name("ghost activation", swish, list(_SOFT))
    if ghosts_of(model):
        raise ValueError(f"Model {model.name!r} has ghosts already: {ghosts_of(model)[0].name!r} is one.")
    soft = None if swish is False else _SOFT["swish" if swish is True else swish]
    skipped = {id(layer) for layer in skipped_layers(model, skips)}
    in_graphs = {id(chain[-1]) for _, chain in walk(model) if all(map(is_rebuildable, chain[:-1]))}
    haunting = Haunting(soft)

    twin = copy_model(model)
    for (_, (*_, layer)), (_, (*_, copy)) in zip(walk(model), walk(twin), strict=True):
        skip = id(layer) in skipped
        relu = has_own_relu(layer) and (skip or soft is not None)
        if id(layer) in in_graphs and relu:
            copy.activation = keras.activations.linear
            haunting.activated |= {id(copy)}
        if id(layer) in in_graphs and skip:
            haunting.skipped |= {id(copy)}
    twin = rewire(twin, haunting)
    if not ghosts_of(twin):
        raise ValueError(
            f"Model {model.name!r} has no place for a ghost: expected a ReLU to replace or a layer to lay a skip over, "
            f"as `swish={swish!r}` and `skips={skips!r}` ask for."
        )
    return twin


def strip_ghosts(model: keras.Model) -> keras.Model:
    """Returns the architecture that a twin of `ghostify` was made of, with the twin's weights and masks.

    Layers, their names and configs, and the graph are those of the original; outputs are the twin's. What is returned
    is not compiled. Of ghosts that were put into a model by hand, activations become ReLUs and skips are left out.

    Args:
        model: functional or sequential, built; its ghosts have faded: each `beta` is infinite and each `alpha` 0, as
            `GhostSchedule` leaves them.

    Raises:
        TypeError: the model is subclassed, so that its graph is not known.
        ValueError: it is not built, a ghost has not faded, or one is within another layer.

    Example:
        >>> inputs = keras.Input((8,))
        >>> model = keras.Model(inputs, keras.layers.Dense(4, activation="relu")(inputs))
        >>> twin = ghostify(model, skips=False)
        >>> for ghost in ghosts_of(twin):
        ...     _ = ghost.beta.assign(float("inf"))
        >>> strip_ghosts(twin).layers[1].get_config()["activation"]
        'relu'
    """
    _check_model(model, "strip_ghosts")
    _check_faded(model)
    stripped = copy_model(model)
    for layer in _layers_without_their_relu(stripped):
        layer.activation = keras.activations.relu
    stripped = rewire(stripped, Exorcism())
    if left := ghosts_of(stripped):
        raise ValueError(
            f"Ghost {left[0].name!r} is part of another layer of {model.name!r}, which cannot be taken apart: expected "
            "ghosts that are layers of a model."
        )
    return stripped


def _check_model(model: Any, function: str) -> None:
    if not is_rebuildable(model):
        raise TypeError(
            f"`{function}` needs a functional or sequential model, whose graph of layers Keras knows; received "
            f"{type(model).__name__!r}, which is subclassed. In such a model call `GhostSwish()` and `GhostSkip()` "
            "yourself; `GhostSchedule` finds them."
        )
    if not model.built:
        raise ValueError(f"`model` must be built: call {model.name!r} on data or give it a `keras.Input` first.")


def _check_faded(model: keras.Model) -> None:
    live = [ghost for ghost in ghosts_of(model) if ghost.is_ghost]
    if live:
        name = "beta" if isinstance(live[0], GhostActivation) else "alpha"
        value = float(keras.ops.convert_to_numpy(getattr(live[0], name)))
        raise ValueError(
            f"{len(live)} ghosts of {model.name!r} have not faded: expected each `beta` inf and each `alpha` 0; "
            f"received `{name}` {value:g} in {live[0].name!r}. Train the model to the end of a `GhostSchedule`."
        )


def _layers_without_their_relu(model: keras.Model) -> list[Any]:
    """Returns the layers whose own ReLU `ghostify` has put behind them."""
    models = [model, *(chain[-1] for _, chain in walk(model) if is_rebuildable(chain[-1]))]
    ghosts = [(each, layer) for each in models for layer in each.layers if isinstance(layer, GhostActivation)]
    return [each.get_layer(ghost.replaces) for each, ghost in ghosts if isinstance(ghost.replaces, str)]
