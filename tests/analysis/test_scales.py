import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_sparseflow.analysis.frames.labels import flow_name, value_label
from keras_sparseflow.analysis.scales import label_widths, scale_decades, scale_decades_with_signs, spans_decades


@pytest.mark.parametrize(
    ("values", "spans"),
    [
        ([1, 10], False),
        ([1, 10.1], True),
        ([0, 100], False),
        ([-1, 100], False),
        ([], False),
        ([float("inf"), 1], False),
    ],
)
def test_values_span_decades_where_the_largest_is_more_than_ten_times_the_smallest(values, spans):
    assert spans_decades(values) is spans


def test_a_logarithmic_axis_has_plain_numbers():
    axes = Figure().add_subplot()
    axes.plot([0.02, 70], [1, 2])
    scale_decades(axes, "x")
    FigureCanvasAgg(axes.figure).draw()
    shown = [text.get_text() for text in axes.get_xticklabels()]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert {"0.1", "1", "10"} <= set(shown)


def test_decades_with_signs_are_linear_about_zero_and_have_plain_numbers():
    axes, values = Figure().add_subplot(), [-20000.0, 30.0, 40.0, 50.0, 90000.0]
    axes.plot(range(5), values)
    scale_decades_with_signs(axes, values)
    FigureCanvasAgg(axes.figure).draw()
    shown = [text.get_text() for text in axes.get_yticklabels()]
    assert {"-1000", "-10", "0", "10", "10000"} <= set(shown) and axes.yaxis.get_transform().linthresh == 10


@pytest.mark.parametrize(
    ("widths", "labelled"), [([61, 7, 20], [7, 20, 61]), ([8, 9, 10, 60, 61, 100], [8, 60, 100]), ([5], [5])]
)
def test_widths_are_labelled_where_there_is_room(widths, labelled):
    axes = Figure().add_subplot()
    label_widths(axes, widths)
    assert axes.get_xticks().tolist() == labelled
    low, high = axes.get_xlim()
    assert low < min(widths) and high > max(widths)


def test_quantities_have_names_and_units():
    assert [value_label(v) for v in ("best_test_accuracy", "train_loss", "grad_norm_1", "seconds")] == [
        "Best test accuracy (fraction)", "Train loss (nats)", "Average gradient 1-norm", "Seconds",
    ]  # fmt: skip
    assert (flow_name("egf_1"), flow_name("my_measure")) == ("EGF (1-norm)", "my measure")
