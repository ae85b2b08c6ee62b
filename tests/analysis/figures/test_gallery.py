import pandas as pd
import pytest
from matplotlib.figure import Figure

from keras_sparseflow.analysis import figure_bytes
from keras_sparseflow.analysis.figures.gallery import IDEAS, figure, ideas
from keras_sparseflow.analysis.report.figures_of_frames import draw_figures
from keras_sparseflow.analysis.report.tables.pair_tables import tabulate


@pytest.fixture
def drawing(make_results):
    """A figure as a report holds it."""
    (only,) = draw_figures(["correlations"], make_results(("adam",), ("NR",), (7, 20)))
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


def test_every_public_figure_has_all_that_a_report_needs():
    assert {idea.section for idea in ideas()} == {
        "answer", "correlations", "diagnostics", "flow", "performance", "tests",
    }  # fmt: skip
    for idea in ideas():
        assert idea.name and idea.title and idea.caption and idea.over in ("table", "dataset", "study")


def test_a_section_has_the_figures_for_which_there_are_numbers(make_results, make_flow):
    results = make_results(("adam",), widths=(7, 20))
    drawn = draw_figures(["flow", "performance"], results, flow=make_flow(results, (0, 5)))
    assert [drawing.name for drawing in drawn] == [
        "egf_2_of_variants", "egf_2_of_arms", "egf_2_over_epochs", "egf_2_of_layers_over_epochs", "egf_2_by_layer",
        "egf_2_by_variant", "test_accuracy_of_variants", "test_accuracy_of_arms", "test_accuracy_by_variant",
    ]  # fmt: skip
    assert draw_figures(["flow"], results.drop(columns="egf_2"), flow=make_flow(results, (0,)).head(0)) == []


def test_each_table_has_its_own_and_a_frame_that_is_given_is_that_of_the_table(make_results):
    results = pd.concat([make_results(("adam",), widths=(7, 20), learning_rate=rate) for rate in (0.1, 0.01)])
    results = results.assign(run_id=[str(number) for number in range(len(results))]).reset_index(drop=True)
    comparison = tabulate(results)
    drawn = draw_figures(["tests"], results, comparison=comparison)
    assert [drawing.table for drawing in drawn] == list(comparison["table"].unique())
    assert drawn[0].name == "digits_2_hidden_layers_learning_rate_0.01_relu_p_values"


def test_a_figure_of_another_package_joins_its_section(make_results):
    @figure("performance", "{value}_counted", "{Quantity} counted", lambda results: f"Of {len(results)} runs.")
    def counted(results, value):
        made = Figure()
        made.add_subplot().hist(results[value])
        return made

    try:
        results = make_results(("adam",), widths=(7, 20))
        found = {d.name: d for d in draw_figures(["performance"], results, value="test_loss")}
        own = found["test_loss_counted"]
        assert (own.title, own.caption) == ("Test loss counted", "Of 24 runs.")
        assert len(found) == 4 and own.svg is own.svg
    finally:
        IDEAS.pop()
