"""Two shards in two processes leave the same bytes as one process that trains the whole study."""

import pytest

from keras_sparseflow import records
from keras_sparseflow.records import read_json
from keras_sparseflow.records.integrity import without_digests
from tests.launchers.commands import ROOT, STUDY, launch
from tests.processes import Program

MIXED = [*STUDY, "--optimizer=adam", "--variant=NR,BN", "--activation=swish"]
"""8 networks in 2 populations."""


def same_bytes(study_dir, other_dir):
    """Asserts that all rows of two studies are the same bytes, and all results but the seconds."""
    run_ids = records.read_study(study_dir)["run_ids"]
    assert run_ids == records.read_study(other_dir)["run_ids"]
    for run_id in run_ids:
        for name in ("history.csv", "flow.csv"):
            found, expected = ((folder / run_id / name).read_bytes() for folder in (study_dir, other_dir))
            assert found == expected, f"{run_id}/{name}"
        found, expected = (without_digests(read_json(d / run_id / "result.json")) for d in (study_dir, other_dir))
        assert {**found, "seconds": 0} == {**expected, "seconds": 0}, run_id


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The study that one process has trained."""
    runs_dir = tmp_path_factory.mktemp("whole")
    assert launch("scsdc", *MIXED, f"--runs_dir={runs_dir}").returncode == 0
    return runs_dir / "single"


def test_two_shards_at_once_leave_what_one_process_leaves(tmp_path, whole):
    command = [ROOT / "launchers/scsdc.py", *MIXED, f"--runs_dir={tmp_path}"]
    shards = [Program(*command, f"--shard={i}/2") for i in range(2)]
    done = [shard.end(300) for shard in shards]
    assert [each.returncode for each in done] == [0, 0], done
    same_bytes(tmp_path / "single", whole)
    reports = [each for each in done if "Report: " in each.stdout]
    waiting = [each for each in done if "The shard that finishes the last writes the report" in each.stdout]
    assert len(reports) >= 1 and len(reports) + len(waiting) == 2 and (tmp_path / "single" / "report.html").is_file()


def test_a_shard_that_is_killed_goes_on_by_the_same_command(tmp_path, whole):
    command = [ROOT / "launchers/scsdc.py", *MIXED, f"--runs_dir={tmp_path}"]
    shard = Program(*command, "--shard=0/2")
    while not list((tmp_path / "single").glob("*/result.json")):
        assert shard.poll() is None
    shard.kill()
    shard.end()
    for i in range(2):
        done = launch("scsdc", *MIXED, f"--runs_dir={tmp_path}", f"--shard={i}/2")
        assert done.returncode == 0, done.stderr
    assert "Report: " in done.stdout
    same_bytes(tmp_path / "single", whole)


def test_a_study_over_two_devices_leaves_what_one_process_leaves(tmp_path, whole):
    """Without a GPU a device is a process that has its share of the cores."""
    done = launch("scsdc", *MIXED, f"--runs_dir={tmp_path}", "--devices=2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8/8 runs" in done.stdout and f"Report: {tmp_path}/single/report.html" in done.stdout
    same_bytes(tmp_path / "single", whole)
    logs = [(tmp_path / "logs" / f"device_{device}.log").read_text() for device in range(2)]
    assert all("Reading digits." in log for log in logs)


def test_an_error_of_a_device_is_told_with_its_last_line(tmp_path):
    done = launch("scsdc", *MIXED, f"--runs_dir={tmp_path}", "--devices=2", "--repair")
    assert done.returncode == 1
    assert "error: 2 of 2 processes failed; " in done.stderr and "`repair` changes the whole study" in done.stderr
