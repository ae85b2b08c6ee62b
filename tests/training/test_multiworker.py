"""One network trained by two processes over loopback: they come to what one process comes to."""

import json
import os
import re
import socket
import time
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow import SparseModel, mlp
from keras_sparseflow.training.multiworker import (
    MultiWorkerModel,
    check_agreement,
    is_chief,
    lost_workers_named,
    multiworker,
    network_class,
    wait_for_workers,
    worker_count,
)
from tests.processes import Program
from tests.training.workers import images, main

PROGRAM = Path(__file__).with_name("workers.py")
TIMEOUT = 180  # seconds; they take about 15
TWO = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}


def test_two_workers_come_to_what_one_process_comes_to(tmp_path):
    alone, first, second = _trained(tmp_path)
    assert [found["workers"] for found in (alone, first, second)] == [1, 2, 2]
    for part in ("history", "flow", "steps", "weights", "slots", "evaluation", "predictions"):
        assert first[part] == second[part], f"{part} must be the same bits on every worker"
    for part in ("history", "flow", "weights", "slots", "evaluation", "predictions"):
        np.testing.assert_allclose(_flat(first[part]), _flat(alone[part]), rtol=1e-5, atol=1e-6, err_msg=part)
    assert len(first["history"]["loss"]) == 4 and len(first["flow"]) == 4 * 4 * 4  # epochs, measures, layers and total
    _check_pruning(first["weights"])
    _check_steps(first["steps"], first["history"]["loss"])
    _check_files(tmp_path, (alone, first, second))
    for worker in (first, second):
        assert "PerReplica" in worker["keras"], "Keras can do it by itself: MultiWorkerModel may go"
        assert worker["executions"] == (
            "`steps_per_execution` must be 1 under a strategy of several workers; received 2."
        )


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
    losses = []
    for model_class in (SparseModel, MultiWorkerModel):
        model = mlp((3, 3, 1), 4, [8], active=[40, 20], seed=3, model_class=model_class)
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), steps_per_execution=2)
        data = images()
        history = model.fit(data.train_images, data.train_labels, batch_size=10, shuffle=False, epochs=2, verbose=0)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1]


def _check_pruning(weights):
    """The schedule leaves a fifth of each kernel; tfmot rounds the others down."""
    for layer, size in (("hidden_1", 72), ("hidden_2", 64), ("output", 32)):
        kernel, mask = (np.array(weights[f"{layer}/{name}"]) for name in ("kernel", "mask"))
        assert mask.sum() == size - round(0.8 * size)
        assert not kernel[mask == 0].any() and kernel[mask == 1].all()


def _check_steps(losses, epochs):
    """A step's loss is the mean over the epoch so far: the last one's is the epoch's, which is read apart from it."""
    assert len(losses) == 20
    np.testing.assert_allclose(losses[4::5], epochs, rtol=1e-5)


def _check_files(folder, found):
    assert [process["chief"] for process in found] == [True, True, False]
    assert all(process["saved"] for process in found)
    model = keras.saving.load_model(folder / "model.keras")
    assert isinstance(model, MultiWorkerModel)
    for variable in model.variables:
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(variable).astype(float), found[1]["weights"][variable.path]
        )


def _trained(folder):
    """Runs the program here and as two workers, and returns what each found; no worker outlives this."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_NUM_")}
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    workers = []
    try:
        for index in range(2):
            config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
            workers.append(Program(PROGRAM, str(folder), env={**environment, "TF_CONFIG": config}))
        (folder / "alone").mkdir()
        main(folder / "alone")
        _wait(workers)
        for worker in workers:
            worker.end()
    finally:
        for worker in workers:
            worker.kill()
    files = ("alone/alone.json", "worker_0.json", "worker_1.json")
    return [json.loads((folder / file).read_text(encoding="utf-8")) for file in files]


def _wait(workers):
    """Returns when all have succeeded; one that fails or takes too long ends the test, for the other waits for it."""
    end = time.monotonic() + TIMEOUT
    while any(worker.poll() != 0 for worker in workers):
        for worker in workers:
            assert not worker.poll(), worker.end().stderr[-3000:]
        assert time.monotonic() < end, f"the workers took longer than {TIMEOUT} s"
        time.sleep(0.1)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _flat(part):
    if isinstance(part, dict):
        return np.concatenate([_flat(value) for value in part.values()])
    return np.ravel(np.array(part, dtype=float))
