"""The fields of specs: what each means, where its default comes from, which values it takes, and when it applies."""

import dataclasses
import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keras_sparseflow.checks import LIMITS, check_names, check_number, shown
from keras_sparseflow.data.datasets.loading import DATASETS
from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.masks.score_table import DISTRIBUTIONS, SCORES
from keras_sparseflow.plugins import Table, unknown_name
from keras_sparseflow.studies.spec.combined import COMBINED_TWEAKS, VARIANTS
from keras_sparseflow.studies.spec.name_tables import LOSSES, MASK_SCHEDULES, MODELS, OPTIMIZERS, SCHEDULES

PAPER = "Tessera et al. 2021"
TOST = "Jaiswal et al. 2022"
FRANKLE = "Frankle & Carbin 2019"
EVCI = "Evci et al. 2020"
OURS = "left open by the paper; our default"

Values = Mapping[str, Any]
"""Values of all fields of a spec by name; None for one that does not apply."""


def spec_field(
    default: Any, help: str, source: str = "", *, when: Callable[[Values], bool] | None = None, **limits: Any
) -> Any:
    """A field of a part of a spec.

    Args:
        default: value if none is given.
        help: its meaning, in words that a flag can show.
        source: origin of the default.
        when: tells from the other values whether the field means anything; None if it always does. A spec sets a field
            that means nothing to None.
        **limits: `choices`, and of a list of them `fewest`, how many it must name; or of a number any of `minimum`,
            `above`, `maximum` and `below`; and `called`, its name outside of its part, where that is not the
            attribute's.
    """
    return dataclasses.field(default=default, metadata={"help": help, "source": source, "when": when, **limits})


def part(kind: type[Any], when: Callable[[Values], bool] | None = None) -> Any:
    """A field that holds a part of a spec, or of a part; `when` is that of `spec_field`."""
    return dataclasses.field(default_factory=lambda: None, metadata={"part": kind, "when": when})


@dataclass(frozen=True)
class Leaf:
    """A field with a value of its own, and where in a spec it stands.

    Args:
        item: the field.
        path: attributes that lead to it from the spec.
        conditions: all must hold for it to apply.
    """

    item: dataclasses.Field[Any]
    path: tuple[str, ...]
    conditions: tuple[Callable[[Values], bool], ...]

    @property
    def name(self) -> str:
        """The field's name outside of its part: of its flag, its column and in grids."""
        return called(self.item)

    @property
    def default(self) -> Any:
        return self.item.default

    @property
    def help(self) -> str:
        return str(self.item.metadata["help"])

    @property
    def source(self) -> str:
        return str(self.item.metadata["source"])

    @property
    def is_list(self) -> bool:
        return str(self.item.type).startswith("tuple")

    def applies(self, values: Values) -> bool:
        """Returns whether the field means anything beside these values."""
        return all(condition(values) for condition in self.conditions)

    def of(self, spec: Any) -> Any:
        """Returns its value in a spec; None where it does not apply."""
        for attribute in self.path:
            spec = None if spec is None else getattr(spec, attribute)
        return spec


def called(item: dataclasses.Field[Any]) -> str:
    """Returns the name of a field outside of its part."""
    return str(item.metadata.get("called", item.name))


def leaves_of(kind: type[Any], path: tuple[str, ...] = (), conditions: tuple[Any, ...] = ()) -> Iterator[Leaf]:
    """Yields the leaves of a class of parts, those of the parts within it too."""
    for item in dataclasses.fields(kind):
        own = item.metadata.get("when")
        all_conditions = conditions if own is None else (*conditions, own)
        if "part" in item.metadata:
            yield from leaves_of(item.metadata["part"], (*path, item.name), all_conditions)
        else:
            yield Leaf(item, (*path, item.name), all_conditions)


def assemble(kind: type[Any], values: Values) -> Any:
    """Returns the part of a spec that these values make, without those parts that do not apply."""
    arguments: dict[str, Any] = {}
    for item in dataclasses.fields(kind):
        condition = item.metadata.get("when")
        if "part" not in item.metadata:
            arguments[item.name] = values[called(item)]
        elif condition is None or condition(values):
            arguments[item.name] = assemble(item.metadata["part"], values)
    return kind(**arguments)


