"""Named tables: whatever a user can name in a flag or a spec stands in one, built-in or third-party.

A table holds lazy references of the form `"module:attribute"`, so listing the valid names imports
nothing. A third-party package adds its own through an entry point of the table's group:

    [options.entry_points]
    keras_sparseflow.datasets =
        my_images = my_package.images:load

Only the standard library is used here.
"""

import difflib
from collections.abc import Mapping
from importlib import metadata
from typing import Any


def unknown_name(kind: str, name: object, known: list[str]) -> ValueError:
    """Returns the error for a name that is not known: it lists the valid ones and the nearest."""
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(f"Unknown {kind} {name!r}; expected one of {', '.join(known)}.{hint}")


class Table:
    """One kind of named thing: built-ins, entry points of a group, and what is registered at run time.

    Args:
        kind: what the table holds, in words, for error messages ("dataset").
        group: the entry-point group that third-party packages use ("keras_sparseflow.datasets").
        builtins: mapping from name to an object, or to a `"module:attribute"` string that is
            imported when the name is first asked for.

    Example:
        >>> from fractions import Fraction
        >>> table = Table("number", "example.numbers", {"half": Fraction(1, 2), "pi": "math:pi"})
        >>> table.get("pi") > 3 * table.get("half")
        True
        >>> table.get("hafl")
        Traceback (most recent call last):
            ...
        ValueError: Unknown number 'hafl'; expected one of half, pi. Did you mean 'half'?
    """

    def __init__(self, kind: str, group: str, builtins: Mapping[str, Any]):
        self.kind = kind
        self.group = group
        self._items = dict(builtins)
        self._discovered = False

    def names(self) -> list[str]:
        """Returns every valid name, built-ins first in their own order, without importing any."""
        self._discover()
        return list(self._items)

    def get(self, name: str) -> Any:
        """Returns the object of that name, importing it if need be.

        Raises:
            ValueError: the name is unknown; the message lists the valid ones and the nearest.
        """
        self._discover()
        if name not in self._items:
            raise unknown_name(self.kind, name, self.names())
        item = self._items[name]
        if isinstance(item, str):
            item = metadata.EntryPoint(name, item, self.group).load()
            self._items[name] = item
        return item

    def register(self, name: str, item: Any) -> Any:
        """Adds an object, or a `"module:attribute"` reference to one, and returns it.

        Raises:
            ValueError: the name is taken by something else.
        """
        self._discover()
        if self._items.get(name, item) is not item:
            raise ValueError(f"The {self.kind} {name!r} exists already; choose another name.")
        self._items[name] = item
        return item

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def _discover(self) -> None:
        """Adds the group's entry points, once; a built-in name cannot be taken over."""
        if self._discovered:
            return
        found = {}
        for entry in metadata.entry_points(group=self.group):
            if entry.name in self._items:
                raise ValueError(
                    f"The entry point {entry.value!r} of group {self.group!r} is named {entry.name!r}, "
                    f"but a {self.kind} of that name exists already."
                )
            found[entry.name] = entry.value
        self._items.update(found)
        self._discovered = True
