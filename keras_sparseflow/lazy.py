"""Packages whose public names load when they are first used, so that importing a package is fast."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Returns `__getattr__`, `__dir__` and `__all__` for a package whose names live in its modules.

    Args:
        package: the package's `__name__`.
        homes: for each module of the package, or of a folder in it, the public names that live there.

    Example:
        >>> getattr_, dir_, all_ = lazy_names("collections", {"abc": ["Mapping", "Sequence"]})
        >>> getattr_("Mapping")
        <class 'collections.abc.Mapping'>
    """
    module_of = {name: module for module, names in homes.items() for name in names}
    modules = {module.partition(".")[0] for module in homes}

    def get(name: str) -> Any:
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{module_of[name]}"), name)

    def names() -> list[str]:
        return sorted({*module_of, *modules})

    return get, names, sorted(module_of)
