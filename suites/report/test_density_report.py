"""Whole reports of studies over densities with every figure drawn."""

import re

import numpy as np
import pytest

from keras_sparseflow.analysis.report.writing import write_report
from tests.analysis.densities import make_densities, make_density_flow, make_diagnostics, write_densities
from tests.analysis.pages import Page, check_alone, check_links, page_of

FIGURES = {
    "test_accuracy_of_variants", "test_accuracy_of_methods", "egf_2_of_variants", "egf_2_of_methods",
    "egf_2_against_test_accuracy", "egf_2_over_epochs", "egf_2_of_variants_over_epochs", "egf_2_by_layer",
}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of two variants and both methods with a diverged run, and its page; not to be changed."""
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.05, 0.2, 1.0), (0, 1))
    results.loc[0, "diverged"] = True
    results.loc[0, ["test_accuracy", "test_loss", "egf_2"]] = np.nan
    flow = make_density_flow(results, layers=3, epochs=(0, 99, 119))
    folder = write_densities(tmp_path_factory.mktemp("runs") / "study", results, flow, runs_planned=30)
    return folder, write_report(folder).read_text()


def test_every_link_leads_somewhere_and_the_page_needs_nothing_but_itself(study):
    folder, html = study
    check_links(Page(html), folder)
    check_alone(Page(html), html)
    assert len(html) < 2_000_000


def test_every_figure_is_in_the_page_and_beside_it(study):
    folder, html = study
    names = {path.name for path in (folder / "report" / "figures").iterdir()}
    assert {f"{name}.{format}" for name in FIGURES for format in ("png", "svg")} <= names
    assert 2 * (html.count("<svg ") - 1) == len(names), "effects stand in the page twice, for broad and narrow windows"
    assert all(f"report/figures/{name}" in html for name in names)


def test_shades_of_density_follow_the_pages_theme(study):
    html = study[1]
    used = set(re.findall(r"var\(--c([0-9a-f]{6})\)", html))
    declared = set(re.findall(r"--c([0-9a-f]{6}):", html))
    assert used and used <= declared
    for colour in used:
        assert html.count(f"--c{colour}:") >= 2, "in light and in dark"


def test_a_study_with_diagnostics_draws_them(tmp_path, unrendered):
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.05, 1.0), (0, 1), ("random",))
    folder = write_densities(tmp_path / "study", results, diagnostics=make_diagnostics(results, epochs=(0, 99)))
    titles = " ".join(attrs["aria-label"] for attrs, _ in page_of(folder).find("svg"))
    assert re.search("eigenvalue", titles) and re.search("sparsity", titles)


def test_the_same_study_gives_the_same_bytes(tmp_path):
    results = make_densities(("sgd",), ("NR",), (0.1, 1.0), (0, 1), ("random",))
    folder = write_densities(tmp_path / "study", results)
    pages = {write_report(folder, tmp_path / name, figures=False).read_bytes() for name in ("one", "two")}
    assert len(pages) == 1
