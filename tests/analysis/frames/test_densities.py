import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.frames.densities import (
    arrange_densities,
    configuration_name,
    dense_levels,
    gain_by_density,
    line_heading,
    mean_by_density,
    tabulate_densities,
)
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.statistics.correlation import correlate_densities
from keras_sparseflow.analysis.statistics.intervals import bootstrap_mean
from keras_sparseflow.analysis.statistics.paired_tests import compare_densities
from tests.analysis.densities import TWEAKS, make_densities, with_tweaks


def test_a_run_has_its_table_panel_and_line():
    results = make_densities(("momentum",), ("SC_BN",), (0.1,), (0,), ("random",))
    (place,) = arrange_densities(results)[["table", "method", "panel", "line"]].to_numpy().tolist()
    assert place == ["cifar100, Wide ResNet-28-10, learning rate 0.1, relu", "random", "momentum", "SC_BN"]


@pytest.mark.parametrize(
    ("size", "name"),
    [
        ({"model": "mlp", "hidden_layers": 4, "depth": None, "width": 788}, "multilayer perceptron of 4 x 788 units"),
        ({"model": "tiny_vgg", "depth": 11, "width": 2}, "tiny vgg-11-2"),
        ({"model": "tiny_vgg", "depth": 11, "width": None}, "tiny vgg-11"),
    ],
)
def test_architectures_are_named_as_people_name_them_and_unknown_ones_by_their_size(size, name):
    placed = arrange_densities(make_densities(("momentum",), ("NR",), (0.1,), (0,), ("random",), **size))
    assert placed["table"].tolist() == [f"cifar100, {name}, learning rate 0.1, relu"]


def test_learning_rates_stand_with_the_optimizer_where_they_differ():
    placed = arrange_densities(make_densities(("momentum", "adam"), ("NR",), (0.1,), (0,), ("random",)))
    assert placed["panel"].tolist() == ["adam, learning rate 0.001", "momentum, learning rate 0.1"]
    assert set(placed["table"]) == {"cifar100, Wide ResNet-28-10, relu"}


@pytest.mark.parametrize(
    ("variants", "activations", "lines"),
    [
        (("NR",), ("relu", "swish"), ["relu", "swish"]),
        (("SC", "NR"), ("swish", "relu"), ["NR, relu", "NR, swish", "SC, relu", "SC, swish"]),
        (("SC", "NR"), ("relu",), ["NR", "SC"]),
    ],
)
def test_a_line_is_named_after_what_varies(variants, activations, lines):
    results = pd.concat(
        make_densities(("sgd",), variants, (0.1,), (0,), ("random",), activation=name) for name in activations
    )
    assert arrange_densities(results.reset_index(drop=True))["line"].tolist() == lines


def test_runs_that_were_trained_differently_stand_in_tables_of_their_own():
    settings = {"optimizers": ("sgd",), "variants": ("NR",), "densities": (0.1,), "seeds": (0,)}
    results = pd.concat([make_densities(**settings, ends=ends) for ends in ("sparse", "dense")], ignore_index=True)
    tables = arrange_densities(results)["table"].unique()
    assert sorted(table.rpartition(", ")[2] for table in tables) == ["ends dense", "ends sparse"]


def test_order_is_that_of_the_paper_and_random_masks_come_first():
    placed = arrange_densities(make_densities().sample(frac=1, random_state=0))
    assert list(placed["method"].unique()) == ["random", "magnitude"]
    assert list(placed["line"].unique()) == ["NR", "SC", "SC_BN", "L2_SC_BN"]
    assert list(placed["density"].unique()) == [0.01, 0.05, 0.2, 0.5, 1.0]


@pytest.mark.parametrize("density", [0.0, 1.5, -0.1, np.nan])
def test_what_is_no_density_is_refused(density):
    results = make_densities(("sgd",), ("NR",), (0.1, 1.0), (0,), ("random",))
    results.loc[0, "density"] = density
    with pytest.raises(ValueError, match=r"must be in \(0, 1\]; received"):
        arrange_densities(results)


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="missing: method"):
        arrange_densities(make_densities().drop(columns="method"))


def test_means_are_those_of_the_runs_that_did_not_diverge():
    results = make_densities(("sgd",), ("NR",), (0.1, 1.0), (0, 1, 2), ("random",))
    results["test_accuracy"] = [0.5, 0.6, 0.1, 0.7, 0.8, 0.9]
    results.loc[2, "diverged"] = True
    low, dense = mean_by_density(results).to_dict("records")
    assert (low["density"], low["n"], low["diverged"]) == (0.1, 2, 1)
    assert low["mean"] == pytest.approx(0.55) and low["std"] == pytest.approx(np.sqrt(0.005))
    assert (dense["min"], dense["max"], dense["mean"]) == (0.7, 0.9, pytest.approx(0.8))
    assert (dense["ci_low"], dense["ci_high"]) == bootstrap_mean([0.7, 0.8, 0.9])


