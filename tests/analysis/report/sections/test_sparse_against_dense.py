"""Sparse against dense: p-values in the papers' layout, every test in full, the files behind them, and what is said."""

import re

import pandas as pd
import pytest

from keras_sparseflow.analysis.frames.formats import format_interval, format_p, format_signed
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.sparse_against_dense import p_values
from keras_sparseflow.analysis.report.tables.pair_tables import tabulate
from keras_sparseflow.analysis.report.tables.paper_tables import latex, markdown
from tests.analysis.densities import make_densities
from tests.analysis.sources import numbers_of


def _section(results, **options):
    return p_values(numbers_of(results, **options))


def _tables(results, **options):
    """Returns the first table in the papers' layout and the first of every test."""
    return tables_of(_section(results, **options))[:2]


def _texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_p_values_stand_in_the_papers_layout(make_results):
    results = make_results()
    table, _ = _tables(results)
    assert [column.heading for column in table.columns][1:] == ["NR", "BN"]
    p = tabulate(results).set_index(["optimizer", "variant"])["p_value"]
    assert _texts(table) == [
        [name, *(format_p(p[name, variant]) for variant in ("NR", "BN"))] for name in ("adam", "sgd")
    ]
    assert [[cell.sort for cell in row[1:]] for row in table.rows] == p.unstack()[["NR", "BN"]].to_numpy().tolist()
    assert "digits, 2 hidden layers, learning rate 0.001, relu" in table.caption
    assert "15 pairs per cell" in table.caption and table.file == "p_values"


def test_significant_cells_are_bold_and_green_by_the_raw_p(make_results):
    results = make_results()
    p = tabulate(results).set_index(["optimizer", "variant"])["p_value"]
    table, _ = _tables(results)
    at = {
        (row[0].text, column.heading): cell
        for row in table.rows
        for column, cell in zip(table.columns[1:], row[1:], strict=True)
    }
    assert {place for place, cell in at.items() if cell.bold} == set(p[p < 0.05].index) and 0 < (p < 0.05).sum() < 4
    for place, cell in at.items():
        red, green, _ = (int(cell.colour[i : i + 2], 16) for i in (1, 3, 5))
        assert (green > red) == (p[place] < 0.3)


def test_the_one_tailed_p_stands_beside_the_corrected_two_sided_one(make_results):
    results = make_results()
    table, _ = _tables(results)
    cells = tabulate(results).set_index(["optimizer", "variant"])
    for row in table.rows:
        for column, cell in zip(table.columns[1:], row[1:], strict=True):
            expected = cells.loc[(row[0].text, column.heading)]
            assert (cell.text, cell.note) == (format_p(expected["p_value"]), f"Holm {format_p(expected['p_holm'])}")
    assert "two-sided p-value after Holm's correction" in table.caption


def test_nothing_is_called_better_but_by_a_verdict(make_results):
    content = _section(make_results())
    said = [
        content.before,
        *(block for block in content.blocks if isinstance(block, str)),
        _tables(make_results())[0].caption,
    ]
    assert not any("better" in text for text in said)


def test_a_cell_leads_to_the_file_with_its_pairs(make_results):
    results = make_results()
    content = _section(results)
    links = [cell.link for row in tables_of(content)[0].rows for cell in row[1:]]
    assert len(set(links)) == 4 and {link.removesuffix(".csv") for link in links} < set(content.files)
    inside = content.files["pairs_digits-2-0.001-relu-BN-adam"]
    assert len(inside) == 15 and set(inside["variant"]) == {"BN"}
    written = content.files["p_values"]
    assert written["p_value"].tolist() == tabulate(results)["p_value"].tolist()


def test_every_test_is_there_in_full(make_results):
    results = make_results()
    results.loc[[3, 50, 51], "diverged"] = True
    _, details = _tables(results)
    headings = [column.heading for column in details.columns]
    assert details.file == "", "it stands on the page alone"
    for row, expected in zip(details.rows, tabulate(results).to_dict("records"), strict=True):
        shown = dict(zip(headings, (cell.text for cell in row), strict=True))
        assert shown["cell"] == f"{expected['optimizer']}, {expected['variant']}"
        assert shown["is sparse better?"] == expected["verdict"]
        assert shown["typical difference"] == format_signed(expected["difference"])
        assert shown["95% interval"] == format_interval(expected["low"], expected["high"])
        for heading, key in (
            ("p two-sided, Holm", "p_holm"),
            ("p two-sided", "p_two_sided"),
            ("p one-tailed", "p_value"),
        ):
            assert shown[heading] == format_p(expected[key])
        assert shown["diverged"] == str(expected["sparse_diverged"] + expected["dense_diverged"])
        assert (shown["pairs"], shown["zeros"], shown["method"]) == ("15", str(expected["zeros"]), expected["method"])
        bold = dict(zip(headings, (cell.bold for cell in row), strict=True))
        assert bold["p two-sided, Holm"] == (expected["p_holm"] < 0.05)


