import itertools
import math
import warnings
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from keras_sparseflow.analysis.statistics.comparisons import compare_arms
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
        "statistic": 96.0,
        "pairs": 15,
        "pairs_used": 15,
        "zeros": 0,
        "method": "exact",
        "median_difference": 24.0,
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


@settings(max_examples=40, deadline=None)
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


def test_a_comparison_of_losses_survives_one_that_blew_up(make_results):
    results = make_results(("adam",), ("BN",))
    before = compare_arms(results, value="test_loss").iloc[0]
    exploded = results.index[(results["arm"] == "dense") & (results["dense_width"] == results["dense_width"].max())][0]
    results.loc[exploded, "test_loss"] = 1e5
    after = compare_arms(results, value="test_loss").iloc[0]
    assert (after["pairs_used"], after["zeros"]) == (before["pairs_used"], before["zeros"])
    assert after["p_value"] == pytest.approx(before["p_value"], rel=0.01) and before["p_value"] < 0.001


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


def test_comparison_has_a_row_per_cell(make_results):
    results = make_results()
    table = compare_arms(results)
    assert table.columns.tolist() == [
        *("dataset", "hidden_layers", "learning_rate", "activation", "variant", "optimizer"),
        *("p_value", "p_holm", "statistic", "pairs", "pairs_used", "zeros", "method", "median_difference"),
        *("effect_size", "note", "sparse_diverged", "dense_diverged", "incomplete_pairs", "dropped_pairs"),
    ]
    assert len(table) == 4
    for row in table.to_dict("records"):
        cell = results[(results["optimizer"] == row["optimizer"]) & (results["variant"] == row["variant"])]
        arms = [
            cell[cell["arm"] == arm].sort_values(["dense_width", "seed"])["test_accuracy"].round(9)
            for arm in ("sparse", "dense")
        ]
        difference = np.round(arms[0].to_numpy() - arms[1].to_numpy(), 6)
        assert row["p_value"] == pytest.approx(stats.wilcoxon(difference, alternative="greater").pvalue)
        assert row["median_difference"] == pytest.approx(np.median(difference), abs=1e-6)
        assert row["pairs"] == 15
    assert table["p_holm"].tolist() == pytest.approx(holm(table["p_value"]).tolist())
    assert (table.set_index("variant").loc["BN", "p_value"] < 0.05).all()
    assert (table.set_index("variant").loc["NR", "p_value"] > 0.5).all()


def test_comparison_by_loss_points_the_same_way(make_results):
    results = make_results()
    by_accuracy, by_loss = compare_arms(results), compare_arms(results, value="test_loss")
    assert by_loss["p_value"].tolist() == pytest.approx(by_accuracy["p_value"].tolist())
    assert by_loss["median_difference"].tolist() == pytest.approx((3 * by_accuracy["median_difference"]).tolist())


def test_diverged_runs_are_counted_per_arm_and_change_the_test(make_results):
    results = make_results(("adam",), ("BN",))
    lost = (results["arm"] == "sparse") & (results["dense_width"] >= 48)
    broken = results.assign(diverged=lost)
    before, worst, drop = (
        compare_arms(r, diverged=d).iloc[0] for r, d in ((results, "worst"), (broken, "worst"), (broken, "drop"))
    )
    assert (worst["sparse_diverged"], worst["dense_diverged"]) == (6, 0)
    assert worst["pairs"] == 15 and worst["p_value"] > before["p_value"]
    assert (drop["pairs"], drop["dropped_pairs"]) == (9, 6)


def test_divergence_of_one_arm_everywhere_decides_the_cell(make_results):
    results = make_results(("adam",), ("NR",))
    for lost, p_value in (("sparse", 1.0), ("dense", 0.5**15)):
        row = compare_arms(results.assign(diverged=results["arm"] == lost), value="egf_2").iloc[0]
        assert row["effect_size"] == (-1.0 if lost == "sparse" else 1.0)
        assert row["p_value"] == pytest.approx(p_value, abs=1e-3)
    both = compare_arms(results.assign(diverged=True)).iloc[0]
    assert (both["p_value"], both["zeros"], both["note"]) == (1.0, 15, "no pair differs")


def test_holm_is_over_the_whole_study_also_where_it_fills_several_tables(make_results):
    several = compare_arms(pd.concat([make_results(learning_rate=rate) for rate in (0.1, 0.001)]))
    one = compare_arms(make_results(learning_rate=0.1))
    at_first = several[several["learning_rate"] == 0.1]
    assert at_first["p_value"].tolist() == one["p_value"].tolist()
    assert several["p_holm"].tolist() == pytest.approx(holm(several["p_value"]).tolist())
    assert (at_first["p_holm"].to_numpy() > one["p_holm"].to_numpy() - 1e-15).all()
    assert (at_first["p_holm"].to_numpy() > one["p_holm"].to_numpy() + 1e-6).any()


def test_incomplete_pairs_are_counted_per_cell(make_results):
    results = make_results()
    table = compare_arms(results.drop(index=results.index[[0, 4]])).set_index(["optimizer", "variant"])
    assert table.loc[("sgd", "NR"), ["pairs", "incomplete_pairs"]].tolist() == [13, 2]
    assert table.loc[("adam", "BN"), ["pairs", "incomplete_pairs"]].tolist() == [15, 0]


def test_a_cell_with_one_arm_has_no_p_value(make_results):
    results = make_results()
    results = results[(results["arm"] == "sparse") | (results["optimizer"] == "adam")]
    table = compare_arms(results).set_index(["optimizer", "variant"])
    assert math.isnan(table.loc[("sgd", "NR"), "p_value"])
    assert table.loc[("sgd", "NR"), "note"] == "no complete pair"
    done = table.loc["adam"]
    assert done["p_holm"].tolist() == pytest.approx(holm(done["p_value"]).tolist())


def test_cells_can_be_merged(make_results):
    table = compare_arms(make_results(), cell=["variant"])
    assert table[["variant", "pairs"]].values.tolist() == [["BN", 30], ["NR", 30]]


def test_runs_trained_differently_never_share_a_cell(make_results):
    table = compare_arms(pd.concat([make_results(epochs=30), make_results(epochs=60)]))
    assert len(table) == 8
    assert table["pairs"].tolist() == [15] * 8
