import numpy as np
import pytest
from scipy import stats

from keras_sparseflow.analysis.statistics.comparisons import compare_densities
from keras_sparseflow.analysis.statistics.correlation import correlate_densities
from keras_sparseflow.analysis.statistics.signed_rank import holm, wilcoxon_signed_rank
from tests.analysis.densities import make_densities


def _values(results, density=1.0, **chosen):
    rows = results[(results[list(chosen)] == list(chosen.values())).all(axis=1)]
    return rows.sort_values(["density", "seed"])["test_accuracy"].to_numpy()


def test_variants_are_compared_over_densities_and_seeds_as_scipy_does():
    results = make_densities(("sgd",), ("NR", "SC"), (0.1, 0.3, 1.0), (0, 1), ("random",))
    (row,) = compare_densities(results).to_dict("records")
    first, second = (_values(results, variant=name) for name in ("NR", "SC"))
    assert (row["compared"], row["first"], row["second"], row["line"], row["pairs"]) == ("line", "NR", "SC", "", 6)
    assert row["p_value"] == pytest.approx(stats.wilcoxon(first, second).pvalue, rel=1e-12)
    assert row["median_difference"] == pytest.approx(np.median(first - second))


def test_methods_are_compared_without_the_dense_networks():
    results = make_densities(("sgd",), ("NR",), (0.1, 0.3, 1.0), (0, 1, 2))
    (row,) = compare_densities(results).to_dict("records")
    assert (row["compared"], row["first"], row["second"]) == ("method", "random", "magnitude")
    assert (row["pairs"], row["p_value"], row["effect_size"]) == (6, 2 * 0.5**6, -1.0)


def test_comparisons_of_fewer_than_five_pairs_are_not_shown():
    few = make_densities(("sgd",), ("NR", "SC"), (0.1, 1.0), (0, 1), ("random",))
    enough = make_densities(("sgd",), ("NR", "SC"), (0.1, 0.2, 0.3, 0.4, 1.0), (0,), ("random",))
    assert compare_densities(few).empty
    assert compare_densities(enough)["pairs"].tolist() == [5]


def test_holm_takes_all_comparisons_together():
    table = compare_densities(make_densities())
    assert len(table) == 2 * 3 * 6 + 3 * 4
    assert table["p_holm"].tolist() == holm(table["p_value"]).tolist()


def test_a_diverged_run_loses_its_pair_or_is_left_out():
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.1, 0.3, 1.0), (0, 1), ("random",))
    results.loc[results["variant"] == "SC_BN", "diverged"] = [True, False, False, False, False, False]
    (worst,) = compare_densities(results).to_dict("records")
    (drop,) = compare_densities(results, diverged="drop").to_dict("records")
    assert (worst["pairs"], worst["diverged"], worst["left_out"]) == (6, 1, 0)
    assert (drop["pairs"], drop["diverged"], drop["left_out"]) == (5, 1, 1)
    assert worst["effect_size"] > drop["effect_size"] == -1


def test_a_loss_is_better_when_lower():
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.1, 0.3, 1.0), (0, 1), ("random",))
    (accuracy,), (loss,) = (
        compare_densities(results, value).to_dict("records") for value in ("test_accuracy", "test_loss")
    )
    assert accuracy["effect_size"] == loss["effect_size"] == -1
    assert loss["median_difference"] == pytest.approx(4 * accuracy["median_difference"], abs=2e-3)


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


def test_tau_within_configurations_and_over_all_runs_are_scipys():
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.1, 0.3, 1.0), (0, 1), ("random",))
    results.loc[0, "diverged"] = True
    each, mean = correlate_densities(results)
    trained = results[~results["diverged"]]
    row = each.query("line == 'SC_BN' and measure == 'egf_2' and target == 'test_loss'").iloc[0]
    inside = trained[trained["variant"] == "SC_BN"]
    assert row["tau"] == pytest.approx(stats.kendalltau(inside["egf_2"], inside["test_loss"]).statistic)
    assert (row["points"], row["diverged"]) == (6, 0)
    together = mean.query("measure == 'egf_2' and target == 'test_loss'").iloc[0]
    assert together["overall_tau"] == pytest.approx(stats.kendalltau(trained["egf_2"], trained["test_loss"]).statistic)
    assert (together["configurations"], together["overall_runs"], together["diverged"]) == (2, 11, 1)


def test_without_flow_there_is_no_correlation():
    results = make_densities(("sgd",), ("NR",), (0.1, 1.0), (0,)).drop(columns=["egf_2", "grad_norm_2"])
    each, mean = correlate_densities(results)
    assert each.empty and mean.empty
