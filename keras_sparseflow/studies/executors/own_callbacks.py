"""Callbacks of one's own, which watch the training of each network of a study."""

import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_sparseflow.plugins import Table

CALLBACKS = Table("callback", "keras_sparseflow.callback", {}, expects="callable")
"""Each is called with a run's spec and the path of its folder, and returns a Keras callback or a list of them."""


def callback_maker(name: str) -> Callable[[Any, Path], Any]:
    """Returns the function of a name.

    Args:
        name: of a plugin, or `module:function`.

    Raises:
        ValueError: no plugin of that name, or nothing that can be imported and called.

    Example:
        >>> callback_maker("keras_sparseflow.plugins:nothing")
        Traceback (most recent call last):
            ...
        ValueError: `callbacks` must name functions; 'keras_sparseflow.plugins:nothing' gives AttributeError: ...
    """
    if ":" not in name:
        made: Callable[[Any, Path], Any] = CALLBACKS.get(name)
        return made
    try:
        found: Any = pkgutil.resolve_name(name)
    except Exception as error:  # whatever somebody else's module raises
        raise ValueError(f"`callbacks` must name functions; {name!r} gives {type(error).__name__}: {error}.") from error
    if not callable(found):
        raise ValueError(f"`callbacks` must name functions; {name!r} is a {type(found).__name__}.")
    return found


def made_callbacks(names: tuple[str, ...], spec: Any, folder: Path) -> list[Any]:
    """Returns the callbacks of one run.

    Raises:
        TypeError: a function returns something else.
    """
    import keras

    callbacks = []
    for name in names:
        made = callback_maker(name)(spec, folder)
        for callback in made if isinstance(made, list | tuple) else [made]:
            if not isinstance(callback, keras.callbacks.Callback):
                kind = type(callback).__name__
                raise TypeError(f"{name!r} of `callbacks` must return Keras callbacks; received {kind}.")
            callbacks.append(callback)
    return callbacks
