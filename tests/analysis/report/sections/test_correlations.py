"""Gradient flow against performance: the layout of table 1, every number in full, and each configuration's tau."""

import pytest

from keras_sparseflow.analysis.frames.formats import format_fixed, format_signed
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.correlations import correlations
from keras_sparseflow.analysis.report.tables.paper_tables import latex
from keras_sparseflow.analysis.statistics.correlation import correlate_densities, correlate_flow
from tests.analysis.densities import make_densities
from tests.analysis.sources import numbers_of

FLOW = ["grad_norm_1", "grad_norm_2", "egf_1", "egf_2"]


def test_of_pairs_they_stand_in_the_layout_of_table_1(make_results):
    results = make_results(dataset="cifar10")
    table, _ = tables_of(correlations(numbers_of(results)))
    assert [(column.heading, column.group) for column in table.columns[1:]] == [
        (target, arm) for arm in ("sparse", "dense") for target in ("test loss", "test accuracy")
    ]
    at = correlate_flow(results).set_index(["measure", "arm", "target"])["mean_abs_tau"]
    (row,) = [row for row in table.rows if row[0].text == "EGF (2-norm)"]
    assert row[2].text == format_fixed(at["egf_2", "sparse", "test_accuracy"], 3) and "0.332" in row[2].note
    assert "Tessera, Hooker and Rosman (2021)" in table.caption and "4 configurations" in table.caption
    assert r"\multicolumn{2}{c}{sparse}" in latex([table]) and table.file == "correlations"


def test_every_correlation_stands_in_full_with_its_sign(make_results):
    results = make_results()
    content = correlations(numbers_of(results))
    full = tables_of(content)[-1]
    expected = correlate_flow(results)
    at = {column.heading: place for place, column in enumerate(full.columns)}
    assert "paper" not in at, "nothing is published of digits"
    for row, tau in zip(full.rows, expected.to_dict("records"), strict=True):
        assert row[at["mean |tau|"]].text == format_fixed(tau["mean_abs_tau"], 3)
        assert row[at["mean tau"]].text == format_signed(tau["mean_tau"], 3)
        assert row[at["arm"]].text == tau["arm"] and row[at["runs"]].text == str(tau["runs"])
    written = content.files["correlations"]
    assert written["mean_tau"].tolist() == expected["mean_tau"].tolist() and set(written["reading"]) == {"end"}


def test_configurations_without_a_tau_are_counted(make_results):
    results = make_results(("adam",), ("NR", "BN"))
    results.loc[results["variant"] == "NR", "egf_2"] = 1.0
    full = tables_of(correlations(numbers_of(results)))[-1]
    at = [column.heading for column in full.columns].index("configurations")
    notes = {row[0].text: row[at].note for row in full.rows}
    assert notes["EGF (2-norm)"] == "of 2" and notes["EGF (1-norm)"] == ""


def test_over_densities_each_configuration_has_its_tau():
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.1, 0.3, 1.0), (0, 1), ("random",))
    content = correlations(numbers_of(results))
    full, *each = tables_of(content)
    taus, mean = correlate_densities(results)
    assert len(each) == 2 and all("6 runs" in table.caption for table in each)
    for table, (_, inside) in zip(each, taus.groupby("target", sort=False), strict=True):
        expected = inside.set_index(["line", "measure"])["tau"]
        measures = {"EGF (2-norm)": "egf_2", "gradient 2-norm": "grad_norm_2"}
        for row, line in zip(table.rows, ("NR", "SC_BN"), strict=True):
            for cell, column in zip(row[1:], table.columns[1:], strict=True):
                assert cell.sort == expected[line, measures[column.heading]]
    over_all = [column.heading for column in full.columns].index("tau over all runs")
    assert [row[over_all].sort for row in full.rows] == pytest.approx(mean["overall_tau"].tolist())
    assert content.files["correlations"]["tau"].tolist() == taus["tau"].tolist()


def test_without_flow_there_is_no_section(make_results):
    assert correlations(numbers_of(make_results(("adam",), ("NR",)).drop(columns=FLOW))) is None
    bare = make_densities(("sgd",), ("NR",), (0.1, 1.0), (0,)).drop(columns=["egf_2", "grad_norm_2"])
    assert correlations(numbers_of(bare)) is None
