"""Refusals before anything is trained, for what is trained and on what."""

import sys

import pytest

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.executors.options import DEFAULT_OPTIONS, Options
from keras_sparseflow.studies.refusals import check_images, check_masks, check_specs
from keras_sparseflow.studies.run import network as network_module
from keras_sparseflow.studies.spec.run_spec import RunSpec

SIZE = DataSize((4, 4, 1), 3, 48, 12)


def network(**values):
    return RunSpec.of(**{"width": 12, "hidden_layers": 3, "density": 0.5, "batch_size": 16, "epochs": 2, **values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"method": "magnitude", "prune_from": 0.9, "prune_until": 0.99},
            "`prune_until` must leave at least one of the 6",
        ),
        ({"method": "set"}, "`move_frequency` must be below 4, the steps in which set moves masks in 2 epochs .* 100"),
        ({"method": "lottery", "rewind_step": 6}, "`rewind_step` must be below 6, the steps of 2 epochs; received 6"),
        ({"optimizer_options": ("sgd.betta=1",)}, "`optimizer_options` must .*sgd.betta"),
    ],
)
def test_runs_that_no_dataset_of_this_size_can_train_are_refused(values, message):
    good = [network(), network(method="lottery", rewind_step=5), network(method="rigl", move_frequency=3)]
    check_specs(good, SIZE, DEFAULT_OPTIONS)
    with pytest.raises(ValueError, match=message):
        check_specs([*good, network(**values)], SIZE, DEFAULT_OPTIONS)


def test_a_missing_tfmot_is_said_where_it_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_model_optimization", None)
    check_specs([network(), network(method="magnitude", density=1.0)], SIZE, DEFAULT_OPTIONS)
    with pytest.raises(ImportError, match="pip install tensorflow-model-optimization"):
        check_specs([network(method="magnitude")], SIZE, DEFAULT_OPTIONS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tweaks": "GSk_LRsI"}, "LRsI rescales initial weights in one process.* received --strategy=multiworker"),
        ({"diagnostics": ("loss_along",)}, "in one process; received --strategy=multiworker.*names loss_along"),
    ],
)
def test_workers_are_refused_what_they_would_not_compute_alike(values, message):
    specs = [network(), network(**values)]
    for strategy in ("none", "mirrored"):
        check_specs(specs, SIZE, Options(strategy=strategy))
    check_specs(specs[:1], SIZE, Options(strategy="multiworker"))
    with pytest.raises(ValueError, match=message):
        check_specs(specs, SIZE, Options(strategy="multiworker"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"score": "snip", "score_samples": 17},
            "`score_samples` must be at most 16, the training images of the small",
        ),
        ({"tweaks": "GSk", "hidden_layers": 1}, "has no place for a ghost"),
        ({"tweaks": "LRsI", "batch_size": 40}, "`batch_size` must be at most 32, for 48 training images; received 40"),
    ],
)
def test_images_that_are_too_few_and_tweaks_without_a_place_are_refused(values, message, data):
    check_images([network(score="snip", score_samples=16), network(tweaks="LRsI")], data)
    with pytest.raises(ValueError, match=message):
        check_images([network(**values)], data)


def test_masks_are_tried_where_a_score_decides_over_all_kernels_but_not_those_of_tickets(monkeypatch, data):
    over_all = [network(score=score, distribution="global") for score in ("snip", "magnitude")]
    ticket = network(method="lottery", distribution="global")
    tried = []
    monkeypatch.setattr(network_module, "check_collapse", lambda specs, *given: tried.append((specs, *given)))
    check_masks([network(), *over_all, ticket, network(density=1.0)], data, print)
    assert tried == [(over_all, data, print)]


VIT = {"model": "vit", "depth": 1, "width": 1, "patch_size": 2, "variant": "SC", "score": "synflow"}


@pytest.mark.parametrize(
    "sparse", [{"density": 0.5}, {"density": 0.5, "distribution": "erk"}, {"matched_fraction": 0.5}]
)
def test_synflow_of_a_network_with_attention_is_refused_before_any_training(sparse, data):
    spec = network(**{**VIT, **sparse})
    assert not spec.decides_over_all
    with pytest.raises(ValueError, match="`score` must be another than SynFlow, such as 'snip', for .* with attention"):
        check_masks([spec.but(score="random"), spec], data, lambda words: None)
