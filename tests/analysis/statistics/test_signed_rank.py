import itertools
import math
import warnings
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from keras_sparseflow.analysis.statistics.signed_rank import holm, wilcoxon_signed_rank


def _ranks(sizes):
    """Returns mid-ranks, by counting."""
    return [sum(other < size for other in sizes) + (sum(other == size for other in sizes) + 1) / 2 for size in sizes]


def _p_by_enumeration(differences):
    """Returns P(W+ >= observed) over all sign patterns of the non-zero differences."""
    used = [d for d in differences if d]
    ranks = _ranks([abs(d) for d in used])
    observed = sum(r for r, d in zip(ranks, used, strict=True) if d > 0)
    sums = [
        sum(r for r, up in zip(ranks, signs, strict=True) if up)
        for signs in itertools.product((0, 1), repeat=len(used))
    ]
    return sum(total >= observed - 1e-9 for total in sums) / len(sums)


def _test(differences, method="auto"):
    return wilcoxon_signed_rank(differences, np.zeros(len(differences)), method)


def test_textbook_example():
    # Wilcoxon's maize, the fifteen pairs in SciPy's documentation.
    result = _test([6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75])
    assert asdict(result) == {
        "p_value": 0.0206298828125,
        "p_two_sided": 0.041259765625,
        "statistic": 96.0,
        "pairs": 15,
        "pairs_used": 15,
        "zeros": 0,
        "method": "exact",
        "median_difference": 24.0,
        "difference": 25.0,
        "low": 4.0,
        "high": 41.5,
        "mean": pytest.approx(314 / 15),
        "spread": pytest.approx(37.744, abs=1e-3),
        "effect_size": pytest.approx((96 - 24) / 120),
        "note": "",
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-6, 6), min_size=1, max_size=10))
def test_small_samples_equal_the_enumeration_of_all_sign_patterns(differences):
    result = _test(differences)
    assert result.p_value == pytest.approx(_p_by_enumeration(differences) if any(differences) else 1.0)
    sizes = [abs(d) for d in differences if d]
    tied = len(set(sizes)) < len(sizes) or 0 in differences
    assert result.method == ("none" if not sizes else "permutation" if tied and len(sizes) > 1 else "exact")


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-40, 40), min_size=1, max_size=60))
def test_auto_is_what_scipy_does_by_default(differences):
    if not any(differences):
        return
    x, y = np.array(differences, dtype=float), np.zeros(len(differences))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = stats.wilcoxon(x, y, alternative="greater")
    result = wilcoxon_signed_rank(x, y)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert result.statistic == pytest.approx(expected.statistic)


def test_ties_beyond_thirteen_pairs_take_the_normal_approximation():
    differences = [3, 3, -1, 2, 2, 2, 5, -4, 4, 6, 7, 8, 9, 9, 0]
    result = _test(differences)
    assert result.method == "asymptotic"
    assert (result.pairs, result.pairs_used, result.zeros) == (15, 14, 1)
    used = [d for d in differences if d]
    ranks, n = _ranks([abs(d) for d in used]), 14
    w = sum(r for r, d in zip(ranks, used, strict=True) if d > 0)
    ties = [ranks.count(r) for r in set(ranks)]
    variance = n * (n + 1) * (2 * n + 1) / 24 - sum(t**3 - t for t in ties) / 48
    z = (w - n * (n + 1) / 4) / math.sqrt(variance)
    assert result.p_value == pytest.approx(0.5 * math.erfc(z / math.sqrt(2)))


def test_tied_pairs_are_permuted_up_to_thirteen():
    differences = [1, 1, *range(2, 14)]
    assert [_test(differences[:pairs]).method for pairs in (13, 14)] == ["permutation", "asymptotic"]


def test_more_than_fifty_pairs_take_the_normal_approximation():
    differences = np.arange(1, 52) * np.where(np.arange(51) % 3, 1, -1)
    assert _test(differences).method == "asymptotic"
    assert _test(differences[:50]).method == "exact"


def test_a_method_asked_for_is_the_one_taken():
    differences = [3, 3, -1, 2, 2, 2, 5, -4, 4, 6, 7, 8, 9, 9]
    by_method = {method: _test(differences, method) for method in ("exact", "permutation", "asymptotic")}
    assert [result.method for result in by_method.values()] == list(by_method)
    assert by_method["permutation"].p_value == pytest.approx(_p_by_enumeration(differences))
    assert len({result.p_value for result in by_method.values()}) == 3


