"""ToST's published accuracies beside ours: which rows belong together, and gains."""

import math

import pandas as pd
import pytest

from keras_sparseflow.analysis.published.tost_accuracies import (
    beside_published_tost,
    load_tost_accuracies,
    load_tost_others,
)
from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.presets.tost_studies import TOST

CIFAR100 = DataSize((32, 32, 3), 100, 50_000, 10_000)


def runs(rows):
    columns = ["method", "score", "tweaks", "density", "test_accuracy", "diverged"]
    return pd.DataFrame(rows, columns=columns)


def test_every_published_row_is_there_once():
    rows = load_tost_accuracies()
    assert rows.groupby("table").size().to_dict() == {"2": 124, "3": 12, "4": 30}
    assert not rows.duplicated(["table", "dataset", "architecture", "mask", "tweak", "sparsity"]).any()


def test_means_deviations_and_gains_by_hand():
    ours = runs(
        [
            ("lottery", "random", "none", 0.05, 0.60, False),
            ("lottery", "random", "none", 0.05, 0.64, False),
            ("lottery", "random", "GSk", 0.05, 0.66, False),
            ("lottery", "random", "GSk", 0.05, math.nan, True),
            ("lottery", "random", "GSw", 0.07, 0.7, False),
            ("static", "snip", "GSk", 0.05, 0.7, False),
        ]
    )
    rows = beside_published_tost(ours, {"published": {"table": "4"}})
    assert rows[["mask", "tweaks", "density", "n"]].to_numpy().tolist() == [
        ["lth", "none", 0.05, 2], ["lth", "GSk", 0.05, 1],
    ]  # fmt: skip
    assert rows["mean"].tolist() == pytest.approx([62.0, 66.0]) and rows["gain"].tolist() == pytest.approx([0, 4])
    assert rows["std"][0] == pytest.approx(2 * math.sqrt(2)) and math.isnan(rows["std"][1])
    assert rows["published"].tolist() == [69.57, 71.72] and rows["published_std"].tolist() == [0.19, 0.22]
    assert rows["published_gain"].tolist() == pytest.approx([0, 2.15])


@pytest.mark.parametrize(
    ("dataset", "network", "dense"), [("cifar10", "ResNet-32", 94.8), ("cifar100", "ResNet-50", None)]
)
def test_of_table_2_the_study_names_dataset_and_network(dataset, network, dense):
    ours = runs([("lottery", "random", "none", 1.0, 0.5, False), ("static", "random", "tost", 0.02, 0.5, False)])
    study = {"published": {"table": "2", "dataset": dataset, "architecture": network}}
    rows = beside_published_tost(ours, study).set_index("mask")["published"]
    printed = load_tost_accuracies()
    printed = printed[(printed["dataset"] == dataset) & (printed["architecture"] == network)]
    expected = printed.set_index(["mask", "tweak", "sparsity"])["accuracy_percent"]
    assert rows["dense"] == expected["dense", "none", 0.0] and rows["random"] == expected["random", "tost", 0.98]
    assert dense is None or rows["dense"] == dense


def test_of_table_5_there_are_gains_alone_beside_our_accuracies():
    ours = runs(
        [
            (method, "random", tweaks, density, accuracy, False)
            for method, density, accuracies in (("static", 1.0, (0.7, 0.72)), ("lottery", 0.05, (0.6, 0.59)))
            for tweaks, accuracy in zip(("none", "GSk"), accuracies, strict=True)
        ]
        + [("lottery", "random", "GSk", 0.5, 0.6, False)]
    )
    rows = beside_published_tost(ours, {"published": {"table": "5"}})
    assert rows[["mask", "density", "tweaks", "published_gain"]].to_numpy().tolist() == [
        ["dense", 1.0, "none", 0.0], ["dense", 1.0, "GSk", -0.77],
        ["lth", 0.05, "none", 0.0], ["lth", 0.05, "GSk", 2.15],
    ]  # fmt: skip
    assert rows["gain"].tolist() == pytest.approx([0, 2, 0, -1]) and rows["published"].isna().all()


def test_every_other_published_number_is_there_once():
    counts = {name: len(load_tost_others(name)) for name in ("activation_sparsity", "accuracy_gain")}
    assert counts == {"activation_sparsity": 12, "accuracy_gain": 8}


@pytest.mark.parametrize("study", [{}, {"published": None}, {"published": {"table": "1"}}])
def test_other_studies_have_none(study):
    assert beside_published_tost(runs([("static", "snip", "none", 0.1, 0.5, False)]), study).empty


def results_of(study):
    """Made-up results of a study's runs, with the columns that records give them."""
    members, columns = study.members(CIFAR100), ["method", "score", "tweaks", "density"]
    record = study.record(members, "")
    rows = [{**record["defaults"], **member.spec.given} for member in members]
    return pd.DataFrame(rows)[columns].assign(test_accuracy=0.5, diverged=False), record


@pytest.mark.parametrize("name", [name for name, study in TOST.items() if study.published])
def test_every_run_with_published_numbers_stands_beside_them(name):
    ours, record = results_of(TOST[name])
    rows = beside_published_tost(ours.drop_duplicates(), record)
    counts = {"tost_1": 0, "tost_ghosts": 0, "tost_3": 12, "tost_4": 30, "tost_5": 12, "tost_ablation": 8}
    assert len(rows) == counts.get(name, 31)


def test_studies_of_tickets_alone_have_no_column_of_scores():
    ours, record = results_of(TOST["tost_5"])
    without = beside_published_tost(ours.drop(columns="score"), record)
    pd.testing.assert_frame_equal(without, beside_published_tost(ours, record))


def test_the_ablation_stands_beside_random_and_snip_masks_of_table_2():
    rows = beside_published_tost(*results_of(TOST["tost_ablation"]))
    assert rows[["mask", "density", "tweaks"]].to_numpy().tolist() == [
        [mask, density, tweaks] for mask in ("random", "snip") for density in (0.1, 0.02) for tweaks in ("none", "tost")
    ]
    assert set(rows["n"]) == {3} and rows["published"][0] == 89.95
