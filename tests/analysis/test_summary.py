import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.report.summary import (
    duration,
    findings,
    flow_findings,
    in_words,
    published_differences,
    scaled_down,
    settings,
    warnings,
)
from keras_sparseflow.analysis.report.tables import tabulate
from keras_sparseflow.analysis.statistics.correlation import correlate_flow


def _comparison(p_values, p_holm, medians):
    names = ["NR", "BN", "L2", "DA"][: len(p_values)]
    return pd.DataFrame(
        {
            "table": "digits",
            "row": "adam",
            "column": names,
            "p_value": p_values,
            "p_holm": p_holm,
            "median_difference": medians,
        }
    )


def test_findings_count_name_and_correct():
    said = findings(_comparison([0.01, 0.04, 0.05, 0.9], [0.04, 0.12, 0.12, 0.9], [0.02, 0.01, 0.0, -0.01]))
    assert said == [
        "Sparse beats dense in 2 of 4 cells at p < 0.05; after Holm's correction in 1.",
        "Sparse is better in: adam NR, adam BN.",
        "The median difference is in favour of dense in: adam DA.",
        "The median difference is zero in: adam L2.",
    ]


def test_findings_leave_cells_without_a_test_out():
    assert findings(_comparison([0.5, np.nan], [0.5, np.nan], [0.1, np.nan])) == [
        "Sparse beats dense in 0 of 1 cell at p < 0.05; after Holm's correction in 0."
    ]
    assert "nothing to compare" in findings(_comparison([np.nan], [np.nan], [np.nan]))[0]


def test_findings_name_the_table_where_there_are_several(make_results):
    results = pd.concat([make_results(learning_rate=rate) for rate in (0.1, 0.001)])
    assert findings(tabulate(results))[1] == (
        "Sparse is better in: adam BN, sgd BN (digits, 2 hidden layers, learning rate 0.001, relu); "
        "adam BN, sgd BN (digits, 2 hidden layers, learning rate 0.1, relu)."
    )


def test_a_whole_study_has_no_warning(make_results):
    results = make_results()
    assert warnings(results, tabulate(results), 120, "test_accuracy", "worst") == []
    assert warnings(results, tabulate(results), None, "test_accuracy", "worst") == []


def test_warnings_say_what_is_missing(make_results):
    results = make_results().iloc[:-1]
    assert warnings(results, tabulate(results), 120, "test_accuracy", "worst") == [
        "119 of 120 runs are finished; the numbers below are of these alone.",
        "1 pair is incomplete (one arm has no result) and left out of every test.",
    ]


def test_warnings_say_how_diverged_runs_were_counted(make_results):
    results = make_results()
    results.loc[[0, 2, 5], "diverged"] = True
    (worst,) = warnings(results, tabulate(results), 120, "test_accuracy", "worst")
    assert worst.startswith("2 sparse runs and 1 dense run diverged")
    assert "counts as the worst possible test accuracy (0)" in worst
    (loss,) = warnings(results, tabulate(results, "test_loss"), 120, "test_loss", "worst")
    assert "counts as the worst possible test loss (infinity)" in loss
    (drop,) = warnings(results, tabulate(results, diverged="drop"), 120, "test_accuracy", "drop")
    assert drop.endswith("Their pairs are left out of the tests.")


def test_warnings_name_cells_with_too_few_pairs(make_results):
    results = make_results(widths=(7,))
    (said,) = warnings(results, tabulate(results), 24, "test_accuracy", "worst")
    assert said == "In all 4 cells: fewer than 6 pairs: p cannot fall below 0.125."


def test_differences_from_the_papers_conditions(make_results):
    results = make_results(("adam",), ("NR", "BN"), widths=(7, 20)).assign(dataset="cifar10", hidden_layers=4)
    results = results.assign(train_size=2000, image_size=8)
    assert published_differences(results, tabulate(results)) == [
        "30 epochs on cifar10 (paper: 1000)",
        "2000 training images (paper: all)",
        "images of 8 x 8 pixels (paper: the original size)",
        "6 pairs per cell (paper: 15)",
    ]
    same = make_results(("adam",)).assign(dataset="cifar10", hidden_layers=4, epochs=1000)
    assert published_differences(same, tabulate(same)) == []
    digits = make_results()
    assert published_differences(digits, tabulate(digits)) == []


