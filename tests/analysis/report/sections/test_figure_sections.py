"""The section of figures: diagnostics beside them as numbers, and nothing where there is nothing."""

import pytest

from keras_sparseflow.analysis.report.sections.figure_sections import diagnostic_figures, performance_figures
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from tests.analysis.densities import make_densities, make_diagnostics
from tests.analysis.sources import numbers_of

pytestmark = pytest.mark.usefixtures("undrawn")


def test_diagnostics_are_written_as_numbers():
    results = make_densities(("sgd",), ("NR",), (0.1, 1.0), (0, 1), ("random",))
    diagnostics = make_diagnostics(results, epochs=(0, 9))
    written = diagnostic_figures(numbers_of(results, diagnostics=diagnostics)).files["diagnostics"]
    assert len(written) == len(diagnostics) / 2 and set(written["n"]) == {2}
    top = diagnostics[(diagnostics["measure"] == "top_eigenvalue") & (diagnostics["epoch"] == 9)]
    sparse = top[top["run_id"].isin(results.loc[results["density"] == 0.1, "run_id"])]["value"]
    row = written.query("measure == 'top_eigenvalue' and epoch == 9 and density == 0.1")
    assert row["mean"].item() == pytest.approx(sparse.mean())


def test_figures_are_its_blocks_and_without_any_there_is_no_section(make_results, monkeypatch):
    numbers = numbers_of(make_results(("adam",), ("NR",), widths=(7,)))
    assert performance_figures(numbers) is None and diagnostic_figures(numbers) is None
    monkeypatch.setattr(StudyNumbers, "drawings", lambda self, section: [f"a figure of {section}"])
    made = performance_figures(numbers)
    assert made.blocks == ["a figure of performance"] and made.files == {}
