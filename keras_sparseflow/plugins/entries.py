"""One plugin: its kind, name, origin and line of help, and how it is loaded."""

import ast
import inspect
import pkgutil
import sys
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

_ROOM = __name__.rpartition(".")[0]
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Origin:
    """The origin of a plugin; `str` gives it in words.

    Args:
        package: the installed package, or the module that registered it; empty where it is built in.
        version: of an installed package; empty otherwise.
        summary: an installed package's summary of one line.

    Example:
        >>> str(Origin()), str(Origin("my-masks", "1.2")), str(Origin("__main__"))
        ('built in', 'my-masks 1.2', 'registered in __main__')
    """

    package: str = ""
    version: str = ""
    summary: str = ""

    @property
    def built_in(self) -> bool:
        """True if the plugin is part of `keras_sparseflow`."""
        return not self.package

    @property
    def installed(self) -> bool:
        """True if the plugin is an entry point of an installed package."""
        return bool(self.version)

    def __str__(self) -> str:
        if self.built_in:
            return "built in"
        return f"{self.package} {self.version}" if self.installed else f"registered in {self.package}"


BUILT_IN = Origin()


@dataclass(frozen=True)
class Plugin:
    """A plugin, built in or not; it may not be imported yet.

    Args:
        kind: a name in `KINDS`, such as "flow_measure".
        name: its name in flags and specs.
        item: the object itself, or a reference "module:attribute" to it.
        origin: its origin.
        problem: why it can't be used by its name; empty if it can.
        fingerprint: for a registered plugin, a hash of its code, by which changed code is recognised; else empty.

    Example:
        >>> plugin = Plugin("score", "mine", "my_masks.scores:mine", Origin("my-masks", "1.2"))
        >>> plugin.identity, str(plugin)
        ('my-masks 1.2', "The score 'mine' (my-masks 1.2, my_masks.scores:mine)")
    """

    kind: str
    name: str
    item: Any
    origin: Origin
    problem: str = ""
    fingerprint: str = ""

    @property
    def help(self) -> str:
        """A line about the plugin, found without an import: its own, its package's summary, or its reference."""
        if not isinstance(self.item, str):
            text = _said_by(self.item)
        else:
            text = (_docstring(self.item) if self.origin.built_in else self.origin.summary) or self.item
        return text.partition("\n")[0].rstrip(".")

    @property
    def identity(self) -> str:
        """Its identity in a run's spec: package and version, or module, name and fingerprint; empty if built in."""
        if self.origin.built_in or self.origin.installed:
            return str(self.origin) if self.origin.installed else ""
        return f"{self.origin.package}.{self.name} {self.fingerprint}".rstrip()

    def load(self) -> Any:
        """Returns the object itself, importing it if necessary.

        Raises:
            ValueError: the plugin is not built in and can't be imported; the message names it, its package and the
                error.
        """
        if not isinstance(self.item, str):
            return self.item
        try:
            return pkgutil.resolve_name(self.item.partition("[")[0].rstrip())  # entry points may name extras in []
        except (Exception, SystemExit) as error:  # another package's module may raise anything
            if self.origin.built_in:
                raise
            raise ValueError(f"{self} is broken: {type(error).__name__}: {error}.") from error

    def __str__(self) -> str:
        where = f", {self.item}" if isinstance(self.item, str) else ""
        return f"The {self.kind.replace('_', ' ')} {self.name!r} ({self.origin}{where})"


def origin_of(entry: metadata.EntryPoint) -> Origin:
    """Returns the installed package of an entry point."""
    package = entry.dist
    if package is None:
        return Origin(entry.value.partition(":")[0].partition(".")[0], "unknown")
    return Origin(package.metadata["Name"], package.version, package.metadata["Summary"] or "")


def _said_by(item: Any) -> str:
    """Returns the `help` or `title` of an object, or its docstring."""
    said = [getattr(item, name, None) for name in ("help", "title")]
    return next((text for text in said if isinstance(text, str)), inspect.getdoc(item) or "")


def _docstring(reference: str) -> str:
    """Returns the docstring of a function, class or constant of this package; empty for one of Keras.

    It is read from the file, because importing the module would load TensorFlow.
    """
    module, _, name = reference.partition(":")
    package, *path = module.split(".")
    if package != _PACKAGE.name:
        return ""
    statements = ast.parse(_PACKAGE.joinpath(*path).with_suffix(".py").read_text(encoding="utf-8")).body
    for pair in pairwise([*statements, None]):
        match pair:
            case (ast.FunctionDef() | ast.ClassDef() as defined, _) if defined.name == name:
                return ast.get_docstring(defined) or ""
            case (ast.Assign([ast.Name(assigned)]), ast.Expr(ast.Constant(str(text)))) if assigned == name:
                return text
    return ""


def registering_module() -> str:
    """Returns the name of the module that called into this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith(_ROOM):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))
