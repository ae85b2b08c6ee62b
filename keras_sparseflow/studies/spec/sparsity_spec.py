"""The sparsity of a run's network: density, method, masks."""

from dataclasses import dataclass

from keras_sparseflow.studies.spec.fields import EVCI, FRANKLE, OURS, PAPER, Values, part, spec_field
from keras_sparseflow.studies.spec.name_tables import MASK_SCHEDULES

DATA_FREE_SCORES = ("random", "magnitude", "synflow")
"""Scores that look at no image."""

_STILL = ("static", "magnitude", "lottery")
"""Built-in methods that move no mask."""


def is_sparse(values: Values) -> bool:
    """Returns whether some weights are inactive in the end."""
    return values["matched_fraction"] is not None or bool(values["density"] < 1)


def _has_score(values: Values) -> bool:
    return is_sparse(values) and values["method"] not in ("magnitude", "lottery")


def _shares_out(values: Values) -> bool:
    return is_sparse(values) and values["matched_fraction"] is None and values["method"] != "magnitude"


def _prunes_by_and_by(values: Values) -> bool:
    return bool(values["prune_until"] > values["prune_from"])


@dataclass(frozen=True, kw_only=True)
class PruningSpec:
    """Magnitude pruning of a network that is dense until then."""

    prune_from: float = spec_field(
        0.5, "share of the training before which magnitude pruning leaves the network dense", PAPER, minimum=0, below=1
    )
    prune_until: float = spec_field(
        0.5,
        "share of the training at which magnitude pruning has reached the density: that of prune_from prunes at once, "
        "a later one gradually, by a cubic schedule",
        PAPER,
        minimum=0,
        below=1,
    )
    prune_frequency: int | None = spec_field(
        100, "steps between two updates of a gradual pruning", "tfmot", when=_prunes_by_and_by, minimum=1
    )


@dataclass(frozen=True, kw_only=True)
class MovingSpec:
    """Masks that move while the network trains, as those of RigL and SET do."""

    move_until: float = spec_field(
        0.75, "share of the training after which rigl and set move no mask", EVCI, above=0, maximum=1
    )
    move_frequency: int = spec_field(100, "steps between two updates of rigl and set", EVCI, minimum=1)
    move_fraction: float = spec_field(
        0.3, "share of a kernel's active weights that rigl and set replace at first", EVCI, above=0, maximum=1
    )


@dataclass(frozen=True, kw_only=True)
class TicketSpec:
    """The rounds of a lottery ticket."""

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


@dataclass(frozen=True, kw_only=True)
class SparsitySpec:
    """The sparsity of a network: how many weights are active, which of them, and how that changes in training.

    The parts `pruning`, `moving` and `tickets` are those of single methods, and None under others.

    Example:
        >>> SparsitySpec(density=0.1, score="snip").is_dense, SparsitySpec(method="rigl", moving=MovingSpec()).moves
        (False, True)
    """

    density: float | None = spec_field(
        1.0,
        "share of the kernels' weights that are active in the end",
        when=lambda values: values["matched_fraction"] is None,
        above=0,
        maximum=1,
    )
    matched_fraction: float | None = spec_field(
        None,
        "in place of a density: as many active weights in each kernel as the dense network with this fraction of the "
        "units or channels of every layer has",
        PAPER,
        above=0,
        maximum=1,
    )
    method: str | None = spec_field(
        "static",
        "method that makes the network sparse: static masks by the score; rigl or set, whose masks move while it "
        "trains; magnitude pruning of the network that was dense until then; or lottery, rounds of training a network, "
        "pruning it and going back to its early weights",
        PAPER,
        when=lambda values: is_sparse(values) or values["method"] == "lottery",  # tickets begin with a dense round
    )
    distribution: str | None = spec_field(
        "uniform",
        "distribution of active weights over kernels: one density for all, larger kernels sparser (er, erk), or by the "
        "score over all kernels together",
        PAPER,
        when=_shares_out,
    )
    ends: str | None = spec_field(
        "sparse",
        "first kernel and classifier: sparse as the rest, or dense; dense_classifier: the classifier alone is dense, "
        "so that of a convolutional network the convolutions alone are sparse",
        OURS,
        when=lambda values: values["matched_fraction"] is None and (is_sparse(values) or values["method"] == "lottery"),
        choices=("sparse", "dense", "dense_classifier"),
    )
    score: str | None = spec_field(
        "random",
        "score of weights: those that it ranks highest before training are active at first; random takes any",
        PAPER,
        when=_has_score,
    )
    score_samples: int | None = spec_field(
        10,
        "training images of each class on which a score that looks at data is computed",
        "Wang et al. 2020",
        when=lambda values: values["score"] is not None and values["score"] not in DATA_FREE_SCORES,
        minimum=1,
    )
    pruning: PruningSpec | None = part(PruningSpec, lambda values: values["method"] == "magnitude")
    moving: MovingSpec | None = part(
        MovingSpec, lambda values: values["method"] is not None and values["method"] not in _STILL
    )
    tickets: TicketSpec | None = part(TicketSpec, lambda values: values["method"] == "lottery")

    @property
    def is_dense(self) -> bool:
        """True if all weights are active to the end."""
        return self.matched_fraction is None and self.density == 1

    @property
    def moves(self) -> bool:
        """True if one of the package's own methods moves the masks."""
        return self.moving is not None and self.method in MASK_SCHEDULES.builtins
