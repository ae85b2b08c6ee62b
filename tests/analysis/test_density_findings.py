import numpy as np

from keras_sparseflow.analysis.frames.densities import mean_by_density
from keras_sparseflow.analysis.report.density_findings import findings, flow_findings, warnings
from keras_sparseflow.analysis.statistics.correlation import correlate_densities
from tests.analysis.densities import make_densities


def _means(accuracies, **study):
    results = make_densities(("sgd",), seeds=(0,), **study)
    results["test_accuracy"] = accuracies
    results["test_loss"] = [1 - accuracy for accuracy in accuracies]
    return results


def test_the_best_at_the_lowest_density_is_named_with_the_last():
    results = _means([0.5, 0.8, 0.6, 0.7], variants=("NR", "SC"), densities=(0.1, 1.0), methods=("random",))
    said = findings(mean_by_density(results))
    assert said[0] == (
        "At the lowest density, 10%, the best is sgd, SC, with a mean test accuracy of 0.6 over 1 seed; the last of 2 "
        "configurations is sgd, NR, with 0.5."
    )
    assert said[1] == (
        "From 100% to 10% density, mean test accuracy falls in 2 of 2 configurations, by 0.2 on the median: least with "
        "sgd, SC (\N{MINUS SIGN}0.1000), most with sgd, NR (\N{MINUS SIGN}0.3000)."
    )
    assert said[2] == "In none of 2 configurations with dense networks is the mean of sparser ones better than theirs."


def test_a_lower_loss_is_the_better_one():
    results = _means([0.5, 0.8, 0.6, 0.7], variants=("NR", "SC"), densities=(0.1, 1.0), methods=("random",))
    said = findings(mean_by_density(results, "test_loss"), "test_loss")
    assert "the best is sgd, SC, with a mean test loss of 0.4" in said[0]
    assert "mean test loss rises in 2 of 2" in said[1] and "least with sgd, SC (+0.1000)" in said[1]


def test_sparse_networks_that_are_better_than_dense_ones_are_named():
    results = _means([0.5, 0.9, 0.8], variants=("NR",), densities=(0.1, 0.5, 1.0), methods=("random",))
    assert findings(mean_by_density(results))[2] == (
        "In 1 of 1 configuration with dense networks the mean of some sparser ones is better than theirs: sgd, NR at "
        "50% (0.9 against 0.8)."
    )


def test_methods_are_compared_at_the_lowest_density_that_they_share():
    results = _means([0.4, 0.5, 0.6, 0.6, 0.9, 0.7], variants=("NR",), densities=(0.1, 0.2, 1.0))
    results = results[~((results["method"] == "magnitude") & (results["density"] == 0.1))]
    said = findings(mean_by_density(results))
    assert said[-1] == (
        "Of the 1 configuration that all methods have at 20%, the best mean test accuracy is that of random masks in "
        "0, magnitude pruning in 1."
    )


def test_a_density_at_which_all_runs_diverged_has_no_best():
    results = _means([0.5, 0.8], variants=("NR",), densities=(0.1, 1.0), methods=("random",))
    results.loc[0, "diverged"] = True
    assert findings(mean_by_density(results)) == ["At the lowest density, 10%, no run came to a finite result."]


def test_one_density_is_no_fall():
    results = _means([0.5], variants=("NR",), densities=(0.1,), methods=("random",))
    assert len(findings(mean_by_density(results))) == 1


def test_flow_is_said_with_its_sign_and_its_runs():
    results = _means(
        [0.5, 0.6, 0.7, 0.3, 0.2, 0.1], variants=("NR", "SC"), densities=(0.1, 0.3, 1.0), methods=("random",)
    )
    results["egf_2"] = [1, 2, 3, 4, 5, 6]
    (said,) = flow_findings(*correlate_densities(results))
    assert said == (
        "Over densities and seeds, EGF (2-norm) goes with test accuracy with a mean |tau| of 1.000 in 2 configurations "
        "of 3 runs each: tau is positive in 1, negative in 1; over all 6 runs together it is \N{MINUS SIGN}0.600."
    )


def test_too_few_runs_tell_nothing_of_flow():
    results = _means([0.5, 0.6], variants=("NR",), densities=(0.1, 1.0), methods=("random",))
    (said,) = flow_findings(*correlate_densities(results))
    assert said.endswith("can't be said: no configuration has three runs that differ.")


def _warned(results, planned=None):
    return warnings(
        results, mean_by_density(results), correlate_densities(results)[0], planned, "test_accuracy", "worst"
    )


def test_what_limits_a_study_is_said():
    results = make_densities(("sgd",), ("NR",), (0.1, 0.3, 1.0), (0,), ("random",))
    unfinished, single, few = _warned(results, planned=5)
    assert unfinished.startswith("3 of 5 runs are finished")
    assert "one seed" in single and "3 runs, of which one random order in 3 has" in few


def test_a_whole_study_of_several_seeds_has_no_warning():
    results = make_densities(("sgd",), ("NR",), seeds=(0, 1), methods=("random",))
    assert _warned(results, planned=len(results)) == []
    assert _warned(results.assign(empty_kernels=0)) == []
    (collapsed,) = _warned(results.assign(empty_kernels=(results["density"] == 0.05) * 2))
    assert collapsed.startswith("In 2 runs the masks leave at least one kernel without any active weight")
    assert collapsed.endswith("random masks at 5%.")
    results.loc[0, ["diverged", "test_accuracy"]] = [True, np.nan]
    diverged, single = _warned(results)
    assert diverged.startswith("1 run diverged") and single == "1 of 5 means is of a single run."


def test_of_many_methods_only_the_best_and_the_last_of_all_are_named():
    methods = ("random", "snip", "grasp", "synflow", "set", "rigl")
    results = make_densities(("sgd",), ("NR",), (0.1, 0.5), (0,), methods, noise=0.0)
    results["test_accuracy"] = results["method"].map({name: 0.1 * i for i, name in enumerate(methods, 1)})
    said = findings(mean_by_density(results))
    assert "the best is sgd, NR, RigL, with" in said[0] and "the last of 6 configurations is sgd, NR, random" in said[0]
    assert not any("With SNIP" in sentence for sentence in said)
    assert said[-1].endswith("that of RigL in 1.")