def test_runs_that_differ_in_what_was_measured_alone_are_one_training():
    results = make_densities(("sgd",), ("NR", "SC"), (0.1, 0.2, 0.5), (0, 1), ("random",)).assign(diagnostics="none")
    results.attrs["spec_columns"] = ["seed", "density", "variant", "diagnostics"]
    again = results.assign(run_id=results["run_id"] + "-again", diagnostics="loss_surface", test_accuracy=0.0)
    both = pd.concat([results, again], ignore_index=True)
    both.attrs = results.attrs
    pd.testing.assert_frame_equal(mean_by_density(both), mean_by_density(results))
    assert set(mean_by_density(both)["n"]) == {2}
    pd.testing.assert_frame_equal(compare_densities(both), compare_densities(results))
    for got, expected in zip(correlate_densities(both), correlate_densities(results), strict=True):
        pd.testing.assert_frame_equal(got, expected)
    assert len(arrange_densities(both)) == len(both), "none is hidden"


def test_mean_flow_stands_beside_the_mean_and_is_nan_where_there_is_none():
    results = make_densities(("sgd",), ("NR",), (0.1,), (0, 1), ("random",))
    assert tabulate_densities(results, "test_accuracy", "egf_2")["flow"].tolist() == [results["egf_2"].mean()]
    assert tabulate_densities(results, "test_accuracy", None)["flow"].isna().all()


def test_the_dense_level_is_the_methods_own_or_that_of_another_method():
    results = make_densities(("sgd",), ("NR", "SC"), (0.1, 1.0), (0,))
    own = dense_levels(mean_by_density(results)).set_index(["method", "line"])["mean"]
    alone = results[(results["method"] == "random") | (results["density"] < 1)]
    borrowed = dense_levels(mean_by_density(alone)).set_index(["method", "line"])["mean"]
    assert len(own) == len(borrowed) == 4
    assert own["magnitude", "NR"] != own["random", "NR"] == borrowed["magnitude", "NR"] == borrowed["random", "NR"]
    assert dense_levels(mean_by_density(results[results["density"] < 1])).empty


def test_methods_and_configurations_have_names():
    place = {"panel": "sgd", "line": "NR", "method": "magnitude"}
    assert configuration_name(place, True) == "sgd, NR, magnitude pruning"
    assert configuration_name(place, False) == "sgd, NR"
    assert [method_name(name) for name in ("random", "syn_flow")] == ["random masks", "syn flow"]


def test_methods_stand_in_the_order_of_their_kinds():
    methods = ("magnitude", "rigl_from_snip (erk)", "snip (erk)", "random (uniform)")
    placed = arrange_densities(make_densities(("sgd",), ("NR",), (0.1,), (0,), methods))
    assert list(placed["method"].unique()) == list(methods[::-1])


def _tweaked(names=TWEAKS, methods=("random",), variants=("NR",)):
    return with_tweaks(make_densities(("sgd",), variants, (0.01, 0.1), (0, 1, 2), methods), names)


def test_a_gain_is_over_the_same_training_without_tweaks():
    results = _tweaked(("none", "GSk"), ("random", "snip"), ("NR", "BN"))
    gains = gain_by_density(results).set_index(["method", "line", "density"])["gain"]
    assert len(gains) == 2 * 2 * 2
    assert gains["snip", "BN, GSk", 0.01] == pytest.approx(0.012 * 2)
    assert gains["random", "NR, GSk", 0.1] == pytest.approx(0.012)
    without = results[~((results["tweaks"] == "none") & (results["method"] == "snip"))]
    assert set(gain_by_density(without)["method"]) == {"random"}


def test_the_heading_names_what_lines_differ_in():
    assert line_heading(_tweaked(("none", "GSk"))) == "tweaks"
    assert line_heading(_tweaked(("none", "GSk"), variants=("NR", "BN"))) == "variant, tweaks"
    assert line_heading(make_densities(("sgd",), ("NR",), (0.1,), (0,))) == "variant"


def test_what_was_measured_besides_parts_no_table():
    results = _tweaked(("none", "GSk"))
    watched = results.assign(diagnostics=[["loss_along"] if seed else [] for seed in results["seed"]])
    watched = watched.assign(landscape_steps=np.where(results["seed"], 21, 5))
    assert (
        arrange_densities(watched)["table"].unique().tolist() == arrange_densities(results)["table"].unique().tolist()
    )
