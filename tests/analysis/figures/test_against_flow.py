import numpy as np
import pandas as pd
import pytest
import scipy.stats

from keras_sparseflow.analysis import NotApplicableError, against_flow


def _panels(figure):
    return {axes.get_title(): axes for axes in figure.axes if axes.axison}


def _points(axes):
    return {
        line.get_label(): np.stack(line.get_data(), axis=1) for line in axes.get_lines() if line.get_label() != "_grid"
    }


def _said(axes):
    (text,) = axes.texts
    return text.get_text().split("\n")


def test_a_row_per_measure_and_the_arms_side_by_side(make_results):
    figure = against_flow(make_results())
    names = ["EGF (1-norm)", "EGF (2-norm)", "Gradient 1-norm", "Gradient 2-norm"]
    assert list(_panels(figure)) == [f"{name}, {arm}" for name in names for arm in ("sparse", "dense")]


def test_each_run_is_a_point(make_results):
    results = make_results()
    points = _points(_panels(against_flow(results, ["egf_1"]))["EGF (1-norm), dense"])
    assert list(points) == ["NR", "BN"]
    runs = results.query("arm == 'dense' and variant == 'NR'")[["egf_1", "test_accuracy"]].to_numpy()
    assert sorted(points["NR"].tolist()) == sorted(runs.tolist())


def test_correlations_are_those_of_scipy(make_results):
    results = make_results()
    axes = _panels(against_flow(results, ["egf_2"]))["EGF (2-norm), sparse"]
    runs = results[results["arm"] == "sparse"]
    overall = scipy.stats.kendalltau(runs["egf_2"], runs["test_accuracy"]).statistic
    within = [
        abs(scipy.stats.kendalltau(cell["egf_2"], cell["test_accuracy"]).statistic)
        for _, cell in runs.groupby(["optimizer", "variant"])
    ]
    assert _said(axes) == [
        f"Kendall's τ = {overall:.3f} over 60 runs".replace("-", "\N{MINUS SIGN}"),
        f"mean |τ| = {np.mean(within):.3f} within 4 configurations",
    ]
    one = against_flow(results.query("optimizer == 'sgd' and variant == 'NR'"), ["egf_2"])
    assert all(_said(axes)[1].endswith(" within 1 configuration") for axes in one.axes)


def test_rows_can_be_optimizers_and_colours_too(make_results):
    results = make_results()
    figure = against_flow(results, ["egf_2"], "test_loss", by="variant", rows="optimizer")
    assert set(_panels(figure)) == {f"EGF (2-norm), {o}, {a}" for o in ("adam", "sgd") for a in ("sparse", "dense")}
    assert "over 30 runs" in _said(figure.axes[0])[0]
    assert figure.get_supylabel() == "Test loss (nats)"
    assert set(_points(against_flow(results, ["egf_2"], by="optimizer").axes[0])) == {"sgd", "adam"}


def test_flow_over_decades_is_logarithmic(make_results):
    results = make_results()
    results["egf_1"] = np.linspace(1, 5, len(results))
    scales = {title: axes.get_xscale() for title, axes in _panels(against_flow(results, ["egf_1", "egf_2"])).items()}
    assert scales["EGF (1-norm), sparse"] == "linear"
    assert scales["EGF (2-norm), sparse"] == "log"


def test_diverged_runs_are_left_out_and_counted(make_results):
    results = make_results()
    lost = results["run_id"] == "sgd-NR-20-1-sparse"
    results.loc[lost, ["egf_2", "test_loss"]] = np.nan
    axes = _panels(against_flow(results.assign(diverged=lost), ["egf_2"]))["EGF (2-norm), sparse"]
    assert _said(axes)[0].endswith("over 59 runs (1 more diverged)")
    assert sum(map(len, _points(axes).values())) == 59


def test_too_few_runs_for_a_correlation_are_said(make_results):
    axes = against_flow(make_results(("sgd",), widths=(7,), seeds=(0,)), ["egf_2"]).axes[0]
    assert _said(axes) == ["Kendall's τ = undefined over 2 runs", "no configuration has a τ of its own"]


def test_what_cannot_be_drawn_is_refused(make_results):
    results = make_results(("sgd",), ("NR",), (7,))
    with pytest.raises(
        NotApplicableError, match="finite flow of egf_1, egf_2.* received 6 runs, none of them with both"
    ):
        against_flow(results.assign(diverged=True))
    with pytest.raises(NotApplicableError, match="finite flow of any measure"):
        against_flow(results.drop(columns=["egf_1", "egf_2", "grad_norm_1", "grad_norm_2"]))
    with pytest.raises(ValueError, match="one dataset; received digits, cifar10"):
        against_flow(pd.concat([results, results.assign(dataset="cifar10")]))
    with pytest.raises(ValueError, match="'test_loss' or 'test_accuracy'; received 'train_loss'"):
        against_flow(results, value="train_loss")
    with pytest.raises(ValueError, match="missing: egf_3"):
        against_flow(results, ["egf_3"])
