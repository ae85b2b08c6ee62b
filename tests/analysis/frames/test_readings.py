"""Readings of gradient flow: a study is judged by the end where every run has it, and says so."""

import pandas as pd
import pytest

from keras_sparseflow.analysis import correlate_cells
from keras_sparseflow.analysis.figures.along_training import over_epochs
from keras_sparseflow.analysis.frames.readings import judge, judged_reading, reading_of
from keras_sparseflow.analysis.frames.study_source import read_source
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.correlations import correlations
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.paper_tables import markdown
from tests.analysis.densities import make_densities, make_density_flow


def both(flow, factor=7.0):
    """Returns flow of the end with a reading of the steps before it, of other values."""
    steps = flow.assign(reading="steps", value=factor * flow["value"].to_numpy()[::-1])
    return pd.concat([steps, flow], ignore_index=True)


@pytest.fixture
def small(make_results, make_flow):
    results = make_results(("adam",), ("NR", "BN"), widths=(7, 34))
    return results, make_flow(results, epochs=(0, 14, 29))


def lines(figure):
    return [list(line.get_ydata()) for axes in figure.axes for line in axes.lines if line.get_label() != "_grid"]


def test_the_end_judges_where_every_run_has_it(small):
    _, flow = small
    assert judged_reading(flow) == judged_reading(both(flow)) == "end"
    assert judged_reading(flow.assign(reading="steps")) == "steps"
    rows = both(flow)
    older = (rows["run_id"] == flow["run_id"].iloc[0]) & (rows["reading"] == "end")
    assert judged_reading(rows[~older]) == "steps", "not of some runs by the end and of others by the steps"


def test_results_of_another_reading_are_replaced_by_means_of_the_one_that_judges(small):
    results, flow = small
    rows = both(flow)
    older = results["run_id"].iloc[0]
    rows = rows[~((rows["run_id"] == older) & (rows["reading"] == "end"))]
    mixed = results.assign(flow_reading=["steps", *["end"] * (len(results) - 1)])
    judged, chosen = judge(mixed, rows)
    assert set(chosen["reading"]) == set(judged["flow_reading"]) == {"steps"}
    total = rows[(rows["layer"] == "total") & (rows["reading"] == "steps")]
    expected = [total.loc[total["run_id"] == run, "value"].mean() for run in results["run_id"]]
    assert judged["egf_2"].tolist() == pytest.approx(expected)
    assert judged["test_accuracy"].equals(results["test_accuracy"])


def test_results_of_one_reading_stay_as_they_are(small):
    results, flow = small
    judged, chosen = judge(results, both(flow))
    assert judged is results and chosen["value"].tolist() == flow["value"].tolist()


def test_figures_draw_the_end_alone_and_name_it(small):
    results, flow = small
    drawn = over_epochs(both(flow), results)
    assert lines(drawn) == lines(over_epochs(flow, results))
    assert drawn.get_supylabel() == "EGF (2-norm), end of epoch"
    steps = over_epochs(flow.assign(reading="steps"), results)
    assert steps.get_supylabel() == "EGF (2-norm), mean over steps"
    densities = make_densities(("sgd",), ("NR", "SC"), (0.05, 1.0), (0,))
    flow = make_density_flow(densities, layers=2, epochs=(0, 119))
    assert lines(over_epochs(both(flow), densities)) == lines(over_epochs(flow, densities))


def test_correlations_over_epochs_are_those_of_the_end(small):
    results, flow = small
    history = flow.loc[flow["layer"] == "total", ["run_id", "epoch"]].reset_index(drop=True)
    history = history.assign(test_loss=range(len(history)), test_accuracy=[7 * n % 11 for n in range(len(history))])
    found, expected = (correlate_cells(results, ["egf_2"], "epochs", rows, history) for rows in (both(flow), flow))
    pd.testing.assert_frame_equal(found, expected)


def test_a_report_is_that_of_the_end_and_its_tables_name_the_reading(tmp_path, small, write_study):
    results, flow = small
    folder = write_study(tmp_path / "study", results, both(flow))
    source = read_source(folder, "test_accuracy", None, "worst", figures=False)
    assert set(source.flow["reading"]) == {"end"} and reading_of(source.results) == "end"
    content = correlations(StudyNumbers(source))
    assert set(content.files["correlations"]["reading"]) == {"end"}
    assert "end of epoch" in content.before and "Flow: end of epoch." in markdown(tables_of(content))
    assert "mean over steps" not in content.before
