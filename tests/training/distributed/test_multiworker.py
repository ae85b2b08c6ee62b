"""Strategies of several workers: refusals, who is the chief, and what one worker does; suites/cluster has real ones."""

import json
import re
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow import SparseModel, mlp
from keras_sparseflow.training.distributed.multiworker import (
    MultiWorkerModel,
    check_agreement,
    is_chief,
    lost_workers_named,
    multiworker,
    network_class,
    wait_for_workers,
    worker_count,
)

TWO = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}


@pytest.mark.parametrize(
    "config",
    [
        "",
        "not JSON",
        {"cluster": 3},
        {"cluster": TWO},
        {"cluster": TWO, "task": {"type": "worker", "index": 2}},
        {"cluster": TWO, "task": {"type": "ps", "index": 0}},
    ],
)
def test_a_cluster_without_this_process_is_refused(config, monkeypatch):
    text = config if isinstance(config, str) else json.dumps(config)
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=f"TF_CONFIG must name the workers.*received {re.escape(repr(text))}"):
        multiworker()


def test_devices_are_those_of_all_workers(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": TWO, "task": {"type": "worker", "index": 0}}))
    strategy = mock.Mock(num_replicas_in_sync=4)
    multiworker.cache_clear()
    with mock.patch.object(tf.distribute, "MultiWorkerMirroredStrategy", return_value=strategy):
        assert multiworker(4) is multiworker(4) is strategy
        with pytest.raises(ValueError, match=r"`devices` must be 4, .*; received 2\."):
            multiworker(2)
    multiworker.cache_clear()


def test_workers_must_meet_before_tensorflow_starts(monkeypatch):
    tf.zeros(())
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": TWO, "task": {"type": "worker", "index": 0}}))
    with pytest.raises(RuntimeError, match="before TensorFlow has done anything"):
        multiworker()


@pytest.mark.parametrize(
    ("cluster", "task", "workers", "chief"),
    [
        (TWO, ("worker", 0), 2, True),
        (TWO, ("worker", 1), 2, False),
        ({**TWO, "chief": ["127.0.0.1:3"]}, ("chief", 0), 3, True),
        ({**TWO, "chief": ["127.0.0.1:3"]}, ("worker", 0), 3, False),
        ({**TWO, "evaluator": ["127.0.0.1:3"]}, ("worker", 0), 2, True),
        ({"worker": ["127.0.0.1:1"]}, ("worker", 0), 1, True),
    ],
)
def test_the_chief_is_one_of_the_workers(cluster, task, workers, chief):
    strategy = mock.create_autospec(tf.distribute.MultiWorkerMirroredStrategy, instance=True)
    strategy.cluster_resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), task_type=task[0], task_id=task[1]
    )
    assert worker_count(strategy) == workers
    assert is_chief(strategy) is chief


def test_other_strategies_have_one_worker_that_waits_for_nobody():
    for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0"])):
        assert worker_count(strategy) == 1
        assert is_chief(strategy)
        wait_for_workers(strategy)


@pytest.fixture
def two_workers():
    """A strategy of two workers, of which this is the first."""
    strategy = mock.create_autospec(tf.distribute.MultiWorkerMirroredStrategy, instance=True)
    strategy.cluster_resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(TWO), task_type="worker", task_id=0
    )
    return strategy


def test_workers_that_differ_all_refuse(two_workers):
    values = {"runs": ["a", "b"]}
    two_workers.reduce.side_effect = lambda operation, value, axis: value + value
    check_agreement(two_workers, values, "The runs")
    two_workers.reduce.side_effect = lambda operation, value, axis: (
        value + (value[0] + 1) ** tf.constant([1, 2], tf.int64)
    )
    with pytest.raises(RuntimeError, match=r"The runs must be the same on every worker; they differ, .*\['a', 'b'\]"):
        check_agreement(two_workers, values, "The runs")
    check_agreement(tf.distribute.get_strategy(), values, "The runs")


def test_a_lost_worker_is_named_and_other_errors_are_as_they_are(two_workers):
    lost = tf.errors.UnavailableError(None, None, "Socket closed")
    with pytest.raises(RuntimeError, match="Another worker has ended"), lost_workers_named(two_workers):
        raise lost
    with pytest.raises(tf.errors.UnavailableError), lost_workers_named(tf.distribute.get_strategy()):
        raise lost
    with pytest.raises(tf.errors.ResourceExhaustedError), lost_workers_named(two_workers):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")


def test_networks_of_one_worker_are_sparse_models(two_workers):
    assert network_class() is SparseModel
    with mock.patch.object(tf.distribute, "get_strategy", return_value=two_workers):
        assert network_class() is MultiWorkerModel


def test_without_workers_it_is_a_sparse_model():
    """Several steps in one execution, too, which workers can't have."""
    rng, losses = np.random.default_rng(0), []
    images, labels = rng.normal(size=(40, 3, 3, 1)), rng.integers(0, 4, 40)
    for model_class in (SparseModel, MultiWorkerModel):
        model = mlp((3, 3, 1), 4, [8], active=[40, 20], seed=3, model_class=model_class)
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), steps_per_execution=2)
        history = model.fit(images, labels, batch_size=10, shuffle=False, epochs=2, verbose=0)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1]
