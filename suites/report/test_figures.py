import io
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from keras_sparseflow.analysis import (
    against_flow,
    against_size,
    by_layer,
    by_variant,
    figure_bytes,
    over_epochs,
    p_value_heatmap,
)
from keras_sparseflow.analysis.frames.pairs import mean_by_width
from keras_sparseflow.analysis.report.tables.pair_tables import tabulate
from keras_sparseflow.analysis.statistics.intervals import bootstrap_mean
from tests.analysis.texts import overlaps, shown_texts


def _panels(figure):
    return {axes.get_title(): axes for axes in figure.axes if axes.axison}


def _lines(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def _band(axes, arm):
    """Returns the least and the largest y at each x of an arm's band."""
    band = axes.collections[list(_lines(axes)).index(arm)]
    points = pd.DataFrame(band.get_paths()[0].vertices, columns=["x", "y"]).groupby("x")["y"]
    return points.min(), points.max()


def _of_arms(results, value="test_accuracy"):
    return against_size(results, value, "arm")


def _flow_of_arms(results):
    return _of_arms(results, "egf_2")


def _mean_of(results, optimizer, variant, arm, column):
    same = (results["optimizer"] == optimizer) & (results["variant"] == variant) & (results["arm"] == arm)
    return _with_intervals(results[same].groupby("dense_width")[column])


def _with_intervals(groups):
    ends = {key: bootstrap_mean(values) for key, values in groups}
    return pd.DataFrame(
        {"mean": groups.mean(), "low": {k: e[0] for k, e in ends.items()}, "high": {k: e[1] for k, e in ends.items()}}
    )


def _of_cells(results, flow):
    return [
        _of_arms(results),
        _flow_of_arms(results),
        over_epochs(flow, results),
        by_layer(flow, results),
    ]


def _of_variants(results, flow):
    return [
        against_size(results),
        against_size(results, "egf_2"),
        by_variant(results),
        by_variant(results, "egf_2"),
        against_flow(results, ["egf_2"]),
    ]


def _all_figures(results, flow):
    """Returns every figure of runs; that of p-values needs pairs."""
    return [*_of_cells(results, flow), *_of_variants(results, flow), over_epochs(flow, results, lines="layer")]


@pytest.mark.parametrize(("draw", "column"), [(_of_arms, "test_accuracy"), (_flow_of_arms, "egf_2")])
def test_curves_against_width_are_the_means_in_their_range(make_results, draw, column):
    results = make_results()
    panels = _panels(draw(results))
    assert list(panels) == ["adam, NR", "adam, BN", "sgd, NR", "sgd, BN"]
    for title, axes in panels.items():
        assert axes.get_xticks().tolist() == ([7, 20, 34, 48, 61] if title.startswith("sgd") else [])
        for arm in ("sparse", "dense"):
            expected = _mean_of(results, *title.split(", "), arm, column)
            line = _lines(axes)[arm]
            assert line.get_xdata().tolist() == expected.index.tolist()
            assert line.get_ydata() == pytest.approx(expected["mean"].to_numpy())
            low, high = _band(axes, arm)
            assert low.to_numpy() == pytest.approx(expected["low"].to_numpy())
            assert high.to_numpy() == pytest.approx(expected["high"].to_numpy())


def test_curves_over_epochs_are_the_means_over_runs(make_results, make_flow):
    results = make_results()
    flow = make_flow(results, epochs=(0, 9, 29))
    axes = _panels(over_epochs(flow, results))["sgd, BN"]
    runs = results[(results["optimizer"] == "sgd") & (results["variant"] == "BN") & (results["arm"] == "dense")]
    rows = flow[flow["run_id"].isin(runs["run_id"]) & (flow["layer"] == "total")]
    assert len(rows) == 15 * 3
    expected = _with_intervals(rows.groupby("epoch")["value"])
    line = _lines(axes)["dense"]
    assert line.get_xdata().tolist() == [0, 9, 29]
    assert line.get_ydata() == pytest.approx(expected["mean"].to_numpy())
    low, high = _band(axes, "dense")
    assert low.to_numpy() == pytest.approx(expected["low"].to_numpy())
    assert high.to_numpy() == pytest.approx(expected["high"].to_numpy())


def test_layers_stand_from_input_to_output(make_results, make_flow):
    results = make_results()
    flow = make_flow(results)
    axes = _panels(by_layer(flow, results))["sgd, BN"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["hidden_1", "hidden_2", "output"]
    runs = results[(results["optimizer"] == "sgd") & (results["variant"] == "BN") & (results["arm"] == "sparse")]
    expected = flow[flow["run_id"].isin(runs["run_id"])].groupby("layer")["value"].mean()
    drawn = _lines(axes)["sparse"].get_ydata()
    assert drawn == pytest.approx(expected[["hidden_1", "hidden_2", "output"]].to_numpy())


def test_arms_differ_in_colour_line_and_marker(make_results):
    lines = _lines(_panels(_of_arms(make_results()))["sgd, NR"])
    for get in ("get_color", "get_linestyle", "get_marker"):
        assert getattr(lines["sparse"], get)() != getattr(lines["dense"], get)()


def test_panels_of_an_optimizer_share_their_scale_and_no_others(make_results):
    limits = {title: axes.get_ylim() for title, axes in _panels(_of_arms(make_results())).items()}
    assert limits["adam, NR"] == limits["adam, BN"] != limits["sgd, NR"] == limits["sgd, BN"]


def test_figures_have_labels_with_units_and_one_legend(make_results, make_flow):
    results = make_results()
    figures = _of_cells(results, make_flow(results))
    labels = [(figure.get_supxlabel(), figure.get_supylabel()) for figure in figures]
    assert labels == [
        ("Dense width (units)", "Test accuracy (fraction)"),
        ("Dense width (units)", "Average EGF (2-norm), end of epoch"),
        ("Epoch (the first is 0)", "EGF (2-norm), end of epoch"),
        ("Layer, from input to output", "EGF (2-norm), end of epoch"),
    ]
    for figure in figures:
        assert [[text.get_text() for text in legend.get_texts()] for legend in figure.legends] == [["sparse", "dense"]]


def test_flow_over_more_than_a_decade_is_logarithmic(make_results):
    results = make_results(("adam",), ("NR",))
    assert {axes.get_yscale() for axes in _flow_of_arms(results).axes} == {"linear"}
    results.loc[results["dense_width"] == 7, "egf_2"] *= 100
    assert {axes.get_yscale() for axes in _flow_of_arms(results).axes} == {"log"}
    results.loc[results["dense_width"] == 61, "egf_2"] = 0.0
    assert {axes.get_yscale() for axes in _flow_of_arms(results).axes} == {"linear"}


def test_diverged_runs_are_marked_and_no_part_of_the_curves(make_results, make_flow):
    results = make_results(("sgd",), ("NR",), (7, 20), (0, 1))
    flow = make_flow(results, epochs=(0, 1))
    lost = results["run_id"] == "sgd-NR-20-1-sparse"
    results.loc[lost, ["test_accuracy", "egf_2"]] = [0.1, np.nan]
    results.loc[lost, "diverged"] = True
    kept = results[~lost]
    axes = _panels(_of_arms(results))["sgd, NR"]
    lines = _lines(axes)
    assert lines["sparse"].get_ydata() == pytest.approx(_mean_of(kept, "sgd", "NR", "sparse", "test_accuracy")["mean"])
    assert lines["sparse: diverged"].get_xdata() == pytest.approx([20], abs=0.5)
    assert "dense: diverged" not in lines
    drawn, expected = (_lines(over_epochs(flow, r).axes[0])["sparse"].get_ydata() for r in (results, kept))
    assert drawn.tolist() == expected.tolist()


def test_an_arm_that_only_diverged_leaves_its_marks(make_results):
    results = make_results(("sgd",), ("NR",))
    results["diverged"] = results["arm"] == "dense"
    assert set(_lines(_of_arms(results).axes[0])) == {"sparse", "dense: diverged"}


def test_one_arm_one_width_and_one_epoch_can_be_drawn(make_results, make_flow):
    results = make_results(("sgd",), ("NR",), (7,), (0,), arms=("sparse",))
    for figure in _of_cells(results, make_flow(results, epochs=(0,))):
        assert set(_lines(_panels(figure)["sgd, NR"])) == {"sparse"}
        assert figure_bytes(figure)
    epochs = over_epochs(make_flow(results, epochs=(4,)), results).axes[0]
    assert [tick for tick in epochs.get_xticks() if 3.5 <= tick <= 4.5] == [4.0]


def test_a_cell_that_was_not_run_leaves_a_gap(make_results):
    results = make_results()
    results = results[~((results["optimizer"] == "sgd") & (results["variant"] == "NR"))]
    figure = _of_arms(results)
    assert list(_panels(figure)) == ["adam, NR", "adam, BN", "sgd, BN"]
    FigureCanvasAgg(figure).draw()
    labelled = {
        title: (
            any(label.get_visible() and label.get_text() for label in axes.get_xticklabels()),
            any(label.get_visible() and label.get_text() for label in axes.get_yticklabels()),
        )
        for title, axes in _panels(figure).items()
    }
    assert labelled == {"adam, NR": (True, True), "adam, BN": (False, False), "sgd, BN": (True, True)}


def _lose(results, *parts):
    """Returns the results with the runs diverged whose ids have all these parts."""
    lost = results["run_id"].map(lambda name: all(part in name.split("-") for part in parts))
    return results.assign(diverged=lost).assign(egf_2=results["egf_2"].mask(lost))


def _ten_variants(make_results):
    variants = ("NR", "DA", "L2", "SC", "BN", "DA_BN", "L2_BN", "SC_BN", "DA_SC_BN", "DA_L2_SC_BN")
    return _lose(make_results(("adam",), variants, (308, 923, 1538, 2153, 2768), (0, 1)), "L2", "2768", "sparse")


def _optimizers_with_gaps(make_results):
    results = make_results(("adam", "sgd", "momentum"), ("NR", "BN"), (8, 9, 10, 11, 60, 61, 100), (0,))
    results = results[~((results["optimizer"] == "sgd") & (results["variant"] == "NR"))]
    return _lose(results[~((results["optimizer"] == "momentum") & (results["arm"] == "dense"))], "adam", "NR")


def _activations(make_results):
    frames = [
        make_results((optimizer,), ("DA_L2_SC_BN",), (7, 20), (0, 1), activation=activation)
        for optimizer in ("momentum", "rmsprop")
        for activation in ("relu", "prelu", "sigmoid")
    ]
    results = pd.concat(frames, ignore_index=True)
    return results.assign(run_id=results["run_id"] + results["activation"])


def _one_run(make_results):
    return make_results(("sgd",), ("NR",), (7,), (0,), arms=("sparse",))


@pytest.mark.parametrize(
    ("shape", "draw"),
    [
        (_ten_variants, _of_variants),
        (_optimizers_with_gaps, _all_figures),
        (_activations, _all_figures),
        (_one_run, _all_figures),
    ],
)
def test_no_text_overlaps_and_none_leaves_the_picture(make_results, make_flow, shape, draw):
    results = shape(make_results)
    figures = draw(results, make_flow(results, epochs=(0, 5, 499)))
    if shape is not _one_run:
        figures.append(p_value_heatmap(tabulate(results).assign(published_p=0.042, published_assumed=True)))
    for figure in figures:
        texts = shown_texts(figure)
        assert len(texts) >= 8
        assert overlaps(figure, texts) == []


def test_text_that_overlaps_would_be_found():
    figure = Figure()
    axes = figure.add_subplot()
    axes.set_axis_off()
    for x, text in ((0.1, "one"), (0.5, "two"), (0.52, "three"), (0.98, "a long one")):
        figure.text(x, 0.5, text)
    assert overlaps(figure, shown_texts(figure)) == [("two", "three"), "a long one"]


def test_several_tables_are_refused(make_results):
    results = pd.concat([make_results(learning_rate=0.1), make_results(learning_rate=0.001)])
    with pytest.raises(ValueError, match=r"received 2 tables: .*0\.001.*; .*0\.1.*Select one"):
        _of_arms(results)
    with pytest.raises(ValueError, match="received 0 tables"):
        _flow_of_arms(results.iloc[:0])


def test_missing_flow_is_refused_with_what_there_is(make_results, make_flow):
    results = make_results(widths=(7,))
    flow = make_flow(results)
    with pytest.raises(ValueError, match="must hold 'egf_1' of these runs; received the measures egf_2"):
        over_epochs(flow, results, "egf_1")
    with pytest.raises(ValueError, match="received the measures none"):
        over_epochs(flow.iloc[:0], results)
    with pytest.raises(ValueError, match="single layers for 'egf_2'"):
        by_layer(flow[flow["layer"] == "total"], results)
    with pytest.raises(ValueError, match="`flow` must have the columns .* missing: layer"):
        by_layer(flow.drop(columns="layer"), results)


def test_the_same_data_give_the_same_bytes(make_results, make_flow):
    results = make_results(("adam",), ("NR",), widths=(7, 20))
    flow = make_flow(results, epochs=(0, 9))
    for one, other in zip(_all_figures(results, flow), _all_figures(results, flow), strict=True):
        assert figure_bytes(one) == figure_bytes(other)
    assert figure_bytes(one, "png") == figure_bytes(other, "png")


def test_the_users_own_settings_change_nothing(make_results):
    results = make_results(widths=(7, 20))
    expected = figure_bytes(_of_arms(results))
    with matplotlib.rc_context({"font.size": 25, "axes.facecolor": "red", "svg.fonttype": "none"}):
        assert figure_bytes(_of_arms(results)) == expected


def test_png_is_an_image_on_white(make_results):
    image = imread(io.BytesIO(figure_bytes(_of_arms(make_results()), "png", dpi=50)), format="png")
    assert image[0, 0].tolist() == [1.0, 1.0, 1.0, 1.0]
    assert image.min() < 0.5
    with pytest.raises(ValueError, match="'svg' or 'png'; received 'pdf'"):
        figure_bytes(_of_arms(make_results(widths=(7,))), "pdf")


def test_drawing_leaves_pyplot_alone():
    code = "import sys, keras_sparseflow.analysis.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_means_in_the_figure_are_those_of_the_table(make_results):
    results = make_results()
    table = mean_by_width(results).query("optimizer == 'adam' and variant == 'BN' and arm == 'sparse'")
    drawn = _lines(_panels(_of_arms(results))["adam, BN"])["sparse"].get_ydata()
    assert drawn.tolist() == table["mean"].tolist()
