import pytest
from matplotlib.figure import Figure

from keras_sparseflow.analysis import figure_bytes
from keras_sparseflow.analysis.figures.gallery import draw_correlations


@pytest.fixture
def drawing(make_results):
    """A figure as a report holds it."""
    (only,) = draw_correlations(make_results(("adam",), ("NR",), (7, 20)), "test_accuracy", "egf_2")["digits"]
    return only


@pytest.mark.parametrize("format", ["svg", "png"])
def test_a_figure_is_drawn_once_each_time_it_is_written(drawing, format, monkeypatch):
    draw, drawn = Figure.draw, []
    monkeypatch.setattr(Figure, "draw", lambda self, renderer: (drawn.append(self), draw(self, renderer)))
    figure_bytes(drawing.figure, format)
    assert drawn == [drawing.figure]


def test_a_figure_is_laid_out_before_it_is_written(drawing):
    places = [axes.get_position().bounds for axes in drawing.figure.axes]
    assert places[0] != pytest.approx(Figure().add_subplot(1, 2, 1).get_position().bounds, abs=0.02)
    figure_bytes(drawing.figure)
    assert [axes.get_position().bounds for axes in drawing.figure.axes] == places


def test_names_and_titles_say_measure_and_result(drawing):
    assert (drawing.name, drawing.title) == ("egf_2_against_test_accuracy", "EGF (2-norm) against test accuracy")
