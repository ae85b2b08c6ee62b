"""A short hash of a plugin's code, by which changed code under the same name is recognised."""

import dataclasses
import functools
import hashlib
import importlib.util
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

_LENGTH = 8
_OWN = __name__.partition(".")[0]
_HOLDERS = {
    MethodType: ("__func__", "__self__"),
    property: ("fget", "fset", "fdel"),
    functools.partial: ("func", "args", "keywords"),
    BuiltinFunctionType: (),
}
"""The attributes that hold the parts of an object, by its type."""

_LITERALS = (str, bytes, int, float, complex, range, type(None), type(...))


def fingerprint(item: Any) -> str:
    """Returns a short hash of an item's code, the same in every process of one version of Python.

    A function counts by its source (compiled code for a lambda, or without a source), defaults and enclosed values.
    A class counts by its methods and constants, an instance by its class and attributes, and a reference
    "module:attribute" by the file of its module. Functions and classes of `keras_sparseflow` count by their name
    alone, as do attributes that are no literals, collections, dataclasses or code. Functions that a function calls
    do not count.

    Example:
        >>> fingerprint(functools.partial(pow, 2)) == fingerprint(functools.partial(pow, 3))
        False
    """
    parts: Iterable[str] = [item, _file_of(item)] if isinstance(item, str) else _parts(item, ())
    return hashlib.sha256("\n".join(parts).encode(errors="backslashreplace")).hexdigest()[:_LENGTH]


def _file_of(reference: str) -> str:
    """Returns the source of a reference's module, importing only its parent packages; empty if there is none."""
    try:
        found = importlib.util.find_spec(reference.partition(":")[0])
        file = found.origin if found is not None and found.has_location else None
        return "" if file is None else Path(file).read_text(encoding="utf-8", errors="replace")
    except (ImportError, OSError, ValueError):  # no such module, or no file of it
        return ""


def _parts(item: Any, above: tuple[int, ...]) -> Iterator[str]:
    """Yields texts that identify an item; `above` holds the ids of the items that contain it."""
    if id(item) in above:
        yield "itself"
        return
    inner = (*above, id(item))
    yield type(item).__qualname__
    if isinstance(item, _LITERALS):
        yield repr(item)
    elif isinstance(item, Set):
        yield from sorted("\n".join(_parts(member, inner)) for member in item)
    else:
        yield _name(item)
        for part in _members(item, whole=not above):
            yield from _parts(part, inner)


def _members(item: Any, *, whole: bool) -> Sequence[Any]:
    """Returns the parts of an item; `whole` is False inside other items, where objects count by their class."""
    if isinstance(item, Mapping):
        return [part for pair in item.items() for part in pair]
    if isinstance(item, Sequence):
        return item
    if isinstance(item, CodeType):
        return [item.co_code, item.co_consts, item.co_names, item.co_varnames]
    if isinstance(item, FunctionType | type):
        return [] if str(item.__module__).partition(".")[0] == _OWN else _written(item)
    return _held(item, whole)


def _written(item: FunctionType | type) -> list[Any]:
    """Returns the parts of a function or a class."""
    if isinstance(item, FunctionType):
        return [_source(item), item.__defaults__, item.__kwdefaults__, _enclosed(item)]
    return _defined(item)


def _held(item: Any, whole: bool) -> list[Any]:
    """Returns the parts of an instance: what it wraps, or its class and attributes; see `_members` for `whole`."""
    for kind, names in _HOLDERS.items():
        if isinstance(item, kind):
            return [getattr(item, name) for name in names]
    if hasattr(item, "__wrapped__"):
        return [item.__wrapped__]
    if not (whole or dataclasses.is_dataclass(item)):
        return []
    return [type(item), sorted(getattr(item, "__dict__", {}).items())]


def _defined(kind: type) -> list[Any]:
    """Returns constants, methods and properties, by name, of a class and its bases in the same module."""
    bases = [base for base in kind.__mro__ if base.__module__ == kind.__module__]
    code = (FunctionType, staticmethod, classmethod, property)
    found = [(base.__name__, name, part) for base in bases for name, part in vars(base).items()]
    return [entry for entry in found if not entry[1].startswith("__") or isinstance(entry[2], code)]


def _source(function: FunctionType) -> str | CodeType:
    """Returns the source of a function, or its code: the lines of a lambda may hold less than it, or more."""
    if function.__name__ == "<lambda>":
        return function.__code__
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):  # made where no source is kept, as by `exec`
        return function.__code__


def _enclosed(function: FunctionType) -> list[Any]:
    """Returns the values of a function's closure; None for those that are not bound yet."""
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # the cell is empty: its name is bound later
            found.append(None)
    return found


def _name(item: Any) -> str:
    """Returns the name by which a function or class, or the class of an instance, can be imported."""
    named = item if isinstance(item, type | FunctionType | BuiltinFunctionType) else type(item)
    return f"{named.__module__}.{named.__qualname__}"
