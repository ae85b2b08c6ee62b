"""Power of the paired signed-rank test: the number of pairs that show a difference of a given size.

Sizes are differences divided by the standard deviation of the differences. Normal differences are assumed: the number
of pairs of a t-test, raised by the relative efficiency of the signed-rank test, pi / 3, and a term for small samples.
"""

import numpy as np

POWER = 0.8
"""The chance with which a difference is to be found: 8 of 10 studies."""

MOST = 1000
"""The largest number of pairs that is counted exactly: nobody trains more."""

_EFFICIENCY = np.pi / 3


def pairs_needed(size: float, alpha: float = 0.05, power: float = POWER) -> int:
    """Returns the number of pairs that find a difference of a size, two-sided, with a given chance; at most `MOST` + 1.

    Args:
        size: the difference in standard deviations of the differences; its sign does not matter.
        alpha: the level of the test, in (0, 1).
        power: the chance to find it, in (0, 1).

    Raises:
        ValueError: `alpha` or `power` are out of range, or `size` is NaN.

    Example:
        >>> pairs_needed(1.0), pairs_needed(0.5), pairs_needed(0.0)
        (11, 35, 1001)

    References:
        Noether, 1987, Sample size determination for some common nonparametric tests.
    """
    both, tail = _quantiles(alpha, power)
    if np.isnan(size):
        raise ValueError("`size` must be a number; received NaN.")
    least = fewest_pairs(alpha)
    if size**2 * MOST <= _EFFICIENCY * both**2:
        return MOST + 1
    pairs = int(np.ceil(_EFFICIENCY * both**2 / size**2 + tail**2 / 2))
    return min(max(pairs, least), MOST + 1)


def size_found(pairs: int, alpha: float = 0.05, power: float = POWER) -> float:
    """Returns the smallest difference, in standard deviations, that so many pairs find with a given chance.

    Args:
        pairs: the number of pairs.
        alpha: the level of the test, in (0, 1).
        power: the chance to find it, in (0, 1).

    Returns:
        The size, infinite where so few pairs find nothing.

    Example:
        >>> round(size_found(15), 2), size_found(4)
        (0.79, inf)
    """
    both, tail = _quantiles(alpha, power)
    left = pairs - tail**2 / 2
    return float(np.sqrt(_EFFICIENCY * both**2 / left)) if pairs >= fewest_pairs(alpha) and left > 0 else np.inf


def fewest_pairs(alpha: float = 0.05) -> int:
    """Returns the fewest pairs whose two-sided p-value can be below a level: of n pairs none is below 2 ** (1 - n).

    Example:
        >>> fewest_pairs(0.05)
        6
    """
    return int(np.floor(1 - np.log2(alpha))) + 1


def _quantiles(alpha: float, power: float) -> tuple[float, float]:
    """Returns the sum of the normal quantiles of level and power, and that of the level."""
    from scipy.stats import norm

    for name, share in (("alpha", alpha), ("power", power)):
        if not 0 < share < 1:
            raise ValueError(f"`{name}` must be in (0, 1); received {share}.")
    tail = float(norm.isf(alpha / 2))
    return tail + float(norm.isf(1 - power)), tail
