"""Variants: which regularisation and normalisation a run uses, by the paper's short names."""

from keras_sparseflow.plugins import unknown_name

NO_REGULARIZATION = "NR"

PARTS = {
    "DA": "data augmentation: random crops and horizontal flips",
    "L2": "L2 regularisation of the kernels",
    "SC": "skip connections over hidden layers",
    "BN": "BatchNorm before each activation",
}
"""What can be combined, in the order in which a combined name lists it."""


def parse_variant(name: str) -> frozenset[str]:
    """Returns the parts of a variant such as "L2_BN"; "NR" has none.

    Raises:
        ValueError: a part is unknown or named twice; the message lists the valid ones.

    Example:
        >>> sorted(parse_variant("DA_BN"))
        ['BN', 'DA']
    """
    if name == NO_REGULARIZATION:
        return frozenset()
    parts = name.split("_")
    for part in parts:
        if part not in PARTS:
            raise unknown_name("variant part", part, [NO_REGULARIZATION, *PARTS])
    if len(set(parts)) < len(parts):
        raise ValueError(f"`variant` must name each part once; received {name!r}.")
    return frozenset(parts)


def canonical_variant(name: str) -> str:
    """Returns the one spelling of a variant, its parts in the order of `PARTS`.

    Example:
        >>> canonical_variant("BN_L2")
        'L2_BN'
    """
    parts = parse_variant(name)
    return "_".join(part for part in PARTS if part in parts) or NO_REGULARIZATION