def test_equal_differences_tie_in_spite_of_rounding():
    # Images classified rightly, of 360. As accuracies, differences of 9 images are many different floats.
    correct = np.array([[286, 280], [293, 290], [331, 328], [309, 318], [325, 334], [319, 310], [325, 316]])
    exact = wilcoxon_signed_rank(correct[:, 0], correct[:, 1])
    assert exact.p_value == pytest.approx(_p_by_enumeration(correct[:, 0] - correct[:, 1]))
    for dtype in (np.float64, np.float32):
        sparse, dense = (correct / 360).astype(dtype).T
        rounded = wilcoxon_signed_rank(sparse, dense)
        assert (rounded.p_value, rounded.zeros, rounded.method) == (exact.p_value, 0, "permutation")
        bit_by_bit = stats.wilcoxon(sparse, dense, alternative="greater").pvalue
        assert abs(bit_by_bit - exact.p_value) > 0.05  # or this test would show nothing


def test_one_image_of_ten_thousand_is_a_difference():
    dense = np.linspace(0.5, 0.9, 8, dtype=np.float32)
    result = wilcoxon_signed_rank(dense + np.float32(1e-4), dense)
    assert result.zeros == 0
    assert result.p_value == pytest.approx(0.5**8)


def test_small_differences_of_losses_are_ranked_by_size():
    dense = np.full(6, 0.4)
    result = wilcoxon_signed_rank(dense + np.array([-1, 2, 3, 4, 5, 6]) * 1e-5, dense)
    assert (result.zeros, result.method, result.p_value) == (0, "exact", 2 / 2**6)


def test_no_difference_at_all_is_p_one_without_a_warning():
    result = _test([0.0] * 15)
    assert (result.p_value, result.zeros, result.pairs_used, result.effect_size) == (1.0, 15, 0, 0.0)
    assert (result.method, result.note) == ("none", "no pair differs")


def test_no_pair_has_no_p_value():
    result = _test([])
    assert math.isnan(result.p_value)
    assert result.note == "no complete pair"


@pytest.mark.parametrize(
    ("differences", "note"),
    [
        ([1, 2, 3, 4, 5], "fewer than 6 pairs: p cannot fall below 0.0312"),
        ([1, 0, 2, 0, 3, 0, 0], "fewer than 6 pairs differ: p cannot fall below 0.125"),
        ([1, 2, 3, 4, 5, 6], ""),
    ],
)
def test_too_few_pairs_are_noted(differences, note):
    result = _test(differences)
    assert result.note == note
    assert result.p_value == pytest.approx(0.5 ** sum(map(bool, differences)))


@pytest.mark.parametrize(("differences", "effect"), [([1, 2, 3], 1.0), ([-1, -2, -3], -1.0), ([1, -2, 3], 1 / 3)])
def test_effect_size_is_the_balance_of_ranks(differences, effect):
    assert _test(differences).effect_size == pytest.approx(effect)


def test_infinite_differences_rank_highest():
    finite = wilcoxon_signed_rank([0.9, 0.8, 0.7], [0.1, 0.2, 9.0])
    infinite = wilcoxon_signed_rank([0.9, 0.8, -np.inf], [0.1, 0.2, 0.5])
    assert infinite.p_value == finite.p_value
    assert wilcoxon_signed_rank([np.inf, 1.0], [np.inf, 0.0]).zeros == 1


@pytest.mark.parametrize("largest", [10.0, 1e3, 1e5, 1e6, 1e30])
@pytest.mark.parametrize("pairs", [6, 12, 20])
def test_one_large_value_leaves_the_differences_of_other_pairs_as_they_are(largest, pairs):
    sparse = 1 + 0.01 * np.arange(pairs)
    dense = sparse + 0.05 + 0.001 * np.arange(pairs)
    dense[0] = largest  # one dense run that blew up, finitely
    result = wilcoxon_signed_rank(-sparse, -dense)
    assert (result.p_value, result.zeros, result.method) == (pytest.approx(0.5**pairs), 0, "exact")
    dense[0] = sparse[0] - largest
    assert wilcoxon_signed_rank(-sparse, -dense).effect_size == pytest.approx(1 - 4 / (pairs + 1))


