import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis import NotApplicableError, by_variant
from keras_sparseflow.analysis.statistics.intervals import bootstrap_mean


def _panels(figure):
    return {axes.get_title(): axes for axes in figure.axes}


def _named(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


@pytest.mark.parametrize("column", ["test_accuracy", "egf_2"])
def test_means_intervals_and_runs_are_those_of_the_results(make_results, column):
    results = make_results()
    panels = _panels(by_variant(results, column))
    assert list(panels) == ["adam", "sgd"]
    axes = panels["adam"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["NR", "BN"]
    runs = results.query("optimizer == 'adam' and arm == 'dense'")
    expected = runs.groupby("variant")[column].mean()[["BN", "NR"]]
    dots = _named(axes)["dense"]
    order = np.argsort(dots.get_ydata())[::-1]  # from below: BN, NR
    assert dots.get_xdata()[order] == pytest.approx(expected.to_numpy())
    assert sorted(dots.get_ydata()) == pytest.approx([0.18, 1.18])
    segments = [segment for collection in axes.collections for segment in collection.get_segments()]
    low, high = bootstrap_mean(runs.loc[runs["variant"] == "NR", column])
    (interval,) = [segment for segment in segments if segment[0, 1] == pytest.approx(0.18)]
    assert interval[:, 0] == pytest.approx([low, high])
    faint = [line for line in axes.get_lines() if line.get_label() in ("_sparse", "_dense")]
    assert sorted(faint[1].get_xdata()) == pytest.approx(sorted(runs[column]))


def test_arms_stand_beside_each_other_and_differ_in_marker(make_results):
    named = _named(by_variant(make_results()).axes[0])
    assert named["sparse"].get_marker() != named["dense"].get_marker()
    assert set(named["sparse"].get_ydata()).isdisjoint(named["dense"].get_ydata())


def test_diverged_runs_are_marked_at_the_edge_and_left_out(make_results):
    results = make_results(("sgd",))
    lost = (results["variant"] == "NR") & (results["arm"] == "sparse") & (results["seed"] == 0)
    results.loc[lost, ["test_accuracy", "diverged"]] = [0.0, True]
    named = _named(by_variant(results).axes[0])
    assert named["sparse: diverged"].get_ydata().tolist() == pytest.approx([-0.18])
    assert "dense: diverged" not in named
    kept = results[~lost & (results["arm"] == "sparse") & (results["variant"] == "NR")]
    assert kept["test_accuracy"].mean() in [pytest.approx(x) for x in named["sparse"].get_xdata()]


def test_an_arm_that_was_not_run_is_not_in_the_legend(make_results):
    figure = by_variant(make_results(arms=("sparse",)))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["sparse"]


def test_flow_over_decades_is_logarithmic_and_accuracy_is_not(make_results):
    results = make_results()
    assert {axes.get_xscale() for axes in by_variant(results, "egf_2").axes} == {"log"}
    assert {axes.get_xscale() for axes in by_variant(results).axes} == {"linear"}


def test_nothing_to_draw_is_refused(make_results):
    results = make_results(("sgd",), ("NR",), (7,))
    with pytest.raises(NotApplicableError, match="finite 'test_accuracy'"):
        by_variant(results.assign(diverged=True))
    with pytest.raises(ValueError, match="received 2 tables"):
        by_variant(pd.concat([results, results.assign(hidden_layers=1)]))
    with pytest.raises(ValueError, match="missing: egf_3"):
        by_variant(results, "egf_3")
