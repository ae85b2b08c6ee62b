"""Tables of the plugins of one kind, and errors about their names."""

import dataclasses
import difflib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

from keras_sparseflow.plugins.entries import BUILT_IN, Origin, Plugin, origin_of, registering_module
from keras_sparseflow.plugins.fingerprint import fingerprint

NAME = r"\w[\w.+-]*"
"""Pattern of names, which have no comma because flags separate them by commas."""

_NEAR, _NEAR_SHORT = 0.6, 0.5
"""Similarity, in [0, 1], above which a name is suggested; the second is for names of up to three letters."""


def unknown_name(kind: str, name: object, known: list[str]) -> ValueError:
    """Returns the error for a name that is not known: it lists the valid ones and the nearest.

    Args:
        kind: kind of the named thing, in words.
        name: the unknown name.
        known: the valid names.

    Example:
        >>> print(unknown_name("optimizer", "sdg", ["sgd", "adam"]))
        Unknown optimizer 'sdg'; expected one of sgd, adam. Did you mean 'sgd'?
    """
    folded = {valid.lower(): valid for valid in reversed(known)}
    asked = str(name).lower()
    near = difflib.get_close_matches(asked, folded, n=1, cutoff=_NEAR_SHORT if len(asked) <= 3 else _NEAR)
    hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
    return ValueError(f"Unknown {kind} {name!r}; expected one of {', '.join(known)}.{hint}")


