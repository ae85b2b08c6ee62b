"""Verdicts on claims: one family of tests, conditions, what is missing, and how seldom noise decides anything."""

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.claims import tessera
from keras_sparseflow.analysis.claims.claim import Claim, Condition, Half
from keras_sparseflow.analysis.claims.judging import judge_claims
from keras_sparseflow.analysis.claims.tessera.setting import PAPER
from keras_sparseflow.analysis.statistics.verdicts import NOT_TESTABLE, OTHER_WAY, YES
from tests.analysis.claims.made_up import DENSITIES, PAIRS, answers, has, make_study, with_noise

NOISE = {"variant": ("BN", "L2_BN"), "optimizer": ("adam", "sgd")}


def _halves(judged):
    return [half for one in judged for half in one.halves]


def test_pure_noise_decides_something_in_few_studies():
    """This judges some claims; `suites/report` does the same with all."""
    study, rng = make_study(PAIRS, **NOISE), np.random.default_rng(0)
    decided, tests = 0, 0
    for _ in range(40):
        halves = _halves(judge_claims(with_noise(study, rng), claims=[tessera.L2_WITH_BATCHNORM]))
        decided += any(half.verdict.decided for half in halves)
        tests += sum(bool(half.numbers) for half in halves)
    assert tests == 40 * 6
    assert decided <= 4, "of 40; without correction it would be 10"


def test_all_tests_of_a_study_are_one_family():
    effect = lambda runs: 0.007 * has("L2")(runs)  # noqa: E731
    study = make_study(PAIRS, accuracy=effect, variant=("NR", "L2"), learning_rate=0.001, seed=2)
    one = judge_claims(study, claims=[tessera.L2_WITHOUT_BATCHNORM])
    many = judge_claims(study, claims=[tessera.L2_WITHOUT_BATCHNORM, tessera.HIGH_FLOW_HARMS, *[_filler()] * 5])

    def p_value(judged):
        return float(judged[0].halves[1].verdict.reason.split("p = ")[1][:5])

    assert p_value(many) > p_value(one)


def _filler():
    return Claim(PAPER, "", "", (Half("", tessera.BRINGS_CLOSER.halves[0].cases, ""),))


def test_claims_of_a_paper_that_a_study_cannot_test_are_left_out():
    pairs = judge_claims(make_study(PAIRS, variant=("NR", "BN")))
    assert [one.claim for one in pairs] == list(tessera.CLAIMS)
    tweaks = judge_claims(make_study(DENSITIES, tweaks=("none", "GSk")))
    assert {one.claim.paper for one in tweaks} == {"Jaiswal et al., 2022 (ToST)"}
    assert len(tweaks) == 5
    assert judge_claims(make_study(DENSITIES)) == []


def test_what_is_missing_is_named():
    judged = judge_claims(make_study(PAIRS, variant=("NR", "BN")))
    half = judged[0].halves[0]
    assert (half.case, half.numbers, half.as_claimed) == ("", "", False)
    assert half.verdict.answer == NOT_TESTABLE
    assert half.verdict.reason == (
        "no run with L2 and BatchNorm beside one with BatchNorm alone, under Adam or RMSprop"
    )


def test_runs_that_meet_a_condition_are_the_ones_that_count():
    right = {"variant": ("BN", "L2_BN")}
    low = make_study(PAIRS, lambda runs: 0.1 * has("L2")(runs), learning_rate=0.001, **right)
    high = make_study(PAIRS, lambda runs: -0.1 * has("L2")(runs), **right)
    both = pd.concat([low.assign(run_id="low-" + low["run_id"]), high], ignore_index=True)
    judged = judge_claims(both, claims=[tessera.L2_WITH_BATCHNORM])
    assert set(answers(judged, "L2 lowers").values()) == {YES}
    assert judged[0].outside == ()
    judged = judge_claims(low, claims=[tessera.L2_WITH_BATCHNORM])
    assert set(answers(judged, "L2 lowers").values()) == {OTHER_WAY}
    assert judged[0].outside == ("learning rate 0.1 (here 0.001)",)


def test_a_strict_condition_makes_a_claim_that_cannot_be_tested():
    judged = judge_claims(make_study(PAIRS, variant=("BN", "DA_BN"), learning_rate=0.01))
    halves = next(one for one in judged if one.claim is tessera.AUGMENTATION).halves
    assert [half.verdict.reason for half in halves[:2]] == [
        "the paper makes it for learning rate 0.001; this study has 0.01"
    ] * 2


def test_conditions_tell_of_missing_and_empty_columns():
    runs = pd.DataFrame({"depth": [np.nan, 28.0], "name": ["a", "b"]})
    deep = Condition("28 layers", "depth", lambda depth: depth == 28)
    assert deep.meeting(runs).tolist() == [False, True]
    assert not Condition("", "width", bool).meeting(runs).any()
    assert Condition("", "width", bool).here(runs) == "none"
    assert Condition("", "name", bool).here(runs) == "a, b"


def test_diverged_runs_lose_or_are_left_out():
    study = make_study(PAIRS, lambda runs: 0.05 * has("L2")(runs), variant=("BN", "L2_BN"))
    lost = has("L2")(study) & (study["dense_width"] > 308)
    study = study.assign(diverged=lost, test_accuracy=study["test_accuracy"].mask(lost))
    worst = judge_claims(study, claims=[tessera.L2_WITH_BATCHNORM])
    assert set(answers(worst, "L2 lowers").values()) == {YES}
    dropped = judge_claims(study, diverged="drop", claims=[tessera.L2_WITH_BATCHNORM])
    assert all("3 pairs" in half.verdict.reason for half in dropped[0].halves if half.case)


def test_a_value_that_is_no_accuracy_and_missing_columns_are_refused():
    study = make_study(PAIRS)
    with pytest.raises(ValueError, match="`value` must be an accuracy, .*; received 'test_loss'"):
        judge_claims(study, value="test_loss")
    with pytest.raises(ValueError, match="missing: seed"):
        judge_claims(study.drop(columns="seed"))
    with pytest.raises(ValueError, match="missing: density"):
        judge_claims(study.drop(columns="arm"))
    assert judge_claims(study.assign(best_test_accuracy=1.0), value="best_test_accuracy")
