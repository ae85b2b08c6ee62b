"""Tweaks of ToST: what helps a sparse network to train, by the paper's short names."""

from keras_sparseflow.plugins import unknown_name

NO_TWEAKS, ALL_TWEAKS = "none", "tost"

TWEAKS = {
    "GSk": "ghost skip connections over convolutions, which fade",
    "GSw": "ghost soft activations, which become ReLU",
    "LRsI": "layer-wise rescaled initial weights",
    "LS": "label smoothing",
}
"""What can be combined, in the order in which a combined name lists it."""


def parse_tweaks(name: str) -> frozenset[str]:
    """Returns the tweaks of a name such as "GSk_GSw"; "none" has none, "tost" all.

    Raises:
        ValueError: a tweak is unknown or named twice.

    Example:
        >>> sorted(parse_tweaks("LS_GSk"))
        ['GSk', 'LS']
    """
    if name in (NO_TWEAKS, ALL_TWEAKS):
        return frozenset(TWEAKS if name == ALL_TWEAKS else ())
    parts = name.split("_")
    for part in parts:
        if part not in TWEAKS:
            raise unknown_name("tweak", part, [NO_TWEAKS, ALL_TWEAKS, *TWEAKS])
    if len(set(parts)) < len(parts):
        raise ValueError(f"`tweaks` must name each tweak once; received {name!r}.")
    return frozenset(parts)


def canonical_tweaks(name: str) -> str:
    """Returns the one spelling of a combination of tweaks, in the order of `TWEAKS`.

    Example:
        >>> canonical_tweaks("LS_GSk"), canonical_tweaks("LS_GSk_GSw_LRsI")
        ('GSk_LS', 'tost')
    """
    parts = parse_tweaks(name)
    if len(parts) == len(TWEAKS):
        return ALL_TWEAKS
    return "_".join(part for part in TWEAKS if part in parts) or NO_TWEAKS