class Table:
    """The plugins of one kind: built-ins, entry points of installed packages, and those registered at run time.

    A plugin that can't be imported, or two of one name, raise an error only if that name is used.

    Args:
        kind: the kind in words, for error messages ("mask score").
        group: the entry-point group that other packages use ("keras_sparseflow.score").
        builtins: mapping from name to an object, or to a `"module:attribute"` string that is
            imported when the name is first used.
        pattern: a regular expression that names match.
        expects: what plugins that are not built in must be: `"callable"`, an instance of a class, named by
            `"module:attribute"` and imported when first needed, or anything if empty.

    Example:
        >>> from fractions import Fraction
        >>> built_in = {"half": Fraction(1, 2), "pi": "math:pi"}
        >>> table = Table("number", "example.number", built_in, expects="numbers:Number")
        >>> table.get("pi") > 3 * table.get("half")
        True
        >>> table.get("hafl")
        Traceback (most recent call last):
            ...
        ValueError: Unknown number 'hafl'; expected one of half, pi. Did you mean 'half'?
        >>> table.register("third", [1, 3])
        Traceback (most recent call last):
            ...
        ValueError: The number 'third' (registered in ...) can't be registered: expected a Number; received list.
    """

    def __init__(self, kind: str, group: str, builtins: Mapping[str, Any], *, pattern: str = NAME, expects: str = ""):
        self.kind = kind
        self.group = group
        self._pattern = pattern
        self._expects = expects
        self._key = group.rpartition(".")[2]
        self._own = {name: Plugin(self._key, name, item, BUILT_IN) for name, item in builtins.items()}
        self._registered: dict[str, Plugin] = {}
        self._installed: list[Plugin] | None = None
        self._loaded: dict[str, Any] = {}

    @property
    def builtins(self) -> list[str]:
        """The names of the built-ins, in their own order."""
        return list(self._own)

    def names(self) -> list[str]:
        """Returns every valid name without importing any: built-ins in their own order, then the others by name."""
        others = {plugin.name for plugin in self._others() if not self._wrong_name(plugin.name)}
        return [*self._own, *sorted(others - self._own.keys())]

    def plugins(self) -> list[Plugin]:
        """Returns every plugin without importing any; `problem` is set where a name is invalid or shared."""
        claims = [*self._own.values(), *sorted(self._others(), key=lambda plugin: plugin.name)]
        return [self._judged(plugin, claims) for plugin in claims]

    def plugin(self, name: str) -> Plugin:
        """Returns the plugin of that name without importing it.

        Raises:
            ValueError: the name is unknown, and the message lists the valid ones and the nearest; or two plugins have
                it, and the message names both.
        """
        if name in self._own and not self._others():
            return self._own[name]
        found = next((plugin for plugin in self.plugins() if plugin.name == name), None)
        if found is None:
            raise unknown_name(self.kind, name, self.names())
        if found.problem:
            raise ValueError(f"The {self.kind} {name!r} can't be used: {found.problem}.")
        return found

    def get(self, name: str) -> Any:
        """Returns the object of that name, importing it if necessary.

        Raises:
            ValueError: see `plugin`; or the plugin is not built in, and can't be imported or is not of this kind. The
                message names it, its package, the version and the error.
        """
        plugin = self.plugin(name)
        if name not in self._loaded:
            item = plugin.load()
            unfit = "" if plugin.origin.built_in else self._unfit(item)
            if unfit:
                raise ValueError(f"{plugin} is broken: {unfit}.")
            self._loaded[name] = item
        return self._loaded[name]

    def load_all(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Returns all objects that can be loaded by name, and the errors of the others by name."""
        found, broken = {}, {}
        for name in self.names():
            try:
                found[name] = self.get(name)
            except ValueError as error:
                broken[name] = str(error)
        return found, broken

    def register(self, name: str, item: Any) -> Any:
        """Adds an object, or a `"module:attribute"` reference to one, and returns it.

        In a notebook, a cell that runs again replaces what it registered before.

        Raises:
            ValueError: the name is invalid or taken, and the message names both plugins; or the object is not of this
                kind.
        """
        new = Plugin(self._key, name, item, Origin(registering_module()), fingerprint=fingerprint(item))
        wrong = self._wrong_name(name) or ("" if isinstance(item, str) else self._unfit(item))
        if wrong:
            raise ValueError(f"{new} can't be registered: {wrong}.")
        taken = next((plugin for plugin in self.plugins() if plugin.name == name), None)
        if taken is not None and taken.item is not item and not self._is_run_again(taken, new):
            raise ValueError(f"{new} can't be registered: {taken} exists already. Choose another name.")
        if taken is None or taken.item is not item:
            self._registered[name] = new
            self._loaded.pop(name, None)
        return item

    def unregister(self, name: str) -> None:
        """Removes what `register` added under this name.

        Raises:
            ValueError: nothing is registered under it.
        """
        if name not in self._registered:
            raise unknown_name(f"registered {self.kind}", name, sorted(self._registered))
        del self._registered[name]
        self._loaded.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _others(self) -> list[Plugin]:
        if self._installed is None:
            entries = metadata.entry_points(group=self.group)
            self._installed = [Plugin(self._key, entry.name, entry.value, origin_of(entry)) for entry in entries]
        return [*self._installed, *self._registered.values()]

    def _judged(self, plugin: Plugin, claims: list[Plugin]) -> Plugin:
        """Returns a plugin with `problem` set if its name is invalid or shared."""
        same = [other for other in claims if other.name == plugin.name]
        two = f"{' and '.join(map(_claim, same))} have one name; uninstall or rename one" if len(same) > 1 else ""
        wrong = self._wrong_name(plugin.name) or two
        return dataclasses.replace(plugin, problem=wrong) if wrong else plugin

    def _wrong_name(self, name: str) -> str:
        if isinstance(name, str) and re.fullmatch(self._pattern, name):
            return ""
        return f"the name of a {self.kind} must match {self._pattern}"

    def _unfit(self, item: Any) -> str:
        """Returns why an object does not fit into this table; empty if it does."""
        if not self._expects:
            return ""
        expected = callable if self._expects == "callable" else pkgutil.resolve_name(self._expects)
        if isinstance(item, expected) if isinstance(expected, type) else expected(item):
            return ""
        wanted = f"{'an' if expected.__name__[0] in 'AEIOU' else 'a'} {expected.__name__}"
        came = f"the class {item.__name__}" if isinstance(item, type) else type(item).__name__
        return f"expected {wanted if isinstance(expected, type) else 'something callable'}; received {came}"

    @staticmethod
    def _is_run_again(taken: Plugin, new: Plugin) -> bool:
        return taken.origin == new.origin and new.origin.package == "__main__"


def _claim(plugin: Plugin) -> str:
    return f"{plugin.origin} ({plugin.item})" if isinstance(plugin.item, str) else str(plugin.origin)
