"""Claims of a paper, their half-sentences with a verdict each, and the conditions under which the paper makes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.claims.case import Case
from keras_sparseflow.analysis.claims.evidence import Evidence
from keras_sparseflow.analysis.frames.formats import format_number
from keras_sparseflow.analysis.statistics.verdicts import Verdict


@dataclass(frozen=True)
class Condition:
    """A condition under which a paper makes a claim.

    A study of which some runs meet it is judged by these runs alone.

    Args:
        words: the condition, such as "learning rate 0.1".
        column: the column of the results that shows it.
        met: returns whether a value of that column meets it.
        strict: whether a study that does not meet it cannot test the claim: where another condition makes another
            claim. Otherwise it is judged, and the verdict says that it is outside its conditions.
    """

    words: str
    column: str
    met: Callable[[Any], bool]
    strict: bool = False

    def meeting(self, runs: pd.DataFrame) -> pd.Series:
        """Returns, for each run, whether it meets the condition; none does where they have no such column."""
        if self.column not in runs:
            return pd.Series(False, runs.index)
        met = {value: bool(self.met(value)) for value in runs[self.column].unique()}
        return runs[self.column].map(met).eq(True)

    def here(self, runs: pd.DataFrame) -> str:
        """Returns the values that the study has instead, in words."""
        if self.column not in runs:
            return "none"
        values = runs[self.column].drop_duplicates().tolist()
        return ", ".join(value if isinstance(value, str) else format_number(value) for value in values)


WHOLE_DATASET = (
    Condition("images in their own size", "other_size", lambda size: not size),
    Condition("all training images", "fewer_images", lambda images: not images),
)
"""Conditions of every claim of both papers."""


@dataclass(frozen=True)
class Half:
    """A half-sentence of a claim. Each case of it that a study has, such as one optimizer, gets its own verdict.

    Args:
        text: the half-sentence.
        cases: returns the cases that a study has, given its evidence.
        needs: the runs that are needed to judge it, as a noun phrase.
        conditions: the conditions under which the paper makes it, besides those of the claim.
        denies: whether the half-sentence denies a difference in the other direction, so that "no difference seen" is as
            claimed.
    """

    text: str
    cases: Callable[[Evidence], list[Case]]
    needs: str
    conditions: tuple[Condition, ...] = ()
    denies: bool = False


@dataclass(frozen=True)
class Claim:
    """A claim of a paper.

    Args:
        paper: such as "Tessera et al., 2021".
        text: the claim in short.
        place: where the paper makes it, such as "4.1.2, figures 2c, 2d".
        halves: its half-sentences.
        conditions: the conditions under which the paper makes it.

    Example:
        >>> from keras_sparseflow.analysis.claims.tessera import CLAIMS
        >>> CLAIMS[0].place, len(CLAIMS[0].halves)
        ('4.1.2, figures 2c, 2d', 2)
    """

    paper: str
    text: str
    place: str
    halves: tuple[Half, ...]
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class JudgedHalf:
    """The verdict on a half-sentence in one case.

    Args:
        text: the half-sentence.
        case: such as "adam, sparse networks"; "" where no case can be tested.
        verdict: its answer and reason.
        numbers: means of both sides, and the difference with its interval; "" where nothing was tested.
        outside: conditions of the paper that the study does not meet, each as a phrase.
        as_claimed: whether the answer agrees with the half-sentence.
        difference: the typical difference, the first side minus the second; of ratios, of their logarithms. NaN where
            nothing was tested.
        of_flow: whether gradient flow decides it.

    Example:
        >>> from keras_sparseflow.analysis import judge_claims
        >>> from keras_sparseflow.records import read_results
        >>> half = judge_claims(read_results("runs/demo"))[0].halves[0]
        >>> half.verdict.answer, half.verdict.reason[:35]
        ('not testable here', 'no run with L2 and BatchNorm beside')
    """

    text: str
    case: str
    verdict: Verdict
    numbers: str
    outside: tuple[str, ...]
    as_claimed: bool
    difference: float = float("nan")
    of_flow: bool = False


@dataclass(frozen=True)
class JudgedClaim:
    """A claim and the verdicts of a study on it.

    Args:
        claim: the claim.
        halves: its half-sentences with their verdicts, one for each case.

    Example:
        >>> from keras_sparseflow.analysis import judge_claims
        >>> from keras_sparseflow.records import read_results
        >>> judge_claims(read_results("runs/demo"))[5].outside[-1]
        '500 epochs or more (here 30)'
    """

    claim: Claim
    halves: tuple[JudgedHalf, ...]

    @property
    def outside(self) -> tuple[str, ...]:
        """The conditions that the study does not meet, over all half-sentences that were judged nevertheless."""
        return tuple(dict.fromkeys(phrase for half in self.halves for phrase in half.outside))
