"""One named thing: what it is, where it comes from, what it says of itself, and how it is loaded."""

import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from keras_sparseflow.plugins.sources import help_of, problem_of

_ROOM = __name__.rpartition(".")[0]


@dataclass(frozen=True)
class Origin:
    """Where a named thing comes from: `str` of it says so in words.

    Args:
        package: the installed package, or the module that registered it; empty where it is built in.
        version: of an installed package; empty otherwise.
        summary: what an installed package says of itself in a line.

    Example:
        >>> str(Origin()), str(Origin("my-masks", "1.2")), str(Origin("__main__"))
        ('built in', 'my-masks 1.2', 'registered in __main__')
    """

    package: str = ""
    version: str = ""
    summary: str = ""

    @property
    def built_in(self) -> bool:
        """Whether it is of `keras_sparseflow` itself."""
        return not self.package

    @property
    def installed(self) -> bool:
        """Whether it is of an installed package's entry points."""
        return bool(self.version)

    def __str__(self) -> str:
        if self.built_in:
            return "built in"
        return f"{self.package} {self.version}" if self.installed else f"registered in {self.package}"


BUILT_IN = Origin()


@dataclass(frozen=True)
class Plugin:
    """A named thing, which need not have been imported.

    Args:
        kind: what it is, a name in `KINDS`: "flow_measure".
        name: by which flags and specs name it.
        item: itself, or a reference "module:attribute" to it.
        origin: where it comes from.
        misnamed: why it can't be used under its name; empty where it can.
        fingerprint: a hash of the code of what was registered, by which a changed one is told from what it was; empty
            of others.

    Example:
        >>> plugin = Plugin("score", "mine", "my_masks.scores:mine", Origin("my-masks", "1.2"))
        >>> plugin.identity, str(plugin)
        ('my-masks 1.2', "The score 'mine' (my-masks 1.2, my_masks.scores:mine)")
    """

    kind: str
    name: str
    item: Any
    origin: Origin
    misnamed: str = ""
    fingerprint: str = ""

    @property
    def help(self) -> str:
        """The first sentence of its docstring, read without importing it; its package's summary if it has none."""
        return help_of(self.item) or self.origin.summary

    @property
    def problem(self) -> str:
        """Why it can't be used, as far as that is known without importing it; empty if nothing is."""
        return self.misnamed or (problem_of(self.item) if self.origin.installed else "")

    @property
    def identity(self) -> str:
        """What a run's spec records of it: package and version, or module, name and fingerprint; empty if built in."""
        if self.origin.built_in or self.origin.installed:
            return str(self.origin) if self.origin.installed else ""
        return f"{self.origin.package}.{self.name} {self.fingerprint}".rstrip()

    def load(self) -> Any:
        """Returns the thing itself, importing it if need be.

        Raises:
            ValueError: it is not built in, and can't be imported; the message names it, its package and the error.
        """
        if not isinstance(self.item, str):
            return self.item
        entry = metadata.EntryPoint(self.name, self.item, "")
        if self.origin.built_in:
            return entry.load()
        try:
            return entry.load()
        except (Exception, SystemExit) as error:  # whatever somebody else's module raises
            reason = self.problem or f"{type(error).__name__}: {error}"
            raise ValueError(f"{self} is broken: {reason}.") from error

    def __str__(self) -> str:
        where = f", {self.item}" if isinstance(self.item, str) else ""
        return f"The {self.kind.replace('_', ' ')} {self.name!r} ({self.origin}{where})"


def origin_of(entry: metadata.EntryPoint) -> Origin:
    """Returns the installed package of an entry point."""
    package = entry.dist
    if package is None:
        return Origin(entry.value.partition(":")[0].partition(".")[0], "unknown")
    return Origin(package.metadata["Name"], package.version, package.metadata["Summary"] or "")


def registering_module() -> str:
    """Returns the name of the module whose code called this room."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith(_ROOM):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))
