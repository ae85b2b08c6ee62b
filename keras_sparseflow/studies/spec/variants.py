"""Variants: which regularisation and normalisation a run uses, by the paper's short names."""

from keras_sparseflow.plugins import Table
from keras_sparseflow.studies.spec.combined import PART_NAME, Combined, Part

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
"""What can be combined, each a `Part`, in the order in which a combined name lists it."""

VARIANTS = Combined("variant", PARTS, nothing="NR")
"""How the names of variants are made of their parts."""


def parse_variant(name: str) -> frozenset[str]:
    """Returns the parts of a variant such as "L2_BN"; "NR" has none.

    Raises:
        ValueError: a part is unknown or named twice; the message lists the valid ones.

    Example:
        >>> sorted(parse_variant("DA_BN"))
        ['BN', 'DA']
    """
    return VARIANTS.parse(name)


def canonical_variant(name: str) -> str:
    """Returns the one spelling of a variant, its parts in the order of `PARTS`.

    Example:
        >>> canonical_variant("BN_L2")
        'L2_BN'
    """
    return VARIANTS.canonical(name)
