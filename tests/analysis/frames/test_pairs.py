import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sparseflow.analysis.frames.pairs import mean_by_width, pair_arms
from keras_sparseflow.analysis.statistics.intervals import bootstrap_mean
from keras_sparseflow.analysis.statistics.paired_tests import compare_arms


def _two_arms(make_results, sparse, dense, **columns):
    """Returns the runs of one cell and width; a seed per value."""
    results = make_results(("sgd",), ("NR",), (7,), range(len(sparse)))
    results.loc[results["arm"] == "sparse", "test_accuracy"] = sparse
    results.loc[results["arm"] == "dense", "test_accuracy"] = dense
    return results.assign(**columns)


def test_pairs_by_hand(make_results):
    pairs = pair_arms(_two_arms(make_results, [0.9, 0.8], [0.7, 0.85]))
    assert pairs["seed"].tolist() == [0, 1]
    assert pairs["sparse"].tolist() == [0.9, 0.8]
    assert pairs["dense"].tolist() == [0.7, 0.85]
    assert pairs["difference"].tolist() == pytest.approx([0.2, -0.05])
    assert pairs["sparse_run_id"].tolist() == ["sgd-NR-7-0-sparse", "sgd-NR-7-1-sparse"]
    assert pairs["dense_run_id"].tolist() == ["sgd-NR-7-0-dense", "sgd-NR-7-1-dense"]


def test_one_row_per_cell_width_and_seed(make_results):
    pairs = pair_arms(make_results())
    assert len(pairs) == 2 * 2 * 5 * 3
    assert not pairs.duplicated(["optimizer", "variant", "dense_width", "seed"]).any()
    assert pairs.attrs == {"incomplete_pairs": 0, "dropped_pairs": 0}
    for pair in pairs.to_dict("records"):
        stem = f"{pair['optimizer']}-{pair['variant']}-{pair['dense_width']}-{pair['seed']}"
        assert (pair["sparse_run_id"], pair["dense_run_id"]) == (f"{stem}-sparse", f"{stem}-dense")


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(24)))
def test_order_of_the_rows_does_not_matter(make_results, order):
    results = make_results(widths=(7,))
    pd.testing.assert_frame_equal(pair_arms(results.iloc[order]), pair_arms(results))


def test_incomplete_pairs_are_left_out_and_counted(make_results):
    results = _two_arms(make_results, [0.9, 0.8, 0.7], [0.5, 0.6, np.nan])
    results = results[results["run_id"] != "sgd-NR-7-1-dense"]
    pairs = pair_arms(results)
    assert pairs["seed"].tolist() == [0]
    assert pairs.attrs["incomplete_pairs"] == 2


def test_runs_trained_differently_are_no_pair(make_results):
    results = _two_arms(make_results, [0.9], [0.5])
    results["batch_size"] = [64, 128]
    pairs = pair_arms(results)
    assert pairs.empty
    assert pairs.attrs["incomplete_pairs"] == 2


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA])
def test_columns_without_a_value_still_pair(make_results, nothing):
    results = _two_arms(make_results, [0.9, 0.8], [0.5, 0.6], image_size=nothing)
    assert len(pair_arms(results)) == 2


def test_arms_with_and_without_a_nullable_value_do_not_pair(make_results):
    results = _two_arms(make_results, [0.9], [0.5])
    results["train_size"] = pd.array([500, None], dtype="Int64")
    assert pair_arms(results).empty


def test_columns_with_lists_pair_by_content(make_results):
    results = _two_arms(make_results, [0.9, 0.8], [0.5, 0.6])
    results["measures"] = [["egf_2", "egf_1"] for _ in range(4)]
    assert len(pair_arms(results)) == 2


def test_diverged_run_ranks_below_everything(make_results):
    results = _two_arms(make_results, [0.9, 0.8], [0.5, 0.6])
    results.loc[results["run_id"] == "sgd-NR-7-0-sparse", "diverged"] = True
    pairs = pair_arms(results)
    assert pairs["sparse"].tolist() == [0.0, 0.8]
    assert pairs["difference"].tolist() == pytest.approx([-0.5, 0.2])
    assert pairs["sparse_diverged"].tolist() == [True, False]
    assert pairs["dense_diverged"].tolist() == [False, False]


@pytest.mark.parametrize("value", ["test_accuracy", "test_loss"])
def test_diverged_run_without_a_value_is_still_a_pair(make_results, value):
    results = _two_arms(make_results, [0.9], [0.5])
    diverged = results["arm"] == "sparse"
    results.loc[diverged, "diverged"] = True
    results.loc[diverged, ["test_accuracy", "test_loss"]] = np.nan
    pairs = pair_arms(results, value)
    assert len(pairs) == 1
    assert (pairs["difference"] < 0).all()


def test_diverged_run_loses_against_one_that_has_nothing_right(make_results):
    results = _two_arms(make_results, [0.0, 0.9, 0.0], [0.5, 0.0, 0.0])
    results.loc[results["run_id"].isin(["sgd-NR-7-1-sparse", "sgd-NR-7-2-dense"]), "diverged"] = True
    assert pair_arms(results)["difference"].tolist() == [-0.5, -np.inf, np.inf]


