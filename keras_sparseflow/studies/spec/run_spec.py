"""`RunSpec`: everything that decides the outcome of one training run of a matched pair."""

import dataclasses
from dataclasses import dataclass

from keras_sparseflow.studies.spec.fields import OURS, PAPER, spec_field
from keras_sparseflow.studies.spec.training_spec import TrainingSpec


@dataclass(frozen=True, kw_only=True)
class RunSpec(TrainingSpec):
    """One arm of a matched pair of multilayer perceptrons, and how it is trained; see `TrainingSpec`.

    Raises:
        ValueError: a value is of the wrong type, out of its range, or an unknown name.

    Example:
        >>> RunSpec(dense_width=20, max_width=68, arm="sparse", variant="BN").run_id
        'sgd-BN-h4-w20-sparse-s0-fe855fb772'
    """

    dense_width: int = spec_field(dataclasses.MISSING, "width of the dense arm's hidden layers", PAPER, minimum=1)
    max_width: int = spec_field(dataclasses.MISSING, "width of the sparse arm's hidden layers", PAPER, minimum=1)
    hidden_layers: int = spec_field(4, "number of hidden layers", PAPER, minimum=1)
    arm: str = spec_field("sparse", "which of the matched pair", choices=("sparse", "dense"))
    norm_place: str = spec_field(
        "before", "where BN stands: before the activation or after it", OURS, choices=("before", "after")
    )
    skip_span: int = spec_field(2, "hidden layers that a connection of SC spans, from the first on", OURS, minimum=1)
    skip_place: str = spec_field(
        "before",
        "where SC is added: before the activation of the later layer or after it",
        OURS,
        choices=("before", "after"),
    )
    init_fan_in: str = spec_field(
        "dense",
        "whose fan-in sets the He normal initialisation of both arms: the dense arm's, the sparse arm's, "
        "or the active weights into a unit of the sparse arm",
        OURS,
        choices=("dense", "sparse", "active"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if "SC" in self.parts and self.hidden_layers <= self.skip_span:
            raise ValueError(
                f"Variant {self.variant!r} has skip connections (SC), which span {self.skip_span} hidden layers from "
                f"the first on: expected at least {self.skip_span + 1} hidden layers, or a smaller `skip_span`; "
                f"received {self.hidden_layers}."
            )

    @property
    def width(self) -> int:
        """Units of each of this arm's hidden layers."""
        return self.max_width if self.arm == "sparse" else self.dense_width

    @property
    def name(self) -> str:
        return f"{self.optimizer} {self.variant} {self.arm} w{self.dense_width} seed {self.seed}"

    def _readable(self) -> tuple[str, ...]:
        return (
            self.optimizer,
            self.variant,
            f"h{self.hidden_layers}",
            f"w{self.dense_width}",
            self.arm,
            f"s{self.seed}",
        )
