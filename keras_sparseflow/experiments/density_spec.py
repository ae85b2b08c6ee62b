"""`DensitySpec`: everything that decides the outcome of one training run at a density."""

from dataclasses import dataclass

from keras_sparseflow.experiments.fields import OURS, PAPER, spec_field
from keras_sparseflow.experiments.training_spec import TrainingSpec

PUBLISHED = "Zagoruyko & Komodakis 2016"
EVCI = "Evci et al. 2020"

MOVING = ("rigl", "set")
"""Methods that move masks while a network trains."""


@dataclass(frozen=True, kw_only=True)
class DensitySpec(TrainingSpec):
    """A network of a named architecture, how it becomes sparse, and how it is trained; see `TrainingSpec`.

    Fields about masks that change nothing, under the method or because the network is dense, have their defaults
    whatever is given.

    Raises:
        ValueError: a value is of the wrong type, out of its range, or an unknown name.

    Example:
        >>> DensitySpec(density=0.05, method="magnitude", variant="SC_BN").run_id
        'sgd-SC_BN-wide_resnet_28_10-magnitude-d0.05-s0-6d31e8c100'
    """

    method: str = spec_field(
        "static",
        "how the network becomes sparse: static masks by the score; rigl or set, which let the masks move while it "
        "trains; or magnitude pruning of the network that was dense until then",
        PAPER,
        choices=("static", "magnitude", "rigl", "set"),
    )
    density: float = spec_field(0.1, "share of the kernels' weights that are active in the end", above=0, maximum=1)
    distribution: str = spec_field(
        "uniform",
        "how active weights are shared out: one density for every kernel, larger kernels sparser (er, erk), or by the "
        "score over all kernels together",
        PAPER,
    )
    collapse: str = spec_field(
        "refuse",
        "whether scores over all kernels together may leave a kernel without any active weight",
        OURS,
        choices=("refuse", "allow"),
    )
    ends: str = spec_field(
        "sparse", "first convolution and classifier: sparse as the rest, or dense", OURS, choices=("sparse", "dense")
    )
    prune_from: float = spec_field(
        0.5, "share of the training before which magnitude pruning leaves the network dense", PAPER, minimum=0, below=1
    )
    prune_until: float = spec_field(
        0.5,
        "share of the training at which magnitude pruning has reached the density: that of prune_from prunes at once, "
        "a later one by and by, by a cubic schedule",
        PAPER,
        minimum=0,
        below=1,
    )
    prune_frequency: int = spec_field(100, "steps between two updates of a gradual pruning", "tfmot", minimum=1)
    move_until: float = spec_field(
        0.75, "share of the training after which rigl and set move no mask", EVCI, above=0, maximum=1
    )
    move_frequency: int = spec_field(100, "steps between two updates of rigl and set", EVCI, minimum=1)
    move_fraction: float = spec_field(
        0.3, "share of a kernel's active weights that rigl and set replace at first", EVCI, above=0, maximum=1
    )
    model: str = spec_field("wide_resnet", "architecture by name", PAPER)
    depth: int = spec_field(
        28,
        "layers with weights: 6 n + 4 of a Wide ResNet; of a multilayer perceptron its hidden layers and the output's",
        PAPER,
        minimum=1,
    )
    width: int = spec_field(
        10,
        "how many times as wide as its base a Wide ResNet is; units of each hidden layer of a multilayer perceptron",
        PAPER,
        minimum=1,
    )
    dropout: float = spec_field(
        0.0,
        "share of inputs that is dropped: of each block's second convolution, or of each kernel of a multilayer "
        "perceptron but the first",
        PUBLISHED,
        minimum=0,
        below=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.density == 1:  # dense, whatever the method
            self._reset("method", "score", "score_samples", "distribution", "collapse", "ends")
        if self.method == "magnitude":
            self._reset("score", "score_samples", "distribution", "collapse")
        else:
            self._reset("prune_from", "prune_until", "prune_frequency")
        if self.method not in MOVING:
            self._reset("move_until", "move_frequency", "move_fraction")
        if self.prune_until < self.prune_from:
            raise ValueError(
                f"`prune_until` must be at least `prune_from`, {self.prune_from}; received {self.prune_until}."
            )
        if self.prune_until == self.prune_from:
            self._reset("prune_frequency")

    @property
    def name(self) -> str:
        """A short name for people."""
        return f"{self.optimizer} {self.variant} {' '.join(self._masks())} density {self.density:g} seed {self.seed}"

    @property
    def prunes(self) -> bool:
        """Whether the network is dense at first and pruned while it trains."""
        return self.method == "magnitude"

    @property
    def sparse_from(self) -> int:
        """The first epoch, from 0, at whose end the network has its density."""
        return min(self.epochs - 1, int(self.prune_until * self.epochs + 1e-9)) if self.prunes else 0

    def _readable(self) -> tuple[str, ...]:
        network = f"{self.model}_{self.depth}_{self.width}"
        return (self.optimizer, self.variant, network, *self._masks(), f"d{self.density:g}", f"s{self.seed}")

    def _masks(self) -> tuple[str, ...]:
        """Returns how the network becomes sparse, in a few words."""
        shared_out = () if self.distribution == "uniform" else (self.distribution,)
        if self.method == "static":
            return ("magnitude_masks" if self.score == "magnitude" else self.score, *shared_out)
        return (self.method, *(() if self.score == "random" else (self.score,)), *shared_out)
