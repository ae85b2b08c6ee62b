"""The paired Wilcoxon signed-rank test with its effect, interval and counts, and Holm's correction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keras_sparseflow.analysis.statistics.shift import LEVEL, typical_difference

ALPHA = 0.05
"""The level of significance: a p-value below it is significant."""

FEWEST_PAIRS = 6
METHODS = ("auto", "exact", "permutation", "asymptotic")
ALTERNATIVES = ("greater", "two-sided")
# Two differences that are equal on paper (9/360 twice) differ by rounding when the accuracies were
# float32; relative to the larger value of a pair, this is ten times that rounding, and far below one image.
_EQUAL = 1e-6


@dataclass(frozen=True)
class SignedRankTest:
    """One Wilcoxon signed-rank test and all that is needed to judge its p-value.

    Args:
        p_value: one-tailed, H1: sparse > dense, unless a two-sided one was asked for. NaN when there is no pair.
        p_two_sided: H1: the two differ.
        statistic: the sum of the ranks of the positive differences.
        pairs: the number of pairs.
        pairs_used: the number of pairs whose difference is not zero; the others carry no rank.
        zeros: the number of pairs without a difference.
        method: how the p-value was computed: "exact", "permutation" (exact too: all sign patterns, for
            tied or zero differences), "asymptotic" (normal approximation), or "none" (nothing to test).
        median_difference: the median over all pairs, positive where sparse is better.
        difference: the typical difference, see `typical_difference`.
        low: the lower end of its 95% interval, NaN below six pairs.
        high: the upper end.
        mean: the mean of the finite differences.
        spread: their standard deviation, of a sample; NaN for fewer than two.
        effect_size: rank-biserial correlation, from -1 (dense better in every pair) to 1.
        note: a warning, such as that the pairs are few, or "".

    Example:
        >>> found = wilcoxon_signed_rank([0.9, 0.8, 0.7], [0.5, 0.6, 0.6])
        >>> found.method, found.pairs_used, found.effect_size
        ('exact', 3, 1.0)
    """

    p_value: float
    p_two_sided: float
    statistic: float
    pairs: int
    pairs_used: int
    zeros: int
    method: str
    median_difference: float
    difference: float
    low: float
    high: float
    mean: float
    spread: float
    effect_size: float
    note: str


def wilcoxon_signed_rank(
    sparse: ArrayLike, dense: ArrayLike, method: str = "auto", alternative: str = "greater"
) -> SignedRankTest:
    """Returns the paired, one-tailed test of H1: sparse > dense.

    The number is that of `scipy.stats.wilcoxon(sparse, dense, alternative="greater")`, with two
    differences. Differences that are equal up to rounding are ties (SciPy compares them bit by bit, and
    accuracies are full of ties). And the method is asked for by name, by the rule that SciPy's "auto"
    follows in 1.15 to 1.17, so that the reported method is the one that was used:

    - more than 50 pairs: "asymptotic";
    - otherwise, no two differences equal in size and none zero: "exact";
    - otherwise, at most 13 pairs: "permutation", over all sign patterns;
    - otherwise: "asymptotic", corrected for ties.

    Args:
        sparse: values of the sparse arm, higher is better.
        dense: values of the dense arm, in the same order.
        method: "auto", or one of the three. "exact" is SciPy's, and exact without ties or zeros only.
        alternative: "greater", or "two-sided", H1: the two differ, for two series of which neither is expected to
            be better.

    Raises:
        ValueError: the arms differ in length, a value is NaN, or method or alternative are unknown.

    Example:
        >>> wilcoxon_signed_rank([0.9, 0.8, 0.7], [0.5, 0.6, 0.6]).p_value
        0.125

    References:
        Wilcoxon, 1945. Tessera, Hooker and Rosman, 2021, section 2.1 and equation 4. Kerby, 2014, for
        the rank-biserial correlation.
    """
    from scipy import stats

    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}; received {method!r}.")
    if alternative not in ALTERNATIVES:
        raise ValueError(f"`alternative` must be one of {', '.join(ALTERNATIVES)}; received {alternative!r}.")
    x, y = np.asarray(sparse, dtype=float), np.asarray(dense, dtype=float)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"`sparse` and `dense` must be vectors of one length; received {x.shape} and {y.shape}.")
    if np.isnan(x).any() or np.isnan(y).any():
        raise ValueError("`sparse` and `dense` must hold no NaN; received some: leave those pairs out first.")

    with np.errstate(invalid="ignore"):
        differences = np.where(x == y, 0.0, x - y)
    order = _signed_order(differences, tolerances=_EQUAL * _larger_finite(x, y))
    sizes = np.abs(order[order != 0])
    pairs, used = len(order), len(sizes)
    taken = _method(method, pairs, used, tied=len(np.unique(sizes)) < used)
    p_value, two_sided = (_p_value(order, taken, asked) for asked in (alternative, "two-sided"))
    statistic = float(stats.rankdata(sizes)[order[order != 0] > 0].sum())
    estimate, low, high = typical_difference(differences, LEVEL)
    finite = differences[np.isfinite(differences)]
    return SignedRankTest(
        p_value=p_value,
        p_two_sided=two_sided,
        statistic=statistic,
        pairs=pairs,
        pairs_used=used,
        zeros=pairs - used,
        method=taken,
        median_difference=float(np.median(differences)) if pairs else np.nan,
        difference=estimate,
        low=low,
        high=high,
        mean=float(finite.mean()) if len(finite) else np.nan,
        spread=float(finite.std(ddof=1)) if len(finite) > 1 else np.nan,
        effect_size=4 * statistic / (used * (used + 1)) - 1 if used else 0.0 if pairs else np.nan,
        note=_note(pairs, used, alternative),
    )


def holm(p_values: ArrayLike) -> np.ndarray:
    """Returns the p-values after Holm's step-down correction, in the order given.

    The chance of even one false claim among all those with a corrected value below 0.05 is below 0.05.
    NaN stays NaN and does not count as a test.

    Args:
        p_values: of shape `(tests,)`, each in [0, 1] or NaN.

    Raises:
        ValueError: `p_values` has another number of dimensions, or a value is out of its range.

    Example:
        >>> holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]

    References:
        Holm, 1979. A simple sequentially rejective multiple test procedure.
    """
    p = np.asarray(p_values, dtype=float)
    if p.ndim != 1:
        raise ValueError(f"`p_values` must be a vector, of shape (tests,); received shape {p.shape}.")
    if ((p < 0) | (p > 1)).any():
        raise ValueError(f"`p_values` must be in [0, 1]; received {p[(p < 0) | (p > 1)][0]}.")
    corrected = np.full(p.shape, np.nan)
    order = np.argsort(p, kind="stable")[: np.count_nonzero(~np.isnan(p))]
    tests_left = len(order) - np.arange(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * tests_left), 1.0)
    return corrected


def _method(asked: str, pairs: int, used: int, tied: bool) -> str:
    if not used:
        return "none"
    if asked != "auto":
        taken = asked
    elif pairs > 50:
        taken = "asymptotic"
    elif not tied and used == pairs:
        taken = "exact"
    else:
        taken = "permutation" if pairs <= 13 else "asymptotic"
    return "exact" if taken == "permutation" and used == 1 else taken  # SciPy permutes no single value


def _p_value(order: np.ndarray, method: str, alternative: str) -> float:
    """Returns the p-value of differences, given their order and ties, on which alone it depends."""
    from scipy import stats

    if method == "none":
        return 1.0 if len(order) else np.nan
    if method == "permutation":
        return _over_sign_patterns(order[order != 0], alternative)
    return float(stats.wilcoxon(order[order != 0].astype(float), alternative=alternative, method=method).pvalue)


def _over_sign_patterns(order: np.ndarray, alternative: str) -> float:
    """Returns the p-value over all sign patterns of ranks with ties, as SciPy's `PermutationMethod` finds it.

    Each rank is positive or negative with equal chance, independently of the others. So the shares of all rank sums are
    found by adding one rank after the other, where SciPy computes the statistic of every pattern.
    """
    from scipy import stats

    ranks = np.rint(2 * stats.rankdata(np.abs(order))).astype(int)  # ties have half ranks
    shares = np.ones(1)
    for rank in ranks:
        longer = np.zeros(len(shares) + rank)
        longer[: len(shares)] += shares / 2
        longer[rank:] += shares / 2
        shares = longer
    seen = int(ranks[order > 0].sum())
    above, below = float(shares[seen:].sum()), float(shares[: seen + 1].sum())
    return above if alternative == "greater" else min(2 * min(above, below), 1.0)


def _signed_order(differences: np.ndarray, tolerances: np.ndarray) -> np.ndarray:
    """Returns integers with the signs, order and ties of the differences; 0 is no difference.

    The most exact differences come first and found the levels, of which 0 is one. A less exact one joins the nearest
    level within its own tolerance. So a pair of large values may tie with others, but never makes two others tie.
    """
    sizes = np.abs(differences)
    levels, level_of = [0.0], sizes.copy()
    for index in np.lexsort((sizes, tolerances)).tolist():
        size, tolerance = float(sizes[index]), float(tolerances[index])
        near = [level for level in levels if level == size or abs(level - size) <= tolerance]  # ==: two infinities
        if near:
            level_of[index] = min(near, key=lambda level: abs(level - size))
        else:
            levels.append(size)
    return np.searchsorted(np.sort(levels), level_of) * np.sign(differences).astype(int)


def _larger_finite(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the larger absolute value of each pair; an infinite one does not count."""
    return np.maximum(*(np.where(np.isfinite(values), np.abs(values), 0.0) for values in (x, y)))


def _note(pairs: int, used: int, alternative: str) -> str:
    if not pairs:
        return "no complete pair"
    if not used:
        return "no pair differs"
    if used >= FEWEST_PAIRS:
        return ""
    which = "pairs" if used == pairs else "pairs differ"
    lowest = 0.5**used if alternative == "greater" else min(2 * 0.5**used, 1.0)
    return f"fewer than {FEWEST_PAIRS} {which}: p cannot fall below {lowest:.3g}"
