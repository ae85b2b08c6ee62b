"""The training of a run: optimizer, rates, loss, epochs, variant and tweaks."""

from dataclasses import dataclass
from typing import Any

from keras_sparseflow.studies.spec.arguments import arguments_of
from keras_sparseflow.studies.spec.combined import PARTS, TWEAKS, Part, parse_tweaks, parse_variant
from keras_sparseflow.studies.spec.fields import OURS, PAPER, TOST, Values, part, spec_field


def _decays(values: Values) -> bool:
    return "L2" in parse_variant(values["variant"])


def _has(*tweaks: str) -> Any:
    """Returns a condition: that one of these tweaks is there."""
    return lambda values: not parse_tweaks(values["tweaks"]).isdisjoint(tweaks)


@dataclass(frozen=True, kw_only=True)
class GhostSpec:
    """Ghost skips (GSk) and ghost soft activations (GSw), which fade."""

    ghost_decay: str = spec_field(
        "cosine",
        "fading of GSk's skips: along half a cosine or a line; abrupt: they stay whole until they are removed at once, "
        "as do the soft activations of GSw; none: both stay to the end",
        OURS,
        choices=("cosine", "linear", "abrupt", "none"),
    )
    ghost_until: float | None = spec_field(
        0.5,
        "share of the training after which GSk and GSw are gone",
        TOST,
        when=lambda values: values["ghost_decay"] != "none",
        above=0,
        maximum=1,
    )
    ghost_activation: str | None = spec_field(
        "swish",
        "activation that GSw puts in place of ReLU until then",
        TOST,
        when=_has("GSw"),
        choices=("swish", "mish"),
    )


@dataclass(frozen=True, kw_only=True)
class SmoothingSpec:
    """Label smoothing (LS)."""

    label_smoothing: float = spec_field(
        0.1, "of LS: the share of a training label's probability that classes share", TOST, above=0, maximum=1
    )
    smoothing_over: str = spec_field(
        "all",
        "of LS: classes that share it: all, or the others than the label's, as in the authors' code",
        TOST,
        choices=("all", "others"),
    )


@dataclass(frozen=True, kw_only=True)
class RescalingSpec:
    """Layer-wise rescaled initial weights (LRsI)."""

    rescale_iterations: int = spec_field(180, "of LRsI: steps in which the scales are learned", OURS, minimum=1)


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """Optimizer, rates, loss, batches and epochs, regularisation and normalisation, and ToST's tweaks.

    The parts `ghosts`, `smoothing` and `rescaling` are those of single tweaks, and None without them.

    Example:
        >>> sorted(TrainingSpec(variant="L2_BN", optimizer="adam").parts)
        ['BN', 'L2']
    """

    variant: str = spec_field("NR", "NR, or any of DA, L2, SC, BN joined by _ such as L2_BN", PAPER)
    optimizer: str = spec_field(
        "sgd",
        "optimizer by name, with Keras' own defaults; momentum is SGD with 0.9, adagrad's accumulators start at 0",
        PAPER,
    )
    optimizer_options: tuple[str, ...] = spec_field(
        (),
        "arguments of Keras' optimizers, such as rmsprop.rho=0.99 or adagrad.initial_accumulator_value=0.1",
        f"Adagrad's sum from 0 on: {PAPER}, equation 13; the rest: Keras",
    )
    learning_rate: float = spec_field(0.001, "learning rate, the first where a schedule changes it", PAPER, above=0)
    schedule: str = spec_field(
        "constant",
        "learning rate over training: constant, cosine to 0, step (x 0.1 at 1/2 and 3/4), or wide_resnet "
        "(x 0.2 at 0.3, 0.6 and 0.8)",
        OURS,
    )
    loss: str = spec_field(
        "cross_entropy", "softmax cross-entropy, or squared_error of the logits, mean over images", OURS
    )
    batch_size: int = spec_field(128, "images a step; an epoch drops the rest, other images each time", OURS, minimum=1)
    epochs: int = spec_field(100, "passes over the training images", minimum=1)
    l2: float | None = spec_field(1e-4, "lambda of L2, on kernels only", PAPER, when=_decays, minimum=0)
    l2_form: str | None = spec_field(
        "auto",
        "form of L2: a loss term with gradient lambda * w, or decoupled decay by learning rate * lambda * w; "
        "auto: decoupled under adamw, otherwise the loss term",
        f"the two forms: {PAPER}, 4.1.2; the factor of lambda * w: ours",
        when=_decays,
        choices=("auto", "loss", "decoupled"),
    )
    precision: str = spec_field(
        "float32",
        "type of the layers' computations; weights, logits and losses are float32 in mixed precision too",
        OURS,
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    tweaks: str = spec_field(
        "none", "tweaks of ToST: none, tost for all, or any of GSk, GSw, LRsI, LS joined by _ such as GSk_GSw", TOST
    )
    ghosts: GhostSpec | None = part(GhostSpec, _has("GSk", "GSw"))
    smoothing: SmoothingSpec | None = part(SmoothingSpec, _has("LS"))
    rescaling: RescalingSpec | None = part(RescalingSpec, _has("LRsI"))

    @property
    def parts(self) -> frozenset[str]:
        """The parts of the variant."""
        return parse_variant(self.variant)

    @property
    def tweak_names(self) -> frozenset[str]:
        """The tweaks that it is trained with."""
        return parse_tweaks(self.tweaks)

    @property
    def optimizer_arguments(self) -> dict[str, Any]:
        """The arguments of the optimizer besides the learning rate."""
        return arguments_of(self.optimizer, self.optimizer_options)

    @property
    def hooked_parts(self) -> dict[str, Part]:
        """The parts of the variant and the tweaks that have hooks, each by what it is called in words.

        Raises:
            ValueError: one is of another package, and can't be imported or is no `Part`.
        """
        named = [(PARTS, name) for name in PARTS if name in self.parts]
        named += [(TWEAKS, name) for name in TWEAKS if name in self.tweak_names]
        found = {f"{table.kind} {name!r}": table.get(name) for table, name in named}
        return {called: part for called, part in found.items() if part.changes_training}
