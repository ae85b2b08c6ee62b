"""Verdicts: every answer, the line between them, and the numbers that their reasons name."""

import re

import numpy as np
import pytest

from keras_sparseflow.analysis.frames.formats import MINUS
from keras_sparseflow.analysis.statistics.power import pairs_needed, size_found
from keras_sparseflow.analysis.statistics.signed_rank import wilcoxon_signed_rank
from keras_sparseflow.analysis.statistics.verdicts import (
    ANSWERS,
    NO_DIFFERENCE,
    NOT_TESTABLE,
    OTHER_WAY,
    TOO_FEW,
    YES,
    Verdict,
    judge,
)


def _test(differences):
    return wilcoxon_signed_rank(differences, np.zeros(len(differences)))


def _judge(differences, tests=1, **options):
    test = _test(differences)
    return judge(test, min(1.0, tests * test.p_two_sided), tests, **options)


def test_one_sign_in_all_pairs_decides_in_its_direction():
    differences = np.arange(1, 16) / 100
    assert _judge(differences).answer == YES
    assert _judge(-differences).answer == OTHER_WAY
    assert re.search(r"p <0\.001.*15 pairs", _judge(differences).reason)


def test_six_pairs_are_enough_where_all_say_the_same_and_five_are_not():
    assert _judge(np.arange(1, 7)).answer == YES
    assert _judge(np.arange(1, 6)).answer == TOO_FEW


def test_the_corrected_p_decides_and_the_level_is_asked_for():
    differences = np.arange(1, 7)  # p = 2 / 64
    assert _judge(differences, tests=2).answer == TOO_FEW
    assert _judge(differences, tests=2, alpha=0.1).answer == YES
    assert _judge(differences, alpha=0.01).answer == TOO_FEW


def test_many_pairs_without_a_difference_name_the_smallest_that_they_would_have_found():
    differences = np.random.default_rng(1).normal(0, 0.01, 30)
    found = _judge(differences)
    expected = size_found(30) * differences.std(ddof=1)
    assert found.answer == NO_DIFFERENCE and f"{expected:.4f}" in found.reason
    corrected = size_found(30, 0.05 / 12) * differences.std(ddof=1)
    assert f"{corrected:.4f}" in _judge(differences, tests=12).reason and corrected > expected
    smaller = judge(_test(differences), 0.9, show=lambda difference: f"{MINUS}{difference:.2f} nats")
    assert f"a difference of {expected:.2f} nats" in smaller.reason, "its size, whatever its sign"


def test_few_pairs_name_the_number_that_would_find_what_was_seen():
    differences = [0.01, 0.02, -0.01]
    size = np.mean(differences) / np.std(differences, ddof=1)
    found = _judge(differences)
    assert found.answer == TOO_FEW and f"{pairs_needed(size)} pairs" in found.reason
    stricter = judge(_test(differences), 0.5, tests=10)
    assert f"{pairs_needed(size, 0.05 / 10)} pairs" in stricter.reason


def test_the_number_that_would_do_is_never_below_what_any_test_needs():
    # Means far above their spread: by power two or three pairs would do, but no three pairs are ever significant.
    assert "6 pairs" in _judge([1.0, 1.1, 0.9]).reason
    assert "9 pairs" in judge(_test([1.0, 1.1, 0.9]), 0.25, tests=10).reason  # 2 ** -8 is below 0.005


@pytest.mark.parametrize("differences", [[0.5], [0.0, 0.0], [np.inf, 0.5], [np.inf] * 3])
def test_where_no_spread_is_known_the_fewest_are_named(differences):
    found = _judge(differences)
    assert found.answer == TOO_FEW and "6 pairs" in found.reason


def test_a_difference_of_next_to_nothing_would_need_more_pairs_than_anybody_trains():
    found = _judge([0.01, -0.01, 0.01, -0.01, 0.0001])
    assert found.answer == TOO_FEW and "1,000" in found.reason


def test_eleven_pairs_are_enough_to_see_no_difference_and_ten_are_not():
    rng = np.random.default_rng(0)
    assert pairs_needed(1.0) == 11
    assert _judge(rng.normal(0, 1, 10)).answer == TOO_FEW
    assert _judge(rng.normal(0, 1, 11)).answer == NO_DIFFERENCE


def test_pairs_that_no_corrected_test_could_call_significant_are_too_few():
    differences = np.random.default_rng(0).normal(0, 1, 12)
    assert _judge(differences).answer == NO_DIFFERENCE
    assert _judge(differences, tests=1000).answer == TOO_FEW  # 2 ** -11 is above 0.05 / 1000


def test_pairs_of_which_none_differs_cannot_be_tested_however_many_they_are():
    found = _judge(np.zeros(30))
    assert found.answer == NOT_TESTABLE and found.reason == "no difference in any of 30 pairs"
    assert _judge(np.zeros(4)).answer == TOO_FEW


def test_a_small_p_whose_interval_holds_zero_is_no_claim():
    differences = [*np.arange(1, 13) / 100, *[0.0] * 30]
    test = _test(differences)
    assert test.p_two_sided < 0.05 and test.low <= 0
    assert judge(test, test.p_two_sided).answer == NO_DIFFERENCE


def test_pairs_that_do_not_differ_are_no_evidence_of_no_difference():
    found = _judge([0.01, -0.01, 0.02, *[0.0] * 12])
    assert found.answer == TOO_FEW and "15 pairs, of which 3 differ" in found.reason


def test_diverged_runs_count_as_losses():
    lost = _judge([-np.inf] * 7 + [0.01])
    assert lost.answer == OTHER_WAY
    one = _judge([-np.inf, *np.arange(1, 15) / 100])
    assert one.answer in (YES, NO_DIFFERENCE) and "nan" not in one.reason


def test_without_a_pair_there_is_nothing_to_test():
    found = judge(_test([]), np.nan)
    assert found == Verdict(NOT_TESTABLE, "no complete pair") and not found.decided


@pytest.mark.parametrize("answer", ANSWERS)
def test_only_two_answers_claim_a_difference(answer):
    assert Verdict(answer, "").decided == (answer in (YES, OTHER_WAY))