@pytest.mark.parametrize(("value", "recorded"), [("test_accuracy", 0.99), ("test_loss", 0.01), ("egf_2", 50.0)])
@pytest.mark.parametrize("lost", ["sparse", "dense"])
def test_what_a_diverged_run_recorded_does_not_count(make_results, value, recorded, lost):
    results = _two_arms(make_results, [0.5], [0.5])
    results["diverged"] = results["arm"] == lost
    results.loc[results["diverged"], value] = recorded
    (difference,) = pair_arms(results, value)["difference"]
    assert difference < 0 if lost == "sparse" else difference > 0


@pytest.mark.parametrize("value", ["test_accuracy", "test_loss", "egf_2"])
def test_two_diverged_runs_are_equal(make_results, value):
    results = _two_arms(make_results, [0.9], [0.5], diverged=True)
    assert pair_arms(results, value)["difference"].tolist() == [0.0]


def test_drop_leaves_pairs_with_a_diverged_run_out_and_counts_them(make_results):
    results = _two_arms(make_results, [0.9, 0.8, 0.7], [0.5, 0.6, 0.6])
    results.loc[results["run_id"].isin(["sgd-NR-7-0-sparse", "sgd-NR-7-2-dense"]), "diverged"] = True
    pairs = pair_arms(results, diverged="drop")
    assert pairs["seed"].tolist() == [1]
    assert pairs.attrs == {"incomplete_pairs": 0, "dropped_pairs": 2}


def test_a_lower_loss_is_better(make_results):
    results = _two_arms(make_results, [0.9], [0.5])
    results["test_loss"] = np.where(results["arm"] == "sparse", 0.25, 1.0)
    assert pair_arms(results, "test_loss")["difference"].tolist() == [0.75]


def test_wrong_arguments_are_refused(make_results):
    results = make_results(widths=(7,))
    with pytest.raises(ValueError, match="`diverged` must be 'worst' or 'drop'; received 'ignore'"):
        pair_arms(results, diverged="ignore")
    with pytest.raises(ValueError, match="missing: my_value"):
        pair_arms(results, "my_value")
    with pytest.raises(ValueError, match="'sparse' or 'dense'; received 'pruned'"):
        pair_arms(results.assign(arm="pruned"))
    with pytest.raises(ValueError, match="one run per spec.*sparse.*seed 0"):
        pair_arms(pd.concat([results, results.iloc[:1]]))


def test_means_equal_numpy(make_results):
    results = make_results()
    table = mean_by_width(results, "test_accuracy")
    assert len(table) == 2 * 2 * 2 * 5
    for row in table.to_dict("records"):
        same = np.logical_and.reduce([results[c] == row[c] for c in ("optimizer", "variant", "arm", "dense_width")])
        values = results.loc[same, "test_accuracy"].to_numpy()
        expected = [values.mean(), values.min(), values.max(), values.std(ddof=1), 3]
        assert [row[c] for c in ("mean", "min", "max", "std", "n")] == pytest.approx(expected)
        assert (row["ci_low"], row["ci_high"]) == bootstrap_mean(values)


def test_means_leave_diverged_and_missing_runs_out_and_count_them(make_results):
    results = _two_arms(make_results, [0.9, 0.8, 0.4], [0.5, np.nan, np.nan])
    results.loc[results["run_id"] == "sgd-NR-7-2-sparse", "diverged"] = True
    table = mean_by_width(results).set_index("arm")
    assert table.loc["sparse", ["ci_low", "ci_high"]].tolist() == [0.8, 0.9]
    assert table.loc["dense", ["ci_low", "ci_high"]].isna().all()
    assert table.loc["sparse", ["mean", "n", "diverged"]].tolist() == pytest.approx([0.85, 2, 1])
    assert table.loc["dense", ["mean", "n", "diverged"]].tolist() == pytest.approx([0.5, 1, 0])
    assert np.isnan(table.loc["dense", "std"])


def test_level_of_the_interval_is_the_one_asked_for(make_results):
    results = make_results(("sgd",), ("NR",))
    wide, narrow = mean_by_width(results), mean_by_width(results, level=0.5)
    assert (narrow["ci_high"] - narrow["ci_low"] < wide["ci_high"] - wide["ci_low"]).all()


def test_a_width_where_everything_diverged_keeps_its_row(make_results):
    table = mean_by_width(_two_arms(make_results, [0.9], [0.5], diverged=True))
    assert table["n"].tolist() == [0, 0]
    assert table["mean"].isna().all()
    assert table["diverged"].tolist() == [1, 1]


def test_a_missing_run_did_not_diverge(make_results):
    results = make_results(("sgd",), ("NR",), widths=(7,))
    row = compare_arms(results[results["run_id"] != "sgd-NR-7-0-sparse"]).iloc[0]
    assert (row["incomplete_pairs"], row["sparse_diverged"], row["dense_diverged"]) == (1, 0, 0)


def test_pairs_are_sorted_by_width_and_then_by_seed(make_results):
    pairs = pair_arms(make_results(("sgd",), ("NR",), widths=(20, 7), seeds=(1, 0)))
    assert pairs[["dense_width", "seed"]].to_numpy().tolist() == [[7, 0], [7, 1], [20, 0], [20, 1]]


def test_two_diverged_runs_have_the_worst_accuracy_and_no_difference(make_results):
    pairs = pair_arms(make_results(("sgd",), ("NR",), widths=(7,), seeds=(0,)).assign(diverged=True))
    assert pairs[["sparse", "dense", "difference"]].to_numpy().tolist() == [[0.0, 0.0, 0.0]]
