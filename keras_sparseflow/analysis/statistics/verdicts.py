"""Verdicts: what a comparison of pairs says, in one of five answers, for every sentence of a report that judges."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from keras_sparseflow.analysis.frames.formats import MINUS, format_p, format_signed, plural
from keras_sparseflow.analysis.statistics.power import MOST, fewest_pairs, pairs_needed, size_found
from keras_sparseflow.analysis.statistics.signed_rank import ALPHA, SignedRankTest, holm

YES = "yes"
NO_DIFFERENCE = "no difference seen"
OTHER_WAY = "the other way"
TOO_FEW = "too few pairs to tell"
NOT_TESTABLE = "not testable here"

ANSWERS = (YES, NO_DIFFERENCE, OTHER_WAY, TOO_FEW, NOT_TESTABLE)
"""Every answer that a verdict can give."""


@dataclass(frozen=True)
class Verdict:
    """The answer of a comparison to "the first is better", and why.

    Args:
        answer: one of `ANSWERS`.
        reason: the numbers behind it, or what is missing, as a phrase.
        needed: of too few pairs, how many would find a difference as large as the one seen in 8 of 10 studies; None
            where that is not known, or more than `MOST`.

    Example:
        >>> Verdict("not testable here", "no complete pair").answer
        'not testable here'
    """

    answer: str
    reason: str
    needed: int | None = None

    @property
    def decided(self) -> bool:
        """True if a difference was found, in one direction or the other."""
        return self.answer in (YES, OTHER_WAY)


def correct(tests: Sequence[SignedRankTest]) -> tuple[np.ndarray, int]:
    """Returns the two-sided p-values of tests after Holm's correction, and over how many tests they were corrected.

    Those of fewer pairs than could be significant by themselves are no part of the family, and keep their p-value
    (Tarone, 1990).

    Args:
        tests: the tests of one page.
    """
    corrected = np.array([test.p_two_sided for test in tests], dtype=float)
    telling = np.array([test.pairs_used >= fewest_pairs(ALPHA) for test in tests], dtype=bool)
    corrected[telling] = holm(corrected[telling])
    return corrected, max(int(telling.sum()), 1)


def judge(
    test: SignedRankTest,
    p_corrected: float,
    tests: int = 1,
    alpha: float = ALPHA,
    show: Callable[[float], str] = format_signed,
) -> Verdict:
    """Returns the verdict of one comparison: the only place in which a report decides what is better.

    - "yes", "the other way": the corrected two-sided p-value is below `alpha`, and the interval of the difference lies
      wholly on one side of zero.
    - "too few pairs to tell": p is not below `alpha`, and the pairs that differ are too few to find even a difference
      as large as the spread between pairs (80 percent power at `alpha`), or so few that no outcome of the page's tests
      could be significant. The reason names the number of pairs that would find a difference as large as the one seen.
    - "no difference seen": p is not below `alpha`, though the pairs are enough for that. The reason names the smallest
      difference that they would have found.
    - "not testable here": there is no complete pair, or many of which none differs.

    Args:
        test: as `wilcoxon_signed_rank` returns it; differences are positive where the first side is better.
        p_corrected: its two-sided p-value, corrected for all tests of its page.
        tests: how many those are.
        alpha: the level, in (0, 1).
        show: prints a difference.

    Example:
        >>> from keras_sparseflow.analysis.statistics.signed_rank import wilcoxon_signed_rank
        >>> judge(wilcoxon_signed_rank([0.9, 0.8, 0.7], [0.5, 0.6, 0.6]), p_corrected=0.25).answer
        'too few pairs to tell'
    """
    if not test.pairs:
        return Verdict(NOT_TESTABLE, "no complete pair")
    known = f"p {'' if p_corrected < 0.0005 else '= '}{format_p(p_corrected)}, {plural(test.pairs, 'pair')}"
    known += f", of which {test.pairs_used} differ" if test.zeros else ""
    if p_corrected < alpha and (test.low > 0 or test.high < 0):
        return Verdict(YES if test.low > 0 else OTHER_WAY, known)
    fewest = fewest_pairs(alpha / tests)
    enough = max(pairs_needed(1.0, alpha), fewest)
    if test.pairs >= enough and not test.pairs_used:
        return Verdict(NOT_TESTABLE, f"no difference in any of {plural(test.pairs, 'pair')}")
    if test.pairs_used < enough:
        needed, words = _would_do(test, fewest, alpha / tests)
        return Verdict(TOO_FEW, f"{known}; {words}", needed)
    found = size_found(test.pairs, alpha / tests) * test.spread
    if 0 < found < np.inf:
        known += f"; 8 of 10 such studies find a difference of {show(found).lstrip('+' + MINUS)}"
    return Verdict(NO_DIFFERENCE, known)


def _would_do(test: SignedRankTest, fewest: int, alpha: float) -> tuple[int | None, str]:
    """Returns how many pairs would find a difference of the size that was seen, as a number and as a phrase."""
    size = test.mean / test.spread if test.spread > 0 and np.isfinite(test.mean) else np.nan
    if np.isnan(size):
        return fewest, f"{fewest} pairs or more are needed"
    needed = max(pairs_needed(size, alpha), fewest)
    if needed > MOST:
        return None, f"the difference seen is so small that more than {MOST:,} pairs would be needed"
    if needed <= test.pairs:
        return None, "more pairs are needed"
    return needed, f"{needed} pairs would find a difference as large as the one seen in 8 of 10 studies"
