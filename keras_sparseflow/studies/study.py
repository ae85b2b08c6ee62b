"""A study: grids of configurations, each compared in matched pairs of a sparse and a dense network."""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from keras_sparseflow.studies.grid_study import GridStudy
from keras_sparseflow.studies.grids import cells
from keras_sparseflow.studies.size.capacity import (
    DENSE_WIDTH_FRACTIONS,
    default_max_width,
    dense_widths,
    match_capacity,
)
from keras_sparseflow.studies.spec.fields import OURS, PAPER
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.spec.training_spec import TrainingSpec

ARMS = ("sparse", "dense")

_KERAS = "Keras' default, unless `optimizer_options` say otherwise"

_FIXED_CHOICES = (
    ("biases", "none", "no kernel has a bias", PAPER),
    ("BatchNorm", "counts for neither arm", "its scales and shifts are no weights of the matched capacity", OURS),
    ("skip connections", "identity", "from the first hidden layer's output on; they have no weights", OURS),
    ("masks", "fixed", "those of the score; exact count in each kernel", PAPER),
    ("standardisation", "per channel", "mean and deviation of the training images alone", OURS),
    ("augmentation padding value", "0 after standardisation", "the training mean", OURS),
    ("accuracy reported", "test accuracy after the last epoch", "the best over epochs is stored too", OURS),
    (
        "Adagrad accumulator",
        "starts at 0",
        "unless `optimizer_options` say otherwise; Keras' own default is 0.1",
        PAPER,
    ),
    ("RMSprop", "rho 0.9, epsilon 1e-7", _KERAS, OURS),
    ("Adam", "beta 0.9 and 0.999, epsilon 1e-7", _KERAS, OURS),
    ("test", "one-tailed paired Wilcoxon signed-rank", "H1: sparse networks are the more accurate", PAPER),
)


@dataclass(frozen=True, kw_only=True)
class Study(GridStudy):
    """Configurations x dense widths x seeds x both arms; see `GridStudy`.

    Args:
        width_fractions: dense widths as fractions of the maximum width, in (0, 1].
        max_width: width of the sparse arm; None for inputs + 4.

    Raises:
        ValueError: a field that can't be in a grid or in `base`.

    Example:
        >>> study = Study(name="s", title="", grids=[{"variant": ("NR", "BN")}], seeds=(0, 1, 2))
        >>> len(study.specs(inputs=64, classes=10))  # 2 variants x 5 widths x 3 seeds x 2 arms
        60
        >>> study.with_choices({"epochs": 10, "variant": ("BN",)}).overrides()[0]
        {'choice': 'variant', 'preset': 'NR, BN', 'here': 'BN'}
    """

    kind: ClassVar[str] = "pairs"
    spec_class: ClassVar[type[TrainingSpec]] = RunSpec
    grid_fields: ClassVar[tuple[str, ...]] = (
        "hidden_layers",
        "variant",
        "activation",
        "optimizer",
        "learning_rate",
        "score",
    )
    derived_fields: ClassVar[tuple[str, ...]] = ("dense_width", "max_width", "arm", "seed")
    fixed_choices: ClassVar[tuple[tuple[str, str, str, str], ...]] = _FIXED_CHOICES

    width_fractions: Sequence[float] = DENSE_WIDTH_FRACTIONS
    max_width: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_width is not None and self.max_width < 1:
            raise ValueError(f"`max_width` must be at least 1; received {self.max_width}.")

    @classmethod
    def of_networks(cls, name: str, specs: Sequence[RunSpec]) -> "Study":
        """Returns the study whose choices are those of single networks, for the record."""

        def values(field: str) -> tuple[Any, ...]:
            return tuple(dict.fromkeys(getattr(spec, field) for spec in specs))

        fixed = [f.name for f in dataclasses.fields(RunSpec) if f.name not in (*cls.grid_fields, *cls.derived_fields)]
        several = {field: values(field) for field in fixed}
        return cls(
            name=name,
            title="Single networks",
            grids=({field: values(field) for field in cls.grid_fields},),
            base={field: found[0] if len(found) == 1 else found for field, found in several.items()},
            width_fractions=tuple(dict.fromkeys(spec.dense_width / spec.max_width for spec in specs)),
            seeds=values("seed"),
            max_width=specs[0].max_width,
        )

    def _specs(self, inputs: int, classes: int) -> list[RunSpec]:
        """Returns every run, the two arms of a pair next to each other; refuses a pair that can't be matched."""
        max_width = self.max_width or default_max_width(inputs)
        widths = dense_widths(max_width, self.width_fractions)
        specs = []
        for cell in cells(self.grids):
            for width, seed, arm in itertools.product(widths, self.seeds, ARMS):
                spec = RunSpec(**self.base, **cell, dense_width=width, max_width=max_width, seed=seed, arm=arm)
                match_capacity(inputs, classes, spec.hidden_layers, width, max_width)
                specs.append(spec)
        return specs

    def _lists(self) -> dict[str, Sequence[Any]]:
        return {**super()._lists(), "width_fractions": self.width_fractions}

    def _own_choices(self) -> list[tuple[str, Any, str, str]]:
        return [
            ("width_fractions", self.width_fractions, "dense widths over the maximum width", PAPER),
            ("max_width", self.max_width or "inputs + 4", "width of the sparse arm", PAPER),
            ("seeds", self.seeds, "matched pairs for each width", PAPER),
        ]
