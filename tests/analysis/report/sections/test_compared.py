"""Comparisons over densities: every one with its verdict, and the budgets of methods."""

import pytest

from keras_sparseflow.analysis.frames.formats import format_p, format_signed
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.compared import comparisons
from keras_sparseflow.analysis.statistics.paired_tests import compare_densities
from tests.analysis.densities import make_densities
from tests.analysis.sources import numbers_of


def test_every_comparison_stands_with_its_verdict_and_numbers():
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.05, 0.2, 1.0), (0, 1, 2))
    content = comparisons(numbers_of(results))
    table = tables_of(content)[0]
    expected = compare_densities(results)
    assert len(table.rows) == len(expected) and table.file == "comparisons"
    at = {column.heading: place for place, column in enumerate(table.columns)}
    for row, compared in zip(table.rows, expected.to_dict("records"), strict=True):
        assert row[at["is the first better?"]].text == compared["verdict"]
        assert row[at["p, Holm"]].text == format_p(compared["p_holm"])
        assert row[at["p, Holm"]].bold == (compared["p_holm"] < 0.05)
        assert row[at["typical difference"]].text == format_signed(compared["difference"])
        assert row[at["pairs"]].text == str(compared["pairs"])
    firsts = [row[0].text for row in table.rows]
    assert "random masks" in firsts and "NR" in firsts and "5%" in firsts
    assert content.files["comparisons"]["p_holm"].tolist() == pytest.approx(expected["p_holm"].tolist())


def test_what_both_sides_have_in_common_is_said():
    results = make_densities(("sgd", "momentum"), ("NR", "SC_BN"), (0.05, 0.2), (0, 1, 2))
    table = tables_of(comparisons(numbers_of(results)))[0]
    at = [column.heading for column in table.columns].index("of")
    company = {}
    for row in table.rows:
        company.setdefault((row[0].text, row[1].text), set()).add(row[at].text)
    optimizers = ("momentum", "sgd")
    assert company["random masks", "magnitude pruning"] == {f"{o}, {v}" for o in optimizers for v in ("NR", "SC_BN")}
    assert company["NR", "SC_BN"] == {f"{o}, {m}" for o in optimizers for m in ("random masks", "magnitude pruning")}


def test_budgets_stand_beside_methods_and_not_where_there_is_one():
    results = make_densities(("sgd",), ("NR",), (0.05, 0.2), (0, 1, 2), ("static", "lottery"), score="random")
    results = results.assign(distribution="uniform")
    results.insert(1, "earlier_densities", [[1.0] if method == "lottery" else [] for method in results["method"]])
    flops = dict.fromkeys(results["run_id"], 2e12)
    budget = tables_of(comparisons(numbers_of(results, {"run_flops": flops})))[-1]
    assert [[cell.text for cell in row] for row in budget.rows] == [
        ["random masks", "200", "2e+12"], ["lottery tickets", "400", "2e+12"]
    ]  # fmt: skip
    one = make_densities(("sgd",), ("NR", "SC"), (0.05, 0.2), (0, 1, 2), ("random",))
    assert all(table.label != "budget" for table in tables_of(comparisons(numbers_of(one))))


def test_nothing_to_compare_and_pairs_have_no_such_section(make_results):
    assert comparisons(numbers_of(make_densities(("sgd",), ("NR",), (0.1,), (0,), ("random",)))) is None
    assert comparisons(numbers_of(make_results(("adam",), ("NR",), widths=(7,)))) is None
