"""A study: grids of configurations, each compared in matched pairs of a sparse and a dense network."""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from keras_sparseflow.experiments.arguments import check_used
from keras_sparseflow.experiments.capacity import DENSE_WIDTH_FRACTIONS, default_max_width, dense_widths, match_capacity
from keras_sparseflow.experiments.fields import OPTION_FIELDS, OURS, PAPER
from keras_sparseflow.experiments.grids import GRID_FIELDS, Grid, cells, choose, values_of
from keras_sparseflow.experiments.provenance import machine, versions
from keras_sparseflow.experiments.spec import RunSpec
from keras_sparseflow.flow.named import MEASURES
from keras_sparseflow.plugins import unknown_name

ARMS = ("sparse", "dense")

_DEFAULTS = {field.name: field.default for field in dataclasses.fields(RunSpec)}
_DERIVED = ("dense_width", "max_width", "arm", "seed")


@dataclass(frozen=True, kw_only=True)
class Study:
    """Configurations x dense widths x seeds x both arms.

    Args:
        name: the folder it is kept in.
        title: what it asks, in words.
        grids: each crosses the values it gives for any of `GRID_FIELDS`; the study is the union of them.
        base: values of the other `RunSpec` fields, where they differ from their defaults.
        width_fractions: dense widths as fractions of the maximum width, in (0, 1].
        seeds: one matched pair for each; both arms share seed and batches.
        max_width: width of the sparse arm; None for inputs + 4.
        reproduces: the published result that it repeats, such as "Table 4"; empty for none.
        measure: the measure of gradient flow that its report draws.
        notes: what the published account leaves open here, and how it was decided.
        preset: the study that this one was made from, see `with_choices`.

    Raises:
        ValueError: a field that can't be in a grid or in `base`.

    Example:
        >>> study = Study(name="s", title="", grids=[{"variant": ("NR", "BN")}], seeds=(0, 1, 2))
        >>> len(study.specs(inputs=64, classes=10))  # 2 variants x 5 widths x 3 seeds x 2 arms
        60
    """

    name: str
    title: str
    grids: Sequence[Grid] = ({},)
    base: dict[str, Any] = dataclasses.field(default_factory=dict)
    width_fractions: Sequence[float] = DENSE_WIDTH_FRACTIONS
    seeds: Sequence[int] = (0, 1, 2)
    max_width: int | None = None
    reproduces: str = ""
    measure: str = "egf_2"
    notes: Sequence[str] = ()
    preset: "Study | None" = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name):
            raise ValueError(
                f"`name` names a folder: expected letters, digits, '_', '-' and '.'; received {self.name!r}."
            )
        if self.max_width is not None and self.max_width < 1:
            raise ValueError(f"`max_width` must be at least 1; received {self.max_width}.")
        if self.measure not in MEASURES:
            raise unknown_name("`measure`", self.measure, MEASURES.names())
        if not self.grids:
            raise ValueError("`grids` must list at least one grid; received none.")
        fixed = {f.name for f in dataclasses.fields(RunSpec)} - {*GRID_FIELDS, *_DERIVED}
        given = [*(("grids", grid, set(GRID_FIELDS)) for grid in self.grids), ("base", self.base, fixed)]
        for kind, fields, valid in given:
            wrong = set(fields) - valid
            if wrong:
                raise ValueError(f"`{kind}` takes {', '.join(sorted(valid))}; received {', '.join(sorted(wrong))}.")
        lists = [*self.grids, {"seeds": self.seeds, "width_fractions": self.width_fractions}]
        for name, values in itertools.chain.from_iterable(fields.items() for fields in lists):
            if not values or len(set(values)) < len(values):
                raise ValueError(f"`{name}` must list at least one value, and each once; received {list(values)}.")

    def specs(self, inputs: int, classes: int) -> list[RunSpec]:
        """Returns every run of the study, the two arms of a pair next to each other.

        Args:
            inputs: number of values of one image.
            classes: number of classes.

        Raises:
            ValueError: a value is wrong, or a cell is infeasible (both counts are shown), or options are given
                to an optimizer or activation that is not in it.
        """
        max_width = self.max_width or default_max_width(inputs)
        widths = dense_widths(max_width, self.width_fractions)
        specs = []
        for cell in cells(self.grids):
            for width, seed, arm in itertools.product(widths, self.seeds, ARMS):
                spec = RunSpec(**self.base, **cell, dense_width=width, max_width=max_width, seed=seed, arm=arm)
                match_capacity(inputs, classes, spec.hidden_layers, width, max_width)
                specs.append(spec)
        for field in OPTION_FIELDS:
            check_used(
                field, self.base.get(field, ()), [getattr(spec, field.removesuffix("_options")) for spec in specs]
            )
        return list(dict.fromkeys(specs))  # two grids may name the same configuration

    def with_choices(self, values: dict[str, Any], **fields: Any) -> "Study":
        """Returns the study with other choices, which remembers this one as its preset.

        Args:
            values: of any `RunSpec` fields that a study decides; those of `GRID_FIELDS` are lists, see `choose`.
            **fields: other values of the study's own fields (name, seeds, ...).

        Example:
            >>> study = Study(name="s", title="", base={"epochs": 500})
            >>> study.with_choices({"epochs": 10, "variant": ("BN",)}).overrides()[0]
            {'choice': 'variant', 'preset': 'NR', 'here': 'BN'}
        """
        grids = choose(self.grids, {name: values[name] for name in GRID_FIELDS if name in values})
        base = {**self.base, **{name: value for name, value in values.items() if name not in GRID_FIELDS}}
        return dataclasses.replace(self, grids=grids, base=base, preset=self, **fields)

    def value(self, field: str) -> Any:
        """Returns what every run of the study has for a `RunSpec` field that is not in a grid."""
        return self.base.get(field, _DEFAULTS[field])

    @classmethod
    def of_networks(cls, name: str, specs: Sequence[RunSpec]) -> "Study":
        """Returns the study whose choices are those of single networks, for the record."""

        def values(field: str) -> tuple[Any, ...]:
            return tuple(dict.fromkeys(getattr(spec, field) for spec in specs))

        fixed = [f.name for f in dataclasses.fields(RunSpec) if f.name not in (*GRID_FIELDS, *_DERIVED)]
        several = {field: values(field) for field in fixed}
        return cls(
            name=name,
            title="Single networks",
            grids=({field: values(field) for field in GRID_FIELDS},),
            base={field: found[0] if len(found) == 1 else found for field, found in several.items()},
            width_fractions=tuple(dict.fromkeys(spec.dense_width / spec.max_width for spec in specs)),
            seeds=values("seed"),
            max_width=specs[0].max_width,
        )

    def choices(self) -> list[dict[str, Any]]:
        """Returns every choice made, one dict a choice: `choice`, `value`, `meaning`, `source`."""
        rows = []
        for item in dataclasses.fields(RunSpec):
            if item.name in _DERIVED:
                continue
            if item.name in GRID_FIELDS:
                value, default = values_of(self.grids, item.name), not any(item.name in grid for grid in self.grids)
            else:
                value, default = self.value(item.name), item.name not in self.base
            source = item.metadata["source"] if default else "set for this study"
            rows.append(_choice(item.name, value, item.metadata["help"], source))
        rows.append(_choice("width_fractions", self.width_fractions, "dense widths over the maximum width", PAPER))
        rows.append(_choice("max_width", self.max_width or "inputs + 4", "width of the sparse arm", PAPER))
        rows.append(_choice("seeds", self.seeds, "matched pairs for each width", PAPER))
        return rows + [_choice(*row) for row in FIXED_CHOICES]

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

    def record(self, specs: Sequence[RunSpec], command: str) -> dict[str, Any]:
        """Returns what `study.json` holds: the plan, every choice, versions and machine."""
        return {
            "name": self.name,
            "title": self.title,
            "preset": self.preset.name if self.preset else None,
            "reproduces": self.reproduces or None,
            "notes": list(self.notes),
            "measure": self.measure,
            "overrides": self.overrides(),
            "command": command,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "runs_planned": len(specs),
            "run_ids": [spec.run_id for spec in specs],
            "choices": self.choices(),
            "versions": versions(),
            "machine": machine(),
        }


