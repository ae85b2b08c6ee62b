"""ToST's table 1 beside ours: which runs and layers it is of."""

import math

import pandas as pd
import pytest

from keras_sparseflow.analysis.published.tost_sparsities import beside_published_sparsity

TABLE_1 = {"published": {"table": "1"}}


def _rows(*rows):
    return pd.DataFrame(rows, columns=["run_id", "epoch", "measure", "layer", "value"])


def _runs(rows):
    columns = ["run_id", "method", "score", "density", "tweaks", "ghost_decay", "ghost_activation", "diverged"]
    return pd.DataFrame(rows, columns=columns)


def _lottery(name, tweaks="none", soft="swish", decay="none", density=0.1, diverged=False):
    return (name, "lottery", "random", density, tweaks, decay, soft, diverged)


def _sparsity(run_id, epoch=9, **layers):
    return _rows(*((run_id, epoch, "activation_sparsity", layer, value) for layer, value in layers.items()))


def test_sparsity_of_a_group_is_the_mean_of_its_layers_in_percent_beside_the_published_one():
    runs = _runs([_lottery("r0"), _lottery("r1"), _lottery("s", "GSw"), _lottery("m", "GSw", "mish")])
    diagnostics = pd.concat(
        [
            _sparsity("r0", 5, group1_block1_activation1=0.9),
            _sparsity("r0", stem_activation=0.9, group1_block1_activation1=0.1, group1_block1_activation2=0.3, total=1),
            _sparsity("r1", group1_block1_activation1=0.2, group1_block1_activation2=0.6),
            _sparsity("s", group1_block1_activation1=0.01, group5_block1_activation1=0.0),
            _sparsity("m", group1_block1_activation1=0.02),
            _rows(("r0", 9, "top_eigenvalue", "group1_block1_activation1", 7.0)),
        ]
    )
    table = beside_published_sparsity(diagnostics, runs, TABLE_1)
    assert table[["mask", "density", "group", "activation", "n"]].to_numpy().tolist() == [
        ["lth", 0.1, 1, "ReLU", 2], ["lth", 0.1, 1, "Swish", 1],
        ["lth", 0.1, 1, "Mish", 1], ["lth", 0.1, 5, "Swish", 1],
    ]  # fmt: skip
    assert table["mean"].tolist() == pytest.approx([30, 1, 2, 0])
    assert table["std"][0] == pytest.approx(10 * math.sqrt(2)) and table["std"][1:].isna().all()
    assert table["published"].tolist()[:3] == [27.14, 0.31, 1.09] and math.isnan(table["published"][3])


def test_activations_near_zero_stand_beside_exact_zeros_with_the_range_of_their_group():
    runs = _runs([_lottery("r0"), _lottery("r1")])
    layers = {"group1_block1_activation1": 0.1, "group1_block1_activation2": 0.3}
    near = pd.concat([_sparsity(run, **layers).assign(measure="near_zero_activations") for run in ("r0", "r1")])
    near.loc[near["run_id"] == "r1", "value"] += 0.02
    table = beside_published_sparsity(pd.concat([near, _sparsity("r0", **layers)]), runs, TABLE_1)
    assert table["measure"].tolist() == ["activation_sparsity", "near_zero_activations"]
    assert table[["mean", "lowest", "highest", "published"]].to_numpy().tolist() == [
        pytest.approx([20, 10, 30, 27.14]), pytest.approx([21, 11, 31, 27.14]),
    ]  # fmt: skip
    assert table["n"].tolist() == [1, 2]


def test_what_the_table_does_not_compare_is_left_out():
    runs = _runs(
        [
            _lottery("plain"), _lottery("swish", "GSw"),
            _lottery("round", density=0.5), _lottery("fading", "GSw", "mish", "cosine"), _lottery("all", "tost"),
            _lottery("lost", diverged=True),
        ]
    )  # fmt: skip
    diagnostics = pd.concat([_sparsity(run, group2_block1_activation1=0.5) for run in runs["run_id"]])
    table = beside_published_sparsity(diagnostics, runs, TABLE_1)
    assert table[["density", "activation", "n"]].to_numpy().tolist() == [[0.1, "ReLU", 1], [0.1, "Swish", 1]]
    for study in ({}, {"published": {"table": "2"}}):
        assert beside_published_sparsity(diagnostics, runs, study).empty
    assert beside_published_sparsity(_rows(), runs, TABLE_1).empty
