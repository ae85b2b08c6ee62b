"""Warnings: each is said where its cause is in the numbers, with its own numbers, and not where it is not."""

import re

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.report.effects import effects
from keras_sparseflow.analysis.report.warnings import budgets, warnings
from tests.analysis.claims.made_up import PAIRS, make_study
from tests.analysis.densities import make_densities
from tests.analysis.sources import numbers_of

DATA = {"data": {"classes": 10, "test_images": 360}}


def warned(results, study=None, **options):
    """Returns the warnings of a study but that on claims, which take long to be judged; the last test is of them."""
    numbers = numbers_of(results, study, **options)
    vars(numbers)["claims"] = ()
    return warnings(numbers, effects(numbers))


def _densities(variants=("NR",), densities=(0.05, 0.2, 0.5, 1.0), seeds=range(6), methods=("random",), **more):
    return make_densities(("sgd",), variants, densities, seeds, methods, **more)


def _history(results, accuracies):
    """Returns a history in which every run has these accuracies, times its own."""
    rows = [
        (run["run_id"], epoch, run["test_accuracy"] * accuracy, 1.0)
        for run in results.to_dict("records")
        for epoch, accuracy in enumerate(accuracies)
    ]
    return pd.DataFrame(rows, columns=["run_id", "epoch", "test_accuracy", "test_loss"])


def test_a_whole_study_has_no_warning(make_results):
    results = make_results()
    settled = _history(results, [*np.linspace(0.5, 0.99, 8), *[1.0] * 8])
    assert warned(results, {**DATA, "runs_planned": 120}, history=settled) == []
    assert warned(results) == []
    densities = _densities()
    assert warned(densities, {**DATA, "runs_planned": len(densities)}) == []
    assert warned(densities.assign(empty_kernels=0)) == []


def test_missing_runs_and_incomplete_pairs_are_counted(make_results):
    unfinished, incomplete = warned(make_results().iloc[:-1], {"runs_planned": 120})
    assert unfinished.startswith("119 of 120 runs are finished")
    assert incomplete.startswith("1 pair is incomplete")
    (unfinished,) = warned(_densities(), {"runs_planned": 30})
    assert unfinished.startswith("24 of 30 runs are finished")


def test_a_question_of_other_networks_or_images_is_said(make_results):
    changed = [
        {"choice": name, "preset": before, "here": here}
        for name, before, here in (("model", "resnet", "mlp"), ("epochs", 180, 10), ("dataset", "cifar100", "digits"))
    ]
    (said,) = warned(make_results(), {"preset": "tost_4", "overrides": changed})
    assert said == (
        "The question is that of the preset tost_4; here the model is mlp (preset: resnet), and the dataset is digits "
        "(preset: cifar100)."
    )
    assert warned(make_results(), {"preset": "tost_4", "overrides": changed[1:2]}) == []


def test_diverged_runs_are_counted_and_how_is_said(make_results):
    results = make_results()
    results.loc[[0, 2, 5], "diverged"] = True
    (worst,) = warned(results)
    assert worst.startswith("3 runs diverged") and "worst possible test accuracy (0)" in worst
    (loss,) = warned(results, value="test_loss")
    assert "worst possible test loss (infinity)" in loss
    (drop,) = warned(results, diverged="drop")
    assert drop.endswith("Their pairs are left out of the tests.")


def test_a_plan_that_was_changed_is_told_with_its_revisions(make_results):
    revisions = ["120 networks planned.", "60 networks planned anew by --replan.", "A population was halved."]
    assert warned(make_results(), revisions=revisions[:1]) == []
    (said,) = warned(make_results(), revisions=revisions)
    assert said.endswith("Revision 2: 60 networks planned anew by --replan. Revision 3: A population was halved.")


def test_accuracies_of_guessing_are_named(make_results):
    results = make_results()
    cell = (results["optimizer"] == "adam") & (results["variant"] == "NR")
    results.loc[cell, "test_accuracy"] = 0.0999
    (said,) = [sentence for sentence in warned(results, DATA) if "did not learn" in sentence]
    assert "30 of 120 runs" in said and "10 classes" in said and "adam, NR" in said and "sgd" not in said
    assert "0.1333" in said, "48 of 360: the 97.5% point of the binomial distribution"


