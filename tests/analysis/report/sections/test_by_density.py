"""Performance by density: means, gains of tweaks and what diverged, in the order of the figures."""

import pandas as pd
import pytest

from keras_sparseflow.analysis.frames.densities import mean_by_density, tabulate_densities
from keras_sparseflow.analysis.frames.formats import format_fixed, format_signed
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.by_density import densities
from keras_sparseflow.analysis.report.tables.paper_tables import markdown
from tests.analysis.densities import make_densities, with_tweaks
from tests.analysis.sources import numbers_of


def _tables(results, **options):
    return tables_of(densities(numbers_of(results, **options)))


def test_means_are_those_of_the_runs_a_column_a_density():
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.05, 0.2, 1.0), (0, 1))
    (table,) = _tables(results)
    assert [column.heading for column in table.columns] == ["optimizer, variant", "5%", "20%", "100%"]
    means = mean_by_density(results)
    cells = [cell for row in table.rows for cell in row[1:]]
    assert [cell.sort for cell in cells] == means["mean"].tolist()
    assert [cell.text for cell in cells] == [
        f"{format_fixed(mean)} \N{PLUS-MINUS SIGN} {format_fixed(std)}"
        for mean, std in zip(means["mean"], means["std"], strict=True)
    ]
    assert "over 2 seeds" in table.caption and table.file == "densities"
    assert "| sgd, NR, random masks |" in markdown([table])
    files = densities(numbers_of(results)).files
    assert files["densities"]["mean"].tolist() == means["mean"].tolist()


def test_a_single_seed_has_no_spread_and_what_was_not_trained_is_blank():
    results = make_densities(("sgd",), ("NR", "SC"), (0.1, 1.0), (0,), ("random",)).iloc[1:]
    (table,) = _tables(results)
    assert table.rows[0][1].text == "" and "\N{PLUS-MINUS SIGN}" not in table.rows[0][2].text
    assert "over 1 seed." in table.caption


def test_a_cell_says_how_many_runs_diverged():
    results = make_densities(("sgd",), ("NR",), (0.1, 0.2, 1.0), (0, 1), ("random",))
    results.loc[[0, 2, 3], "diverged"] = True
    (table,) = _tables(results)
    one, none, whole = table.rows[0][1:]
    assert one.note == "n = 1 of 2" and (none.text, none.note) == ("\N{EN DASH}", "n = 0 of 2") and not whole.note
    assert "3 runs that diverged left out" in table.caption


def test_gains_of_tweaks_stand_below_their_means():
    results = with_tweaks(make_densities(("sgd",), ("NR",), (0.01, 0.1), (0, 1, 2), ("random",)), ("none", "GSk"))
    (table,) = _tables(results)
    gains = tabulate_densities(results, "test_accuracy", None)["gain"].dropna().tolist()
    assert gains == pytest.approx([0.024, 0.012])
    plain, tweaked = table.rows
    assert [cell.note for cell in tweaked[1:]] == list(map(format_signed, gains))
    assert not any(cell.note for cell in plain) and table.columns[0].heading == "optimizer, tweaks"
    assert "(+0.0240) |" in markdown([table])


def test_architectures_stand_apart():
    runs = [make_densities(("sgd",), ("NR",), (0.1, 1.0), (0, 1), depth=depth) for depth in (10, 16)]
    tables = _tables(pd.concat([run.assign(run_id=run["run_id"] + str(n)) for n, run in enumerate(runs)]))
    assert [table.heading for table in tables] == [
        f"cifar100, Wide ResNet-{depth}-10, learning rate 0.1, relu; 2 seeds" for depth in (10, 16)
    ]


def test_the_value_decides_what_is_shown():
    results = make_densities(("sgd",), ("NR",), (0.1, 1.0), (0, 1), ("random",))
    (table,) = _tables(results, value="test_loss")
    assert table.rows[0][1].sort == pytest.approx(results.loc[results["density"] == 0.1, "test_loss"].mean())
    assert table.caption.startswith("Test loss by density")


def test_pairs_have_no_such_section(make_results):
    assert densities(numbers_of(make_results(("adam",), ("NR",), widths=(7,)))) is None
