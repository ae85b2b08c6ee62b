"""A study: grids of configurations, what is compared in each, and every choice recorded."""

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from keras_sparseflow.checks import check_number, check_seed, refuse_sparsity, shown
from keras_sparseflow.data import DataSize
from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.plugins import unknown_name
from keras_sparseflow.records.provenance import machine, plugin_versions, versions
from keras_sparseflow.studies.comparisons import COMPARISONS, DENSE_WIDTH_FRACTIONS, Member, default_max_width
from keras_sparseflow.studies.spec.arguments import check_used
from keras_sparseflow.studies.spec.fields import OPTION_FIELDS, OURS
from keras_sparseflow.studies.spec.run_spec import LEAVES, RunSpec

__all__ = ["Study"]

Grid = Mapping[str, Sequence[Any]]
"""Values to cross of fields that a study can vary; a field that is left out has its default alone."""


def cells(grids: Sequence[Grid]) -> Iterator[dict[str, Any]]:
    """Yields the configurations of each grid, one after the other; one that two grids name comes twice.

    Example:
        >>> list(cells([{"variant": ("NR", "BN")}, {"optimizer": ("adam",)}]))
        [{'variant': 'NR'}, {'variant': 'BN'}, {'optimizer': 'adam'}]
    """
    for grid in grids:
        for values in itertools.product(*grid.values()):
            yield dict(zip(grid, values, strict=True))


def values_of(grids: Sequence[Grid], field: str, default: Any) -> tuple[Any, ...]:
    """Returns every value that a field has in some grid, each once.

    Args:
        grids: a union.
        field: its name.
        default: its value in a grid that leaves it out.

    Example:
        >>> values_of([{"variant": ("L2", "BN")}, {"variant": ("BN",)}, {}], "variant", "NR")
        ('L2', 'BN', 'NR')
    """
    return tuple(dict.fromkeys(itertools.chain.from_iterable(grid.get(field, (default,)) for grid in grids)))


def choose(grids: Sequence[Grid], chosen: Grid, defaults: Mapping[str, Any]) -> tuple[dict[str, Sequence[Any]], ...]:
    """Returns the grids with chosen values in place of their own.

    A value that some grid names stays where it is named, so that it keeps its company; a value that no grid
    names goes into every grid. Grids without a value left vanish; at least one is always left.

    Args:
        grids: a union.
        chosen: the values that are wanted.
        defaults: every field that can be chosen, with its value in a grid that leaves it out.

    Example:
        >>> grids = [{"optimizer": ("sgd",), "variant": ("BN",)}, {"optimizer": ("adam",), "variant": ("NR",)}]
        >>> choose(grids, {"optimizer": ("adam",)}, {"optimizer": "sgd"})
        ({'optimizer': ('adam',), 'variant': ('NR',)},)
        >>> choose(grids, {"optimizer": ("adam",), "variant": ("L2",)}, {"optimizer": "sgd", "variant": "NR"})
        ({'optimizer': ('adam',), 'variant': ('L2',)},)
    """
    left = [dict(grid) for grid in grids]
    for field, default in defaults.items():
        if field not in chosen:
            continue
        named = values_of(left, field, default)
        for grid in left:
            grid[field] = tuple(v for v in chosen[field] if v not in named or v in grid.get(field, (default,)))
        left = [grid for grid in left if grid[field]]
    return tuple({tuple((field, *grid[field]) for field in sorted(grid)): grid for grid in left}.values())


GRID_FIELDS = (
    *("hidden_layers", "method", "score", "distribution", "density"),
    *("tweaks", "ghost_decay", "ghost_until", "ghost_activation"),
    *("variant", "activation", "optimizer", "learning_rate"),
)
"""The fields of a spec that a grid can vary; a configuration is one value of each."""

_SET = "set for this study"
"""Source of a choice that is not its default."""

