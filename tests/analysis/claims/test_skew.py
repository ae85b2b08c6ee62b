"""The skew of BatchNorm: ratios by hand, both directions, and no verdict of noise."""

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.claims.skew import batchnorm_skew
from keras_sparseflow.analysis.statistics.signed_rank import holm, wilcoxon_signed_rank
from keras_sparseflow.analysis.statistics.verdicts import NO_DIFFERENCE, OTHER_WAY, TOO_FEW, YES
from tests.analysis.claims.made_up import PAIRS, make_study

LAYERS = ("hidden_1", "output", "total")


def study(variants=("NR", "BN"), **changed):
    return make_study(PAIRS, variant=variants, **changed)


def flow_of(results, sparse=0.0, dense=0.0, noise=0.05, seed=0, base=1.0):
    """Returns flow of three layers, whose logarithms BatchNorm moves by so much in each arm, at two epochs."""
    rng = np.random.default_rng(seed)
    rows = []
    for run in results.to_dict("records"):
        change = (sparse if run["arm"] == "sparse" else dense) if "BN" in run["variant"] else 0.0
        for layer in LAYERS:
            value = base * np.exp(change + rng.normal(0, noise))
            rows += [(run["run_id"], epoch, layer, value * factor) for epoch, factor in ((0, 1.5), (9, 0.5))]
    return pd.DataFrame(rows, columns=["run_id", "epoch", "layer", "value"])


def test_ratios_and_means_are_those_computed_by_hand():
    results = study(dense_width=(308, 923))
    flow = flow_of(results, sparse=-0.7, dense=-0.2)
    table = batchnorm_skew(results, flow)
    assert table["layer"].tolist() == [*LAYERS] and set(table["pairs"]) == {6}
    means = flow[flow["layer"] == "output"].groupby("run_id")["value"].mean()
    logs = results.assign(log=np.log(results["run_id"].map(means))).pivot(
        index=["dense_width", "seed"], columns=["arm", "variant"], values="log"
    )
    row = table.set_index("layer").loc["output"]
    for arm in ("sparse", "dense"):
        for variant, column in (("NR", "without"), ("BN", "with")):
            assert row[f"{arm}_{column}"] == pytest.approx(np.exp(logs[arm, variant].mean()))
        change = logs[arm, "BN"] - logs[arm, "NR"]
        assert row[arm] == pytest.approx(np.exp(wilcoxon_signed_rank(change, 0 * change).difference))
    skew = wilcoxon_signed_rank(logs["sparse", "BN"] - logs["sparse", "NR"], logs["dense", "BN"] - logs["dense", "NR"])
    assert row["skew"] == pytest.approx(np.exp(skew.difference))
    assert row["skew"] == pytest.approx(np.exp(-0.5), rel=0.15)


@pytest.mark.parametrize(
    ("sparse", "dense", "answer"),
    [(-0.7, -0.2, YES), (0.7, 0.2, YES), (-0.2, -0.7, OTHER_WAY), (0.2, 0.7, OTHER_WAY), (-0.5, -0.5, NO_DIFFERENCE)],
)
def test_yes_says_that_sparse_networks_are_moved_farther_up_or_down(sparse, dense, answer):
    results = study()
    assert set(batchnorm_skew(results, flow_of(results, sparse, dense))["answer"]) == {answer}


def test_few_pairs_tell_nothing():
    results = study(dense_width=308)
    assert set(batchnorm_skew(results, flow_of(results, -0.7, -0.2))["answer"]) == {TOO_FEW}


def test_all_layers_and_optimizers_are_one_family():
    results = study(optimizer=("adam", "sgd"))
    table = batchnorm_skew(results, flow_of(results, -0.3, -0.27, noise=0.1))
    assert table[["optimizer", "layer"]].values.tolist() == [
        [optimizer, layer] for optimizer in ("adam", "sgd") for layer in LAYERS
    ]
    raw = []
    for row in table.to_dict("records"):
        runs = results[results["optimizer"] == row["optimizer"]]
        one = batchnorm_skew(runs, flow_of(results, -0.3, -0.27, noise=0.1).query("layer == @row['layer']"))
        raw.append(one["p_holm"].iloc[0])
    assert table["p_holm"].tolist() == pytest.approx(holm(np.array(raw)).tolist())
    assert max(table["p_holm"]) > max(raw)


def test_variants_of_one_draw_count_once_with_their_mean():
    results = study(("NR", "BN", "SC", "SC_BN"))
    flow = flow_of(results, -0.7, -0.2)
    assert set(batchnorm_skew(results, flow)["pairs"]) == {15}
    plain = results[results["variant"].isin(["NR", "BN"])]
    assert not np.isclose(batchnorm_skew(results, flow)["skew"], batchnorm_skew(plain, flow)["skew"]).any()


def test_diverged_runs_and_layers_without_gradient_are_left_out():
    results = study()
    flow = flow_of(results, -0.7, -0.2)
    results.loc[0, "diverged"] = True
    dead = results["run_id"].iloc[7]
    flow.loc[(flow["run_id"] == dead) & (flow["layer"] == "output"), "value"] = 0.0
    table = batchnorm_skew(results, flow).set_index("layer")["pairs"]
    assert table.to_dict() == {"hidden_1": 14, "output": 13, "total": 14}


@pytest.mark.parametrize("changed", [{"variants": ("NR", "L2")}, {"arm": "sparse"}])
def test_a_study_without_such_pairs_has_no_row(changed):
    results = study(**changed)
    assert batchnorm_skew(results, flow_of(results)).empty


def test_noise_decides_little():
    results, decided = study(), 0
    for seed in range(30):
        table = batchnorm_skew(results, flow_of(results, -0.5, -0.5, noise=0.3, seed=seed))
        decided += table["answer"].isin([YES, OTHER_WAY]).any()
    assert decided <= 4, "of 30; without correction it would be 4 on the mean"


@pytest.mark.parametrize(("column", "names"), [("measure", ("egf_1", "egf_2")), ("reading", ("end", "steps"))])
def test_measures_and_readings_are_not_mixed(column, names):
    results = study()
    flow = pd.concat([flow_of(results).assign(**{column: name}) for name in names])
    with pytest.raises(ValueError, match=f"one {column}; received {names[0]}, {names[1]}: choose one"):
        batchnorm_skew(results, flow)
    one = flow[flow[column] == names[0]]
    assert batchnorm_skew(results, one).equals(batchnorm_skew(results, one.drop(columns=column)))


def test_flow_needs_its_columns():
    with pytest.raises(ValueError, match="`flow` must have the columns run_id, epoch, layer, value"):
        batchnorm_skew(study(), pd.DataFrame({"run_id": []}))
