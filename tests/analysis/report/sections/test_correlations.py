"""Gradient flow against performance: the layout of table 1, every number in full, and each configuration's tau."""

import pandas as pd
import pytest

from keras_sparseflow.analysis.frames.formats import format_fixed, format_signed
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.correlations import correlations
from keras_sparseflow.analysis.report.tables.paper_tables import latex
from keras_sparseflow.analysis.report.writing import write_report
from keras_sparseflow.analysis.statistics.correlation import correlate_densities, correlate_flow
from tests.analysis.densities import make_densities
from tests.analysis.folders import write_folder
from tests.analysis.pairs import make_flow
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


def _along_epochs(results):
    """Returns flow rows that fall with the epochs, and a history whose accuracy rises in half of the runs."""
    flow = make_flow(results, epochs=(0, 10, 20, 29))
    history = [
        {
            "run_id": run["run_id"],
            "epoch": epoch,
            "test_accuracy": sign * epoch / 100 + 0.5,
            "test_loss": 1 - epoch / 100,
        }
        for number, run in enumerate(results.to_dict("records"))
        for sign in (1 if number % 2 else -1,)
        for epoch in range(30)
    ]
    return {"totals": flow[flow["layer"] == "total"], "history": pd.DataFrame(history), "tau_over": "epochs"}


def test_over_epochs_a_tau_is_that_along_each_training(make_results):
    results = make_results(("adam",), ("BN",), dataset="cifar10", widths=(7, 20))
    content = correlations(numbers_of(results, **_along_epochs(results)))
    rows = content.files["correlations"].set_index(["arm", "target"])
    assert set(rows["measure"]) == {"egf_2"}
    # The arms alternate, so that accuracy falls with the epochs in one and rises in the other, as flow always falls.
    assert rows["mean_tau"].to_dict() == {
        ("sparse", "test_loss"): 1.0, ("sparse", "test_accuracy"): 1.0,
        ("dense", "test_loss"): 1.0, ("dense", "test_accuracy"): -1.0,
    }  # fmt: skip
    table = tables_of(content)[0]
    assert "over the measured epochs of each run" in table.caption and "0.332" in table.rows[0][2].note
    assert content.before.startswith("Kendall's tau between the flow of a measured epoch and the result after it")


def test_over_densities_epochs_may_be_the_points_too():
    results = make_densities(("sgd",), ("NR",), (0.1, 1.0), (0, 1), ("random",))
    content = correlations(numbers_of(results, **_along_epochs(results)))
    assert set(content.files["correlations"]["points"]) == {len(results) * 4}
    assert any("over the epochs of runs, of 16 points" in table.caption for table in tables_of(content))


def test_a_report_ranks_epochs_where_it_is_asked_to(tmp_path, make_results):
    results = make_results(("adam",), ("BN",), widths=(7, 20))
    rows = _along_epochs(results)
    history = rows["history"].assign(loss=1.0, accuracy=0.5)
    study_dir = write_folder(
        tmp_path, {"comparison": "pairs", "name": "s"}, results, flow=make_flow(results), history=history
    )
    taus = {}
    for over in ("runs", "epochs"):
        write_report(study_dir, tmp_path / over, figures=False, tau_over=over)
        table = pd.read_csv(tmp_path / over / "report" / "correlations.csv").query("measure == 'egf_2'")
        taus[over] = table.set_index(["arm", "target"])["mean_tau"]
    assert (taus["epochs"].abs() == 1).all() and (taus["runs"].abs() < 1).any()
    with pytest.raises(ValueError, match="`tau_over` must be 'runs' or 'epochs'; received 'seeds'"):
        write_report(study_dir, tau_over="seeds")
