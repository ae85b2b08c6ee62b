"""A study on a Ray cluster of two nodes of this machine: the same bytes as alone, though processes die on the way."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_sparseflow import records
from keras_sparseflow.records import read_json
from suites.cluster.test_shards import same_bytes
from tests.launchers.commands import ROOT, STUDY, launch
from tests.processes import Program

ray = pytest.importorskip("ray", reason="it needs the extra `ray`, which `make test-cluster` installs")
from ray.cluster_utils import Cluster  # noqa: E402

TIMEOUT = 240

MIXED = [*STUDY, "--variant=NR,BN", "--epochs=100"]
"""8 networks in 2 populations."""

# The launcher, whose tasks save their state after every epoch that they can.
SAVING = """
import runpy, sys
from keras_sparseflow.studies.executors.options import Options
Options.__init__.__kwdefaults__["checkpoint_seconds"] = 0
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


PLUGIN = """
import sys
import keras

def gentle(learning_rate):
    return keras.optimizers.SGD(learning_rate / 2)

def brittle(learning_rate):
    if "default_worker" in sys.argv[0]:  # a process that Ray has started
        raise OSError("no such device")
    return keras.optimizers.SGD(learning_rate)
"""


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    """A folder with two optimizers, as pip installs a plugin."""
    folder = tmp_path_factory.mktemp("plugins")
    info = folder / "gentle_sgd-1.0.dist-info"
    info.mkdir()
    (folder / "gentle_sgd.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gentle-sgd\nVersion: 1.0\n")
    entries = "gentle = gentle_sgd:gentle\nbrittle = gentle_sgd:brittle\n"
    (info / "entry_points.txt").write_text(f"[keras_sparseflow.optimizer]\n{entries}")
    return folder


@pytest.fixture(scope="module")
def cluster(plugins):
    """Two nodes of one CPU each, on which the plugin is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")  # else they wait for every other program of a busy machine
        patch.setenv("PYTHONPATH", os.pathsep.join([str(plugins), str(ROOT)]))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.add_node(num_cpus=1)
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The study as this machine trains it alone."""
    runs_dir = tmp_path_factory.mktemp("whole")
    done = launch("scsdc", *MIXED, f"--runs_dir={runs_dir}")
    assert done.returncode == 0, done.stderr
    return runs_dir / "single"


class Driver:
    """A launcher that trains by a cluster; it ends with the context.

    Args:
        cluster: that it connects to.
        runs_dir: of the study.
        flags: of the study.
        program: what starts it.
        env: of it besides this process's own.
    """

    def __init__(self, cluster, runs_dir, *flags, program=SAVING, **env):
        self.study_dir = runs_dir / "single"
        command = [program, str(ROOT / "launchers/scsdc.py"), *flags, f"--runs_dir={runs_dir}", "--executor=ray"]
        self._program = Program(*command, env={**os.environ, "RAY_ADDRESS": cluster.address, "COLUMNS": "200", **env})
        self._end = time.monotonic() + TIMEOUT

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._program.kill()

    def wait_for(self, find):
        """Returns what `find` does as soon as it finds something."""
        while not (found := find()):
            assert self._program.poll() is None, self._program.end().stderr
            assert time.monotonic() < self._end
            time.sleep(0.02)
        return found

    def writers(self):
        """Returns who writes runs that are half trained, as their folders name them."""
        found = []
        for path in self.study_dir.glob("*/.writer"):
            with contextlib.suppress(FileNotFoundError):  # a run may be finished meanwhile
                found += [read_json(path)] if (path.parent / "checkpoint.npz").is_file() else []
        return found

    def kill(self):
        self._program.kill()
        return self._program.end()

    def end(self):
        done = self._program.end(max(0, self._end - time.monotonic()))
        assert done.returncode == 0, done.stdout + done.stderr
        return done


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"


def test_it_leaves_what_one_process_leaves(tmp_path, cluster, whole):
    with Driver(cluster, tmp_path, *MIXED) as driver:
        done = driver.end()
    same_bytes(driver.study_dir, whole)
    assert "8/8 runs" in done.stdout and "Report: " in done.stdout
    assert not list(driver.study_dir.glob("*/.writer"))