def test_a_pair_of_large_values_ties_with_others_and_never_makes_them_tie():
    # The first pair is known to the nearest 1 only; the differences of the others are 1.5, 1.8 and 9.
    sparse = np.array([1e6 + 2, 1.5, 1.8, 9.0])
    result = wilcoxon_signed_rank(sparse, [1e6, 0, 0, 0])
    assert (result.zeros, result.method) == (0, "permutation")  # two of the four are one tie
    assert wilcoxon_signed_rank([1e6 + 2, 1.5, -1.8, 9.0], [1e6, 0, 0, 0]).statistic == 1 + 2.5 + 4
    assert wilcoxon_signed_rank(sparse[1:], [0, 0, 0]).method == "exact"
    assert wilcoxon_signed_rank([1e6 + 0.5, 1.5], [1e6, 0]).zeros == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9))
def test_the_arms_exchanged_never_both_win(differences):
    p, other = _test(differences).p_value, _test([-d for d in differences]).p_value
    assert p + other >= 1.0 - 1e-12


def test_wrong_arguments_of_the_test_are_refused():
    with pytest.raises(ValueError, match=r"vectors of one length; received \(2,\) and \(1,\)"):
        wilcoxon_signed_rank([1, 2], [1])
    with pytest.raises(ValueError, match="no NaN"):
        wilcoxon_signed_rank([1, np.nan], [1, 2])
    with pytest.raises(ValueError, match="`method` must be one of auto, exact, .*; received 'approx'"):
        wilcoxon_signed_rank([1], [2], method="approx")


def test_holm_by_hand():
    # Sorted 0.005, 0.011, 0.02, 0.04: times 4, 3, 2, 1 = 0.02, 0.033, 0.04, 0.04.
    assert holm([0.04, 0.005, 0.02, 0.011]).tolist() == pytest.approx([0.04, 0.02, 0.04, 0.033])
    assert holm([0.6, 0.3]).tolist() == pytest.approx([0.6, 0.6])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_holm_does_not_count_missing_tests():
    corrected = holm([0.01, np.nan, 0.04])
    assert corrected[[0, 2]].tolist() == pytest.approx([0.02, 0.04])
    assert np.isnan(corrected[1])


def test_holm_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match=r"in \[0, 1\]; received 5.0"):
        holm([0.5, 5])


@pytest.mark.parametrize(("p_values", "shape"), [(0.01, r"\(\)"), ([[0.01, 0.04], [0.03, 0.2]], r"\(2, 2\)")])
def test_holm_takes_one_family_of_tests(p_values, shape):
    with pytest.raises(ValueError, match=rf"`p_values` must be a vector, of shape \(tests,\); received shape {shape}"):
        holm(p_values)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values):
    alpha = 0.05
    rejected = set()
    for step, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if p_values[index] * (len(p_values) - step) > alpha:
            break
        rejected.add(index)
    assert {i for i, p in enumerate(holm(p_values)) if p <= alpha} == rejected


@pytest.mark.parametrize("count", [3, 6, 14, 60])
@pytest.mark.parametrize("decimals", [1, 6])
def test_two_sided_p_is_scipys(count, decimals):
    x, y = np.random.default_rng(count).normal(0.2, 1, (2, count)).round(decimals)
    test = wilcoxon_signed_rank(x, y, alternative="two-sided")
    used = (x - y).round(9)
    used = used[used != 0]
    asked = stats.PermutationMethod(n_resamples=np.inf) if test.method == "permutation" else test.method
    assert test.p_value == pytest.approx(stats.wilcoxon(used, method=asked).pvalue, rel=1e-9)
    other = wilcoxon_signed_rank(y, x, alternative="two-sided")
    assert (other.p_value, other.effect_size) == (pytest.approx(test.p_value), pytest.approx(-test.effect_size))


def test_a_two_sided_test_of_few_pairs_says_how_low_p_can_be():
    test = wilcoxon_signed_rank([3, 5, 9], [1, 2, 4], alternative="two-sided")
    assert test.p_value == 0.25 and test.note == "fewer than 6 pairs: p cannot fall below 0.25"
    with pytest.raises(ValueError, match="`alternative` must be one of greater, two-sided; received 'less'"):
        wilcoxon_signed_rank([1], [2], alternative="less")
