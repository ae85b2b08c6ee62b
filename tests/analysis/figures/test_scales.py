import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_sparseflow.analysis.figures.drawing.scales import (
    Scale,
    decades,
    densities,
    epochs,
    layers,
    of_values,
    spans_decades,
    widths,
)
from keras_sparseflow.analysis.frames.labels import flow_name, value_label


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


def test_a_logarithmic_scale_has_plain_numbers_three_if_there_are_three():
    assert decades(0.02, 70).labels == ("0.1", "1", "10")
    assert decades(0.05, 0.9).labels == ("0.05", "0.1", "0.2", "0.5")
    assert len(decades(1e-9, 1e9).ticks) <= 6


def test_a_logarithmic_scale_ends_near_its_lines_however_far_a_band_reaches():
    scale = of_values([0.1, 2.0], around=[1e-12, 1e9])
    assert scale.kind == "log" and 0.1 / 4 < scale.ends[0] < 0.1 and 2 < scale.ends[1] < 2 * 4
    near = of_values([0.1, 2.0], around=[0.09, 2.1])
    assert near.ends[0] > 0.08 and near.ends[1] < 2.4


def test_an_accuracy_is_linear_and_a_share_begins_just_below_zero():
    assert of_values([0.01, 0.9], log=False).kind == "linear"
    low, high = of_values([0.0, 0.6], share=True).ends
    assert -0.05 < low < 0 and high > 0.6


def test_decades_with_signs_are_linear_about_zero_and_have_plain_numbers():
    scale = of_values([-20000.0, 30.0, 40.0, 50.0, 90000.0])
    assert (scale.kind, scale.linear) == ("symlog", 10)
    assert {"0", "10", "\N{MINUS SIGN}10"} <= set(scale.labels) and len(scale.labels) <= 8


def test_a_scale_is_that_of_its_axis():
    axes = Figure().add_subplot()
    scale = of_values([1.0, 2.0, 500.0])
    scale.apply(axes, "y", labelled=True)
    assert (axes.get_yscale(), axes.get_ylim(), tuple(axes.get_yticks())) == ("log", scale.ends, scale.ticks)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(scale.labels)
    scale.apply(axes, "y", labelled=False)
    assert not len(axes.get_yticks())


@pytest.mark.parametrize("values", [[], [float("nan")], [2.0], [0.0, 0.0], [-1.0, 5.0], [1e-30, 1e30]])
def test_every_value_has_a_place(values):
    low, high = of_values(values).ends
    assert low < high and all(low <= value <= high for value in values if np.isfinite(value))


@pytest.mark.parametrize(
    ("scale", "labels"),
    [
        (widths([61, 7, 20]), ("7", "20", "61")),
        (widths([8, 9, 10, 60, 61, 100]), ("8", "60", "100")),
        (widths([5]), ("5",)),
        (densities([0.01, 0.1, 1.0]), ("1%", "10%", "100%")),
        (densities([0.01, 0.9, 0.95, 1.0]), ("1%", "100%")),
        (densities([0.2]), ("20%",)),
        (epochs([4]), ("4",)),
        (layers(["only"]), ("only",)),
    ],
)
def test_places_are_labelled_where_there_is_room(scale: Scale, labels):
    assert scale.labels == labels
    assert scale.ends[0] < min(scale.ticks) and scale.ends[1] > max(scale.ticks)


def test_many_layers_are_labelled_in_part_the_first_and_the_last_always():
    labels = layers([f"layer_{number}" for number in range(29)]).labels
    assert (len(labels), labels[0], labels[-1]) == (10, "layer_0", "layer_28")


def test_quantities_have_names_and_units():
    assert [value_label(v) for v in ("best_test_accuracy", "train_loss", "grad_norm_1", "seconds")] == [
        "Best test accuracy (fraction)", "Train loss (nats)", "Average gradient 1-norm", "Seconds",
    ]  # fmt: skip
    assert value_label("selected_test_accuracy") == "Test accuracy at the best validation epoch (fraction)"
    assert (flow_name("egf_1"), flow_name("my_measure")) == ("EGF (1-norm)", "my measure")
