"""Comparisons of arms, variants, tweaks, methods and densities: their pairs, their tests and Holm's family."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from keras_sparseflow.analysis.statistics.paired_tests import compare_arms, compare_densities, with_verdicts
from keras_sparseflow.analysis.statistics.signed_rank import SignedRankTest, holm, wilcoxon_signed_rank
from keras_sparseflow.analysis.statistics.verdicts import NO_DIFFERENCE, NOT_TESTABLE, OTHER_WAY, TOO_FEW, YES
from tests.analysis.densities import TWEAKS, make_densities, with_tweaks


def test_comparison_has_a_row_per_cell(make_results):
    results = make_results()
    table = compare_arms(results)
    assert table.columns.tolist() == [
        *("dataset", "hidden_layers", "learning_rate", "activation", "variant", "optimizer"),
        *SignedRankTest.__dataclass_fields__,
        *("sparse_diverged", "dense_diverged", "incomplete_pairs", "dropped_pairs", "p_holm", "verdict", "reason"),
        "needed",
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
        assert row["p_two_sided"] == pytest.approx(stats.wilcoxon(difference).pvalue)
    assert table["p_holm"].tolist() == pytest.approx(holm(table["p_two_sided"]).tolist())
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
    assert several["p_holm"].tolist() == pytest.approx(holm(several["p_two_sided"]).tolist())
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
    assert done["p_holm"].tolist() == pytest.approx(holm(done["p_two_sided"]).tolist())
    assert table.loc[("sgd", "NR"), "verdict"] == NOT_TESTABLE


def test_cells_can_be_merged(make_results):
    table = compare_arms(make_results(), cell=["variant"])
    assert table[["variant", "pairs"]].values.tolist() == [["BN", 30], ["NR", 30]]


def test_runs_trained_differently_never_share_a_cell(make_results):
    table = compare_arms(pd.concat([make_results(epochs=30), make_results(epochs=60)]))
    assert len(table) == 8
    assert table["pairs"].tolist() == [15] * 8


def test_a_comparison_of_losses_survives_one_that_blew_up(make_results):
    results = make_results(("adam",), ("BN",))
    before = compare_arms(results, value="test_loss").iloc[0]
    exploded = results.index[(results["arm"] == "dense") & (results["dense_width"] == results["dense_width"].max())][0]
    results.loc[exploded, "test_loss"] = 1e5
    after = compare_arms(results, value="test_loss").iloc[0]
    assert (after["pairs_used"], after["zeros"]) == (before["pairs_used"], before["zeros"])
    assert after["p_value"] == pytest.approx(before["p_value"], rel=0.01) and before["p_value"] < 0.001


def _values(results, **chosen):
    rows = results[(results[list(chosen)] == list(chosen.values())).all(axis=1)]
    return rows.sort_values(["density", "seed"])["test_accuracy"].to_numpy()


def _compared(results, compared, **options):
    table = compare_densities(results, **options)
    return table[table["compared"] == compared].to_dict("records")


def test_variants_are_compared_over_densities_and_seeds_as_scipy_does():
    results = make_densities(("sgd",), ("NR", "SC"), (0.1, 0.3, 1.0), (0, 1), ("random",))
    (row,) = _compared(results, "line")
    first, second = (_values(results, variant=name) for name in ("NR", "SC"))
    assert (row["first"], row["second"], row["line"], row["pairs"]) == ("NR", "SC", "", 6)
    assert row["p_two_sided"] == pytest.approx(stats.wilcoxon(first, second).pvalue, rel=1e-12)
    assert row["p_value"] == pytest.approx(stats.wilcoxon(first, second).pvalue, rel=1e-12)
    assert row["median_difference"] == pytest.approx(np.median(first - second))


def test_methods_are_compared_without_the_dense_networks():
    results = make_densities(("sgd",), ("NR",), (0.1, 0.3, 1.0), (0, 1, 2))
    (row,) = _compared(results, "method")
    assert (row["first"], row["second"]) == ("random", "magnitude")
    assert (row["pairs"], row["p_two_sided"], row["effect_size"]) == (6, 2 * 0.5**6, -1.0)


def test_each_density_is_compared_with_the_dense_network_of_its_seed():
    results = make_densities(("sgd",), ("NR",), (0.1, 0.3, 1.0), range(6), ("random",))
    rows = _compared(results, "density")
    assert [(row["first"], row["second"], row["line"], row["pairs"]) for row in rows] == [
        ("10%", "dense", "NR", 6), ("30%", "dense", "NR", 6)
    ]  # fmt: skip
    sparse, dense = (_values(results, density=density) for density in (0.3, 1.0))
    assert rows[1]["p_two_sided"] == pytest.approx(stats.wilcoxon(sparse, dense).pvalue)
    assert rows[1]["mean"] == pytest.approx((sparse - dense).mean())
    assert _compared(results[results["density"] < 1], "density") == []


def test_tweaks_are_tested_against_none_and_come_first():
    results = with_tweaks(make_densities(("sgd",), ("NR",), (0.01, 0.1), (0, 1, 2), ("random",)))
    table = compare_densities(results)
    assert table[["first", "second"]].to_numpy().tolist() == [[name, "no tweaks"] for name in TWEAKS[1:]]
    assert (table["median_difference"] > 0).all()
    ls, plain = (results[results["tweaks"] == name]["test_accuracy"].to_numpy() for name in ("LS", "none"))
    row = table[table["first"] == "LS"].iloc[0]
    assert row["p_two_sided"] == pytest.approx(stats.wilcoxon(ls, plain).pvalue)


def test_variants_are_compared_where_tweaks_agree_and_tweaks_among_themselves_where_there_is_no_none():
    runs = make_densities(("sgd",), ("NR", "BN"), (0.01, 0.1), (0, 1, 2), ("random",))
    sides = compare_densities(with_tweaks(runs, ("none", "GSk")))[["first", "second"]]
    assert sorted(map(tuple, sides.to_numpy())) == [
        ("BN, GSk", "BN, no tweaks"), ("NR, GSk", "BN, GSk"), ("NR, GSk", "NR, no tweaks"),
        ("NR, no tweaks", "BN, no tweaks"),
    ]  # fmt: skip
    alone = compare_densities(with_tweaks(runs[runs["variant"] == "NR"], ("GSk", "LS", "tost")))
    assert alone[["first", "second"]].to_numpy().tolist() == [["GSk", "LS"], ["GSk", "tost"], ["LS", "tost"]]


def test_comparisons_of_few_pairs_are_shown_and_take_no_part_in_the_correction():
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.1, 0.2, 0.3, 1.0), (0, 1), ("random",))
    table = compare_densities(results)
    few = table["pairs"] < 6
    assert few.sum() == 6 and set(table.loc[few, "verdict"]) == {TOO_FEW}
    assert table.loc[few, "p_holm"].tolist() == table.loc[few, "p_two_sided"].tolist()
    (told,) = table[~few].to_dict("records")
    assert told["p_holm"] == told["p_two_sided"] == 2 * 0.5**8 and told["verdict"] == OTHER_WAY


def test_holm_takes_all_comparisons_of_pairs_enough_together():
    table = compare_densities(make_densities(("momentum", "sgd"), ("NR", "SC", "SC_BN"), (0.01, 0.2, 1.0)))
    telling = table["pairs_used"] >= 6
    assert len(table) == 2 * 2 * 3 + 2 * 3 + 2 * 2 * 3 * 2
    assert telling.sum() == 2 * 2 * 3 + 2 * 3, "of three seeds, no density can differ from dense ones significantly"
    assert table.loc[telling, "p_holm"].tolist() == holm(table.loc[telling, "p_two_sided"]).tolist()
    assert (table["p_holm"] >= table["p_two_sided"]).all()


def test_a_diverged_run_loses_its_pair_or_is_left_out():
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.1, 0.3, 1.0), (0, 1), ("random",))
    results.loc[results["variant"] == "SC_BN", "diverged"] = [True, False, False, False, False, False]
    (worst,) = _compared(results, "line")
    (drop,) = _compared(results, "line", diverged="drop")
    assert (worst["pairs"], worst["diverged"], worst["left_out"]) == (6, 1, 0)
    assert (drop["pairs"], drop["diverged"], drop["left_out"]) == (5, 1, 1)
    assert worst["effect_size"] > drop["effect_size"] == -1


def test_a_loss_is_better_when_lower():
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.1, 0.3, 1.0), (0, 1), ("random",))
    (accuracy,), (loss,) = (_compared(results, "line", value=value) for value in ("test_accuracy", "test_loss"))
    assert accuracy["effect_size"] == loss["effect_size"] == -1
    assert loss["median_difference"] == pytest.approx(4 * accuracy["median_difference"], abs=2e-3)


def test_verdicts_follow_from_the_corrected_p_of_the_table():
    rng = np.random.default_rng(8)
    tests = [wilcoxon_signed_rank(rng.normal(shift, 1, 15), np.zeros(15)) for shift in (2, 0.7, 0, -2)]
    tests.append(wilcoxon_signed_rank([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]))
    frame = pd.DataFrame({"pairs_used": [t.pairs_used for t in tests], "p_two_sided": [t.p_two_sided for t in tests]})
    table = with_verdicts(frame, tests)
    assert table["p_holm"].tolist() == [*holm([t.p_two_sided for t in tests[:4]]), 0.25]
    one = with_verdicts(frame.iloc[[1]], tests[1:2])
    assert one["p_holm"].item() < 0.05 < table["p_holm"][1], "one test alone is enough, one of four is not"
    assert one["verdict"].tolist() == [YES]
    assert table["verdict"].tolist() == [YES, NO_DIFFERENCE, NO_DIFFERENCE, OTHER_WAY, TOO_FEW]
    assert table["needed"].isna().tolist() == [True, True, True, True, False]


def test_nothing_to_compare_is_an_empty_table_with_its_columns():
    table = compare_densities(make_densities(("sgd",), ("NR",), (0.1,), (0,), ("random",)))
    assert table.empty and {"compared", "first", "second", "p_holm", "verdict", "pairs", "diverged"} <= set(table)
