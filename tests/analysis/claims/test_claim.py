"""Conditions of claims: the papers' own studies meet them, and studies of other networks and data do not."""

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.claims import tessera, tost
from keras_sparseflow.analysis.claims.judging import judge_claims
from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.presets.preset_table import studies_of
from keras_sparseflow.studies.spec.run_spec import LEAVES
from tests.analysis.claims.made_up import DENSITIES, PAIRS, WIDE_RESNETS, make_study, with_noise

TWEAKED = {"tweaks": ("none", "GSk")}
ADAMW = {"variant": "L2_BN", "optimizer": ("adam", "adamw")}
L2 = {"variant": ("BN", "L2_BN"), "optimizer": "adam"}
RESNET_8 = {"model": "resnet", "depth": 8, "width": 1}
MLPS = {**{name: value for name, value in DENSITIES.items() if name != "depth"}, "model": "mlp", "width": 100}

STUDIES = {
    "table_3a": [tessera.L2_WITHOUT_BATCHNORM, tessera.FAVOURS_SPARSE, tessera.BRINGS_CLOSER, tessera.STEADIES_FLOW],
    "table_3b": [tessera.L2_WITH_BATCHNORM, tessera.HIGH_FLOW_HARMS],
    "table_4": [tessera.BEFORE_SKIPS, tessera.EGF_LEADS],
    "table_6b": [tessera.SOFT_ACTIVATIONS],
    "figure_2": [tessera.AUGMENTATION],
    "figure_23": [tessera.DECOUPLED_DECAY],
    "wrn_random": [tessera.L2_IN_WIDE_RESNETS],
    "wrn_magnitude": [tessera.L2_IN_WIDE_RESNETS],
    "tost_2_cifar10_resnet_50": [tost.ANY_MASK],
    "tost_3": [tost.ANY_MASK],
    "tost_figure_7_cifar100_mobilenet": [tost.ANY_MASK],
    "tost_figure_7_cifar10_vgg_16": [tost.ANY_MASK],
    "tost_4": [tost.EACH_TWEAK],
    "tost_5": [tost.GHOSTS_BY_SPARSITY],
    "tost_figure_9": [tost.SMOOTHER_TRAINING],
}
"""Presets, and claims that the papers make by them."""

OUTSIDE = [
    (tost.EACH_TWEAK, MLPS, TWEAKED,
     ["ResNets (here mlp)", "18 layers (here none)", "the channels of ResNet-18 (here 100)"]),
    (tost.GHOSTS_BY_SPARSITY, DENSITIES, {**TWEAKED, "density": (0.05, 1.0), **RESNET_8}, ["18 layers (here 8)"]),
    (tost.SMOOTHER_TRAINING, DENSITIES, {"tweaks": ("none", "tost"), "optimizer": "adam", "learning_rate": 0.01},
     ["SGD with momentum (here adam)", "learning rate 0.1 (here 0.01)"]),
    (tost.ANY_MASK, MLPS, {"tweaks": ("none", "tost"), "dataset": "digits"},
     ["CIFAR-10, CIFAR-100 or Tiny-ImageNet (here digits)", "a ResNet, a VGG or a MobileNet (here mlp)",
      "the depth of ResNet-18, -32 or -50, VGG-16 or MobileNet (here none)"]),
    (tessera.DECOUPLED_DECAY, PAIRS, {**ADAMW, "hidden_layers": 1, "epochs": 30},
     ["four hidden layers (here 1)", "500 epochs or more (here 30)"]),
    (tessera.DECOUPLED_DECAY, PAIRS, {**ADAMW, "dataset": "cifar10"}, ["CIFAR-100 (here cifar10)"]),
    (tessera.L2_IN_WIDE_RESNETS, WIDE_RESNETS, {**L2, "width": 1, "learning_rate": 0.001},
     ["learning rate 0.1 (here 0.001)", "ten times the channels (here 1)"]),
    (tessera.EGF_LEADS, PAIRS, {"variant": ("NR", "BN", "SC"), "hidden_layers": 3},
     ["one, two or four hidden layers (here 3)"]),
    (tessera.FAVOURS_SPARSE, PAIRS, {"optimizer": "sgd", "learning_rate": 0.01},
     ["learning rate 0.001 or 0.1 (here 0.01)"]),
]  # fmt: skip


@pytest.mark.parametrize("name", STUDIES)
def test_the_papers_own_studies_meet_the_conditions_of_their_claims(name):
    rows = [
        {**member.spec.given, **member.labels, "run_id": f"run-{number}"}
        for study in studies_of(name)
        for number, member in enumerate(study.members(DataSize((32, 32, 3), 10, 50_000, 10_000)))
    ]
    columns = dict.fromkeys(column for row in rows for column in row)
    defaults = {name: LEAVES[name].default for name in columns if name in LEAVES}
    results = pd.DataFrame([{**defaults, **row} for row in rows])
    results.attrs["spec_columns"] = [column for column in results if column != "run_id"]
    judged = judge_claims(with_noise(results, np.random.default_rng(0)), claims=STUDIES[name])
    assert [one.outside for one in judged] == [()] * len(STUDIES[name])
    assert all(any(half.numbers for half in one.halves) for one in judged), "some half-sentence is judged"


@pytest.mark.parametrize(("claim", "axes", "changed", "outside"), OUTSIDE)
def test_studies_of_other_networks_and_trainings_are_outside(claim, axes, changed, outside):
    assert list(judge_claims(make_study(axes, **changed), claims=[claim])[0].outside) == outside


@pytest.mark.parametrize("claim", [*tessera.CLAIMS, *tost.CLAIMS])
def test_every_claim_is_made_for_whole_datasets(claim):
    words = {condition.words for condition in claim.conditions}
    assert {"images in their own size", "all training images"} <= words


@pytest.mark.parametrize(
    ("dataset", "changed", "outside"),
    [
        ("cifar100", {}, ()),
        ("cifar100", {"image_size": None, "train_size": None}, ()),
        ("cifar10", {"image_size": 32, "train_size": 50_000}, ()),
        ("fashion_mnist", {"image_size": 28, "train_size": 60_000}, ()),
        ("cifar100", {"image_size": 8, "train_size": 500},
         ("images in their own size (here 8 pixels a side)", "all training images (here 500)")),
        ("cifar10", {"train_size": (500, 1000)}, ("all training images (here 500, 1000)",)),
        ("cifar10", {"validation_size": 5000}, ("all training images (here all but 5000)",)),
        ("cifar10", {"validation_size": (5000, None)}, ()),
        ("fashion_mnist", {"image_size": 14, "train_size": 60_000},
         ("images in their own size (here 14 pixels a side)",)),
        ("cifar10", {"image_size": (8, None)}, ()),
    ],
)  # fmt: skip
def test_parts_of_a_dataset_are_outside(dataset, changed, outside):
    study = make_study(PAIRS, optimizer="sgd", dataset=dataset, **changed)
    assert judge_claims(study, claims=[tessera.FAVOURS_SPARSE])[0].outside == outside
