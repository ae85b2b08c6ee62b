"""Sections beside ToST's tables: which numbers stand there, and where there are none."""

import pandas as pd
import pytest

from keras_sparseflow.analysis.published.tost_sparsities import beside_published_sparsity
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.published_tost import (
    published_accuracies,
    published_ghosts,
    published_sparsities,
)
from keras_sparseflow.analysis.report.tables.paper_tables import latex
from tests.analysis.densities import make_densities, make_diagnostics
from tests.analysis.sources import numbers_of

TABLE_2 = {"published": {"table": "2", "dataset": "cifar100", "architecture": "ResNet-32"}}


def _shown(table):
    return [[f"{cell.text} {cell.note}".strip() for cell in row] for row in table.rows]


def _snip(tweaks):
    results = make_densities(("momentum",), ("BN",), (0.1,), (0, 1), ("static",), score="snip", distribution="global")
    return results.assign(tweaks=tweaks, run_id=results["run_id"] + f"-{tweaks}")


def test_accuracies_and_gains_stand_beside_the_published_ones():
    results = pd.concat([_snip("none"), _snip("tost")], ignore_index=True)
    content = published_accuracies(numbers_of(results, TABLE_2))
    (table,) = tables_of(content)
    assert "ToST, Table 2" in table.caption and table.file == "published"
    assert [column.group for column in table.columns] == ["", "", "", *["ours"] * 3, *["published"] * 2]
    mean, std = 100 * results["test_accuracy"][:2].mean(), 100 * results["test_accuracy"][:2].std()
    plain, tweaked = _shown(table)
    ours = f"{mean:.2f} \N{PLUS-MINUS SIGN} {std:.2f}"
    assert plain[:6] == ["SNIP", "none", "10%", ours, "+0.00", "2"] and plain[6].startswith("69.31")
    assert tweaked[1] == "tost" and tweaked[6].startswith("70.00") and tweaked[7] == "+0.69"
    assert content.files["published"]["published"].tolist() == [69.31, 70.0]


def test_of_table_5_there_are_gains_alone():
    results = _snip("none").assign(score="random", method="static", density=1.0, test_accuracy=[0.7, 0.72])
    both = pd.concat([results, results.assign(tweaks="GSk", run_id=["a", "b"], test_accuracy=0.72)], ignore_index=True)
    (table,) = tables_of(published_accuracies(numbers_of(both, {"published": {"table": "5"}})))
    row = [cell.text for cell in table.rows[1]]
    assert row[:3] == ["dense", "GSk", "100%"] and row[3:5] == ["72.00", "+1.00"]
    assert row[6:] == ["", "\N{MINUS SIGN}0.77"]


@pytest.mark.parametrize(("study", "value"), [({}, "test_accuracy"), (TABLE_2, "test_loss")])
def test_there_is_no_section_of_other_studies_nor_of_losses(study, value):
    assert published_accuracies(numbers_of(_snip("none"), study, value)) is None
    assert published_sparsities(numbers_of(_snip("none"), study, value)) is None


def test_pairs_stand_beside_no_table_of_tost(make_results):
    numbers = numbers_of(make_results(("adam",), ("NR",), widths=(7,)), TABLE_2)
    assert published_accuracies(numbers) is None and published_sparsities(numbers) is None


def test_sparsities_of_each_group_and_activation_stand_beside_the_published_ones():
    ticket = {"score": "random", "distribution": "global", "ghost_decay": "none"}
    plain = make_densities(("momentum",), ("BN",), (0.1,), (0, 1), ("lottery",), tweaks="none", **ticket)
    soft = plain.assign(tweaks="GSw", ghost_activation="mish", run_id=plain["run_id"] + "-mish")
    results = pd.concat([plain.assign(ghost_activation="swish"), soft], ignore_index=True)
    diagnostics = make_diagnostics(results, epochs=(0, 9))
    study = {"published": {"table": "1"}}
    content = published_sparsities(numbers_of(results, study, diagnostics=diagnostics))
    (table,) = tables_of(content)
    assert [(column.heading, column.group) for column in table.columns[1:]] == [
        (heading, name) for name in ("ReLU", "Mish") for heading in ("ours", "published")
    ]
    mean = beside_published_sparsity(diagnostics, results, study)["mean"]
    first = [cell.text for cell in table.rows[0]]
    assert first == ["1", f"{mean[0]:.2f}", "27.14", f"{mean[1]:.2f}", "1.09"]
    assert content.files["sparsities"]["mean"].tolist() == pytest.approx(mean.tolist())
    assert r"\multicolumn{2}{c}{Mish}" in latex([table]) and "not comparable" in content.before
    assert published_sparsities(numbers_of(results, study)) is None, "nothing was measured"


def test_activations_counted_as_the_authors_do_are_comparable():
    ticket = {"score": "random", "distribution": "global", "ghost_decay": "none", "near_zero": 0.01}
    plain = make_densities(("momentum",), ("BN",), (0.1,), (0, 1), ("lottery",), tweaks="none", **ticket)
    results = plain.assign(ghost_activation="swish")
    exact = make_diagnostics(results, epochs=(0, 9))
    near = exact[exact["measure"] == "activation_sparsity"].assign(measure="near_zero_activations")
    near["value"] = near["value"] + 0.1
    numbers = numbers_of(results, {"published": {"table": "1"}}, diagnostics=pd.concat([exact, near]))
    content = published_sparsities(numbers)
    (table,) = tables_of(content)
    assert [column.heading for column in table.columns[1:]] == ["ours", "lowest to highest", "exact zeros", "published"]
    ours, span, zeros, published = (cell.text for cell in table.rows[0][1:])
    assert float(ours) == pytest.approx(float(zeros) + 10) and published == "27.14"
    assert float(span.split(" to ")[0]) <= float(ours) <= float(span.split(" to ")[1])
    assert "at most 0.01 in size" in content.before and "as the authors' code counts" in content.before
    assert "not comparable" not in content.before
    other = numbers_of(results.assign(near_zero=0.1), numbers.source.study, diagnostics=numbers.source.diagnostics)
    assert "the authors' code counts up to 0.01" in published_sparsities(other).before


def test_schedules_of_ghosts_stand_beside_the_published_ones():
    made = {"score": "random", "distribution": "global", "tweaks": "GSk"}
    plain = make_densities(("momentum",), ("BN",), (0.05,), (0, 1), ("lottery",), **made)
    schedules = {"a": ("cosine", 0.5, 0.7), "b": ("cosine", 0.75, 0.69), "c": ("abrupt", 0.95, 0.6)}
    parts = [
        plain.assign(ghost_decay=how, ghost_until=end, test_accuracy=accuracy, run_id=plain["run_id"] + name)
        for name, (how, end, accuracy) in schedules.items()
    ]
    results = pd.concat(parts, ignore_index=True)
    content = published_ghosts(numbers_of(results, {"published": {"table": "3.4"}}))
    (table,) = tables_of(content)
    minus = "\N{MINUS SIGN}"
    assert [row[2:5] + row[6:] for row in _shown(table)] == [
        ["GSk", "fading later", f"{minus}1.00 \N{PLUS-MINUS SIGN} 0.00", f"{minus}0.92"],
        ["GSk", "removed at once", f"{minus}10.00 \N{PLUS-MINUS SIGN} 0.00", f"{minus}1.20 or more"],
    ]
    assert list(content.files) == ["ghosts"] and "section 3.4" in table.caption
    assert published_ghosts(numbers_of(results, {"published": {"table": "2"}})) is None
    assert published_ghosts(numbers_of(results, {"published": {"table": "3.4"}}, "test_loss")) is None
