"""Comparisons of a study: sparse and dense networks of equal capacity, or networks over densities and methods."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from keras_sparseflow.data import DataSize
from keras_sparseflow.plugins import Table
from keras_sparseflow.studies.spec.fields import FRANKLE, OURS, PAPER
from keras_sparseflow.studies.spec.run_spec import DEFAULT_WIDTH, RunSpec

__all__ = ["Comparison", "Member", "matched_pair"]

Choice = tuple[str, Any, str, str]
"""A choice in a study's record: name, value, meaning and source."""


@dataclass(frozen=True)
class Member:
    """A network of a study.

    Args:
        spec: the network; one may stand in several places of a study, and is trained once.
        labels: as what it stands in the comparison, such as the arm of a pair. They are columns of the study's results,
            in the place of a spec's fields of the same names.

    Example:
        >>> Member(RunSpec.of(width=20), {"arm": "dense"}).labels["arm"]
        'dense'
    """

    spec: RunSpec
    labels: Mapping[str, Any]


class Compared(Protocol):
    """The part of a `Study` that a comparison reads; `Study` explains the attributes."""

    @property
    def seeds(self) -> Sequence[int]: ...
    @property
    def width_fractions(self) -> Sequence[float]: ...
    @property
    def max_width(self) -> int | None: ...
    @property
    def rounds(self) -> int | None: ...
    @property
    def fraction(self) -> float: ...
    def configurations(self) -> Iterator[dict[str, Any]]: ...
    def width(self, size: DataSize) -> int | None: ...
    def value(self, field: str) -> Any: ...


def _none(study: Compared) -> Sequence[Choice]:
    """Returns the choices of a comparison that has none of its own."""
    return ()


@dataclass(frozen=True)
class Comparison:
    """A way to compare networks.

    Args:
        help: description of the comparison, in words that a list can show.
        members: called with the study and the size of its dataset, gives every network.
        derived: fields of specs that follow from the comparison, so that neither a grid nor a study's base gives them.
        choices: called with the study, gives the choices that are its own.
        fixed_choices: choices that are not options (yet), recorded with the rest.

    Example:
        >>> def two_widths(study, size):
        ...     for values in study.configurations():
        ...         yield from (Member(RunSpec.of(**{**values, "width": width}), {}) for width in (20, 40))
        >>> Comparison(help="networks of two widths", members=two_widths).derived
        ()
    """

    help: str
    members: Callable[[Compared, DataSize], Iterable[Member]]
    derived: tuple[str, ...] = ()
    choices: Callable[[Compared], Sequence[Choice]] = _none
    fixed_choices: tuple[Choice, ...] = ()


def matched_pair(width: int, fraction: float, **values: Any) -> tuple[Member, Member]:
    """Returns a sparse network and the dense one that has exactly as many active weights in each kernel.

    Args:
        width: of the sparse network.
        fraction: units or channels of each layer of the dense network over those of the sparse one, in (0, 1].
        **values: of other fields, as `RunSpec.of` takes them.

    Example:
        >>> sparse, dense = matched_pair(68, 20 / 68, variant="BN")
        >>> sparse.spec.model.width, dense.spec.model.width, dense.labels["arm"]
        (68, 20, 'dense')

    References:
        Tessera, Hooker, Rosman 2021, appendix A.1.
    """
    sparse = RunSpec.of(**values, width=width, matched_fraction=fraction)
    perceptron = sparse.model.architecture == "mlp"
    dense_width = max(1, round(fraction * width)) if perceptron else round(fraction * width, 6)
    if perceptron and sparse.model.init_fan_in == "dense":  # a dense network as any other
        size: dict[str, Any] = {"width": dense_width}
    else:
        size = {"width": width, "width_fraction": fraction}
    dense = RunSpec.of(**values, **size)
    labels = {"dense_width": dense_width, "max_width": width}
    # In all other columns the two arms of a pair are alike, so that they can be found by them.
    labels |= {name: v for name, v in sparse.given.items() if v != dense.values[name]}
    return Member(sparse, {"arm": "sparse", **labels}), Member(dense, {"arm": "dense", **labels})


def _pairs(study: Compared, size: DataSize) -> Iterable[Member]:
    """Yields the two arms of each pair next to each other."""
    max_width = study.width(size)
    for values in study.configurations():
        width = RunSpec.of(**{**values, "width": max_width}).model.width or 0
        fractions = study.width_fractions
        if values.get("model", "mlp") == "mlp":
            fractions = [dense / width for dense in dense_widths(width, fractions)]
        for fraction, seed in itertools.product(fractions, study.seeds):
            yield from matched_pair(**{**values, "width": width, "seed": seed}, fraction=fraction)


def _over_densities(study: Compared, size: DataSize) -> Iterable[Member]:
    """Yields the network of each configuration and seed, and of lottery tickets every round that leads to it."""
    width = study.width(size)
    found = [
        RunSpec.of(**{**values, "width": width, "seed": seed})
        for values, seed in itertools.product(study.configurations(), study.seeds)
    ]
    rounds = _rounds([spec for spec in found if spec.sparsity.tickets is not None])
    begun = {spec.first_round.but(method="static") for spec in rounds}  # dense, trained once
    others = (spec for spec in found if spec.sparsity.tickets is None and spec not in begun)
    return [Member(spec, {}) for spec in (*others, *rounds)]


