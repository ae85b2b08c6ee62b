"""Writes docs/api.md from the docstrings of the public names.

python docs/make_api.py
"""

import inspect
import re
from importlib import import_module
from pathlib import Path

PACKAGES = ("layers", "twins", "masks", "flow", "training", "diagnostics", "models", "data", "analysis")
MODULES = (
    "records",
    "plugins",
    "layers.rectifiers",
    "experiments.spec",
    "experiments.named",
    "experiments.recipe",
    "experiments.capacity",
    "experiments.study",
    "experiments.density_spec",
    "experiments.density_study",
    "experiments.lottery_study",
    "experiments.presets",
    "experiments.launch",
    "experiments.executors",
    "experiments.plan",
    "training.population",
    "training.stack",
    "training.elementwise",
    "training.optimizers",
    "training.schedules",
    "training.losses",
    "training.curves",
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
        and (getattr(item, "__module__", None) == module_name and (inspect.isclass(item) or inspect.isfunction(item)))
    ]


def entry(module_name: str, name: str) -> str:
    """Returns the section of one name: how it is called, and its docstring."""
    item = getattr(import_module(module_name), name)
    if not (inspect.isclass(item) or inspect.isfunction(item)):
        kind = type(item).__name__
        holds = f": {', '.join(item.names())}" if kind == "Table" else f" {item!r}"
        return f"### `{name}`\n\nA {kind}{holds}.\n"
    text = inspect.getdoc(item) or ""
    if inspect.isclass(item) and issubclass(item, Exception):
        return f"### `{name}`\n\nAn exception, a `{item.__base__.__name__}`. {text}\n"
    signature = re.sub(r"<([\w.]+) object at 0x\w+>|<(?:function|factory) [^>]*>", "...", str(inspect.signature(item)))
    return f"### `{name}`\n\n    {name}{signature}\n\n{text}\n"


def page() -> str:
    """Returns the whole page."""
    parts = [
        "# API",
        "Made from the docstrings by `make docs`; the names of `layers`, `flow`, `training`, `models` and `data` that "
        "users need most can be imported from `keras_sparseflow` itself.",
    ]
    for short in (*PACKAGES, *MODULES):
        module_name = f"keras_sparseflow.{short}"
        first_line = (import_module(module_name).__doc__ or "").strip().splitlines()[0]
        parts.append(f"## keras_sparseflow.{short}\n\n{first_line}\n")
        parts.extend(entry(module_name, name) for name in public_names(module_name))
    return "\n".join(part.rstrip() + "\n" for part in parts)


if __name__ == "__main__":
    Path(__file__).with_name("api.md").write_text(page())
