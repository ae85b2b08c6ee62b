import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from keras_sparseflow.analysis.frames.cells import spec_columns
from keras_sparseflow.analysis.published.tessera_tables import MEASURES, load_kendall_tau, with_published_tau
from keras_sparseflow.analysis.statistics.correlation import (
    TARGETS,
    correlate_cells,
    correlate_densities,
    correlate_flow,
    kendall_tau,
)
from tests.analysis.densities import make_densities

CELL = ["optimizer", "variant"]


def _history(flow, results):
    """Returns a history whose accuracy falls where flow rises, but for noise."""
    rng = np.random.default_rng(3)
    total = flow[(flow["layer"] == "total") & (flow["measure"] == "egf_2")]
    accuracy = 0.5 - 0.01 * total["value"].rank() / len(total) + rng.normal(0, 0.004, len(total))
    rows = total[["run_id", "epoch"]].assign(test_accuracy=accuracy, test_loss=1 - accuracy)
    return rows.assign(loss=0.1, accuracy=0.9)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=3, max_size=20))
def test_tau_equals_scipys(points):
    x, y = np.array(points, dtype=float).T
    expected = stats.kendalltau(x, y).statistic
    assert kendall_tau(x, y) == pytest.approx(expected, nan_ok=True)


def test_tau_by_hand():
    # Six pairs of four points: (1, 2), (1, 3), (1, 4), (2, 4), (3, 4) agree, (2, 3) does not.
    assert kendall_tau([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx((5 - 1) / 6)
    # One tie in x: 3 pairs of 3, 2 of them untied in x, both concordant: 2 / sqrt(2 * 3).
    assert kendall_tau([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / np.sqrt(6))


@pytest.mark.parametrize(("x", "y"), [([], []), ([1, 2], [1, 2]), ([5, 5, 5], [1, 2, 3]), ([1, 2, 3], [0, 0, 0])])
def test_tau_of_what_says_nothing_is_nan(x, y):
    assert np.isnan(kendall_tau(x, y))


def test_wrong_arguments_of_tau_are_refused():
    with pytest.raises(ValueError, match=r"vectors of one length; received \(2,\) and \(3,\)"):
        kendall_tau([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="must be finite"):
        kendall_tau([1, 2, np.nan], [1, 2, 3])


def test_each_configuration_equals_scipy(make_results):
    results = make_results()
    table = correlate_cells(results)
    assert len(table) == 4 * 2 * len(MEASURES) * len(TARGETS)
    for row in table.to_dict("records"):
        same = np.logical_and.reduce([results[c] == row[c] for c in (*CELL, "arm")])
        runs = results[same]
        assert row["tau"] == pytest.approx(stats.kendalltau(runs[row["measure"]], runs[row["target"]]).statistic)
        assert row["abs_tau"] == abs(row["tau"])
        assert (row["points"], row["runs"], row["diverged"], row["missing"]) == (15, 15, 0, 0)


def test_table_1_is_the_mean_over_configurations(make_results):
    results = make_results()
    cells, table = correlate_cells(results), correlate_flow(results)
    assert len(table) == len(MEASURES) * 2 * len(TARGETS)
    for row in table.to_dict("records"):
        same = np.logical_and.reduce([cells[c] == row[c] for c in ("measure", "arm", "target")])
        taus = cells.loc[same, "tau"].to_numpy()
        assert row["mean_abs_tau"] == pytest.approx(np.abs(taus).mean())
        assert row["mean_tau"] == pytest.approx(taus.mean())
        assert row["std_abs_tau"] == pytest.approx(np.abs(taus).std(ddof=1))
        assert (row["configurations"], row["without_tau"], row["runs"]) == (4, 0, 60)


def test_datasets_are_averaged_apart(make_results):
    mnist = make_results(("adam",), dataset="mnist")
    both = pd.concat([make_results(dataset="digits"), mnist.assign(run_id="mnist-" + mnist["run_id"])])
    table = correlate_flow(both, ["egf_2"]).set_index(["dataset", "arm", "target"])
    assert table.loc[("digits", "sparse", "test_loss"), "configurations"] == 4
    assert table.loc[("mnist", "sparse", "test_loss"), "configurations"] == 2


def test_diverged_runs_and_missing_values_are_left_out_and_counted(make_results):
    results = make_results(("sgd",), ("NR",))
    sparse = results.index[results["arm"] == "sparse"]
    before = correlate_cells(results, ["egf_2"]).query("arm == 'sparse' and target == 'test_loss'").iloc[0]
    results.loc[sparse[:2], "diverged"] = True
    results.loc[sparse[:2], "test_loss"] = np.nan
    results.loc[sparse[2], "egf_2"] = np.inf
    row = correlate_cells(results, ["egf_2"]).query("arm == 'sparse' and target == 'test_loss'").iloc[0]
    assert (row["runs"], row["diverged"], row["missing"]) == (12, 2, 1)
    kept = results.loc[sparse[3:]]
    assert row["tau"] == pytest.approx(stats.kendalltau(kept["egf_2"], kept["test_loss"]).statistic)
    assert row["tau"] != before["tau"]


def test_configurations_without_a_tau_are_left_out_of_the_mean_and_counted(make_results):
    results = make_results(("sgd",), ("NR", "BN", "L2"))
    results.loc[results["variant"] == "NR", "egf_2"] = 1.0
    few = (results["variant"] == "L2") & ((results["seed"] > 0) | (results["dense_width"] > 20))
    table = correlate_flow(results[~few], ["egf_2"]).set_index(["arm", "target"])
    alone = correlate_flow(results[results["variant"] == "BN"], ["egf_2"]).set_index(["arm", "target"])
    assert table["configurations"].tolist() == [1] * 4
    assert table["without_tau"].tolist() == [2] * 4
    assert table["runs"].tolist() == [15] * 4
    assert table["missing"].tolist() == [15 + 2] * 4
    pd.testing.assert_series_equal(table["mean_abs_tau"], alone["mean_abs_tau"])


def test_a_configuration_of_diverged_runs_keeps_its_row(make_results):
    results = make_results(("sgd",), ("NR",))
    row = correlate_cells(results.assign(diverged=results["arm"] == "sparse"), ["egf_2"]).iloc[0]
    assert (row["arm"], row["runs"], row["diverged"]) == ("sparse", 0, 15)
    assert np.isnan(row["tau"])


def test_the_sign_says_which_way_flow_points(make_results):
    results = make_results()
    results["egf_2"], results["egf_1"] = results["test_loss"], -results["test_loss"]
    table = correlate_flow(results).set_index(["measure", "target"])
    assert (table.loc[("egf_2", "test_loss"), "mean_tau"] == 1).all()
    assert (table.loc[("egf_1", "test_loss"), "mean_tau"] == -1).all()
    assert (table.loc[("egf_1", "test_loss"), "mean_abs_tau"] == 1).all()
    assert (table.loc[("egf_2", "test_accuracy"), "mean_tau"] == -1).all()


def test_opposite_signs_do_not_cancel_in_the_mean_of_absolute_values(make_results):
    results = make_results(("sgd",), ("NR", "BN"))
    results["egf_2"] = results["test_loss"] * np.where(results["variant"] == "BN", -1, 1)
    rows = correlate_flow(results, ["egf_2"]).query("target == 'test_loss'")
    assert rows[["mean_abs_tau", "mean_tau", "std_abs_tau"]].to_numpy().tolist() == [[1, 0, 0], [1, 0, 0]]


def test_over_epochs_opposite_signs_do_not_cancel_within_a_configuration(make_results, make_flow):
    results = make_results(("sgd",), ("NR",), widths=(7, 20), seeds=(0,))
    flow = make_flow(results)
    history = flow.loc[flow["layer"] == "total", ["run_id", "epoch"]].assign(test_accuracy=0.5)
    falls = np.where(history["run_id"].str.contains("-7-"), -1.0, 1.0)
    rows = correlate_cells(results, ["egf_2"], "epochs", flow, history.assign(test_loss=falls * history["epoch"]))
    rows = rows.query("target == 'test_loss'")
    assert rows[["tau", "abs_tau", "runs"]].to_numpy().tolist() == [[0, 1, 2], [0, 1, 2]]


def test_measures_of_plugins_are_correlated_too(make_results):
    results = make_results().assign(my_flow=np.arange(120.0), note="text")
    results.attrs["spec_columns"] = list(results.columns[1 : list(results.columns).index("test_accuracy")])
    measures = correlate_flow(results)["measure"].unique().tolist()
    assert measures == ["grad_norm_1", "grad_norm_2", "egf_1", "egf_2", "my_flow"]
    assert correlate_flow(results, ["my_flow"])["measure"].unique().tolist() == ["my_flow"]


def test_empty_kernels_are_no_measure_nor_what_was_trained(make_results):
    results = make_results()
    counted = results.assign(empty_kernels=np.arange(len(results)) % 2)
    pd.testing.assert_frame_equal(correlate_cells(counted), correlate_cells(results))
    counted.attrs["spec_columns"] = spec_columns(results)
    assert set(correlate_cells(counted)["measure"]) == set(MEASURES)


def test_columns_of_the_spec_that_hold_nothing_or_lists_are_no_hindrance(make_results):
    results = make_results()
    results["train_size"] = [500.0 if i % 4 < 2 else np.nan for i in range(len(results))]
    results["flow_measures"] = [["egf_1", "egf_2"] for _ in range(len(results))]
    table = correlate_cells(results, ["egf_2"])
    assert len(table) == 8 * 2 * 2
    assert table["train_size"].isna().sum() == 16


def test_over_epochs_each_run_is_ranked_by_itself(make_results, make_flow):
    results = make_results(("sgd",), ("NR", "BN"), widths=(7, 20))
    flow = make_flow(results)
    history = _history(flow, results)
    table = correlate_cells(results, points="epochs", flow=flow, history=history)
    assert len(table) == 2 * 2 * 1 * 2
    total = flow[flow["layer"] == "total"].merge(history, on=["run_id", "epoch"])
    for row in table.to_dict("records"):
        same = (results["variant"] == row["variant"]) & (results["arm"] == row["arm"])
        taus = [
            stats.kendalltau(*total.loc[total["run_id"] == run, ["value", row["target"]]].to_numpy().T).statistic
            for run in results.loc[same, "run_id"]
        ]
        assert row["tau"] == pytest.approx(np.mean(taus))
        assert row["abs_tau"] == pytest.approx(np.mean(np.abs(taus)))
        assert (row["points"], row["runs"]) == (66, 6)


def test_over_epochs_is_not_over_runs(make_results, make_flow):
    results = make_results(("sgd",), ("NR", "BN"))
    flow = make_flow(results)
    by_epoch = correlate_flow(results, ["egf_2"], "epochs", flow, _history(flow, results))
    by_run = correlate_flow(results, ["egf_2"])
    assert by_epoch.columns.tolist() == by_run.columns.tolist()
    assert (by_epoch["mean_abs_tau"] - by_run["mean_abs_tau"]).abs().min() > 0.01
    assert by_epoch["runs"].tolist() == [30] * 4


def test_over_epochs_diverged_runs_and_constant_ones_take_no_part(make_results, make_flow):
    results = make_results(("sgd",), ("NR",))
    flow = make_flow(results)
    history = _history(flow, results)
    first, second = results.loc[results["arm"] == "sparse", "run_id"].iloc[:2]
    flow.loc[flow["run_id"] == second, "value"] = 1.0
    results.loc[results["run_id"] == first, "diverged"] = True
    row = correlate_cells(results, ["egf_2"], "epochs", flow, history).iloc[0]
    assert (row["arm"], row["runs"], row["diverged"], row["missing"]) == ("sparse", 13, 1, 1)


def test_published_values_stand_beside_ours(make_results):
    for dataset in ("fashion_mnist", "cifar100"):
        table = with_published_tau(correlate_flow(make_results(dataset=dataset)))
        assert len(table) == 16
        theirs = load_kendall_tau().set_index(["dataset", "measure", "architecture", "target"])["mean_abs_tau"]
        for row in table.to_dict("records"):
            key = (dataset, MEASURES[row["measure"]], row["arm"], row["target"])
            assert row["published_tau"] == theirs[key]
    assert with_published_tau(correlate_flow(make_results()))["published_tau"].isna().all()


def test_every_published_measure_has_our_name():
    names = set(itertools.chain(load_kendall_tau()["measure"]))
    assert names == set(MEASURES.values())


def test_wrong_arguments_are_refused(make_results, make_flow):
    results = make_results(widths=(7,))
    flow = make_flow(results)
    history = _history(flow, results)
    with pytest.raises(ValueError, match="`points` must be 'runs' or 'epochs'; received 'layers'"):
        correlate_flow(results, points="layers")
    with pytest.raises(ValueError, match="each run once in a configuration; received sgd-NR-7-0-sparse twice"):
        correlate_flow(pd.concat([results, results.iloc[:1]]))
    with pytest.raises(ValueError, match="missing: egf_3"):
        correlate_flow(results, ["egf_3"])
    with pytest.raises(ValueError, match="needs the frames `flow` and `history`; missing: `history`"):
        correlate_flow(results, points="epochs", flow=flow)
    with pytest.raises(ValueError, match="`measures` must be in `flow`, which has egf_2; received egf_1"):
        correlate_flow(results, ["egf_1"], "epochs", flow, history)
    with pytest.raises(ValueError, match="`history` must have .*missing: test_loss"):
        correlate_flow(results, points="epochs", flow=flow, history=history.drop(columns="test_loss"))


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
