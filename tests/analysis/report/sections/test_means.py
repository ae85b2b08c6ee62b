"""Means over the seeds: by width for a study of pairs, in full for every study."""

import numpy as np
import pytest

from keras_sparseflow.analysis.frames.densities import mean_by_density
from keras_sparseflow.analysis.frames.formats import format_fixed
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.means import means
from keras_sparseflow.analysis.report.tables.pair_tables import tabulate_means
from tests.analysis.densities import make_densities
from tests.analysis.sources import numbers_of


def _columns(table):
    return [column.heading for column in table.columns]


def test_means_by_width_are_those_of_the_seeds(make_results):
    results = make_results(("adam",), ("NR", "BN"), widths=(7, 20))
    table, _ = tables_of(means(numbers_of(results)))
    assert _columns(table)[1:] == ["7", "20"] and table.file == "means"
    assert [row[0].text for row in table.rows] == [
        f"adam, {variant}, {arm}" for variant in ("NR", "BN") for arm in ("sparse", "dense")
    ]
    seeds = results[(results["variant"] == "BN") & (results["arm"] == "dense") & (results["dense_width"] == 20)]
    mean, spread = (float(part) for part in table.rows[3][2].text.split(" \N{PLUS-MINUS SIGN} "))
    assert mean == pytest.approx(np.mean(seeds["test_accuracy"]), abs=5e-5)
    assert spread == pytest.approx(np.std(seeds["test_accuracy"], ddof=1), abs=5e-5)
    assert table.rows[3][2].sort == pytest.approx(np.mean(seeds["test_accuracy"]))
    assert "over 3 seeds" in table.caption


def test_every_mean_stands_in_full_with_its_interval_and_flow(make_results):
    results = make_results()
    content = means(numbers_of(results))
    full = tables_of(content)[-1]
    expected = tabulate_means(results, "test_accuracy", "egf_2").to_dict("records")
    assert len(full.rows) == len(expected) == 40
    at = {heading: place for place, heading in enumerate(_columns(full))}
    for row, mean in zip(full.rows, expected, strict=True):
        assert row[0].text == f"{mean['row']}, {mean['column']}"
        assert row[at["mean"]].text == format_fixed(mean["mean"]) and row[at["mean"]].sort == mean["mean"]
        assert row[at["95% interval"]].text == f"{format_fixed(mean['ci_low'])} to {format_fixed(mean['ci_high'])}"
        assert row[-1].sort == mean["flow"]
    assert "EGF (2-norm), end of epoch" in _columns(full)
    assert content.files["means"]["mean"].tolist() == [mean["mean"] for mean in expected]


def test_the_flow_is_of_the_measure_that_was_asked_for(make_results):
    results = make_results(("adam",), ("NR",), widths=(7,))
    assert "gradient 1-norm, end of epoch" in _columns(tables_of(means(numbers_of(results, measure="grad_norm_1")))[-1])
    bare = results.drop(columns=["grad_norm_1", "grad_norm_2", "egf_1", "egf_2"])
    assert _columns(tables_of(means(numbers_of(bare)))[-1])[-1] == "seeds"


def test_diverged_runs_are_left_out_and_counted(make_results):
    results = make_results(("adam",), ("NR",), widths=(7,))
    results.loc[0, "diverged"] = True
    results.loc[results["arm"] == "dense", "diverged"] = True
    table, full = tables_of(means(numbers_of(results)))
    sparse, dense = table.rows
    assert sparse[1].note == "n = 2" and dense[1].text == "\N{EN DASH}"
    assert "4 runs that diverged left out" in table.caption
    assert [cell.note for cell in (row[_columns(full).index("seeds")] for row in full.rows)] == ["of 3", "of 3"]


def test_over_densities_means_stand_by_configuration_and_density():
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.05, 1.0), (0, 1))
    (full,) = tables_of(means(numbers_of(results)))
    expected = mean_by_density(results)["mean"].tolist()
    assert [row[2].sort for row in full.rows] == expected
    assert full.rows[0][0].text == "sgd, NR, random masks" and full.rows[0][1].text == "5%"
