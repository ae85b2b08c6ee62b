"""Launchers that are killed at any moment: nothing is lost, and the results are those of an undisturbed run."""

import random
import signal
import time

import pandas as pd
import pytest

from keras_sparseflow import records
from tests import processes
from tests.launchers.commands import ROOT, STUDY, TINY, launch
from tests.processes import Program


def check_same_results(study_dir, other_dir):
    read = [records.read_results, records.read_history, records.read_flow]
    for frames in ([function(folder) for folder in (study_dir, other_dir)] for function in read):
        first, second = (frame.drop(columns="seconds", errors="ignore") for frame in frames)
        pd.testing.assert_frame_equal(first, second, rtol=1e-4)


def test_kill_9_at_any_moment_loses_nothing_finished_and_counts_nothing_twice(tmp_path):
    """Killed again and again, at moments drawn at random, until it ends; files are whole at every one of them."""
    study = [*STUDY, "--seeds=0,1,2"]  # 12 networks
    assert launch("scsdc", *study, f"--runs_dir={tmp_path / 'whole'}").returncode == 0
    rng = random.Random(0)
    command = [ROOT / "launchers/scsdc.py", *study, "--executor=serial", f"--runs_dir={tmp_path / 'killed'}"]
    study_dir = tmp_path / "killed" / "single"
    kills, finished = 0, 0
    while True:
        process = Program(*command)
        began = len(list(study_dir.glob("*/result.json")))
        limit = began + (1 if kills < 3 else 100)
        while process.poll() is None and len(list(study_dir.glob("*/result.json"))) < limit:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.5))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        done = process.end()
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
        results = records.read_results(study_dir)
        assert len(results) == len(set(results["run_id"])) >= finished
        finished = len(results)
        records.read_history(study_dir), records.read_flow(study_dir)
        if kills == 2:
            launch_report = launch("report", str(study_dir))
            assert launch_report.returncode == 0, launch_report.stderr
    assert kills >= 3
    check_same_results(study_dir, tmp_path / "whole" / "single")
    assert not list(study_dir.glob("*/.*.tmp")) and not list(study_dir.glob("*/checkpoint.npz"))


# The launcher, saving its state after every epoch and not only now and then.
SAVING = """
import runpy, sys
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.records.checkpoint_clock import CheckpointClock
Options.__init__.__kwdefaults__["checkpoint_seconds"] = 0
CheckpointClock.due = lambda clock: True
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_kill_9_between_checkpoints_goes_on_from_the_last_one_under_either_executor(tmp_path):
    network = [*TINY, "--optimizer=adam", "--variant=DA_BN", "--epochs=60", "--study=one"]
    assert launch("train", *network, f"--runs_dir={tmp_path / 'whole'}").returncode == 0
    command = [SAVING, str(ROOT / "launchers" / "train.py"), *network, f"--runs_dir={tmp_path / 'killed'}"]
    study_dir, rng, reached = tmp_path / "killed" / "one", random.Random(0), []
    for executor in ("population", "serial", "population"):
        process = Program(*command, f"--executor={executor}")
        began = [path.stat().st_mtime_ns for path in study_dir.glob("*/checkpoint.npz")]
        while process.poll() is None and began == [p.stat().st_mtime_ns for p in study_dir.glob("*/checkpoint.npz")]:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        done = process.end()
        assert done.returncode == -signal.SIGKILL, done.stderr
        (run_id,) = records.read_study(study_dir)["run_ids"]
        _, progress = records.RunFolder(study_dir, run_id).load_checkpoint()
        reached.append(len(progress["history"]))
    assert 0 < reached[0] < reached[1] < reached[2] < 60
    done = processes.run(*command, "--executor=serial")
    assert done.returncode == 0, done.stderr
    check_same_results(study_dir, tmp_path / "whole" / "one")


# A process that was started with SIGINT ignored (in the background, say) hands that down; here it must be heard.
HEARING = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("executor", ["serial", "population"])
def test_ctrl_c_at_any_moment_of_a_training_ends_it_and_the_same_command_goes_on(tmp_path, executor):
    """Ten times, at moments drawn at random: none may be lost in a callback of Python's that forgets exceptions."""
    network = [*TINY, "--variant=BN", "--epochs=100000", "--study=one", f"--runs_dir={tmp_path}"]
    rng = random.Random(0)
    for _ in range(10):
        process = Program(HEARING, str(ROOT / "launchers/train.py"), *network, f"--executor={executor}")
        try:
            began = time.time()
            while not any(path.stat().st_mtime > began for path in tmp_path.glob("one/*/spec.json")):
                assert process.poll() is None, process.end().stderr
                time.sleep(0.02)
            time.sleep(rng.uniform(0, 3))
            process.send_signal(signal.SIGINT)
        finally:
            done = process.end(timeout=20)
        assert done.returncode == 130 and "the same command goes on from here" in done.stderr, done.stderr
    assert not [*tmp_path.rglob("*.tmp")] and not [*tmp_path.rglob("result.json")]


def test_what_a_killed_writer_leaves_goes_with_the_next_start(tmp_path):
    killed = Program(LEAVING, str(tmp_path / "single"))
    done = killed.end()
    assert done.returncode == -signal.SIGKILL and len([*tmp_path.rglob("*.tmp")]) == 1
    theirs = tmp_path / "single" / ".notes.tmp"
    theirs.write_text("not ours by name")
    assert launch("scsdc", *STUDY, f"--runs_dir={tmp_path}").returncode == 0
    assert [*tmp_path.rglob("*.tmp")] == [theirs]


LEAVING = """
import os, signal, sys
from pathlib import Path
from keras_sparseflow import records
Path(sys.argv[1]).mkdir()
os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
records.write_json(Path(sys.argv[1], "study.json"), {})
"""
