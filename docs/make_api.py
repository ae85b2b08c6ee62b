"""Lists the public names and their signatures: writes tests/public_api.txt, a line for each name.

    python docs/make_api.py

The public modules are listed here, and only here; the names of a package stand in its `__init__.pyi` or `__all__`.
"""

import re
from functools import cached_property
from importlib import import_module
from inspect import Parameter, Signature, isclass, isfunction, signature
from pathlib import Path
from types import FunctionType
from typing import Any

OBJECT = re.compile(r"<([\w.]+) object at 0x\w+>|<(?:function|factory) [^>]*>")
"""Text that Python prints for a default without a literal."""

CLASS = re.compile(r"<class '(?:\w+\.)*(\w+)'>")
"""Text that Python prints for a default that is a class; its module may be a private one of another library."""

PACKAGES = ("layers", "twins", "masks", "flow", "training", "diagnostics", "models", "data", "analysis")
MODULES = (
    "records",
    "plugins",
    "layers.rectifiers",
    "studies.spec.run_spec",
    "studies.spec.combined",
    "studies.study",
    "studies.comparisons",
    "studies.presets.preset_table",
    "studies.prepare",
    "studies.run_study",
    "studies.executors.options",
    "training.optimizers",
    "training.schedules",
    "training.losses",
    "training.precision",
    "training.distributed.strategy",
    "training.distributed.multiworker",
    "training.dynamic.tfmot",
)


def public_names(module_name: str) -> list[str]:
    """Returns the names a module offers: its `__all__`, or what it defines without a leading underscore."""
    module = import_module(module_name)
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, item in vars(module).items()
        if not name.startswith("_")
        and (getattr(item, "__module__", None) == module_name and (isclass(item) or isfunction(item)))
    ]


def public_items() -> dict[str, Any]:
    """Returns what every public name names, by module and name; of two names of one function or class the first."""
    modules = [import_module(f"keras_sparseflow.{short}") for short in (*PACKAGES, *MODULES)]
    found: dict[str, Any] = {}
    for module in modules:
        for name in public_names(module.__name__):
            item = getattr(module, name)
            item = item.__wrapped__ if hasattr(item, "cache_info") else item  # the function whose results are kept
            if not (callable(item) and any(item is other for other in found.values())):
                found[f"{module.__name__}.{name}"] = item
    return found


def own_members(item: type) -> dict[str, Any]:
    """Returns the public methods and properties that a class defines and that fulfil no contract of another library."""
    of_others = {
        name for base in item.__mro__ if not base.__module__.startswith("keras_sparseflow") for name in vars(base)
    }
    kinds = (FunctionType, property, classmethod, staticmethod, cached_property)
    return {
        name: member
        for name, member in vars(item).items()
        if not name.startswith("_") and name not in of_others and isinstance(member, kinds)
    }


def call(item: Any) -> str:
    """Returns how a function or a class is called: the names, kinds and defaults of its parameters."""
    parameters = signature(item).parameters.values()
    bare = signature(item).replace(
        parameters=[parameter.replace(annotation=Parameter.empty) for parameter in parameters],
        return_annotation=Parameter.empty,
    )
    return literal(bare)


def literal(found: Signature) -> str:
    """Returns a signature with the names of classes, and dots for defaults that have no literal."""
    return CLASS.sub(r"\1", OBJECT.sub("...", str(found)))


def lines(name: str, item: Any) -> list[str]:
    """Returns the lines of one public name: itself, and where it is a class its members."""
    if isfunction(item):
        return [name + call(item)]
    if not isclass(item):
        return [f"{name}: {type(item).__name__}"]
    members = own_members(item)
    found = [
        f"{name}.{member}"
        + ("" if isinstance(members[member], property | cached_property) else call(getattr(item, member)))
        for member in sorted(members)
    ]
    return [name + ("" if issubclass(item, Exception) else call(item)), *found]


def snapshot() -> str:
    """Returns a line for every public name and every member of a public class, with its signature.

    The names that can be imported from the package itself come first; they are called as those of the rooms.
    """
    shortest = [f"keras_sparseflow.{name}" for name in public_names("keras_sparseflow")]
    found = [line for name, item in public_items().items() for line in lines(name, item)]
    return "".join(f"{line}\n" for line in [*shortest, *found])


if __name__ == "__main__":
    (Path(__file__).parents[1] / "tests" / "public_api.txt").write_text(snapshot())
