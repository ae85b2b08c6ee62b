"""The typical difference of pairs with its interval: the estimate that belongs to the signed-rank test.

The estimate of Hodges and Lehmann is the median of the means of any two differences (and of each with itself). Its
interval holds every shift that a two-sided signed-rank test of the same differences would not reject. So interval and
p-value say the same, and a single diverged run changes neither much.
"""

import numpy as np
from numpy.typing import ArrayLike

LEVEL = 0.95
"""The default level of an interval."""

_EXACT = 50
"""The most pairs for which the distribution of the statistic is exact; for more it is taken as normal, as in a test."""


def typical_difference(differences: ArrayLike, level: float = LEVEL) -> tuple[float, float, float]:
    """Returns the Hodges-Lehmann estimate of differences and both ends of its interval.

    Args:
        differences: a vector without NaN; infinite ones count as larger than all others.
        level: the level of the interval, in (0, 1).

    Returns:
        `(estimate, low, high)`. All are NaN without a difference; the ends are NaN where so few differences have no
        interval of this level: below six at 0.95.

    Raises:
        ValueError: `differences` is no vector or holds NaN, or `level` is out of range.

    Example:
        >>> typical_difference([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        (3.5, 1.0, 6.0)

    References:
        Hodges and Lehmann, 1963. Hollander, Wolfe and Chicken, 2014, sections 3.2 and 3.3.
    """
    values = np.asarray(differences, dtype=float)
    if values.ndim != 1 or np.isnan(values).any():
        raise ValueError(f"`differences` must be a vector without NaN; received the shape {values.shape}.")
    if not 0 < level < 1:
        raise ValueError(f"`level` must be in (0, 1); received {level}.")
    if not len(values):
        return np.nan, np.nan, np.nan
    first, second = np.triu_indices(len(values))
    with np.errstate(invalid="ignore"):
        means = np.sort(np.nan_to_num((values[first] + values[second]) / 2, nan=0.0, posinf=np.inf, neginf=-np.inf))
    middle = means[[(len(means) - 1) // 2, len(means) // 2]]
    estimate = float(middle[0] if middle[0] == middle[1] else middle.mean())
    cut = _cut(len(values), (1 - level) / 2)
    return (estimate, np.nan, np.nan) if cut is None else (estimate, float(means[cut]), float(means[-1 - cut]))


def _cut(pairs: int, tail: float) -> int | None:
    """Returns the most means that may be left out at each end with at most this tail; None where one is too many."""
    if pairs <= _EXACT:
        shares = np.ones(1)
        for rank in range(1, pairs + 1):  # each rank is positive or negative, both as likely
            longer = np.zeros(len(shares) + rank)
            longer[: len(shares)] += shares / 2
            longer[rank:] += shares / 2
            shares = longer
        cut = int(np.searchsorted(np.cumsum(shares), tail * (1 + 1e-12), side="right"))
    else:
        from scipy.stats import norm

        deviation = np.sqrt(pairs * (pairs + 1) * (2 * pairs + 1) / 24)
        cut = int(np.floor(pairs * (pairs + 1) / 4 - norm.isf(tail) * deviation))
    return cut - 1 if cut > 0 else None
