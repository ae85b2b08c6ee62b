import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis import NotApplicableError, against_size


def _panels(figure):
    return {axes.get_title(): axes for axes in figure.axes if axes.axison}


def _lines(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def test_a_row_per_arm_and_a_column_per_optimizer(make_results):
    figure = against_size(make_results())
    assert list(_panels(figure)) == ["adam, sparse", "sgd, sparse", "adam, dense", "sgd, dense"]
    at = {title: axes.get_position() for title, axes in _panels(figure).items()}
    assert at["adam, sparse"].y0 > at["adam, dense"].y1 and at["sgd, sparse"].x0 > at["adam, sparse"].x1
    assert at["adam, sparse"].x0 == at["adam, dense"].x0


@pytest.mark.parametrize("value", ["test_accuracy", "egf_2", "grad_norm_1"])
def test_lines_are_the_means_over_seeds_in_their_range(make_results, value):
    results = make_results()
    axes = _panels(against_size(results, value))["sgd, dense"]
    runs = results.query("optimizer == 'sgd' and arm == 'dense' and variant == 'BN'").groupby("dense_width")[value]
    line = _lines(axes)["BN"]
    assert line.get_xdata().tolist() == [7, 20, 34, 48, 61]
    assert line.get_ydata() == pytest.approx(runs.mean().to_numpy())
    band = axes.collections[list(_lines(axes)).index("BN")].get_paths()[0].vertices
    ends = pd.DataFrame(band, columns=["x", "y"]).groupby("x")["y"]
    assert ends.min().to_numpy() == pytest.approx(runs.min().to_numpy())
    assert ends.max().to_numpy() == pytest.approx(runs.max().to_numpy())


def test_all_panels_share_one_scale(make_results):
    panels = _panels(against_size(make_results()))
    assert len({axes.get_ylim() for axes in panels.values()}) == 1


def test_flow_over_decades_is_logarithmic_and_accuracy_never_is(make_results):
    results = make_results()
    assert results["egf_2"].max() > 10 * results["egf_2"].min()
    assert {axes.get_yscale() for axes in against_size(results, "egf_2").axes} == {"log"}
    results.loc[results["optimizer"] == "sgd", "test_accuracy"] = 0.01
    assert {axes.get_yscale() for axes in against_size(results).axes} == {"linear"}


def test_lines_are_activations_where_these_were_varied(make_results):
    frames = [
        make_results((optimizer,), (variant,), (7, 20), (0,), activation=activation)
        for optimizer, variant in (("sgd", "DA_BN"), ("adam", "BN"))
        for activation in ("relu", "prelu", "swish")
    ]
    figure = against_size(pd.concat(frames))
    assert list(_panels(figure)) == ["adam, BN, sparse", "sgd, DA_BN, sparse", "adam, BN, dense", "sgd, DA_BN, dense"]
    for axes in figure.axes:
        assert set(_lines(axes)) == {"relu", "swish", "prelu"}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["relu", "swish", "prelu"]


def test_diverged_runs_are_marked_and_left_out(make_results):
    results = make_results(("sgd",), ("NR", "BN"), (7, 20), (0, 1))
    lost = results["run_id"] == "sgd-NR-20-1-sparse"
    results.loc[lost, ["test_accuracy", "diverged"]] = [0.0, True]
    panels = _panels(against_size(results))
    lines = _lines(panels["sgd, sparse"])
    assert lines["NR: diverged"].get_xdata() == pytest.approx([20], abs=0.5)
    kept = results[~lost & (results["variant"] == "NR") & (results["arm"] == "sparse")]
    assert lines["NR"].get_ydata() == pytest.approx(kept.groupby("dense_width")["test_accuracy"].mean().to_numpy())
    assert set(_lines(panels["sgd, dense"])) == {"NR", "BN"}


@pytest.mark.parametrize("lines", ["variant", "arm"])
def test_nothing_to_draw_is_refused(make_results, lines):
    results = make_results(("sgd",), ("NR",), (7,))
    with pytest.raises(NotApplicableError, match=r"finite '\w+' of a run that did not diverge; received 2 rows"):
        against_size(results.assign(diverged=True), lines=lines)
    with pytest.raises(NotApplicableError, match="finite 'egf_1'"):
        against_size(results.assign(egf_1=np.nan), "egf_1", lines)
    with pytest.raises(ValueError, match="missing: egf_3"):
        against_size(results, "egf_3", lines)
    with pytest.raises(ValueError, match="received 2 tables"):
        against_size(pd.concat([results, results.assign(hidden_layers=1)]), lines=lines)