@pytest.mark.parametrize(
    ("accuracy", "classes", "images", "chance"),
    [
        (0.13, 10, 360, True), (0.135, 10, 360, False), (0.105, 10, 10_000, True), (0.107, 10, 10_000, False),
        (0.55, 2, 360, True), (0.56, 2, 360, False), (0.0121, 100, 10_000, False), (0.0115, 100, 10_000, True),
    ],
)  # fmt: skip
def test_chance_depends_on_classes_and_images(make_results, accuracy, classes, images, chance):
    results = make_results(("adam",), ("NR",)).assign(test_accuracy=accuracy)
    said = warned(results, {"data": {"classes": classes, "test_images": images}})
    assert any("did not learn" in sentence for sentence in said) == chance


def test_chance_is_of_accuracies_that_are_known_alone(make_results):
    results = make_results(("adam",), ("NR",)).assign(test_accuracy=0.1)
    assert not any("did not learn" in sentence for sentence in warned(results))
    assert any("did not learn" in sentence for sentence in warned(results, DATA, value="test_loss"))
    lost = warned(results.assign(diverged=True), DATA)
    assert not any("did not learn" in sentence for sentence in lost), "they are counted as diverged"
    assert any("30 of 30 runs did not learn" in sentence for sentence in warned(pd.concat([results]), DATA))


def test_training_that_still_rises_is_said_and_one_that_settled_is_not(make_results):
    results = make_results(("adam",), ("BN",))
    rising, settled = np.linspace(0.2, 1.0, 16), [*np.linspace(0.2, 1.0, 8), *[1.0] * 8]
    (said,) = warned(results, history=_history(results, rising))
    assert "In 30 of 30 runs" in said and "still rose" in said
    assert warned(results, history=_history(results, settled)) == []
    few = results.index[:6]
    mixed = [_history(results.loc[few], rising), _history(results.drop(few), settled)]
    assert warned(results, history=pd.concat(mixed)) == [], "a fifth of the runs"
    assert len(warned(results, history=_history(results, rising), value="test_loss")) == 1


def test_runs_that_end_higher_or_lower_by_chance_have_settled(make_results):
    results = make_results(("adam",), ("BN",))
    rng = np.random.default_rng(0)
    noise = [_history(results.iloc[[row]], 0.9 + rng.normal(0, 0.02, 5)) for row in range(len(results))]
    assert warned(results, history=pd.concat(noise)) == []


def test_of_one_or_two_epochs_and_of_single_rows_nothing_is_said_of_their_end(make_results):
    results = make_results(("adam",), ("BN",))
    assert warned(results, history=_history(results, np.linspace(0.2, 1.0, 2))) == []
    assert len(warned(results, history=_history(results, np.linspace(0.2, 1.0, 3)))) == 1
    sparse = _history(results, np.linspace(0.2, 1.0, 16))
    assert warned(results, history=sparse[sparse["epoch"].isin([0, 5, 15])]) == []


def test_a_dense_network_below_its_sparse_ones_is_named():
    results = _densities(("NR", "SC_BN"))
    weak = results.copy()
    weak.loc[(weak["variant"] == "NR") & (weak["density"] == 1), "test_accuracy"] -= 0.3
    (said,) = warned(weak)
    assert "1 of 2 configurations" in said and "sgd, NR" in said and "SC_BN" not in said
    assert warned(results) == []


def test_a_dense_network_is_held_against_sparse_ones_of_its_own_table_and_of_every_method():
    shallow, deep = _densities(depth=10), _densities(depth=28)
    deep["test_accuracy"] += 0.1
    both = pd.concat([shallow, deep.assign(run_id=deep["run_id"] + "-deep")], ignore_index=True)
    assert warned(both) == []
    methods = _densities(methods=("random", "magnitude"))
    methods = methods[(methods["method"] == "random") | (methods["density"] < 1)]
    methods.loc[methods["density"] == 1, "test_accuracy"] = 0.3
    assert any("2 of 2 configurations" in sentence for sentence in warned(methods))


def _tickets():
    """Returns random masks beside lottery tickets of two earlier rounds."""
    results = _densities(methods=("static", "lottery"), score="random", distribution="uniform")
    lottery = (results["method"] == "lottery") & (results["density"] < 1)
    rounds = lottery.map({False: [], True: [1.0, 0.5]})
    results.insert(1, "earlier_densities", rounds)
    return results


def test_lottery_tickets_are_counted_with_the_rounds_that_they_come_from():
    results = _tickets()
    (said,) = warned(results)
    assert re.search("random masks 200, dense networks 200, lottery tickets 600", said)
    flops = {run: 1e9 * (3 if "lottery" in run else 1) for run in results["run_id"]}
    table = budgets(numbers_of(results, {"run_flops": flops})).set_index("name")
    assert table["epochs"].to_dict() == {"random masks": 200, "lottery tickets": 600, "dense networks": 200}
    assert table.loc[table["sparse"], "flops"].to_dict() == {"random masks": 1e9, "lottery tickets": 3e9}
    assert budgets(numbers_of(results))["flops"].isna().all()


