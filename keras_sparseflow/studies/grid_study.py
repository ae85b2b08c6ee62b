"""`GridStudy`: what studies have in common: grids of configurations, every choice recorded."""

import abc
import dataclasses
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, ClassVar, TypeVar

from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.plugins import unknown_name
from keras_sparseflow.studies.grids import Grid, choose, values_of
from keras_sparseflow.studies.provenance import machine, plugin_versions, versions
from keras_sparseflow.studies.spec.arguments import check_used
from keras_sparseflow.studies.spec.fields import OPTION_FIELDS
from keras_sparseflow.studies.spec.training_spec import TrainingSpec

StudyT = TypeVar("StudyT", bound="GridStudy")


@dataclass(frozen=True, kw_only=True)
class GridStudy(abc.ABC):
    """Configurations x seeds, and what each kind of study crosses them with.

    Args:
        name: the folder it is kept in.
        title: what it asks, in words.
        grids: each crosses the values it gives for any of `grid_fields`; the study is the union of them.
        base: values of the other fields of its specs, where they differ from their defaults.
        seeds: one repetition for each.
        reproduces: the published result that it repeats, such as "Table 4"; empty for none.
        published: which published numbers its report sets beside its own, as
            `keras_sparseflow.analysis.published_tost.beside_published_tost` takes them; none by default.
        measure: the measure of gradient flow that its report draws.
        notes: what the published account leaves open here, and how it was decided.
        preset: the study that this one was made from, see `with_choices`.

    Attributes:
        kind: names the kind of study in its record.
        spec_class: of its runs.
        grid_fields: the fields of a spec that a grid can vary; a configuration is one value of each.
        derived_fields: the fields of a spec that neither a grid nor `base` gives.
        fixed_choices: choices that are not options (yet), recorded with the rest: choice, value, meaning, source.

    Raises:
        ValueError: a field that can't be in a grid or in `base`.
    """

    kind: ClassVar[str]
    spec_class: ClassVar[type[TrainingSpec]]
    grid_fields: ClassVar[tuple[str, ...]]
    derived_fields: ClassVar[tuple[str, ...]]
    fixed_choices: ClassVar[tuple[tuple[str, str, str, str], ...]]

    name: str
    title: str
    grids: Sequence[Grid] = ({},)
    base: dict[str, Any] = dataclasses.field(default_factory=dict)
    seeds: Sequence[int] = (0, 1, 2)
    reproduces: str = ""
    published: Mapping[str, str] = dataclasses.field(default_factory=dict)
    measure: str = "egf_2"
    notes: Sequence[str] = ()
    preset: "GridStudy | None" = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name):
            raise ValueError(
                f"`name` names a folder: expected letters, digits, '_', '-' and '.'; received {self.name!r}."
            )
        if self.measure not in MEASURES:
            raise unknown_name("`measure`", self.measure, MEASURES.names())
        if not self.grids:
            raise ValueError("`grids` must list at least one grid; received none.")
        known = {field.name for field in dataclasses.fields(self.spec_class)}
        fixed = known - {*self.grid_fields, *self.derived_fields}
        given = [*(("grids", grid, set(self.grid_fields)) for grid in self.grids), ("base", self.base, fixed)]
        for kind, fields, valid in given:
            wrong = set(fields) - valid
            if wrong:
                raise ValueError(f"`{kind}` takes {', '.join(sorted(valid))}; received {', '.join(sorted(wrong))}.")
        for name, values in itertools.chain.from_iterable(fields.items() for fields in (*self.grids, self._lists())):
            if not values or len(set(values)) < len(values):
                raise ValueError(f"`{name}` must list at least one value, and each once; received {list(values)}.")

    def specs(self, inputs: int, classes: int) -> list[Any]:
        """Returns every run of the study.

        Args:
            inputs: number of values of one image, which the widths of multilayer perceptrons follow.
            classes: number of classes.

        Raises:
            ValueError: a value is wrong, or a cell is infeasible, or options are given to an optimizer or
                activation that is not in it.
        """
        specs = list(dict.fromkeys(self._specs(inputs, classes)))  # two grids may name the same configuration
        for field in OPTION_FIELDS:
            check_used(
                field, self.base.get(field, ()), [getattr(spec, field.removesuffix("_options")) for spec in specs]
            )
        return specs

    def with_choices(self: StudyT, values: dict[str, Any], **fields: Any) -> StudyT:
        """Returns the study with other choices, which remembers this one as its preset.

        Args:
            values: of any fields of its specs that a study decides; those of `grid_fields` are lists, see `choose`.
            **fields: other values of the study's own fields (name, seeds, ...).

        Raises:
            ValueError: a field that follows from others in this kind of study.
        """
        for name in self.derived_fields:
            if name in values:
                raise ValueError(
                    f"`{name}` follows from other choices in study {self.name!r}; received {values[name]!r}."
                )
        defaults = self.spec_class.defaults()
        varied = {name: defaults[name] for name in self.grid_fields}
        grids = choose(self.grids, {name: values[name] for name in self.grid_fields if name in values}, varied)
        base = {**self.base, **{name: value for name, value in values.items() if name not in self.grid_fields}}
        return dataclasses.replace(self, grids=grids, base=base, preset=self, **fields)

    def value(self, field: str) -> Any:
        """Returns what every run of the study has for a field of its specs that is not in a grid."""
        return self.base.get(field, self.spec_class.defaults()[field])

    def choices(self) -> list[dict[str, Any]]:
        """Returns every choice made, one dict a choice: `choice`, `value`, `meaning`, `source`."""
        rows = []
        for item in dataclasses.fields(self.spec_class):
            if item.name in self.derived_fields:
                continue
            if item.name in self.grid_fields:
                value = values_of(self.grids, item.name, item.default)
                default = not any(item.name in grid for grid in self.grids)
            else:
                value, default = self.value(item.name), item.name not in self.base
            source = item.metadata["source"] if default else "set for this study"
            rows.append(_choice(item.name, value, item.metadata["help"], source))
        return rows + [_choice(*row) for row in (*self._own_choices(), *self.fixed_choices)]

    def overrides(self) -> list[dict[str, str]]:
        """Returns what differs from the preset, one dict a choice: `choice`, `preset`, `here`."""
        if self.preset is None:
            return []
        pairs = zip(self.preset.choices(), self.choices(), strict=True)
        return [
            {"choice": own["choice"], "preset": its["value"], "here": own["value"]}
            for its, own in pairs
            if its["value"] != own["value"]
        ]

    def record(self, specs: Sequence[TrainingSpec], command: str) -> dict[str, Any]:
        """Returns what `study.json` holds: the plan, every choice, versions and machine."""
        return {
            "name": self.name,
            "kind": self.kind,
            "title": self.title,
            "preset": self.preset.name if self.preset else None,
            "reproduces": self.reproduces or None,
            "published": dict(self.published) or None,
            "notes": list(self.notes),
            "measure": self.measure,
            "overrides": self.overrides(),
            "command": command,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "runs_planned": len(specs),
            "run_ids": [spec.run_id for spec in specs],
            "choices": self.choices(),
            "defaults": self.spec_class.defaults(),
            "versions": {**versions(), **plugin_versions({plugin for spec in specs for plugin in spec.plugins})},
            "machine": machine(),
        }

    @abc.abstractmethod
    def _specs(self, inputs: int, classes: int) -> list[Any]:
        """Returns every run; one that two grids name comes twice."""

    def _lists(self) -> dict[str, Sequence[Any]]:
        """Returns the study's own lists by name, each of which must have values, and each value once."""
        return {"seeds": self.seeds}

    @abc.abstractmethod
    def _own_choices(self) -> list[tuple[str, Any, str, str]]:
        """Returns the choices that are the study's and no spec's: choice, value, meaning, source."""


def _choice(choice: str, value: Any, meaning: str, source: str) -> dict[str, Any]:
    return {"choice": choice, "value": _shown(value), "meaning": meaning, "source": source}


def _shown(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_shown, value)) or "none"
    return "none" if value is None else str(value)
