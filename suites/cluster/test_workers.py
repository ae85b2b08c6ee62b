"""One network trained by two processes over loopback: they come to what one process comes to."""

import json
import os
import socket
import time
from pathlib import Path

import keras
import numpy as np

from keras_sparseflow.training.distributed.multiworker import MultiWorkerModel
from suites.cluster.workers import main
from tests.processes import Program

PROGRAM = Path(__file__).with_name("workers.py")
TIMEOUT = 180  # seconds; they take about 15


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
