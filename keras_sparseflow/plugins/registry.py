"""The kinds of plugins, and the function that registers new ones."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar, overload

from keras_sparseflow.plugins.entries import Plugin
from keras_sparseflow.plugins.tables import Table, unknown_name

KINDS: Mapping[str, str] = {
    "score": "keras_sparseflow.masks.score_table:SCORES",
    "distribution": "keras_sparseflow.masks.score_table:DISTRIBUTIONS",
    "mask_schedule": "keras_sparseflow.studies.spec.name_tables:MASK_SCHEDULES",
    "flow_measure": "keras_sparseflow.flow.measure_table:MEASURES",
    "activation": "keras_sparseflow.layers.activations:ACTIVATIONS",
    "variant": "keras_sparseflow.studies.spec.combined:PARTS",
    "tweak": "keras_sparseflow.studies.spec.combined:TWEAKS",
    "optimizer": "keras_sparseflow.studies.spec.name_tables:OPTIMIZERS",
    "schedule": "keras_sparseflow.studies.spec.name_tables:SCHEDULES",
    "loss": "keras_sparseflow.studies.spec.name_tables:LOSSES",
    "model": "keras_sparseflow.studies.spec.name_tables:MODELS",
    "dataset": "keras_sparseflow.data.datasets.loading:DATASETS",
    "report_section": "keras_sparseflow.analysis.report.sections.index:SECTIONS",
    "preset": "keras_sparseflow.studies.presets.preset_table:PRESETS",
    "comparison": "keras_sparseflow.studies.comparisons:COMPARISONS",
    "callback": "keras_sparseflow.studies.executors.options:CALLBACKS",
    "strategy": "keras_sparseflow.studies.executors.options:STRATEGIES",
    "executor": "keras_sparseflow.studies.executors.executors:EXECUTORS",
}
"""The table of each kind, as "module:attribute"; entry points of a kind are in the group `keras_sparseflow.<kind>`."""

Item = TypeVar("Item")
_MISSING = object()


def table(kind: str) -> Table:
    """Returns the table of a kind.

    Args:
        kind: a name in `KINDS`, such as "score".

    Raises:
        ValueError: an unknown kind; the message lists the valid ones and the nearest.

    Example:
        >>> table("distribution").names()[:2]
        ['uniform', 'erk']
    """
    if kind not in KINDS:
        raise unknown_name("kind of plugin", kind, list(KINDS))
    module, _, attribute = KINDS[kind].partition(":")
    found: Table = getattr(import_module(module), attribute)
    return found


@overload
def register(kind: str, name: str) -> Callable[[Item], Item]: ...


@overload
def register(kind: str, name: str, item: Item) -> Item: ...


def register(kind: str, name: str, item: Any = _MISSING) -> Any:
    """Adds your own plugin in this process, as a decorator or in a call, and returns it.

    For launchers, make it an entry point of your own package instead, in the group `keras_sparseflow.<kind>`.

    Args:
        kind: a name in `KINDS`, such as "score".
        name: its name in flags and specs.
        item: the object itself, or a reference "module:attribute" to it; if left out, a decorator is returned.

    Raises:
        ValueError: the kind is unknown, or the name is invalid or taken; the message says by what.

    Example:
        >>> @register("score", "negative_magnitude")
        ... def negative_magnitude(problem):
        ...     return [-abs(kernel) for kernel in problem.values()]
        >>> "negative_magnitude" in table("score")
        True
        >>> register("scores", "another", negative_magnitude)
        Traceback (most recent call last):
            ...
        ValueError: Unknown kind of plugin 'scores'; expected one of ... Did you mean 'score'?
    """
    found = table(kind)
    if item is _MISSING:
        return lambda decorated: found.register(name, decorated)
    return found.register(name, item)


def list_plugins() -> list[Plugin]:
    """Returns every plugin of every kind, in the order of `KINDS`, without importing any.

    `problem` says why a plugin can't be used.

    Example:
        >>> [plugin.name for plugin in list_plugins() if plugin.kind == "distribution" and plugin.origin.built_in]
        ['uniform', 'erk', 'er', 'global']
    """
    return [plugin for kind in KINDS for plugin in table(kind).plugins()]
