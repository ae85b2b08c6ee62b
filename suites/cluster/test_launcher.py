"""Several workers train what one process trains; one that is refused or killed ends the others, and they go on."""

import json
import os
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from keras_sparseflow import records
from keras_sparseflow.records import RunFolder
from keras_sparseflow.records.integrity import without_digests
from keras_sparseflow.studies.run_study import run_network
from suites.cluster.test_workers import free_ports
from tests.processes import Program

LAUNCHER = Path(__file__).parents[2] / "launchers" / "train.py"
TIMEOUT = 300  # seconds; they take about 20 on two quiet cores

VALUES = {
    "image_size": 4, "train_size": 170, "width": 20, "matched_fraction": 0.5, "hidden_layers": 1, "variant": "DA_L2_BN",
    "augment_pad": 1, "optimizer": "momentum", "learning_rate": 0.05, "batch_size": 32, "epochs": 4,
}  # fmt: skip
FLAGS = [f"--{name}={value}" for name, value in VALUES.items()]

# The launcher, which says what it trains, and saves after every epoch. It stops within the epoch that STOP names.
PROGRAM = """
import os, runpy, sys, time
from keras_sparseflow.records.checkpoint_clock import CheckpointClock
from keras_sparseflow.studies.run.log import RunLog

add = RunLog.add

def add_and_say(log, *arguments):
    print("trained", log.next_epoch, flush=True)
    while log.next_epoch == int(os.environ.get("STOP", -1)):
        time.sleep(1)
    add(log, *arguments)

RunLog.add = add_and_say
CheckpointClock.due = lambda clock: clock._seconds < float("inf")
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Workers:
    """Two workers over loopback; leaving the context ends them.

    Args:
        runs_dir: what they share.
        variables: of each worker's environment.
    """

    def __init__(self, runs_dir, variables=({}, {})):
        cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
        flags = [*FLAGS, f"--runs_dir={runs_dir}", "--strategy=multiworker", "--study=study"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        self._programs = [
            Program(
                PROGRAM,
                str(LAUNCHER),
                *flags,
                env={
                    **environment,
                    **variables[index],
                    "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}),
                },
            )
            for index in range(2)
        ]
        self._end = time.monotonic() + TIMEOUT

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for program in self._programs:
            program.kill()

    def wait_until(self, happened):
        """Waits for something while both are alive."""
        while not happened():
            ended = [program.poll() for program in self._programs]
            assert ended == [None, None], f"{ended}: {[program.end(0).stderr for program in self._programs]}"
            assert time.monotonic() < self._end, f"nothing has happened for {TIMEOUT} s"
            time.sleep(0.1)

    def kill(self, index):
        self._programs[index].kill()

    def end(self):
        """Returns what each worker came to."""
        return [program.end(max(0, self._end - time.monotonic())) for program in self._programs]


def run_folder(runs_dir):
    (file,) = (runs_dir / "study").glob("*/spec.json")
    return RunFolder(runs_dir / "study", file.parent.name)


def epochs_done(runs_dir):
    return len(run_folder(runs_dir).checkpoint_rows()) if list(runs_dir.glob("study/*/spec.json")) else 0


def trained(done):
    return [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("trained")]


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """Workers whose study another process holds; they end while others are watched."""
    runs_dir = tmp_path_factory.mktemp("held")
    with records.study_lock(runs_dir / "study"), Workers(runs_dir) as workers:
        yield workers, runs_dir


def test_killed_and_started_again_they_leave_what_one_process_leaves(tmp_path, refused):
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    with Workers(shared, ({}, {"STOP": "2"})) as workers:
        workers.wait_until(lambda: epochs_done(shared) == 2)
        workers.kill(1)
        expected = run_network(VALUES, study="study", runs_dir=alone)
        chief, follower = workers.end()
    assert follower.returncode == -signal.SIGKILL
    assert chief.returncode == 1 and trained(chief) == [0, 1]
    assert chief.stderr.startswith("error: Another worker has ended") and chief.stderr.count("\n") == 1
    with Workers(shared) as workers:
        chief, follower = workers.end()
    assert (chief.returncode, follower.returncode) == (0, 0), chief.stderr + follower.stderr
    assert trained(chief) == trained(follower) == [2, 3]
    assert "test_accuracy" in chief.stdout and "test_accuracy" not in follower.stdout
    check_same(run_folder(shared), expected)


def test_what_the_chief_refuses_ends_the_others_in_a_line(refused):
    workers, runs_dir = refused
    chief, follower = workers.end()
    assert chief.returncode == follower.returncode == 1
    assert f"Another process (pid {os.getpid()}) is running the study" in chief.stderr
    assert follower.stderr.startswith("error: Another worker has ended") and follower.stderr.count("\n") == 1
    assert {path.name for path in (runs_dir / "study").iterdir()} == {".holder", ".lock"}


def check_same(found, expected):
    assert {path.name for path in found.path.iterdir()} == {path.name for path in expected.path.iterdir()}
    assert len(list(found.events.iterdir())) == 1
    for name in ("history.csv", "flow.csv"):
        frames = [pd.read_csv(folder.path / name) for folder in (found, expected)]
        pd.testing.assert_frame_equal(*frames, rtol=1e-5, atol=1e-7)
    results = [without_digests(records.read_json(folder.path / "result.json")) for folder in (found, expected)]
    assert all(result.pop("seconds") > 0 for result in results)
    assert results[0].pop("flow_reading") == results[1].pop("flow_reading")
    assert results[0] == pytest.approx(results[1], rel=1e-5)
