"""Power: numbers of pairs by hand, and against simulated studies that SciPy tests."""

import numpy as np
import pytest
from scipy import stats

from keras_sparseflow.analysis.statistics.power import MOST, fewest_pairs, pairs_needed, size_found


def _share_found(pairs, size, alpha, studies=2000):
    """Returns the share of studies of normal differences in which SciPy's exact two-sided test finds one."""
    differences = np.random.default_rng(pairs).normal(size, 1, (studies, pairs))
    return (stats.wilcoxon(differences, axis=1, method="exact").pvalue < alpha).mean()


def test_numbers_by_hand():
    # (1.95996 + 0.84162)² = 7.8489, times pi / 3 is 8.2193, by size²; and 1.95996² / 2 = 1.9207.
    assert pairs_needed(1.0) == 11  # 8.2193 + 1.9207 = 10.14
    assert pairs_needed(-0.5) == pairs_needed(0.5) == 35  # 32.8774 + 1.9207 = 34.80
    assert pairs_needed(0.1) == 824  # 821.93 + 1.92 = 823.86
    assert pairs_needed(0.05) == pairs_needed(0.0) == MOST + 1
    assert pairs_needed(10.0) == fewest_pairs() == 6
    assert size_found(15) == pytest.approx(np.sqrt(8.2193 / (15 - 1.9207)), abs=1e-4)


@pytest.mark.parametrize(("size", "alpha"), [(1.0, 0.05), (0.7, 0.05), (1.0, 0.01), (0.5, 0.05)])
def test_pairs_find_a_difference_about_as_often_as_they_should(size, alpha):
    assert _share_found(pairs_needed(size, alpha), size, alpha) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("pairs", [11, 15, 30])
def test_the_size_that_pairs_find_is_found_about_as_often_as_it_should(pairs):
    assert _share_found(pairs, size_found(pairs), 0.05) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.001])
def test_fewest_pairs_are_the_fewest_that_scipy_can_call_significant(alpha):
    pairs = fewest_pairs(alpha)
    lowest = [stats.wilcoxon(np.arange(1.0, count + 1), method="exact").pvalue for count in (pairs - 1, pairs)]
    assert lowest[1] < alpha <= lowest[0]
    assert size_found(pairs - 1, alpha) == np.inf


def test_a_level_that_is_a_power_of_two_is_not_reached_by_its_own_p_value():
    # Of 5 pairs the lowest p is 2 ** -4, which is not below itself.
    assert fewest_pairs(2.0**-4) == 6


def test_more_power_and_a_stricter_level_take_more_pairs():
    assert pairs_needed(0.5) < pairs_needed(0.5, power=0.9) < pairs_needed(0.5, alpha=0.01, power=0.9)
    assert size_found(30) < size_found(15) < size_found(15, alpha=0.01)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="`size` must be a number; received NaN"):
        pairs_needed(np.nan)
    with pytest.raises(ValueError, match=r"`alpha` must be in \(0, 1\); received 5"):
        pairs_needed(1.0, alpha=5)
    with pytest.raises(ValueError, match=r"`power` must be in \(0, 1\); received 1"):
        size_found(15, power=1)
