"""Widths of matched pairs (Tessera et al. 2021, A.1)."""

from collections.abc import Sequence

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
