import pandas as pd
import pytest

from keras_sparseflow.flow.flow_plot import plot_flow


def rows(**changed):
    columns = {"epoch": [0, 1, 0, 1], "reading": "end", "measure": "egf_2", "layer": ["total", "total", "a", "a"]}
    return pd.DataFrame({**columns, "value": [2.0, 1.0, 4.0, 3.0], **changed})


def lines_of(axes):
    return {line.get_label(): line.get_ydata().tolist() for line in axes.lines}


def test_a_line_per_layer_and_one_for_the_network():
    (axes,) = plot_flow(rows()).axes
    assert lines_of(axes) == {"total": [2.0, 1.0], "a": [4.0, 3.0]}
    assert axes.get_yscale() == "log"


def test_layers_can_be_left_out():
    assert lines_of(plot_flow(rows(), layers=False).axes[0]) == {"total": [2.0, 1.0]}


def test_a_panel_for_each_reading():
    figure = plot_flow(rows(reading=["end", "end", "steps", "steps"]))
    assert [axes.get_title() for axes in figure.axes] == ["egf_2, end", "egf_2, steps"]


def test_values_of_zero_are_drawn_on_a_linear_scale():
    assert plot_flow(rows(value=[0.0, 1.0, 4.0, 3.0])).axes[0].get_yscale() == "linear"


@pytest.mark.parametrize(("frame", "measure"), [(rows(), "egf_1"), (rows().head(0), None)])
def test_a_measure_that_is_not_there_is_refused(frame, measure):
    with pytest.raises(ValueError, match="`measure` must be one of"):
        plot_flow(frame, measure)
