"""The typical difference: by hand, its interval against SciPy's test, how often it holds the truth, and infinities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from keras_sparseflow.analysis.statistics.shift import typical_difference

INF = np.inf


def test_estimate_by_hand():
    # Means of any two of 1, 2, 6, each with itself too: 1, 1.5, 2, 3.5, 4, 6.
    assert typical_difference([6.0, 1.0, 2.0])[0] == (2 + 3.5) / 2
    assert typical_difference([5.0])[0] == 5.0


def test_six_differences_have_their_range_as_interval_and_five_have_none():
    assert typical_difference([3.0, -1.0, 4.0, 1.5, 9.0, 2.0])[1:] == (-1.0, 9.0)
    assert np.isnan(typical_difference([3.0, -1.0, 4.0, 1.5, 9.0])[1:]).all()
    low, high = typical_difference([3.0, -1.0, 4.0, 1.5, 9.0], level=0.9)[1:]
    assert (low, high) == (-1.0, 9.0), "p of five pairs is 2 / 32 = 0.0625 at least"
    assert np.isnan(typical_difference([])).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(6, 20), st.integers(0, 10_000), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_interval_holds_what_scipys_test_does_not_reject(count, seed, level):
    differences = np.random.default_rng(seed).normal(0.5, 1, count)
    _, low, high = typical_difference(differences, level)
    if np.isnan(low):
        assert 2 * 0.5**count > 1 - level, "no shift is rejected"
        return
    for end, inward in ((low, 1), (high, -1)):
        inside, outside = (
            stats.wilcoxon(differences - end - step, method="exact").pvalue for step in (1e-9 * inward, -1e-9 * inward)
        )
        assert inside > 1 - level >= outside


@settings(max_examples=30, deadline=None)
@given(st.integers(51, 80), st.integers(0, 10_000))
def test_of_many_differences_the_interval_is_that_of_the_normal_approximation(count, seed):
    differences = np.random.default_rng(seed).normal(0, 1, count)
    _, low, high = typical_difference(differences)
    for shift in (low + 1e-9, high - 1e-9):
        assert stats.wilcoxon(differences - shift, method="asymptotic", correction=False).pvalue > 0.045
    for shift in (low - 1e-9, high + 1e-9):
        assert stats.wilcoxon(differences - shift, method="asymptotic", correction=False).pvalue < 0.055


@pytest.mark.parametrize("count", [6, 15, 60])
def test_the_interval_holds_the_truth_at_least_as_often_as_it_says(count):
    studies = np.random.default_rng(count).normal(0.3, 1, (1000, count))
    ends = np.array([typical_difference(differences)[1:] for differences in studies])
    covered = ((ends[:, 0] <= 0.3) & (ends[:, 1] >= 0.3)).mean()
    assert 0.93 < covered < (0.99 if count == 6 else 0.975)


def test_one_infinite_difference_moves_neither_estimate_nor_interval_far():
    differences = np.linspace(0.01, 0.15, 15)
    calm, wild = typical_difference(differences), typical_difference([*differences[:-1], -INF])
    assert np.isfinite(wild).all() and np.abs(np.subtract(calm, wild)).max() < 0.06


def test_infinite_differences_of_both_signs_cancel_and_many_of_one_sign_are_the_estimate():
    assert typical_difference([INF, -INF, 1.0])[0] == 0.5  # -inf, -inf, 0, 1, inf, inf: the middle of 0 and 1
    assert typical_difference([-INF] * 4 + [1.0, 2.0])[0] == -INF
    estimate, low, high = typical_difference([-INF, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert (low, high) == (-INF, 5.0) and np.isfinite(estimate)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=12), st.randoms())
def test_order_does_not_matter_and_the_sign_turns_all(values, random):
    found = typical_difference([float(value) for value in values])
    shuffled = [float(value) for value in random.sample(values, len(values))]
    assert typical_difference(shuffled) == pytest.approx(found, nan_ok=True)
    estimate, low, high = typical_difference([-value for value in shuffled])
    assert (-estimate, -high, -low) == pytest.approx(found, nan_ok=True)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="`differences` must be a vector without NaN"):
        typical_difference([1.0, np.nan])
    with pytest.raises(ValueError, match=r"received the shape \(1, 2\)"):
        typical_difference([[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"`level` must be in \(0, 1\); received 95"):
        typical_difference([1.0], level=95)
