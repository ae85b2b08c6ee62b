"""Variants and tweaks: names that combine parts, such as L2_BN, and the hooks of each part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keras_sparseflow.plugins import Table, unknown_name

__all__ = ["Part"]

PART_NAME = "[A-Za-z0-9]+"
"""The form of a part's name; combined names join them by _."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a variant, or a tweak: something that changes a plain training.

    Each hook may be left out. Built-in parts have none: what they do is done where networks are built. Networks with a
    part that has one are trained one after the other.

    Args:
        help: its description, in words that a list can show.
        prepare: `(model, spec) -> None`, called before the network is compiled, each time that it is built. It may
            change layers, but must add and remove none, nor any variable, and must leave weights and masks as they are.
        penalty: `(kernel) -> scalar`, what each kernel, a tensor that is zero where its mask is False, adds to the
            total cost.
        callbacks: `(spec, steps) -> list of Keras callbacks` of the training, whose steps there are in all. What they
            remember is not in a checkpoint: they must find out from the step where they are.

    Example:
        >>> from keras import ops
        >>> Part(help="kernels with small sums", penalty=lambda kernel: ops.square(ops.sum(kernel))).changes_training
        True
    """

    help: str
    prepare: Callable[[Any, Any], None] | None = None
    penalty: Callable[[Any], Any] | None = None
    callbacks: Callable[[Any, int], Sequence[Any]] | None = None

    @property
    def changes_training(self) -> bool:
        """True if the part or tweak has a hook that changes the training."""
        return any(hook is not None for hook in (self.prepare, self.penalty, self.callbacks))


@dataclass(frozen=True)
class Combined:
    """A vocabulary of parts that a name joins by _.

    Args:
        field: field of a spec that has these names as values.
        parts: parts that can be joined, in the order in which a name lists them.
        nothing: the name that has no part.
        everything: a name that has all built-in ones; None where there is none.
    """

    field: str
    parts: Table
    nothing: str
    everything: str | None = None

    def parse(self, name: str) -> frozenset[str]:
        """Returns the parts that a name joins.

        Raises:
            ValueError: a part is unknown or named twice; the message lists the valid ones.
        """
        if name in (self.nothing, self.everything):
            return frozenset(self.parts.builtins if name == self.everything else ())
        named = name.split("_")
        for part in named:
            if part not in self.parts:
                whole = [self.nothing, *([self.everything] if self.everything else [])]
                raise unknown_name(self.parts.kind, part, [*whole, *self.parts])
            self.parts.plugin(part)
        if len(set(named)) < len(named):
            raise ValueError(f"`{self.field}` must name each part once; received {name!r}.")
        return frozenset(named)

    def canonical(self, name: str) -> str:
        """Returns the one spelling of a name, its parts in their order."""
        named = self.parse(name)
        if self.everything and named == set(self.parts.builtins):
            return self.everything
        return "_".join(part for part in self.parts if part in named) or self.nothing


PARTS = Table(
    "variant part",
    "keras_sparseflow.variant",
    {
        "DA": Part(help="data augmentation: random crops and horizontal flips"),
        "L2": Part(help="L2 regularisation of the kernels"),
        "SC": Part(help="skip connections over hidden layers"),
        "BN": Part(help="BatchNorm before each activation"),
    },
    pattern=PART_NAME,
    expects="keras_sparseflow.studies.spec.combined:Part",
)
"""The parts that can be combined, in the order in which a combined name lists them."""

VARIANTS = Combined("variant", PARTS, nothing="NR")
"""The rule by which names of variants combine parts."""


def parse_variant(name: str) -> frozenset[str]:
    """Returns the parts of a variant such as "L2_BN"; "NR" has none.

    Raises:
        ValueError: a part is unknown or named twice; the message lists the valid ones.

    Example:
        >>> sorted(parse_variant("DA_BN"))
        ['BN', 'DA']
    """
    return VARIANTS.parse(name)


TWEAKS = Table(
    "tweak",
    "keras_sparseflow.tweak",
    {
        "GSk": Part(help="ghost skip connections over convolutions, which fade"),
        "GSw": Part(help="ghost soft activations, which become ReLU"),
        "LRsI": Part(help="layer-wise rescaled initial weights"),
        "LS": Part(help="label smoothing"),
    },
    pattern=PART_NAME,
    expects="keras_sparseflow.studies.spec.combined:Part",
)
"""The parts that can be combined, in the order in which a combined name lists them."""

COMBINED_TWEAKS = Combined("tweaks", TWEAKS, nothing="none", everything="tost")
"""The rule by which names combine tweaks."""


def parse_tweaks(name: str) -> frozenset[str]:
    """Returns the tweaks of a name such as "GSk_GSw"; "none" has none, "tost" all of the paper's.

    Raises:
        ValueError: a tweak is unknown or named twice.

    Example:
        >>> sorted(parse_tweaks("LS_GSk"))
        ['GSk', 'LS']
    """
    return COMBINED_TWEAKS.parse(name)