def _rounds(tickets: Sequence[RunSpec]) -> list[RunSpec]:
    """Returns the rounds of lottery tickets, each ticket's after one another, from the dense one down.

    Specs that differ in density and tweaks alone are rounds of one ticket, which is found without tweaks.
    """
    dense = [spec for spec in tickets if spec.sparsity.density == 1]
    found: dict[tuple[RunSpec, str | None], list[RunSpec]] = {}
    for spec in tickets:
        if spec.sparsity.density != 1:
            found.setdefault((spec.first_round, spec.sparsity.distribution), []).append(spec)
    rounds = []
    for (first, distribution), several in found.items():
        falling = sorted({1.0, *(float(spec.values["density"]) for spec in several)}, reverse=True)
        for place, density in enumerate(falling):
            plain = first.but(density=density, distribution=distribution)
            tweaked = [spec for spec in several if spec.sparsity.density == density]
            rounds += [spec.but(earlier_densities=tuple(falling[:place])) for spec in (plain, *tweaked)]
    return list(dict.fromkeys([*rounds, *dense]))


def _choices_of_pairs(study: Compared) -> list[Choice]:
    wide = study.max_width or ("inputs + 4" if study.value("model") == "mlp" else DEFAULT_WIDTH)
    return [
        ("width_fractions", study.width_fractions, "dense widths over the maximum width", PAPER),
        ("max_width", wide, "width of the sparse arm", PAPER),
    ]


def _choices_over_densities(study: Compared) -> list[Choice]:
    if study.rounds is None:
        return []
    return [
        ("rounds", study.rounds, "number of times that the network is pruned after its dense training", FRANKLE),
        ("fraction", study.fraction, "of the active weights, removed in each round", FRANKLE),
    ]


_KERAS = "Keras' default, unless `optimizer_options` say otherwise"

_FIXED = (
    ("batch normalization", "momentum 0.9, epsilon 1e-5; of an mlp 0.99, 1e-3", "in Keras' terms", OURS),
    ("masks before training", "exact counts", "also where scores are equal", OURS),
    ("standardisation", "per channel", "mean and deviation of the training images alone", OURS),
    ("augmentation padding value", "0 after standardisation", "the training mean", OURS),
    ("accuracy reported", "test accuracy after the last epoch", "the best over epochs is stored too", OURS),
    ("RMSprop", "rho 0.9, epsilon 1e-7", _KERAS, OURS),
    ("Adam", "beta 0.9 and 0.999, epsilon 1e-7", _KERAS, OURS),
    (
        "Adagrad accumulator",
        "starts at 0",
        "unless `optimizer_options` say otherwise; Keras' own default is 0.1",
        PAPER,
    ),
)

COMPARISONS = Table(
    "comparison",
    "keras_sparseflow.comparison",
    {
        "pairs": Comparison(
            help="sparse and dense networks of exactly equal capacity, in matched pairs",
            members=_pairs,
            derived=("density", "distribution", "ends", "matched_fraction", "width", "width_fraction"),
            choices=_choices_of_pairs,
            fixed_choices=(
                ("biases", "none", "no kernel of an mlp has a bias", PAPER),
                ("BatchNorm's parameters", "count for neither arm", "nor do biases", OURS),
                ("skip connections", "count where they have kernels", "those of an mlp are identities", OURS),
                ("test", "one-tailed paired Wilcoxon signed-rank", "H1: sparse networks are the more accurate", PAPER),
                *_FIXED,
            ),
        ),
        "densities": Comparison(
            help="networks over densities, methods and scores, and with tweaks",
            members=_over_densities,
            derived=("matched_fraction", "width_fraction"),
            choices=_choices_over_densities,
            fixed_choices=(
                ("initialisation", "He normal by fan-in", "the same values at every density", OURS),
                (
                    "magnitude pruning",
                    "each kernel by itself",
                    "tfmot's masks; a weight that is removed stays so",
                    PAPER,
                ),
                ("lottery tickets", "a round at each density", "pruned by magnitude, with a fresh optimizer", FRANKLE),
                ("RigL and SET", "each kernel by itself", "new weights start at zero", OURS),
                ("L2", "kernels only", "the published Wide ResNet's takes all its parameters", OURS),
                *_FIXED,
            ),
        ),
    },
    expects="keras_sparseflow.studies.comparisons:Comparison",
)
"""Each is a `Comparison`: which networks a study trains for each configuration."""


DENSE_WIDTH_FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)


def default_max_width(inputs: int) -> int:
    """Returns the maximum width n + 4 for n inputs.

    Args:
        inputs: values of one image.

    Example:
        >>> default_max_width(3072)
        3076
    """
    return inputs + 4


def dense_widths(max_width: int, fractions: Sequence[float] = DENSE_WIDTH_FRACTIONS) -> list[int]:
    """Returns the dense widths round(fraction * max_width).

    Args:
        max_width: W.
        fractions: each in (0, 1].

    Example:
        >>> dense_widths(3076)
        [308, 923, 1538, 2153, 2768]
    """
    odd = [fraction for fraction in fractions if not 0 < fraction <= 1]
    if odd:
        raise ValueError(f"`fractions` of the maximum width must be in (0, 1]; received {odd[0]}.")
    widths = [max(1, round(fraction * max_width)) for fraction in fractions]
    if len(set(widths)) < len(widths):
        raise ValueError(f"`fractions` must give different widths of {max_width}; received {widths}.")
    return widths