def test_range_of_pairs_is_given_where_cells_differ(make_results):
    results = make_results(("adam",), ("NR", "BN")).assign(dataset="cifar10", hidden_layers=4, epochs=1000)
    less = (results["variant"] == "BN") & (results["seed"] == 2)
    assert published_differences(results[~less], tabulate(results[~less])) == ["10 to 15 pairs per cell (paper: 15)"]


def _taus(dataset="cifar10", arm="sparse", **values):
    rows = [(dataset, arm, m, t, v, 21) for m, vs in values.items() for t, v in vs.items()]
    return pd.DataFrame(rows, columns=["dataset", "arm", "measure", "target", "mean_abs_tau", "configurations"])


def test_flow_findings_compare_egf_with_the_raw_norm():
    taus = _taus(
        egf_1={"test_accuracy": 0.373, "test_loss": 0.3},
        grad_norm_1={"test_accuracy": 0.316, "test_loss": 0.355},
        egf_2={"test_accuracy": 0.25, "test_loss": np.nan},
        grad_norm_2={"test_accuracy": 0.25, "test_loss": 0.1},
    )
    assert flow_findings(taus) == [
        "In sparse networks on cifar10, EGF_1 correlates with test accuracy better than ||g||_1 (mean |tau| 0.373 "
        "against 0.316); with test loss worse than ||g||_1 (mean |tau| 0.300 against 0.355); over 21 configurations.",
        "In sparse networks on cifar10, EGF_2 correlates with test accuracy as well as ||g||_2 (mean |tau| 0.250 "
        "against 0.250); over 21 configurations.",
    ]
    assert flow_findings(taus, "dense") == []
    assert flow_findings(taus.assign(arm="dense"), "dense")[0].startswith("In dense networks")


def test_flow_findings_name_each_dataset_and_need_both_kinds(make_results):
    results = make_results()
    said = flow_findings(correlate_flow(results))
    assert [sentence.split(" correlates")[0] for sentence in said] == [
        "In sparse networks on digits, EGF_1",
        "In sparse networks on digits, EGF_2",
    ]
    assert flow_findings(correlate_flow(results, ["egf_1", "grad_norm_2"])) == []
    assert flow_findings(correlate_flow(results, [])) == []


def test_what_was_scaled_down_is_said():
    study = {
        "preset": "table_4",
        "reproduces": "Table 4",
        "overrides": [
            {"choice": "epochs", "preset": 500, "here": 25},
            {"choice": "train_size", "preset": None, "here": 2000},
        ],
    }
    assert scaled_down(study) == [
        "This study is the preset table_4 (Table 4) with 2 choices changed: "
        "epochs 25 (preset: 500), train_size 2000 (preset: none)."
    ]
    assert scaled_down({"preset": "demo", "overrides": []}) == [
        "This study is the preset demo, at full size and unchanged."
    ]
    for nothing in ({}, {"preset": None, "overrides": None}, {"name": "old"}):
        assert scaled_down(nothing) == []


def test_settings_list_what_was_trained(make_results):
    results = make_results(("adam",), ("NR",), widths=range(1, 21), l2=1e-4, unused=None)
    results["measures"] = [["egf_1", "egf_2"] for _ in range(len(results))]
    columns = ["run_id", "arm", "dense_width", "l2", "unused", "measures"]
    assert settings(results, columns) == {
        "arm": "dense, sparse",
        "dense_width": "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 8 more",
        "l2": "0.0001",
        "measures": "egf_1, egf_2",
    }


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.25, "0.2 s"),
        (59.0, "59.0 s"),
        (150, "2 min"),
        (3570, "1 h 0 min"),
        (4210, "1 h 10 min"),
        (np.nan, "unknown"),
        (None, "unknown"),
    ],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "none"),
        (np.nan, "none"),
        (True, "yes"),
        (False, "no"),
        (1e-4, "0.0001"),
        (128, "128"),
        ("He", "He"),
        ([], "none"),
        ([1, "a"], "1, a"),
        ({"a": None}, "a: none"),
    ],
)
def test_values_in_words(value, words):
    assert in_words(value) == words