def test_a_killed_worker_is_tried_again_from_its_last_checkpoint(tmp_path, cluster, whole):
    with Driver(cluster, tmp_path, *MIXED) as driver:
        writer = driver.wait_for(driver.writers)[0]
        os.kill(writer["pid"], signal.SIGKILL)
        done = driver.end()
    assert "Retry 1 of 3, from the last checkpoint" in done.stdout
    same_bytes(driver.study_dir, whole)


def test_so_is_a_node_that_is_lost(tmp_path, cluster, whole):
    """The other one trains what it has trained."""
    (node,) = cluster.worker_nodes
    pids = {process.process.pid for processes in node.all_processes.values() for process in processes}
    with Driver(cluster, tmp_path, *MIXED) as driver:
        (writer, *_) = driver.wait_for(lambda: [w for w in driver.writers() if pids & ancestors(w["pid"])])
        cluster.remove_node(node, allow_graceful=False)
        done = driver.end()
    cluster.add_node(num_cpus=1)
    assert not alive(writer["pid"]) and "from the last checkpoint" in done.stdout
    same_bytes(driver.study_dir, whole)


def ancestors(pid):
    found = set()
    while pid > 1:
        found.add(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
        except FileNotFoundError:
            break
    return found


def test_a_killed_driver_leaves_no_task_behind_and_the_same_command_goes_on(tmp_path, cluster, whole):
    with Driver(cluster, tmp_path, *MIXED) as driver:
        writer = driver.wait_for(driver.writers)[0]
        driver.kill()
    end = time.monotonic() + 30
    while alive(writer["pid"]):
        assert time.monotonic() < end, "the task trains on"
        time.sleep(0.1)
    assert list(driver.study_dir.glob("*/checkpoint.npz"))
    with Driver(cluster, tmp_path, *MIXED) as driver:
        driver.end()
    same_bytes(driver.study_dir, whole)


def test_tasks_wait_for_their_gpu(tmp_path, cluster, whole):
    """Two pretended ones: Ray counts them, and TensorFlow finds none."""
    nodes = [cluster.add_node(num_cpus=1, num_gpus=1) for _ in range(2)]
    try:
        flags = ["--task_gpus=1", "--population_memory_gb=1", "--study=single"]
        with Driver(cluster, tmp_path, *MIXED, *flags) as driver:
            done = driver.end()
    finally:
        for node in nodes:
            cluster.remove_node(node)
    assert "device GPU (here CPU)" in done.stdout
    assert len(records.read_results(driver.study_dir)) == 8


def test_a_network_that_diverges_is_a_result(tmp_path, cluster):
    with Driver(cluster, tmp_path, *STUDY, "--learning_rate=1e30", "--epochs=5") as driver:
        driver.end()
    results = records.read_results(driver.study_dir)
    assert len(results) == 4 and results["diverged"].any()


def test_an_installed_plugin_is_found_and_an_error_of_it_leaves_the_rest_going(tmp_path, cluster, plugins):
    path = os.pathsep.join([str(plugins), str(ROOT)])
    flags = [*STUDY, "--optimizer=brittle,gentle", "--epochs=2", f"--runs_dir={tmp_path}", "--executor=ray"]
    environment = {**os.environ, "RAY_ADDRESS": cluster.address, "PYTHONPATH": path}
    command = [sys.executable, str(ROOT / "launchers/scsdc.py"), *flags]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 1, done.stderr
    results = records.read_results(tmp_path / "single")
    assert results["optimizer"].tolist() == ["gentle"] * 4
    missing = {*records.read_study(tmp_path / "single")["run_ids"]} - {*results["run_id"]}
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "1 of 5 tasks failed" in error and "OSError: no such device" in error
    assert len(missing) == 4 and all(run_id in error for run_id in missing)


def test_a_folder_that_is_not_shared_is_refused(tmp_path, cluster):
    """The launcher's word is written where no task looks for it."""
    elsewhere = """
import dataclasses
from keras_sparseflow.studies.executors import ray_task
new = ray_task.Launch.new
ray_task.Launch.new = classmethod(lambda cls, study_dir: dataclasses.replace(new(study_dir), nonce="elsewhere"))
"""
    with Driver(cluster, tmp_path, *STUDY, program=elsewhere + SAVING) as driver:
        done = driver._program.end(TIMEOUT)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "is not the folder that the launcher writes to: give a --runs_dir on a file system" in done.stderr
    assert not list(driver.study_dir.glob("*/result.json"))