_ANY_SIZE = DataSize((8, 8, 1), 10, 10**9, 10**9)
"""Stands for a dataset where it does not matter which."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """Configurations x seeds, each with the networks that are compared in it.

    Args:
        name: the folder it is kept in.
        title: its question, in words.
        comparison: a name in `COMPARISONS`: pairs of equal capacity, or networks over densities.
        grids: each crosses the values it gives for any of `GRID_FIELDS`; the study is the union of them.
        base: values of other fields of its specs, where they differ from their defaults.
        seeds: one repetition for each.
        width_fractions: of pairs, the dense widths as fractions of the maximum width, in (0, 1].
        max_width: of pairs, the width of the sparse arm; None for inputs + 4 of an mlp, and 10 of other networks.
        rounds: of lottery tickets, number of times that the network is pruned, at least 1. The densities follow from
            it and from `fraction`. None where densities are given.
        fraction: share of the active weights that each round removes, in (0, 1).
        reproduces: the published result that it repeats, such as "Table 4"; empty for none.
        published: which published numbers its report sets beside its own, as
            `keras_sparseflow.analysis.published_tost.beside_published_tost` takes them; none by default.
        measure: the measure of gradient flow that its report draws.
        notes: what the published account leaves open here, and how it was decided.
        preset: the study that this one was made from, see `with_choices`.

    Raises:
        ValueError: a field that can't be in a grid or in `base`, or a value out of its range.

    Example:
        >>> size = DataSize((8, 8, 1), 10, 1000, 100)
        >>> study = Study(name="s", title="", grids=[{"variant": ("NR", "BN")}], seeds=(0, 1, 2))
        >>> len(study.specs(size))  # 2 variants x 5 widths x 3 seeds x 2 arms
        60
        >>> study.with_choices({"epochs": 10, "variant": ("BN",)}).overrides()[0]
        {'choice': 'variant', 'preset': 'NR, BN', 'here': 'BN'}
        >>> grids = [{"density": (0.05, 0.2, 1.0), "score": ("snip",)}]
        >>> len(Study(name="s", title="", comparison="densities", grids=grids).specs(size))  # 3 densities x 3 seeds
        9
    """

    name: str
    title: str
    comparison: str = "pairs"
    grids: Sequence[Grid] = ({},)
    base: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seeds: Sequence[int] = (0, 1, 2)
    width_fractions: Sequence[float] = DENSE_WIDTH_FRACTIONS
    max_width: int | None = None
    rounds: int | None = None
    fraction: float = 0.2
    reproduces: str = ""
    published: Mapping[str, str] = dataclasses.field(default_factory=dict)
    measure: str = "egf_2"
    notes: Sequence[str] = ()
    preset: "Study | None" = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name):
            raise ValueError(
                f"`name` names a folder: expected letters, digits, '_', '-' and '.'; received {self.name!r}."
            )
        for field, value, table in (("measure", self.measure, MEASURES), ("comparison", self.comparison, COMPARISONS)):
            if value not in table:
                raise unknown_name(f"`{field}`", value, table.names())
        if not self.grids:
            raise ValueError("`grids` must list at least one grid; received none.")
        for fields in (*self.grids, self.base):
            refuse_sparsity(fields)
        varied, derived = {*GRID_FIELDS}, {*self.derived_fields}
        given = [*(("grids", grid, varied - derived) for grid in self.grids)]
        given.append(("base", self.base, {*LEAVES} - varied - derived))
        for kind, fields, valid in given:
            wrong = set(fields) - valid
            if wrong:
                raise ValueError(f"`{kind}` takes {', '.join(sorted(valid))}; received {', '.join(sorted(wrong))}.")
        lists = {"seeds": self.seeds, "width_fractions": self.width_fractions}
        for name, values in itertools.chain.from_iterable(fields.items() for fields in (*self.grids, lists)):
            if not isinstance(values, Sequence) or isinstance(values, str) or not values or _repeats(values):
                raise ValueError(f"`{name}` must list at least one value, and each once; received {shown(values)}.")
        for seed in self.seeds:
            check_seed(seed, "seeds")
        for fraction in self.width_fractions:
            check_number("width_fractions", fraction, above=0, maximum=1)
        if self.max_width is not None:
            check_number("max_width", self.max_width, whole=True, minimum=1)
        self._check_rounds()

    @property
    def derived_fields(self) -> tuple[str, ...]:
        """The fields of a spec that neither a grid nor `base` gives."""
        of_rounds = () if self.rounds is None else ("method", "density", "score", "score_samples")
        return ("seed", "earlier_densities", *COMPARISONS.get(self.comparison).derived, *of_rounds)

    @property
    def densities(self) -> tuple[float, ...]:
        """Densities of the rounds of lottery tickets, to six significant digits; none where `rounds` are not given."""
        rounds = range(0 if self.rounds is None else self.rounds + 1)
        return tuple(float(f"{(1 - self.fraction) ** number:.6g}") for number in rounds)

    def members(self, size: DataSize) -> list[Member]:
        """Returns every network of the study, and as what it stands in the comparison.

        Args:
            size: of the dataset, which the widths of multilayer perceptrons follow.

        Raises:
            ValueError: a value is wrong, or a cell is infeasible, or options are given to an optimizer or
                activation that is not in it.
        """
        found = list(COMPARISONS.get(self.comparison).members(self, size))
        for field in OPTION_FIELDS:
            used = [member.spec.values[field.removesuffix("_options")] for member in found]
            check_used(field, self.base.get(field, ()), used)
        return list({(member.spec, *member.labels.items()): member for member in found}.values())  # grids may overlap

    def specs(self, size: DataSize) -> list[RunSpec]:
        """Returns every run of the study, each once; see `members`."""
        return list(dict.fromkeys(member.spec for member in self.members(size)))

    def configurations(self) -> Iterator[dict[str, Any]]:
        """Yields the values that each cell of the grids and `base` give, by the names of fields."""
        rounds = {} if self.rounds is None else {"method": ("lottery",), "density": self.densities}
        for cell in cells([{**grid, **rounds} for grid in self.grids]):
            yield {**self.base, **cell}

    def width(self, size: DataSize) -> int | None:
        """Returns the width of the study's networks; None for the default of networks for images."""
        given: int | None = self.max_width or self.base.get("width")
        if given is None and self.value("model") == "mlp":
            return default_max_width(size.inputs)
        return given

    def with_choices(self, values: Mapping[str, Any], **fields: Any) -> "Study":
        """Returns the study with other choices, which remembers as its preset this one or its own.

        Args:
            values: of any fields of its specs that a study decides; those of `GRID_FIELDS` are lists, see `choose`.
            **fields: other values of the study's own fields (name, seeds, ...).

        Raises:
            ValueError: a field that follows from others in this kind of study.
        """
        for name in self.derived_fields:
            if name in values:
                raise ValueError(
                    f"`{name}` follows from other choices in study {self.name!r}; received {values[name]!r}."
                )
        varied = {name: LEAVES[name].default for name in GRID_FIELDS}
        grids = choose(self.grids, {name: values[name] for name in GRID_FIELDS if name in values}, varied)
        base = {**self.base, **{name: value for name, value in values.items() if name not in GRID_FIELDS}}
        return dataclasses.replace(self, grids=grids, base=base, preset=self.preset or self, **fields)

    def value(self, field: str) -> Any:
        """Returns what every run of the study has for a field of its specs that is not in a grid."""
        return self.base.get(field, LEAVES[field].default)

    def choices(self, specs: Sequence[RunSpec] | None = None) -> list[dict[str, Any]]:
        """Returns every choice that decides something here, one dict each: `choice`, `value`, `meaning`, `source`.

        Args:
            specs: the study's runs; None for those on any images.
        """
        if specs is None:  # other seeds make no other choices, and a paper's study has thousands of networks
            specs = dataclasses.replace(self, seeds=self.seeds[:1]).specs(_ANY_SIZE)
        comparison, rows = COMPARISONS.get(self.comparison), []
        for name, leaf in LEAVES.items():
            values = dict.fromkeys(leaf.of(spec) for spec in specs if leaf.applies(spec.values))
            if not values or name in self.derived_fields:
                continue
            source = leaf.source if [*values] == [leaf.default] else self.source(name)
            rows.append(_choice(name, next(iter(values)) if len(values) == 1 else [*values], leaf.help, source))
        own = [*comparison.choices(self), ("seeds", self.seeds, "repetitions of each configuration", OURS)]
        own = [(*row[:3], self.source(row[0])) if self._changes(row[0]) else row for row in own]
        return rows + [_choice(*row) for row in (*own, *comparison.fixed_choices)]

    def source(self, choice: str) -> str:
        """Returns where a choice that is not its default comes from: the preset, or this study.

        Args:
            choice: a field of specs, or of the study.
        """
        from_preset = self.preset is not None and self.preset._given(choice) == self._given(choice)
        return f"preset {self.preset.name}" if self.preset is not None and from_preset else _SET

    def explained(self, message: str) -> str:
        """Returns what refuses the study, and which of the choices named in it come from the preset.

        A choice that fits the preset may not fit what was changed in it.

        Args:
            message: of an error; it names choices as `epochs`.
        """
        named = [name for name in dict.fromkeys(re.findall(r"`(\w+)`", message)) if name in LEAVES]
        kept = [name for name in named if self._given(name) and self.source(name) != _SET]
        if self.preset is None or not kept or all(self.preset._given(name) == self._given(name) for name in LEAVES):
            return message
        told = ", ".join(f"`{name}` {_shown(self._given(name))}" for name in kept)
        flags = " and ".join(f"--{name}" for name in kept)
        return f"{message} From preset {self.preset.name}: {told}; give {flags} too."

    def overrides(self) -> list[dict[str, str]]:
        """Returns what differs from the preset, one dict a choice: `choice`, `preset`, `here`.

        A field that begins or ceases to apply, and has its default, is left out: it follows from what is there.
        """
        if self.preset is None:
            return []
        before, here = ({row["choice"]: row for row in study.choices()} for study in (self.preset, self))
        found = []
        for name in dict.fromkeys([*before, *here]):
            rows = [study.get(name) for study in (before, here)]
            then, now = ("none" if row is None else row["value"] for row in rows)
            usual = {"none", _shown(LEAVES[name].default)} if name in LEAVES else set()
            if then != now and (None not in rows or {then, now} - usual):
                found.append({"choice": name, "preset": then, "here": now})
        return found

    def record(self, members: Sequence[Member], command: str) -> dict[str, Any]:
        """Returns what `study.json` holds: the plan, every choice, versions and machine."""
        specs = list(dict.fromkeys(member.spec for member in members))
        return {
            "name": self.name,
            "comparison": self.comparison,
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
            "members": [{"run_id": member.spec.run_id, **member.labels} for member in members],
            "choices": self.choices(specs),
            "defaults": {name: leaf.default for name, leaf in LEAVES.items()},
            "versions": {**versions(), **plugin_versions({plugin for spec in specs for plugin in spec.plugins})},
            "machine": machine(),
        }

    def _given(self, choice: str) -> Any:
        """Returns what the study says of a choice; of a field of specs None where it says nothing."""
        if choice in GRID_FIELDS:
            return tuple(dict.fromkeys(value for grid in self.grids for value in grid.get(choice, ()))) or None
        return self.base.get(choice) if choice in LEAVES else getattr(self, choice)

    def _changes(self, choice: str) -> bool:
        """Returns whether a field of the study, if it is one, has another value than its default."""
        return choice in _OWN_DEFAULTS and getattr(self, choice) != _OWN_DEFAULTS[choice]

    def _check_rounds(self) -> None:
        if self.rounds is None:
            return
        check_number("rounds", self.rounds, whole=True, minimum=1)
        check_number("fraction", self.fraction, above=0, below=1)
        if len(set(self.densities)) <= self.rounds or not self.densities[-1]:
            raise ValueError(
                f"`fraction` must give each of {self.rounds} rounds a density of its own above 0, in six significant "
                f"digits; received {self.fraction!r}."
            )


def _repeats(values: Sequence[Any]) -> bool:
    return len({repr(value) for value in values}) < len(values)  # not all that is given can be hashed


_OWN_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Study)}
"""Defaults of the fields of a study."""


def _choice(choice: str, value: Any, meaning: str, source: str) -> dict[str, Any]:
    return {"choice": choice, "value": _shown(value), "meaning": meaning, "source": source}


def _shown(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_shown, value)) or "none"
    return "none" if value is None else str(value)
