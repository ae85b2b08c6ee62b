"""A study: a grid of configurations, each compared in matched pairs of a sparse and a dense network."""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from keras_sparseflow.experiments.capacity import DENSE_WIDTH_FRACTIONS, default_max_width, dense_widths, match_capacity
from keras_sparseflow.experiments.provenance import machine, versions
from keras_sparseflow.experiments.spec import OURS, PAPER, RunSpec

GRID_FIELDS = ("hidden_layers", "variant", "activation", "optimizer", "learning_rate")
"""The fields of a spec that a study can vary; a configuration is one value of each."""

ARMS = ("sparse", "dense")

_DERIVED = ("dense_width", "max_width", "arm", "seed")


@dataclass(frozen=True, kw_only=True)
class Study:
    """A grid of configurations x dense widths x seeds x both arms.

    Args:
        name: the folder it is kept in.
        title: what it asks, in words.
        grid: for any of `GRID_FIELDS`, the values to cross.
        base: values of the other `RunSpec` fields, where they differ from their defaults.
        width_fractions: dense widths as fractions of the maximum width, in (0, 1].
        seeds: one matched pair for each; both arms share seed and batches.
        max_width: width of the sparse arm; None for inputs + 4.

    Raises:
        ValueError: a field that can't be in `grid` or `base`.

    Example:
        >>> study = Study(name="s", title="", grid={"variant": ("NR", "BN")}, seeds=(0, 1, 2))
        >>> len(study.specs(inputs=64, classes=10))  # 2 variants x 5 widths x 3 seeds x 2 arms
        60
    """

    name: str
    title: str
    grid: dict[str, Sequence[Any]] = dataclasses.field(default_factory=dict)
    base: dict[str, Any] = dataclasses.field(default_factory=dict)
    width_fractions: Sequence[float] = DENSE_WIDTH_FRACTIONS
    seeds: Sequence[int] = (0, 1, 2)
    max_width: int | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name):
            raise ValueError(
                f"`name` names a folder: expected letters, digits, '_', '-' and '.'; received {self.name!r}."
            )
        if self.max_width is not None and self.max_width < 1:
            raise ValueError(f"`max_width` must be at least 1; received {self.max_width}.")
        fixed = {f.name for f in dataclasses.fields(RunSpec)} - {*GRID_FIELDS, *_DERIVED}
        for kind, given, valid in (("grid", self.grid, set(GRID_FIELDS)), ("base", self.base, fixed)):
            wrong = set(given) - valid
            if wrong:
                raise ValueError(f"`{kind}` takes {', '.join(sorted(valid))}; received {', '.join(sorted(wrong))}.")
        for name, values in {**self.grid, "seeds": self.seeds, "width_fractions": self.width_fractions}.items():
            if not values or len(set(values)) < len(values):
                raise ValueError(f"`{name}` must list at least one value, and each once; received {list(values)}.")

    def specs(self, inputs: int, classes: int) -> list[RunSpec]:
        """Returns every run of the study, the two arms of a pair next to each other.

        Args:
            inputs: number of values of one image.
            classes: number of classes.

        Raises:
            ValueError: a value is wrong, or a cell is infeasible (both counts are shown).
        """
        max_width = self.max_width or default_max_width(inputs)
        widths = dense_widths(max_width, self.width_fractions)
        specs = []
        for values in itertools.product(*self.grid.values()):
            cell = dict(zip(self.grid, values, strict=True))
            for width, seed, arm in itertools.product(widths, self.seeds, ARMS):
                spec = RunSpec(**self.base, **cell, dense_width=width, max_width=max_width, seed=seed, arm=arm)
                match_capacity(inputs, classes, spec.hidden_layers, width, max_width)
                specs.append(spec)
        if len({spec.run_id for spec in specs}) < len(specs):
            raise ValueError(f"`grid` must not name one configuration twice; received {self.grid}.")
        return specs

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
            grid={field: values(field) for field in GRID_FIELDS},
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
            value = self.grid.get(item.name, self.base.get(item.name, item.default))
            default = item.name not in self.grid and item.name not in self.base
            source = item.metadata["source"] if default else "set for this study"
            rows.append(
                {"choice": item.name, "value": _shown(value), "meaning": item.metadata["help"], "source": source}
            )
        rows.append(_choice("width_fractions", self.width_fractions, "dense widths over the maximum width", PAPER))
        rows.append(_choice("max_width", self.max_width or "inputs + 4", "width of the sparse arm", PAPER))
        rows.append(_choice("seeds", self.seeds, "matched pairs for each width", PAPER))
        return rows + [_choice(*row) for row in FIXED_CHOICES]

    def record(self, specs: Sequence[RunSpec], command: str) -> dict[str, Any]:
        """Returns what `study.json` holds: the plan, every choice, versions and machine."""
        return {
            "name": self.name,
            "title": self.title,
            "command": command,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "runs_planned": len(specs),
            "run_ids": [spec.run_id for spec in specs],
            "choices": self.choices(),
            "versions": versions(),
            "machine": machine(),
        }


FIXED_CHOICES = (
    ("schedule", "constant learning rate", "no warm-up, no decay", OURS),
    ("loss", "softmax cross-entropy", "mean over the batch", OURS),
    ("biases", "none", "no kernel has a bias", PAPER),
    ("BatchNorm", "before the activation", "its parameters count for neither arm", OURS),
    ("skip connections", "identity, over hidden layers 2 and 3, 4 and 5, ...", "added before the activation", OURS),
    ("masks", "uniformly random, fixed", "exact count in each kernel", PAPER),
    ("standardisation", "per channel", "mean and deviation of the training images alone", OURS),
    ("augmentation padding value", "0 after standardisation", "the training mean", OURS),
    ("accuracy reported", "test accuracy after the last epoch", "the best over epochs is stored too", OURS),
    ("Adagrad accumulator", "starts at 0.1", "Keras' default, of active and inactive weights alike", OURS),
    ("RMSprop", "rho 0.9, epsilon 1e-7", "Keras' defaults", OURS),
    ("Adam", "beta 0.9 and 0.999, epsilon 1e-7", "Keras' defaults", OURS),
    ("test", "one-tailed paired Wilcoxon signed-rank", "H1: sparse networks are the more accurate", PAPER),
)
"""Choices that are not options (yet), recorded with the rest: choice, value, meaning, source."""


def _choice(choice: str, value: Any, meaning: str, source: str) -> dict[str, Any]:
    return {"choice": choice, "value": _shown(value), "meaning": meaning, "source": source}


def _shown(value: Any) -> str:
    return ", ".join(map(_shown, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
