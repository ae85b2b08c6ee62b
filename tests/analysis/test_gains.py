"""What tweaks add: gains over no tweaks, tests against them, sentences and tables that say so."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from keras_sparseflow.analysis.frames.densities import (
    arrange_densities,
    gain_by_density,
    line_heading,
    tabulate_densities,
)
from keras_sparseflow.analysis.frames.method_names import name_tweaks
from keras_sparseflow.analysis.report.exports_density import density_mean_sheets
from keras_sparseflow.analysis.report.gain_findings import gain_sentences
from keras_sparseflow.analysis.report.sheets import markdown
from keras_sparseflow.analysis.statistics.comparisons import compare_densities
from tests.analysis.densities import TWEAKS, make_densities, with_tweaks


def _study(names=TWEAKS, methods=("random",), variants=("NR",), **more):
    return with_tweaks(make_densities(("sgd",), variants, (0.01, 0.1), (0, 1, 2), methods, **more), names)


def test_a_gain_is_over_the_same_training_without_tweaks():
    results = _study(("none", "GSk"), ("random", "snip"), ("NR", "BN"))
    gains = gain_by_density(results).set_index(["method", "line", "density"])["gain"]
    assert len(gains) == 2 * 2 * 2
    assert gains["snip", "BN, GSk", 0.01] == pytest.approx(0.012 * 2)
    assert gains["random", "NR, GSk", 0.1] == pytest.approx(0.012)
    without = results[~((results["tweaks"] == "none") & (results["method"] == "snip"))]
    assert set(gain_by_density(without)["method"]) == {"random"}


def test_tweaks_are_tested_against_none_and_come_first():
    results = _study()
    table = compare_densities(results)
    assert table[["first", "second"]].to_numpy().tolist() == [[name, "no tweaks"] for name in TWEAKS[1:]]
    assert (table["median_difference"] > 0).all()
    ls, plain = (results[results["tweaks"] == name]["test_accuracy"].to_numpy() for name in ("LS", "none"))
    row = table[table["first"] == "LS"].iloc[0]
    assert row["p_value"] == pytest.approx(stats.wilcoxon(ls, plain).pvalue)


def test_variants_are_compared_where_tweaks_agree_and_tweaks_among_themselves_where_there_is_no_none():
    sides = compare_densities(_study(("none", "GSk"), variants=("NR", "BN")))[["first", "second"]]
    assert sorted(map(tuple, sides.to_numpy())) == [
        ("BN, GSk", "BN, no tweaks"), ("NR, GSk", "BN, GSk"), ("NR, GSk", "NR, no tweaks"),
        ("NR, no tweaks", "BN, no tweaks"),
    ]  # fmt: skip
    alone = compare_densities(_study(("GSk", "LS", "tost")))
    assert alone[["first", "second"]].to_numpy().tolist() == [["GSk", "LS"], ["GSk", "tost"], ["LS", "tost"]]


def test_gains_are_said_of_each_method_at_its_lowest_density():
    results = _study(("none", "GSk", "LS"), ("random", "snip"), noise=0)
    said = gain_sentences(tabulate_densities(results, "test_accuracy", None), "test_accuracy")
    assert said == [
        f"With {name} at 1% density, 2 of 2 tweaks improve on the mean test accuracy without any: LS (+0.0480), "
        "GSk (+0.0240)."
        for name in ("random masks", "SNIP")
    ]
    means = tabulate_densities(results[results["method"] == "snip"], "test_loss", None)
    means["gain"] = means["gain"].where(means["line"] != "LS", -0.5).where(means["line"] != "GSk", 0.25)
    assert gain_sentences(means, "test_loss") == [
        "At 1% density, 1 of 2 tweaks improves on the mean test loss without any: LS (\N{MINUS SIGN}0.5000), "
        "GSk (+0.2500)."
    ]
    plain = results[results["tweaks"] == "none"]
    assert gain_sentences(tabulate_densities(plain, "test_accuracy", None), "test_accuracy") == []


def test_of_many_tweaks_the_best_and_the_last_are_said():
    names = ("none", *(f"T{number}" for number in range(8)))
    (said,) = gain_sentences(tabulate_densities(_study(names), "test_accuracy", None), "test_accuracy")
    assert said.startswith("At 1% density, 8 of 8 tweaks improve") and said.endswith("T7 (+0.1920), T0 (+0.0240).")


def test_the_heading_names_what_lines_differ_in_and_gains_stand_in_parentheses():
    results = _study(("none", "GSk"))
    assert line_heading(results) == "tweaks"
    assert line_heading(_study(("none", "GSk"), variants=("NR", "BN"))) == "variant, tweaks"
    assert line_heading(make_densities(("sgd",), ("NR",), (0.1,), (0,))) == "variant"
    text = markdown(density_mean_sheets(tabulate_densities(results, "test_accuracy", None), line="tweaks"))
    assert "| method | optimizer | tweaks | 1% | 10% |" in text and "(+0.0240) |" in text
    assert "In parentheses: by how much the mean with tweaks is above that without." in text


def test_soft_activations_are_told_apart_and_part_no_table():
    runs = _study(("none", "GSw")).assign(ghost_activation="swish")
    mish = runs[runs["tweaks"] == "GSw"].assign(ghost_activation="mish", run_id=lambda rows: rows["run_id"] + "-mish")
    both = pd.concat([runs, mish], ignore_index=True)
    named = name_tweaks(both)
    placed = arrange_densities(named)
    assert placed["table"].nunique() == 1
    assert list(placed["line"].unique()) == ["no tweaks", "GSw (mish)", "GSw (swish)"]
    assert name_tweaks(runs) is runs
    old = both.assign(tweaks=np.where(both["tweaks"] == "none", None, both["tweaks"]))
    assert name_tweaks(old)["tweaks"].dropna().tolist() == named.loc[named["tweaks"] != "none", "tweaks"].tolist()


def test_what_was_measured_besides_parts_no_table():
    results = _study(("none", "GSk"))
    watched = results.assign(diagnostics=[["loss_along"] if seed else [] for seed in results["seed"]])
    watched = watched.assign(landscape_steps=np.where(results["seed"], 21, 5))
    assert (
        arrange_densities(watched)["table"].unique().tolist() == arrange_densities(results)["table"].unique().tolist()
    )
