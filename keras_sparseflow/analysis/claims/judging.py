"""Verdicts on claims: the tests of all claims of a study are one family, corrected once."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from keras_sparseflow.analysis.claims.case import Case
from keras_sparseflow.analysis.claims.claim import Claim, Condition, Half, JudgedClaim, JudgedHalf
from keras_sparseflow.analysis.claims.evidence import Evidence, gather
from keras_sparseflow.analysis.statistics.verdicts import NO_DIFFERENCE, NOT_TESTABLE, YES, Verdict, correct, judge


@dataclass(frozen=True)
class _Open:
    """A case that waits for its verdict: no case where the half-sentence can't be tested, and why."""

    half: Half
    outside: tuple[str, ...]
    case: Case | None
    missing: str = ""


def judge_claims(
    results: pd.DataFrame,
    diagnostics: pd.DataFrame | None = None,
    value: str = "test_accuracy",
    diverged: str = "worst",
    claims: Sequence[Claim] | None = None,
) -> list[JudgedClaim]:
    """Returns what a study says of the claims of the papers, each half-sentence by itself.

    A half-sentence is judged in each of its cases, such as each optimizer and arm, by a two-sided signed-rank test of
    pairs of runs that differ in nothing else; pairs of one size and seed count once, with their mean. All tests of a
    study are one family of Holm's correction. "yes" means that the difference is as the paper says. A study that does
    not meet the paper's conditions is judged all the same, and the verdict names them, but where another condition
    makes another claim. Claims of a paper of which a study can test none are left out.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        diagnostics: as `keras_sparseflow.records.read_diagnostics` returns it; for claims on Hessian eigenvalues.
        value: the accuracy to compare.
        diverged: "worst" or "drop", see `pair_arms`.
        claims: the claims to judge; default, those of both papers.

    Raises:
        ValueError: a column is missing, or `value` is no accuracy.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> half = judge_claims(read_results("runs/demo"))[5].halves[0]
        >>> half.text, half.case, half.verdict.answer
        ('BatchNorm lowers EGF', 'adam, sparse networks', 'too few pairs to tell')

    References:
        Tessera, Hooker and Rosman, 2021. Jaiswal et al., 2022.
    """
    if not value.endswith("accuracy"):
        raise ValueError(f"`value` must be an accuracy, which the claims are about; received {value!r}.")
    if claims is None:
        from keras_sparseflow.analysis.claims import tessera, tost

        claims = (*tessera.CLAIMS, *tost.CLAIMS)
    evidence = gather(results, diagnostics, value, diverged)
    waiting = [(claim, _cases_of(claim, evidence)) for claim in claims]
    testable = {claim.paper for claim, cases in waiting if any(case.case is not None for case in cases)}
    waiting = [(claim, cases) for claim, cases in waiting if claim.paper in testable]
    tests = [case.case.test() for _, cases in waiting for case in cases if case.case is not None]
    corrected, family = correct(tests)
    verdicts = iter(zip(tests, corrected, strict=True))
    judged = []
    for claim, cases in waiting:
        halves = []
        for one in cases:
            if one.case is None:
                verdict, numbers, measured = Verdict(NOT_TESTABLE, one.missing), "", (float("nan"), False)
            else:
                test, p_value = next(verdicts)
                verdict = judge(test, float(p_value), family, show=one.case.show)
                numbers = one.case.numbers(test)
                of_flow = bool(evidence.reading) and evidence.reading in one.case.note
                measured = one.case.claimed * test.difference, of_flow
            as_claimed = verdict.answer == YES or (one.half.denies and verdict.answer == NO_DIFFERENCE)
            name = one.case.name if one.case else ""
            halves.append(JudgedHalf(one.half.text, name, verdict, numbers, one.outside, as_claimed, *measured))
        judged.append(JudgedClaim(claim, tuple(halves)))
    return judged


def _cases_of(claim: Claim, evidence: Evidence) -> list[_Open]:
    """Returns the cases of all half-sentences of a claim."""
    evidence, outside, missing = _under(claim.conditions, evidence)
    return [
        case
        for half in claim.halves
        for case in ([_Open(half, (), None, missing)] if missing else _cases_of_half(half, evidence, outside))
    ]


def _cases_of_half(half: Half, evidence: Evidence, outside: tuple[str, ...]) -> list[_Open]:
    """Returns the cases of a half-sentence, or one without a case that says what is missing."""
    evidence, besides, missing = _under(half.conditions, evidence)
    if missing:
        return [_Open(half, (), None, missing)]
    cases = [case for case in half.cases(evidence) if len(case.first)]
    if not cases:
        return [_Open(half, (), None, f"no {half.needs}")]
    return [_Open(half, (*outside, *besides), case) for case in cases]


def _under(conditions: Sequence[Condition], evidence: Evidence) -> tuple[Evidence, tuple[str, ...], str]:
    """Returns the evidence under some conditions, those that no run meets, and why the study can't test the claim."""
    outside: list[str] = []
    for condition in conditions:
        kept = condition.meeting(evidence.runs)
        if kept.any():
            evidence = evidence if kept.all() else evidence.of(kept)
        elif condition.strict:
            missing = f"the paper makes it for {condition.words}; this study has {condition.here(evidence.runs)}"
            return evidence, (), missing
        else:
            outside.append(f"{condition.words} (here {condition.here(evidence.runs)})")
    return evidence, tuple(outside), ""
