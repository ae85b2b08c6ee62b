"""`DensitySpec`: everything that decides the outcome of one training run at a density."""

import dataclasses
import itertools
from dataclasses import dataclass
from typing import Any

from keras_sparseflow.studies.spec.fields import OURS, PAPER, spec_field
from keras_sparseflow.studies.spec.name_tables import MASK_SCHEDULES
from keras_sparseflow.studies.spec.training_spec import TrainingSpec
from keras_sparseflow.studies.spec.tweaks import parse_tweaks

PUBLISHED = "Zagoruyko & Komodakis 2016"
EVCI = "Evci et al. 2020"
FRANKLE = "Frankle & Carbin 2019"
TOST = "Jaiswal et al. 2022"

DIAGNOSTICS = ("top_eigenvalue", "activation_sparsity", "loss_along", "loss_surface")
"""What may be measured besides flow: the first two along the training, the others of the trained network."""

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
        'sgd-SC_BN-wide_resnet_28_10-magnitude-d0.05-s0-e930c516ba'
    """

    method: str = spec_field(
        "static",
        "how the network becomes sparse: static masks by the score; rigl or set, which let the masks move while it "
        "trains; magnitude pruning of the network that was dense until then; or lottery, rounds of training a network, "
        "pruning it and going back to its early weights",
        PAPER,
    )
    density: float = spec_field(0.1, "share of the kernels' weights that are active in the end", above=0, maximum=1)
    distribution: str = spec_field(
        "uniform",
        "how active weights are shared out: one density for every kernel, larger kernels sparser (er, erk), or by the "
        "score over all kernels together",
        PAPER,
    )
    ends: str = spec_field(
        "sparse", "first kernel and classifier: sparse as the rest, or dense", OURS, choices=("sparse", "dense")
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
    earlier_densities: tuple[float, ...] = spec_field(
        (), "densities of the rounds of a lottery ticket before this one, from dense down", FRANKLE, above=0, maximum=1
    )
    rewind_step: int = spec_field(
        0,
        "steps of the dense network after which its weights are those that each later round of a lottery ticket begins "
        "with: 0 for the initial values",
        FRANKLE,
        minimum=0,
    )
    tweaks: str = spec_field(
        "none", "tweaks of ToST: none, tost for all, or any of GSk, GSw, LRsI, LS joined by _ such as GSk_GSw", TOST
    )
    ghost_decay: str = spec_field(
        "cosine",
        "how the skips of GSk fade, along half a cosine or a line; none: they stay, as do the soft activations of GSw",
        OURS,
        choices=("cosine", "linear", "none"),
    )
    ghost_until: float = spec_field(
        0.5, "share of the training after which GSk and GSw are gone", TOST, above=0, maximum=1
    )
    ghost_activation: str = spec_field(
        "swish", "what GSw has in place of ReLU until then", TOST, choices=("swish", "mish")
    )
    label_smoothing: float = spec_field(
        0.1, "of LS: the share of a training label's probability that classes share", TOST, above=0, maximum=1
    )
    smoothing_over: str = spec_field(
        "all",
        "of LS: which classes share it, all or the others than the label's, as in the authors' code",
        TOST,
        choices=("all", "others"),
    )
    rescale_iterations: int = spec_field(180, "of LRsI: steps in which the scales are learned", OURS, minimum=1)
    diagnostics: tuple[str, ...] = spec_field(
        (),
        "what to measure besides flow: top_eigenvalue of the loss's Hessian and activation_sparsity, along the "
        "training; of the trained network loss_along the top eigenvector, and loss_surface over a plane of random "
        "directions; none for none",
        TOST,
        choices=DIAGNOSTICS,
    )
    diagnostic_epochs: int = spec_field(
        11, "number of epochs, evenly spread, in which diagnostics along the training are measured", OURS, minimum=1
    )
    diagnostic_samples: int = spec_field(
        500,
        "images that diagnostics look at: of the training set, losses around the trained network of the test set",
        OURS,
        minimum=1,
    )
    eigenvalue_iterations: int = spec_field(
        100, "most products with the Hessian by which a top eigenvalue is found", "Yao et al. 2020", minimum=1
    )
    landscape_steps: int = spec_field(
        21, "points along each direction at which losses around the trained network are taken, odd", OURS, minimum=3
    )
    model: str = spec_field("wide_resnet", "architecture by name", PAPER)
    depth: int = spec_field(
        28,
        "layers with weights: 6 n + 4 of a Wide ResNet; 18, 34, 50, 101, 152 or 6 n + 2 of a resnet; 11, 13, 16 or 19 "
        "of a vgg; 28 of a mobilenet; hidden layers and the output's of an mlp",
        PAPER,
        minimum=1,
    )
    width: int = spec_field(
        10,
        "how many times the channels of its base a network has; of an mlp the units of each hidden layer",
        PAPER,
        minimum=1,
    )
    dropout: float = spec_field(
        0.0,
        "share of inputs that is dropped: of the later convolutions of each block, of a vgg's or mobilenet's "
        "classifier, of each kernel of an mlp but the first",
        PUBLISHED,
        minimum=0,
        below=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method == "lottery":
            self._reset("score", "score_samples")
            self._check_rounds()
            if self.density == 1:  # one dense network for tickets of every distribution
                self._reset("distribution")
        else:
            self._reset("earlier_densities", "rewind_step")
            if self.density == 1:  # dense, whatever the method
                self._reset("method", "score", "score_samples", "distribution", "ends")
        if self.method == "magnitude":
            self._reset("score", "score_samples", "distribution")
        else:
            self._reset("prune_from", "prune_until", "prune_frequency")
        if self.method in MASK_SCHEDULES.builtins and self.method not in MOVING:
            self._reset("move_until", "move_frequency", "move_fraction")
        self._check_tweaks()
        self._check_diagnostics()
        if self.prune_until < self.prune_from:
            raise ValueError(
                f"`prune_until` must be at least `prune_from`, {self.prune_from}; received {self.prune_until}."
            )
        if self.prune_until == self.prune_from:
            self._reset("prune_frequency")

    @property
    def name(self) -> str:
        """A short name for people."""
        words = (self.optimizer, self.variant, *self._tweaked(), *self._masks())
        return f"{' '.join(words)} density {self.density:g} seed {self.seed}"

    @property
    def prunes(self) -> bool:
        """Whether the network is dense at first and pruned while it trains."""
        return self.method == "magnitude"

    @property
    def round_before(self) -> "DensitySpec | None":
        """The round of a lottery ticket whose weights this one prunes; None for the dense one, and other methods.

        Tickets are found without tweaks: these are of the training of this round alone.
        """
        if not self.earlier_densities:
            return None
        *earlier, before = self.earlier_densities
        return dataclasses.replace(self, density=before, earlier_densities=tuple(earlier), tweaks="none")

    @property
    def first_round(self) -> "DensitySpec":
        """The dense network that the rounds of a lottery ticket begin with."""
        return dataclasses.replace(self, density=1.0, earlier_densities=(), tweaks="none")

    @property
    def tweak_names(self) -> frozenset[str]:
        """The tweaks that it is trained with."""
        return parse_tweaks(self.tweaks)

    @property
    def smoothing(self) -> dict[str, Any]:
        """The arguments of the `SmoothedCrossEntropy` that is trained with; empty where labels are as they are."""
        if "LS" not in self.tweak_names:
            return {}
        return {"label_smoothing": self.label_smoothing, "over": self.smoothing_over}

    @property
    def rescales(self) -> bool:
        """Whether initial weights are rescaled by what the training images make of them."""
        return "LRsI" in self.tweak_names

    @property
    def first_step(self) -> int:
        """The step, from 0, that training begins with."""
        return self.rewind_step if self.earlier_densities else 0

    @property
    def sparse_from(self) -> int:
        """The first epoch, from 0, at whose end the network has its density."""
        return min(self.epochs - 1, int(self.prune_until * self.epochs + 1e-9)) if self.prunes else 0

    def _readable(self) -> tuple[str, ...]:
        network = f"{self.model}_{self.depth}_{self.width}"
        configuration = (self.optimizer, self.variant, *self._tweaked(), network, *self._masks())
        return (*configuration, f"d{self.density:g}", f"s{self.seed}")

    def _masks(self) -> tuple[str, ...]:
        """Returns how the network becomes sparse, in a few words."""
        shared_out = () if self.distribution == "uniform" else (self.distribution,)
        if self.method == "static":
            return ("magnitude_masks" if self.score == "magnitude" else self.score, *shared_out)
        return (self.method, *(() if self.score == "random" else (self.score,)), *shared_out)

    def _tweaked(self) -> tuple[str, ...]:
        return () if self.tweaks == "none" else (self.tweaks,)

    def _check_tweaks(self) -> None:
        tweaks = self.tweak_names
        if not tweaks & {"GSk", "GSw"}:
            self._reset("ghost_decay", "ghost_until")
        if "GSw" not in tweaks:
            self._reset("ghost_activation")
        if "LS" not in tweaks:
            self._reset("label_smoothing", "smoothing_over")
        if "LRsI" not in tweaks:
            self._reset("rescale_iterations")
        if self.ghost_decay == "none":
            self._reset("ghost_until")
        if "LS" in tweaks and self.loss != "cross_entropy":
            raise ValueError(f"Tweak LS smooths the labels of `loss` cross_entropy; received {self.loss!r}.")
        if "GSw" in tweaks and self.activation != "relu":
            raise ValueError(f"Tweak GSw takes the place of `activation` relu; received {self.activation!r}.")

    def _check_diagnostics(self) -> None:
        chosen = set(self.diagnostics)
        if not chosen:
            self._reset("diagnostic_samples")
        if not chosen & {"top_eigenvalue", "activation_sparsity"}:
            self._reset("diagnostic_epochs")
        if not chosen & {"top_eigenvalue", "loss_along"}:
            self._reset("eigenvalue_iterations")
        if not chosen & {"loss_along", "loss_surface"}:
            self._reset("landscape_steps")
        if self.landscape_steps % 2 == 0:
            raise ValueError(
                f"`landscape_steps` must be odd, so that the network itself is among the points; received "
                f"{self.landscape_steps}."
            )
        if "activation_sparsity" in chosen and (self.activation == "linear" or (self.model, self.depth) == ("mlp", 1)):
            raise ValueError(
                "`diagnostics` activation_sparsity is of activations, and the network must have some; received "
                f"`activation` {self.activation}, `model` {self.model} and `depth` {self.depth}."
            )
        if self.precision == "mixed_float16" and chosen - {"activation_sparsity"}:
            raise ValueError(
                "`diagnostics` of the loss's curvature and landscape must be taken in `precision` float32 or "
                f"mixed_bfloat16; received mixed_float16 with {', '.join(self.diagnostics)}."
            )

    def _check_rounds(self) -> None:
        """Refuses rounds of a lottery ticket that do not fall from dense to the density; by default the dense one."""
        if not self.earlier_densities and self.density < 1:
            object.__setattr__(self, "earlier_densities", (1.0,))
        rounds = (*self.earlier_densities, self.density)
        if rounds[0] != 1 or any(later >= before for before, later in itertools.pairwise(rounds)):
            raise ValueError(
                "`earlier_densities` must begin with 1, the dense network, and fall, all above the density "
                f"{self.density:g}; received {self.earlier_densities}."
            )