def test_published_p_values_stand_in_parentheses(make_results):
    results = make_results(("adam", "lion"), ("NR", "L2")).assign(dataset="cifar100", hidden_layers=4)
    content = _section(results)
    table = tables_of(content)[0]
    notes = {
        (row[0].text, c.heading): cell.note for row in table.rows for c, cell in zip(table.columns, row, strict=True)
    }
    assert (
        "paper 0.000" in notes["adam", "NR"]
        and "paper 0.198" in notes["adam", "L2"]
        and "paper" not in notes["lion", "NR"]
    )
    assert "After it: the one-tailed p-value of Tessera, Hooker and Rosman (2021), not corrected." in table.caption
    assert re.search(r"[<\d.]+ \(Holm [<\d.]+, paper 0\.000\)", markdown([table]).replace("\\", ""))
    assert ", paper 0.000)" in latex([table])
    said = " ".join(block for block in content.blocks if isinstance(block, str))
    assert "30 epochs on cifar100 (paper: 1000)" in said
    assert "Ours and the paper agree about significance (p < 0.05) in 1 of 2 cells" in said


def test_numbers_of_variants_that_were_not_published_have_a_star(make_results):
    results = pd.concat(
        [make_results(("momentum",), ("DA_L2_SC_BN",), activation=name) for name in ("relu", "swish")],
        ignore_index=True,
    ).assign(dataset="cifar100", hidden_layers=4)
    content = _section(results)
    notes = [cell.note for row in tables_of(content)[0].rows for cell in row]
    assert any(note.endswith("*") for note in notes)
    assert any(isinstance(block, str) and "star" in block for block in content.blocks)


def test_cells_without_a_p_value_or_not_run_are_dash_and_blank(make_results):
    results = make_results(("adam", "sgd"), ("NR", "BN"), widths=(7, 20))
    results = results[(results["optimizer"] != "sgd") | (results["variant"] == "NR")]
    results = results[(results["optimizer"] != "adam") | (results["variant"] == "NR") | (results["arm"] == "dense")]
    table, details = _tables(results)
    assert [row[2].text for row in table.rows] == ["\N{EN DASH}", ""]
    assert "0 to 6 pairs per cell" in table.caption
    (row,) = [row for row in details.rows if row[0].text == "adam, BN"]
    assert row[1].text == "not testable here"


def test_pairs_left_out_and_the_methods_of_the_tests_are_said(make_results):
    results = make_results(("adam",), ("NR", "BN"))
    lost = results.drop(index=results.index[[0, 2, 30]])
    content = _section(lost.assign(test_accuracy=lost["test_accuracy"].round(2)))
    _, details = tables_of(content)
    column = [column.heading for column in details.columns].index("left out")
    assert sorted(row[column].text for row in details.rows) == ["1", "2"]
    methods = {row[-1].text for row in details.rows}
    assert methods and all(any(f"{name}: " in str(block) for block in content.blocks) for name in methods)


def test_diverged_runs_are_named_in_the_caption(make_results):
    results = make_results(("adam",), ("NR",), widths=(7,))
    assert "diverged" not in _tables(results)[0].caption
    results.loc[0, "diverged"] = True
    assert "1 run diverged" in _tables(results)[0].caption


def test_each_dataset_has_tables_of_its_own(make_results):
    parts = [make_results(("adam",), widths=(7, 20)).assign(dataset=name) for name in ("digits", "a&b_%")]
    parts[1]["run_id"] += "-other"
    tables = tables_of(_section(pd.concat(parts, ignore_index=True)))
    assert len(tables) == 4 and len({table.label for table in tables}) == 4


def test_losses_are_compared_where_they_are_asked_for(make_results):
    results = make_results(("adam",), ("BN",))
    table, _ = _tables(results, value="test_loss")
    assert table.rows[0][1].sort == pytest.approx(tabulate(results, "test_loss")["p_value"].item())
    assert "test loss" in table.caption


def test_networks_over_densities_have_no_such_section():
    assert _section(make_densities(("sgd",), ("NR",), (0.1, 1.0), (0,), ("random",))) is None