def check_value(item: dataclasses.Field[Any], value: Any) -> Any:
    """Returns the value of a spec's field in its one spelling.

    Raises:
        ValueError: argument, what was expected, and what came.
    """
    name, limits = called(item), item.metadata
    if name in _COMBINED:
        if not isinstance(value, str):
            raise ValueError(f"`{name}` must be a name; received {shown(value)}.")
        return _COMBINED[name].canonical(value)
    if name in _TABLES:
        return _check_names(name, value)
    if "choices" in limits:
        return _check_choices(item, value)
    if value is None and item.default is None:
        return value
    if LIMITS.keys() & limits.keys():
        several = str(item.type).startswith("tuple")
        if several and (isinstance(value, str) or not isinstance(value, Sequence)):
            raise ValueError(f"`{name}` must be a list of numbers; received {shown(value)}.")
        return tuple(_check_number(item, number) for number in value) if several else _check_number(item, value)
    if name not in OPTION_FIELDS and (not isinstance(value, str) or not value):
        raise ValueError(f"`{name}` must be a name; received {shown(value)}.")
    return value  # options are checked with the name that they are of


def valid_names(item: dataclasses.Field[Any]) -> list[str]:
    """Returns the names that a spec's field takes, or an empty list where it takes other values."""
    if called(item) in _TABLES:
        return _TABLES[called(item)].names()
    return list(item.metadata.get("choices", ()))


def chosen(name: str, value: Any) -> Collection[Any]:
    """Returns what a field of this name chooses by its value: the parts of a combined name, the items of a list."""
    if name in _COMBINED:
        return _COMBINED[name].parse(value)
    return value if isinstance(value, tuple) else (value,)


def named_things(values: Values) -> list[tuple[Table, str]]:
    """Returns what values of fields name: the table of each thing, and its name there."""
    found: list[tuple[Table, str]] = []
    for name, value in values.items():
        if value is None:
            continue
        if name in _COMBINED:
            found += [(_COMBINED[name].parts, part) for part in sorted(chosen(name, value))]
        elif name in _TABLES:
            found += [(_TABLES[name], each) for each in chosen(name, value)]
        elif name == "dataset" and value in DATASETS:  # others are of TensorFlow Datasets
            found.append((DATASETS, value))
    return found


def load_plugins(specs: Iterable[Any]) -> None:
    """Imports what specs name of other packages, so that a broken one is said before anything is trained.

    Raises:
        ValueError: one can't be imported; the message names it, its package and the error.
    """
    for table, name in dict.fromkeys(thing for spec in specs for thing in named_things(spec.values)):
        if not table.plugin(name).origin.built_in:
            table.get(name)


def _check_names(name: str, value: Any) -> Any:
    """Returns a name, or a tuple of at least one, all of which the field's table holds."""
    several, table = name == "flow_measures", _TABLES[name]
    if not several and not isinstance(value, str):
        raise ValueError(f"`{name}` must be a name; received {shown(value)}.")
    for each in check_names(name, value) if several else (value,):
        table.plugin(each)
    return tuple(value) if several else value


def _check_choices(item: dataclasses.Field[Any], value: Any) -> Any:
    """Returns one of the field's choices; where it takes several, these in their order, and () for ("none",)."""
    name, limits, choices = called(item), item.metadata, item.metadata["choices"]
    several = str(item.type).startswith("tuple")
    if several and (isinstance(value, str) or not isinstance(value, Sequence)):
        raise ValueError(f"`{name}` must be a list of {', '.join(choices)}; received {value!r}.")
    chosen = () if several and tuple(value) == ("none",) else value if several else (value,)
    for each in chosen:
        if each not in choices:
            alone = " `none` stands alone." if several and each == "none" else ""
            raise ValueError(f"{unknown_name(f'`{name}`', each, list(choices))}{alone}")
    if len(chosen) < limits.get("fewest", 0):
        raise ValueError(f"`{name}` must list at least {limits['fewest']} of {', '.join(choices)}; received none.")
    return tuple(each for each in choices if each in chosen) if several else value


def _check_number(item: dataclasses.Field[Any], value: Any) -> Any:
    """Returns a number within a field's limits; the specs of a study repeat most of theirs."""
    return (_checked if type(value) in (int, float) else _checked.__wrapped__)(item, value)


@functools.lru_cache(maxsize=4096, typed=True)
def _checked(item: dataclasses.Field[Any], value: Any) -> Any:
    limits = {name: item.metadata[name] for name in LIMITS if name in item.metadata}
    return check_number(called(item), value, whole="int" in str(item.type), **limits)


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
