"""Tweaks of ToST: what helps a sparse network to train, by the paper's short names."""

from keras_sparseflow.plugins import Table
from keras_sparseflow.studies.spec.combined import PART_NAME, Combined, Part

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
"""What can be combined, each a `Part`, in the order in which a combined name lists it."""

COMBINED_TWEAKS = Combined("tweaks", TWEAKS, nothing="none", everything="tost")
"""How their names are combined."""


def parse_tweaks(name: str) -> frozenset[str]:
    """Returns the tweaks of a name such as "GSk_GSw"; "none" has none, "tost" all of the paper's.

    Raises:
        ValueError: a tweak is unknown or named twice.

    Example:
        >>> sorted(parse_tweaks("LS_GSk"))
        ['GSk', 'LS']
    """
    return COMBINED_TWEAKS.parse(name)


def canonical_tweaks(name: str) -> str:
    """Returns the one spelling of a combination of tweaks, in the order of `TWEAKS`.

    Example:
        >>> canonical_tweaks("LS_GSk"), canonical_tweaks("LS_GSk_GSw_LRsI")
        ('GSk_LS', 'tost')
    """
    return COMBINED_TWEAKS.canonical(name)
