"""The effects of a first screen: which comparisons they are, and that they are those of the tables."""

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.report.effects import COLUMNS, effects, side_in_words, turned
from keras_sparseflow.analysis.report.tables.pair_tables import tabulate
from keras_sparseflow.analysis.statistics.paired_tests import compare_densities
from keras_sparseflow.analysis.statistics.verdicts import ANSWERS, OTHER_WAY, YES
from tests.analysis.densities import TWEAKS, make_densities, with_tweaks
from tests.analysis.sources import numbers_of

SPARSE = (0.01, 0.05, 0.1, 0.2, 0.5)


def _densities(variants=("NR",), densities=SPARSE, seeds=(0, 1, 2), methods=("random",), **spec):
    return make_densities(("sgd",), variants, densities, seeds, methods, **spec)


def test_of_pairs_they_are_sparse_minus_dense_in_each_cell(make_results):
    results = make_results()
    found = effects(numbers_of(results))
    table = tabulate(results)
    assert found.columns.tolist() == COLUMNS and set(found["kind"]) == {"pairs"}
    assert found["label"].tolist() == ["adam, NR", "adam, BN", "sgd, NR", "sgd, BN"]
    for ours, theirs in (("effect", "difference"), ("p_value", "p_holm"), ("verdict", "verdict"), ("low", "low")):
        assert found[ours].tolist() == table[theirs].tolist()
    assert set(found.loc[found["label"].str.endswith("BN"), "verdict"]) == {YES}


def test_of_several_tables_a_label_says_which(make_results):
    results = pd.concat([make_results(("adam",), ("NR",), learning_rate=rate) for rate in (0.1, 0.001)])
    labels = effects(numbers_of(results))["label"].tolist()
    assert len(set(labels)) == 2 and "learning rate 0.001" in labels[0]


def test_tweaks_come_before_variants_methods_and_densities():
    results = with_tweaks(_densities(("NR", "BN"), (*SPARSE, 1.0), methods=("random", "magnitude")), ("none", "GSk"))
    found = effects(numbers_of(results))
    assert set(found["kind"]) == {"tweaks"} and len(found) == 4
    assert found["second"].tolist() == [f"{variant}, no tweaks" for variant in ("NR", "BN")] * 2
    assert found["label"].nunique() == 4, "methods are told apart"
    one = effects(numbers_of(with_tweaks(_densities())))
    assert one["first"].tolist() == list(TWEAKS[1:]) and set(one["second"]) == {"no tweaks"}
    assert (one["effect"] > 0).all() and set(one["verdict"]) == {YES}


def test_methods_are_held_against_the_first_one():
    results = _densities(methods=("random", "snip", "magnitude"))
    found = effects(numbers_of(results))
    assert set(found["kind"]) == {"method"} and set(found["second"]) == {"random masks"}
    assert found["first"].tolist() == ["SNIP", "magnitude pruning"]
    table = compare_densities(results)
    row = table[table["second"] == "magnitude"].iloc[0]
    ours = found.iloc[1]
    assert row["first"] == "random" and row["verdict"] == OTHER_WAY and ours["verdict"] == YES
    assert (ours["effect"], ours["low"], ours["high"]) == (-row["difference"], -row["high"], -row["low"])
    assert ours["effect_size"] == -row["effect_size"] and ours["p_value"] == row["p_holm"]


def test_variants_are_held_against_the_first_one_and_densities_against_the_dense_network():
    variants = effects(numbers_of(_densities(("NR", "SC", "SC_BN"))))
    assert variants[["kind", "first", "second"]].to_numpy().tolist() == [["line", "SC", "NR"], ["line", "SC_BN", "NR"]]
    densities = effects(numbers_of(_densities(densities=(0.1, 0.5, 1.0), seeds=range(8))))
    assert densities[["kind", "first", "second"]].to_numpy().tolist() == [
        ["density", "10%", "dense"], ["density", "50%", "dense"]
    ]  # fmt: skip
    assert (densities["effect"] < 0).all() and set(densities["verdict"]) == {OTHER_WAY}


def test_published_gains_stand_beside_tweaks():
    ticket = {"score": "random", "distribution": "global"}
    runs = make_densities(("momentum",), ("BN",), (0.05,), (0, 1), ("lottery",), **ticket)
    results = with_tweaks(runs, ("none", "GSk"))
    (row,) = effects(numbers_of(results, {"published": {"table": "5"}})).to_dict("records")
    assert row["published"] == pytest.approx(0.0215)
    (other,) = effects(numbers_of(results)).to_dict("records")
    assert np.isnan(other["published"])


def test_nothing_to_compare_is_a_frame_without_rows():
    found = effects(numbers_of(_densities(densities=(0.1,), seeds=(0,))))
    assert found.empty and found.columns.tolist() == COLUMNS


def test_turning_twice_changes_nothing():
    table = compare_densities(_densities(("NR", "SC_BN")))
    pd.testing.assert_frame_equal(turned(turned(table)), table)
    assert set(turned(table)["verdict"]) <= set(ANSWERS)


def test_sides_have_names_in_words():
    assert [side_in_words(name) for name in ("none", "dense", "GSk")] == ["no tweaks", "the dense network", "GSk"]
