import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis import NotApplicableError, over_epochs
from keras_sparseflow.analysis.statistics.intervals import bootstrap_mean


def _panels(figure):
    return {axes.get_title(): axes for axes in figure.axes if axes.axison}


def _lines(axes):
    return {line.get_label(): line for line in axes.get_lines() if line.get_label() != "_grid"}


def test_a_panel_per_cell_and_arm_and_a_line_per_layer(make_results, make_flow):
    results = make_results(widths=(7, 20), seeds=(0, 1))
    panels = _panels(over_epochs(make_flow(results, epochs=(0, 9)), results, lines="layer"))
    assert list(panels) == [
        "adam, NR, sparse", "adam, BN, sparse", "adam, NR, dense", "adam, BN, dense",
        "sgd, NR, sparse", "sgd, BN, sparse", "sgd, NR, dense", "sgd, BN, dense",
    ]  # fmt: skip
    for axes in panels.values():
        assert list(_lines(axes)) == ["hidden_1", "hidden_2", "output"]


def test_lines_are_means_over_runs_in_the_bootstrap_interval_of_the_mean(make_results, make_flow):
    results = make_results(("sgd",), ("BN",), seeds=(0, 1))
    flow = make_flow(results, epochs=(0, 9, 29))
    axes = _panels(over_epochs(flow, results, lines="layer"))["sgd, BN, dense"]
    runs = results.loc[results["arm"] == "dense", "run_id"]
    rows = flow[flow["run_id"].isin(runs) & (flow["layer"] == "hidden_2")].groupby("epoch")["value"]
    line = _lines(axes)["hidden_2"]
    assert line.get_xdata().tolist() == [0, 9, 29]
    assert line.get_ydata() == pytest.approx(rows.mean().to_numpy())
    band = pd.DataFrame(axes.collections[1].get_paths()[0].vertices, columns=["x", "y"]).groupby("x")["y"]
    expected = np.array([bootstrap_mean(values) for _, values in rows])
    assert np.stack([band.min(), band.max()], axis=1) == pytest.approx(expected)


def test_arms_and_variants_of_an_optimizer_share_one_scale_and_optimizers_do_not(make_results, make_flow):
    results = make_results(widths=(7, 20), seeds=(0,))
    panels = _panels(over_epochs(make_flow(results, epochs=(0, 2)), results, lines="layer"))
    limits = {
        name: {axes.get_ylim() for title, axes in panels.items() if title.startswith(name)} for name in ("sgd", "adam")
    }
    assert len(limits["sgd"]) == len(limits["adam"]) == 1
    assert limits["sgd"] != limits["adam"]


def test_diverged_runs_are_left_out(make_results, make_flow):
    results = make_results(("sgd",), ("NR",), (7, 20), (0, 1))
    flow = make_flow(results, epochs=(0, 1))
    lost = results["run_id"] == "sgd-NR-20-1-sparse"
    marked = results.assign(diverged=lost)
    drawn, expected = (over_epochs(flow, frame, lines="layer") for frame in (marked, results[~lost]))
    for one, other in zip(drawn.axes, expected.axes, strict=True):
        assert _lines(one)["output"].get_ydata().tolist() == _lines(other)["output"].get_ydata().tolist()


def test_what_is_missing_is_said(make_results, make_flow):
    results = make_results(widths=(7,))
    flow = make_flow(results, epochs=(0,))
    with pytest.raises(NotApplicableError, match="must hold 'egf_1' of these runs; received the measures egf_2"):
        over_epochs(flow, results, "egf_1", "layer")
    with pytest.raises(NotApplicableError, match="single layers for 'egf_2'; received only 'total'"):
        over_epochs(flow[flow["layer"] == "total"], results, lines="layer")
    with pytest.raises(NotApplicableError, match="of these runs"):
        over_epochs(flow, results.assign(diverged=True), lines="layer")
    with pytest.raises(ValueError, match="received 2 tables"):
        over_epochs(flow, pd.concat([results, results.assign(hidden_layers=1)]))
