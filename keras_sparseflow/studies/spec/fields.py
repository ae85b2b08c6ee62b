"""The fields of specs: help text, source and limits of each, and the check of its values."""

import dataclasses
import operator
from collections.abc import Collection, Iterable, Sequence
from dataclasses import field
from typing import Any

from keras_sparseflow.data.datasets.loading import DATASETS
from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.masks.score_table import DISTRIBUTIONS, SCORES
from keras_sparseflow.plugins import Table, unknown_name
from keras_sparseflow.studies.spec.name_tables import LOSSES, MASK_SCHEDULES, MODELS, OPTIMIZERS, SCHEDULES
from keras_sparseflow.studies.spec.tweaks import COMBINED_TWEAKS
from keras_sparseflow.studies.spec.variants import VARIANTS

PAPER = "Tessera et al. 2021"
OURS = "left open by the paper; our default"


def spec_field(default: Any, help: str, source: str = "", **limits: Any) -> Any:
    """A field with its help text, where its default comes from, and what values it takes.

    Args:
        default: MISSING for none.
        help: what it means, in words that a flag can show.
        source: where the default comes from.
        **limits: `choices`, and of a list of them `fewest`, how many it must name; or of a number any of `minimum`,
            `above`, `maximum` and `below`.
    """
    metadata = {"help": help, "source": source, **limits}
    return field(metadata=metadata) if default is dataclasses.MISSING else field(default=default, metadata=metadata)


def check_value(item: dataclasses.Field[Any], value: Any) -> Any:
    """Returns the value of a spec's field in its one spelling.

    Raises:
        ValueError: argument, what was expected, and what came.
    """
    if item.name in _COMBINED:
        return _COMBINED[item.name].canonical(str(value))
    if item.name in _TABLES:
        return _check_names(item, value)
    limits = item.metadata
    if "choices" in limits:
        return _check_choices(item, value)
    if value is None and "None" in str(item.type):
        return value
    if _LIMITS.keys() & limits.keys():
        several = str(item.type).startswith("tuple")
        return tuple(_check_number(item, number) for number in value) if several else _check_number(item, value)
    if item.name not in OPTION_FIELDS and (not isinstance(value, str) or not value):
        raise ValueError(f"`{item.name}` must be a name; received {value!r}.")
    return value  # options are checked with the name that they are of


def valid_names(item: dataclasses.Field[Any]) -> list[str]:
    """Returns the names that a spec's field takes, or an empty list where it takes other values."""
    if item.name in _TABLES:
        return _TABLES[item.name].names()
    return list(item.metadata.get("choices", ()))


def chosen(name: str, value: Any) -> Collection[Any]:
    """Returns what a field of this name chooses by its value: the parts of a combined name, the items of a list."""
    if name in _COMBINED:
        return _COMBINED[name].parse(value)
    return value if isinstance(value, tuple) else (value,)


def named_things(spec: Any) -> list[tuple[Table, str]]:
    """Returns what the fields of a spec name: the table of each thing, and its name there."""
    found: list[tuple[Table, str]] = []
    for item in dataclasses.fields(spec):
        value = getattr(spec, item.name)
        if item.name in _COMBINED:
            found += [(_COMBINED[item.name].parts, name) for name in sorted(chosen(item.name, value))]
        elif item.name in _TABLES:
            found += [(_TABLES[item.name], name) for name in chosen(item.name, value)]
        elif item.name == "dataset" and value in DATASETS:  # others are of TensorFlow Datasets
            found.append((DATASETS, value))
    return found


def load_plugins(specs: Iterable[Any]) -> None:
    """Imports what specs name of other packages, so that a broken one is said before anything is trained.

    Raises:
        ValueError: one can't be imported; the message names it, its package and the error.
    """
    for table, name in dict.fromkeys(thing for spec in specs for thing in named_things(spec)):
        if not table.plugin(name).origin.built_in:
            table.get(name)


def _check_names(item: dataclasses.Field[Any], value: Any) -> Any:
    """Returns a name, or a tuple of at least one, all of which the field's table holds."""
    several = item.name == "flow_measures"
    names = value if several else (value,)
    if isinstance(names, str) or not names:
        raise ValueError(f"`{item.name}` must list at least one name; received {value!r}.")
    table = _TABLES[item.name]
    for name in names:
        table.plugin(name)
    return tuple(names) if several else value


def _check_choices(item: dataclasses.Field[Any], value: Any) -> Any:
    """Returns one of the field's choices; where it takes several, these in their order, and () for ("none",)."""
    limits, choices = item.metadata, item.metadata["choices"]
    several = str(item.type).startswith("tuple")
    if several and (isinstance(value, str) or not isinstance(value, Sequence)):
        raise ValueError(f"`{item.name}` must be a list of {', '.join(choices)}; received {value!r}.")
    chosen = () if several and tuple(value) == ("none",) else value if several else (value,)
    for name in chosen:
        if name not in choices:
            alone = " `none` stands alone." if several and name == "none" else ""
            raise ValueError(f"{unknown_name(f'`{item.name}`', name, list(choices))}{alone}")
    if len(chosen) < limits.get("fewest", 0):
        raise ValueError(f"`{item.name}` must list at least {limits['fewest']} of {', '.join(choices)}; received none.")
    return tuple(name for name in choices if name in chosen) if several else value


def _check_number(item: dataclasses.Field[Any], value: Any) -> Any:
    limits = item.metadata
    kind = "a whole number" if "int" in str(item.type) else "a number"
    types = int if kind == "a whole number" else (int, float)
    fits = isinstance(value, types) and not isinstance(value, bool) and abs(value) != float("inf")
    if not fits or not all(holds(value, limits[name]) for name, (_, holds) in _LIMITS.items() if name in limits):
        limited = " and ".join(f"{words} {limits[name]}" for name, (words, _) in _LIMITS.items() if name in limits)
        raise ValueError(f"`{item.name}` must be {kind} {limited}; received {value!r}.")
    return value if types is int else float(value)


_LIMITS = {
    "minimum": ("of at least", operator.ge),
    "above": ("above", operator.gt),
    "maximum": ("at most", operator.le),
    "below": ("below", operator.lt),
}
"""Limits of numbers, by the name that a field's metadata gives them: in words, and what must hold."""

_COMBINED = {"variant": VARIANTS, "tweaks": COMBINED_TWEAKS}
"""Fields whose values combine names."""

OPTION_FIELDS = ("activation_options", "optimizer_options")
"""Fields that hold arguments of what another field names."""

_TABLES = {
    "optimizer": OPTIMIZERS,
    "activation": ACTIVATIONS,
    "schedule": SCHEDULES,
    "loss": LOSSES,
    "model": MODELS,
    "method": MASK_SCHEDULES,
    "score": SCORES,
    "distribution": DISTRIBUTIONS,
    "flow_measures": MEASURES,
}
"""Fields whose values are names in a table."""