def test_variants_of_other_length_and_methods_of_more_operations_are_named():
    results = _densities(("NR", "SC_BN"))
    (said,) = warned(results.assign(epochs=np.where(results["variant"] == "NR", 100, 200)))
    assert "sgd, NR 100" in said and "sgd, SC_BN 200" in said
    results = _densities(methods=("random", "magnitude"))
    flops = {row["run_id"]: 5e9 if row["method"] == "magnitude" else 1e9 for row in results.to_dict("records")}
    (said,) = warned(results, {"run_flops": flops})
    assert "floating-point operations" in said and "5e+09" in said and "dense" not in said


def test_tickets_are_longer_trained_than_the_dense_network_that_they_are_compared_with():
    results = _tickets()
    (said,) = warned(results[results["method"] == "lottery"])
    assert "lottery tickets 600, dense networks 200" in said


def test_equal_budgets_are_no_warning_and_unequal_arms_are_one(make_results):
    results = _densities(methods=("random", "magnitude"))
    assert warned(results) == []
    pairs = make_results(("adam",), ("NR",))
    assert budgets(numbers_of(pairs))["epochs"].tolist() == [30, 30]
    rounds = [[1.0] if arm == "sparse" else [] for arm in pairs["arm"]]
    numbers = numbers_of(pairs.assign(earlier_densities=rounds))
    assert budgets(numbers).set_index("name")["epochs"].to_dict() == {"sparse": 60, "dense": 30}


def test_kernels_without_an_active_weight_are_named_with_method_and_density(make_results):
    results = _densities()
    (said,) = warned(results.assign(empty_kernels=(results["density"] == 0.05) * 2))
    assert said.startswith("In 6 runs") and "random masks at 5%" in said and "20%" not in said
    pairs = make_results(("adam",))
    (said,) = warned(pairs.assign(empty_kernels=((pairs["variant"] == "BN") & (pairs["arm"] == "sparse")) * 1))
    assert said.startswith("In 15 runs") and "adam, BN" in said and "NR" not in said


def test_fewer_than_six_pairs_are_named(make_results):
    (said,) = warned(make_results(widths=(7,)))
    assert said.startswith("4 of 4 comparisons have fewer than 6 pairs") and "adam, NR" in said
    results = make_results(("adam",))
    results = results[(results["variant"] == "NR") | (results["dense_width"] == 7)]
    (said,) = warned(results)
    assert said.startswith("1 of 2 comparisons has fewer than 6 pairs") and said.count("adam") == 1


def test_a_median_and_an_effect_of_opposite_signs_are_named(make_results):
    results = make_results(("adam",), ("NR", "BN"))
    at = results.pivot_table("test_accuracy", ["variant", "dense_width", "seed"], "arm")
    differences = np.where(np.arange(15) < 8, 0.001, -0.01) + np.arange(15) * 1e-5
    lower = {key: at.loc[key, "dense"] + d for key, d in zip(at.loc[["NR"]].index, differences, strict=True)}
    changed = (results["variant"] == "NR") & (results["arm"] == "sparse")
    keys = results.loc[changed, ["variant", "dense_width", "seed"]].itertuples(index=False, name=None)
    results.loc[changed, "test_accuracy"] = [lower[key] for key in keys]
    (said,) = warned(results)
    assert "opposite signs" in said and "adam, NR" in said and "BN" not in said


def test_a_single_seed_and_few_runs_of_a_tau_are_said():
    said = warned(_densities(densities=(0.1, 0.3, 1.0), seeds=(0,)))
    assert any("one seed" in sentence for sentence in said)
    assert any("3 runs, of which one random order in 3 has" in sentence for sentence in said)


def test_the_weightiest_come_first(make_results):
    results = make_results(widths=(7,)).iloc[:-1].assign(test_accuracy=0.1)
    said = warned(results, {**DATA, "runs_planned": 30})
    words = ("finished", "did not learn", "fewer than 6", "incomplete")
    assert [next(word for word in words if word in sentence) for sentence in said] == list(words)


@pytest.mark.parametrize(("epochs", "outside"), [(1000, False), (30, True)])
def test_claims_that_are_judged_outside_the_papers_conditions_are_counted(epochs, outside):
    results = make_study(PAIRS, variant=("NR", "BN"), epochs=epochs)
    numbers = numbers_of(results)
    said = [sentence for sentence in warnings(numbers, effects(numbers)) if "outside the conditions" in sentence]
    assert bool(said) == outside
    assert not outside or f"(here {epochs})" in said[0]
