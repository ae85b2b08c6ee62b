"""A density study: how networks of one architecture fare as fewer of their weights are active."""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from keras_sparseflow.studies.grid_study import GridStudy
from keras_sparseflow.studies.grids import Grid, cells
from keras_sparseflow.studies.spec.density_spec import FRANKLE, DensitySpec
from keras_sparseflow.studies.spec.fields import OURS, PAPER
from keras_sparseflow.studies.spec.training_spec import TrainingSpec

_FIXED_CHOICES = (
    ("batch normalization", "momentum 0.9, epsilon 1e-5; of an mlp 0.99, 1e-3", "in Keras' terms", OURS),
    ("initialisation", "He normal by fan-in", "the same values at every density; masks do not rescale them", OURS),
    ("masks", "exact counts", "whatever the ties between scores", OURS),
    ("magnitude pruning", "each kernel by itself", "tfmot's masks; a weight that is removed stays so", PAPER),
    ("lottery tickets", "a round at each density", "pruned by magnitude; each trains with a fresh optimizer", FRANKLE),
    ("RigL and SET", "each kernel by itself", "new weights start at zero; RigL's update takes a step's place", OURS),
    ("L2", "kernels only", "the published Wide ResNet's takes all its parameters", OURS),
    ("standardisation", "per channel", "mean and deviation of the training images alone", OURS),
    ("accuracy reported", "test accuracy after the last epoch", "the best over epochs is stored too", OURS),
)


@dataclass(frozen=True, kw_only=True)
class DensityStudy(GridStudy):
    """Configurations x seeds, of one architecture at several densities; see `GridStudy`.

    Example:
        >>> study = DensityStudy(name="s", title="", grids=[{"density": (0.05, 0.2, 1.0), "score": ("random",)}])
        >>> len(study.specs(inputs=3072, classes=10))  # 3 densities x 3 seeds
        9
    """

    kind: ClassVar[str] = "density"
    spec_class: ClassVar[type[TrainingSpec]] = DensitySpec
    grid_fields: ClassVar[tuple[str, ...]] = (
        "method",
        "score",
        "distribution",
        "density",
        "tweaks",
        "ghost_activation",
        "variant",
        "activation",
        "optimizer",
        "learning_rate",
    )
    derived_fields: ClassVar[tuple[str, ...]] = ("seed", "earlier_densities")
    fixed_choices: ClassVar[tuple[tuple[str, str, str, str], ...]] = _FIXED_CHOICES

    def _specs(self, inputs: int, classes: int) -> list[DensitySpec]:
        return self._specs_of(self.grids)

    def _specs_of(self, grids: Sequence[Grid]) -> list[DensitySpec]:
        """Returns the runs of grids, which may name every field."""
        pairs = itertools.product(cells(grids), self.seeds)
        specs = [DensitySpec(**self.base, **cell, seed=seed) for cell, seed in pairs]
        rounds = _rounds([spec for spec in specs if spec.method == "lottery"])
        begun = {dataclasses.replace(spec.first_round, method="static") for spec in rounds}  # dense, trained once
        return [*(spec for spec in specs if spec.method != "lottery" and spec not in begun), *rounds]

    def _own_choices(self) -> list[tuple[str, object, str, str]]:
        return [("seeds", self.seeds, "runs of each configuration", OURS)]


def _rounds(tickets: Sequence[DensitySpec]) -> list[DensitySpec]:
    """Returns the rounds of lottery tickets, each ticket's after one another, from the dense one down.

    Specs that differ in density and tweaks alone are rounds of one ticket, which is found without tweaks.
    """
    dense = [spec for spec in tickets if spec.density == 1]
    found: dict[tuple[DensitySpec, str], list[DensitySpec]] = {}
    for spec in tickets:
        if spec.density < 1:
            found.setdefault((spec.first_round, spec.distribution), []).append(spec)
    rounds = []
    for (first, distribution), several in found.items():
        falling = sorted({1.0, *(spec.density for spec in several)}, reverse=True)
        for place, density in enumerate(falling):
            plain = dataclasses.replace(first, density=density, distribution=distribution)
            tweaked = [spec for spec in several if spec.density == density]
            rounds += [
                dataclasses.replace(spec, earlier_densities=tuple(falling[:place])) for spec in (plain, *tweaked)
            ]
    return list(dict.fromkeys([*rounds, *dense]))
