import numpy as np
import pandas as pd
import pytest
from keras_sparseflow.analysis.claims.l2_effect import effect_of_l2
from scipy import stats


def _with_l2(results, variants, ratio, loss):
    """Returns results whose L2 variants are copies of the others with more flow and less accuracy."""
    made = [results]
    for without, with_l2 in variants.items():
        copy = results[results["variant"] == without].assign(variant=with_l2)
        copy["run_id"] = with_l2 + copy["run_id"]
        rng = np.random.default_rng(1)
        copy["test_accuracy"] -= loss + rng.normal(0, 0.004, len(copy))
        copy["egf_2"] *= ratio
        made.append(copy)
    return pd.concat(made, ignore_index=True)


def test_effect_is_that_of_l2_alone(make_results):
    results = _with_l2(make_results(("adam", "sgd"), ("NR", "BN")), {"NR": "L2", "BN": "L2_BN"}, 3.0, 0.02)
    table = effect_of_l2(results)
    assert table[["optimizer", "arm", "pairs"]].values.tolist() == [
        ["adam", "dense", 30],
        ["adam", "sparse", 30],
        ["sgd", "dense", 30],
        ["sgd", "sparse", 30],
    ]
    assert table["egf_ratio"].tolist() == pytest.approx([3.0] * 4)
    assert (table["p_lower"] < 0.001).all()
    for row in table.to_dict("records"):
        inside = results[(results["optimizer"] == row["optimizer"]) & (results["arm"] == row["arm"])]
        accuracy = inside.set_index(["variant", "dense_width", "seed"])["test_accuracy"].unstack("variant")
        difference = np.concatenate([accuracy["L2"] - accuracy["NR"], accuracy["L2_BN"] - accuracy["BN"]])
        assert row["median_difference"] == pytest.approx(np.median(difference))
        assert row["p_lower"] == pytest.approx(stats.wilcoxon(difference, alternative="less").pvalue, rel=0.01)


def test_the_ratio_is_of_means_not_the_mean_of_ratios(make_results):
    results = _with_l2(make_results(("adam",), ("NR",), (7, 20), (0,)), {"NR": "L2"}, 1.0, 0.0)
    at = {(variant, width): flow for variant, width, flow in [("NR", 7, 1), ("NR", 20, 3), ("L2", 7, 4), ("L2", 20, 6)]}
    results["egf_2"] = [float(at[place]) for place in zip(results["variant"], results["dense_width"], strict=True)]
    assert effect_of_l2(results)["egf_ratio"].tolist() == [2.5, 2.5]  # (4 + 6) / (1 + 3), not (4/1 + 6/3) / 2 = 3


def test_runs_that_differ_by_more_are_no_pair(make_results):
    results = make_results(("adam",), ("NR", "L2_BN", "DA_L2_SC_BN"))
    assert effect_of_l2(results).empty
    seeds = results.assign(variant=np.where(results["seed"] == 0, "NR", "L2"))
    assert effect_of_l2(seeds[seeds["run_id"].str.contains("-NR-")]).empty


def test_no_variant_with_l2_gives_an_empty_table(make_results):
    table = effect_of_l2(make_results())
    assert table.empty
    assert table.columns.tolist() == ["optimizer", "arm", "pairs", "egf_ratio", "median_difference", "p_lower"]


def test_diverged_runs_are_the_worst_and_their_flow_no_part(make_results):
    results = _with_l2(make_results(("adam",), ("NR",)), {"NR": "L2"}, 2.0, 0.0)
    lost = (results["variant"] == "L2") & (results["arm"] == "sparse") & (results["dense_width"] > 20)
    results.loc[lost, ["egf_2", "test_accuracy"]] = np.nan
    sparse = effect_of_l2(results.assign(diverged=lost)).set_index("arm").loc["sparse"]
    assert sparse["pairs"] == 15
    assert sparse["egf_ratio"] == pytest.approx(2.0)
    assert sparse["median_difference"] < -0.5
    assert sparse["p_lower"] < 0.05
    all_lost = effect_of_l2(results.assign(diverged=results["variant"] == "L2"))
    assert all_lost["egf_ratio"].isna().all()


def test_a_run_without_an_accuracy_has_no_pair(make_results):
    results = _with_l2(make_results(("adam",), ("NR",)), {"NR": "L2"}, 2.0, 0.01)
    results.loc[(results["variant"] == "L2") & (results["dense_width"] == 7), "test_accuracy"] = np.nan
    assert effect_of_l2(results)["pairs"].tolist() == [12, 12]


def test_decoupled_decay_takes_no_part(make_results):
    results = _with_l2(make_results(("adam", "adamw"), ("NR",)), {"NR": "L2"}, 3.0, 0.02)
    assert effect_of_l2(results)["optimizer"].unique().tolist() == ["adam"]
    assert effect_of_l2(results.assign(l2_form="auto"))["optimizer"].unique().tolist() == ["adam"]
    assert effect_of_l2(results.assign(l2_form="loss"))["optimizer"].unique().tolist() == ["adam", "adamw"]
    assert effect_of_l2(results.assign(l2_form="decoupled")).empty


def test_columns_must_be_there(make_results):
    with pytest.raises(ValueError, match="missing: egf_3"):
        effect_of_l2(make_results(), "egf_3")
