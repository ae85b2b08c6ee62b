"""A study of lottery tickets: rounds of training, pruning and going back."""

from dataclasses import dataclass
from typing import Any, ClassVar

from keras_sparseflow.studies.density_study import DensityStudy
from keras_sparseflow.studies.grids import Grid
from keras_sparseflow.studies.spec.density_spec import FRANKLE, DensitySpec


@dataclass(frozen=True, kw_only=True)
class LotteryTicket(DensityStudy):
    """Iterative magnitude pruning with rewinding, for each configuration and seed; see `DensityStudy`.

    A dense network is trained. Then each round removes a fraction of the weights that are left, those of least
    magnitude, goes back to the weights of the dense network after `rewind_step` steps, BatchNorm statistics
    included, and trains what is left from there to the end, with a fresh optimizer and the schedule where it was.
    Each round is a run of the study; one that is finished is never trained again.

    Args:
        rounds: how often the network is pruned, at least 1; rounds + 1 networks are trained.
        fraction: of the active weights that each round removes, in (0, 1).

    Raises:
        ValueError: a value is out of its range.

    Example:
        >>> study = LotteryTicket(name="s", title="", rounds=3, fraction=0.5, seeds=(0,))
        >>> [spec.density for spec in study.specs(inputs=3072, classes=10)]
        [1.0, 0.5, 0.25, 0.125]

    References:
        Frankle & Carbin 2019, The Lottery Ticket Hypothesis: rewind_step 0, fraction 0.2; Frankle, Dziugaite, Roy &
        Carbin 2020, Linear Mode Connectivity and the Lottery Ticket Hypothesis: an early step.
    """

    grid_fields: ClassVar[tuple[str, ...]] = (
        "distribution",
        "tweaks",
        "variant",
        "activation",
        "optimizer",
        "learning_rate",
    )
    derived_fields: ClassVar[tuple[str, ...]] = (
        *DensityStudy.derived_fields,
        *("method", "density", "score", "score_samples"),
    )

    grids: tuple[Grid, ...] = ({"distribution": ("global",)},)
    rounds: int = 10
    fraction: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.rounds, int) or self.rounds < 1:
            raise ValueError(f"`rounds` must be a whole number of at least 1; received {self.rounds!r}.")
        if not 0 < self.fraction < 1:
            raise ValueError(f"`fraction` must be above 0 and below 1; received {self.fraction!r}.")
        if len(set(self.densities)) <= self.rounds or not self.densities[-1]:
            raise ValueError(
                f"`fraction` must give each of {self.rounds} rounds a density of its own above 0, in six significant "
                f"digits; received {self.fraction!r}."
            )

    @property
    def densities(self) -> tuple[float, ...]:
        """Of the rounds, to six significant digits."""
        return tuple(float(f"{(1 - self.fraction) ** number:.6g}") for number in range(self.rounds + 1))

    def _specs(self, inputs: int, classes: int) -> list[DensitySpec]:
        grids = [{**grid, "method": ("lottery",), "density": self.densities} for grid in self.grids]
        return self._specs_of(grids)

    def _own_choices(self) -> list[tuple[str, Any, str, str]]:
        return [
            *super()._own_choices(),
            ("rounds", self.rounds, "how often the network is pruned after its dense training", FRANKLE),
            ("fraction", self.fraction, "of the active weights, removed in each round", FRANKLE),
        ]
