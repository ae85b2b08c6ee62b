import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb

from keras_sparseflow.analysis import (
    NotApplicableError,
    against_flow,
    against_size,
    by_layer,
    over_epochs,
)
from keras_sparseflow.analysis.figures.drawing.colours import INK, ON_DARK, SEQUENCE, sequence_styles
from keras_sparseflow.analysis.frames.formats import format_percent
from keras_sparseflow.analysis.statistics.intervals import bootstrap_mean
from tests.analysis.densities import make_densities, make_density_flow


def _lines(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def _panels(figure):
    return {axes.get_title().replace("\n", " "): axes for axes in figure.axes if axes.get_title()}


@pytest.fixture(scope="module")
def small():
    """Two variants, both methods, three densities, two seeds, all with one optimizer."""
    return make_densities(("sgd",), ("NR", "SC_BN"), (0.05, 0.2, 1.0), (0, 1))


def _methods(results, value="test_accuracy"):
    return against_size(results, value, "method")


def _chosen(results, **columns):
    return results[(results[list(columns)] == list(columns.values())).all(axis=1)]


def test_a_line_is_the_mean_of_a_variant_at_each_density(small):
    panels = _panels(against_size(small))
    assert list(panels) == ["sgd, random masks", "sgd, magnitude pruning"]
    line = _lines(panels["sgd, magnitude pruning"])["SC_BN"]
    runs = _chosen(small, method="magnitude", variant="SC_BN")
    assert line.get_xdata().tolist() == [0.05, 0.2, 1.0]
    assert line.get_ydata() == pytest.approx(runs.groupby("density")["test_accuracy"].mean().to_numpy())


def test_the_band_is_the_bootstrap_interval_and_each_run_is_a_dot(small):
    axes = _panels(against_size(small))["sgd, random masks"]
    runs = _chosen(small, method="random", variant="NR")
    low, high = bootstrap_mean(runs.loc[runs["density"] == 0.05, "test_accuracy"])
    corners = axes.collections[0].get_paths()[0].vertices
    assert corners[corners[:, 0] == 0.05][:, 1].min() == pytest.approx(low)
    assert corners[corners[:, 0] == 0.05][:, 1].max() == pytest.approx(high)
    dots = next(line for line in axes.get_lines() if line.get_label() == "_NR")
    assert dots.get_ydata().tolist() == runs["test_accuracy"].tolist()


def test_a_dotted_line_continues_the_dense_level(small):
    axes = _panels(against_size(small))["sgd, random masks"]
    levels = {line.get_ydata()[0] for line in axes.get_lines() if line.get_linestyle() == ":"}
    dense = _chosen(small, method="random", density=1.0).groupby("variant")["test_accuracy"].mean()
    assert sorted(levels) == pytest.approx(sorted(dense))
    sparse = against_size(small[small["density"] < 1])
    assert not [line for axes in sparse.axes for line in axes.get_lines() if line.get_linestyle() == ":"]


def test_a_diverged_run_is_a_cross_and_no_part_of_the_mean(small):
    results = small.copy()
    row = _chosen(results, method="random", variant="NR", density=0.05, seed=1).index
    results.loc[row, ["diverged", "test_accuracy"]] = [True, 0.0]
    lines = _lines(_panels(against_size(results))["sgd, random masks"])
    (left,) = _chosen(results, method="random", variant="NR", density=0.05, seed=0)["test_accuracy"]
    assert lines["NR"].get_ydata()[0] == left
    assert lines["NR: diverged"].get_xdata()[0] == pytest.approx(0.05, rel=0.1)
    assert "SC_BN: diverged" not in lines


def test_methods_stand_in_one_panel_for_each_variant(small):
    panels = _panels(_methods(small))
    assert list(panels) == ["sgd, NR", "sgd, SC_BN"]
    lines = _lines(panels["sgd, SC_BN"])
    assert list(lines) == ["random masks", "magnitude pruning"]
    means = _chosen(small, method="magnitude", variant="SC_BN").groupby("density")["test_accuracy"].mean()
    assert lines["magnitude pruning"].get_ydata() == pytest.approx(means.to_numpy())


def test_many_methods_of_one_variant_share_a_panel_that_keeps_its_height_under_their_names():
    names = tuple(f"a_way_to_become_sparse_{number}" for number in range(9))
    runs = make_densities(("sgd",), ("NR",), (0.05, 0.2), (0, 1), names)
    figure = _methods(runs)
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    assert len(_lines(axes)) == 9
    height = axes.get_window_extent().height / figure.dpi
    assert height > 2.4 and figure.legends[0].get_window_extent().y0 >= axes.get_window_extent().y1
    with pytest.raises(NotApplicableError, match="several variants of so many methods"):
        against_size(runs)
    against_size(make_densities(("sgd",), ("NR", "BN"), (0.05,), (0, 1), names[:5]))


def test_one_method_alone_is_not_compared(small):
    with pytest.raises(NotApplicableError, match="received 'random' alone"):
        _methods(small[small["method"] == "random"])


@pytest.mark.parametrize(
    ("value", "factor", "scale"), [("egf_2", 1, "log"), ("egf_2", 0, "linear"), ("test_accuracy", 1, "linear")]
)
def test_flow_is_logarithmic_where_it_spans_decades(small, value, factor, scale):
    results = small.assign(egf_2=np.where(factor, small["egf_2"] ** 3, 1 + small["egf_2"] / 100))
    assert {axes.get_yscale() for axes in against_size(results, value).axes} == {scale}


def test_flow_over_epochs_has_a_line_for_each_density_and_marks_pruning(small):
    flow = make_density_flow(small, layers=3, epochs=(0, 99, 119, 199))
    panels = _panels(over_epochs(flow, small, lines="density"))
    assert list(panels) == [
        "sgd, NR, random masks",
        "sgd, SC_BN, random masks",
        "sgd, NR, magnitude pruning",
        "sgd, SC_BN, magnitude pruning",
    ]
    lines = _lines(panels["sgd, NR, magnitude pruning"])
    assert list(lines) == ["5%", "20%", "100%", "pruning begins"]
    assert lines["pruning begins"].get_xdata()[0] == 99.5
    runs = _chosen(small, method="magnitude", variant="NR", density=0.2)["run_id"]
    rows = flow[flow["run_id"].isin(runs) & (flow["measure"] == "egf_2") & (flow["layer"] == "total")]
    assert lines["20%"].get_ydata() == pytest.approx(rows.groupby("epoch")["value"].mean().to_numpy())
    assert "pruning begins" not in _lines(panels["sgd, NR, random masks"])


def test_flow_by_layer_goes_from_input_to_output(small):
    flow = make_density_flow(small, layers=4)
    axes = _panels(by_layer(flow, small, lines="density"))[
        "sgd, SC_BN, magnitude pruning"
    ]  # at the foot, so with labels
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["conv_1", "conv_2", "conv_3", "classifier"]
    runs = _chosen(small, method="magnitude", variant="SC_BN", density=0.05)["run_id"]
    rows = flow[flow["run_id"].isin(runs) & (flow["measure"] == "egf_2") & (flow["layer"] != "total")]
    means = rows.groupby("layer", sort=False)["value"].mean().to_numpy()
    assert _lines(axes)["5%"].get_ydata() == pytest.approx(means)


def test_points_have_the_colour_of_their_density_and_the_marker_of_their_variant(small):
    axes = _panels(against_flow(small, ["egf_2"]))["sgd, magnitude pruning"]
    runs = _chosen(small, method="magnitude", variant="SC_BN", density=1.0)
    (points,) = [line for line in axes.get_lines() if sorted(line.get_xdata()) == sorted(runs["egf_2"])]
    assert (to_hex(points.get_color()), points.get_marker()) == (list(SEQUENCE)[-1], "D")
    assert sorted(points.get_ydata()) == sorted(runs["test_accuracy"])
    assert "within 2 configurations" in axes.texts[0].get_text()


@pytest.mark.parametrize("draw", [against_size, against_flow])
def test_nothing_to_draw_is_said(small, draw):
    with pytest.raises(NotApplicableError, match="`results` must hold a"):
        draw(small.assign(diverged=True))


@pytest.mark.parametrize("draw", [over_epochs, by_layer])
def test_flow_that_was_not_recorded_is_not_drawn(small, draw):
    flow = make_density_flow(small.head(2), layers=2, epochs=(0,))
    with pytest.raises(NotApplicableError, match="'egf_1' of these runs; received the measures egf_2, grad_norm_2"):
        draw(flow, small, "egf_1")
    with pytest.raises(NotApplicableError, match="rows of single layers"):
        by_layer(flow[flow["layer"] == "total"], small)


def test_several_tables_and_unknown_values_are_refused(small):
    both = small.assign(dataset=["cifar10"] * 6 + ["cifar100"] * (len(small) - 6))
    with pytest.raises(ValueError, match="received 2 tables: cifar10.*; cifar100"):
        against_size(both)
    with pytest.raises(ValueError, match="`value` must be 'test_loss' or 'test_accuracy'; received 'seconds'"):
        against_flow(small, value="seconds")


def test_percent_has_no_idle_digits():
    assert [format_percent(x) for x in (0.07, 0.001, 0.125, 1)] == ["7%", "0.1%", "12.5%", "100%"]


def _lightness(colour):
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_a_denser_network_stands_out_more_on_white_and_on_dark():
    light, dark = ([_lightness(colour) for colour in shades] for shades in (SEQUENCE, SEQUENCE.values()))
    assert light == sorted(light, reverse=True) and dark == sorted(dark)
    assert min(1.05 / (value + 0.05) for value in light) > 2.5
    assert min((value + 0.05) / (_lightness("#15181b") + 0.05) for value in dark) > 3
    assert not set(SEQUENCE) & set(ON_DARK) and INK not in SEQUENCE


def test_shades_go_from_the_first_to_the_last_and_markers_tell_more_apart():
    styles = sequence_styles(12)
    assert (styles[0]["color"], styles[-1]["color"]) == (next(iter(SEQUENCE)), list(SEQUENCE)[-1])
    assert len({(style["color"], style["marker"]) for style in styles}) == 12
    assert [style["color"] for style in sequence_styles(1)] == [list(SEQUENCE)[-1]]