_KERAS = "Keras' default, unless `optimizer_options` say otherwise"

FIXED_CHOICES = (
    ("biases", "none", "no kernel has a bias", PAPER),
    ("BatchNorm", "counts for neither arm", "its scales and shifts are no weights of the matched capacity", OURS),
    ("skip connections", "identity", "from the first hidden layer's output on; they have no weights", OURS),
    ("masks", "uniformly random, fixed", "exact count in each kernel", PAPER),
    ("standardisation", "per channel", "mean and deviation of the training images alone", OURS),
    ("augmentation padding value", "0 after standardisation", "the training mean", OURS),
    ("accuracy reported", "test accuracy after the last epoch", "the best over epochs is stored too", OURS),
    ("Adagrad accumulator", "starts at 0.1", f"of active and inactive weights alike; {_KERAS}", OURS),
    ("RMSprop", "rho 0.9, epsilon 1e-7", _KERAS, OURS),
    ("Adam", "beta 0.9 and 0.999, epsilon 1e-7", _KERAS, OURS),
    ("test", "one-tailed paired Wilcoxon signed-rank", "H1: sparse networks are the more accurate", PAPER),
)
"""Choices that are not options (yet), recorded with the rest: choice, value, meaning, source."""


def _choice(choice: str, value: Any, meaning: str, source: str) -> dict[str, Any]:
    return {"choice": choice, "value": _shown(value), "meaning": meaning, "source": source}


def _shown(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_shown, value)) or "none"
    return "none" if value is None else str(value)
