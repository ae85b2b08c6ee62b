"""Results that show damage: every change of a file of a finished run is named, and no other."""

import json

import numpy as np
import pytest

from keras_sparseflow import records
from keras_sparseflow.records import RunFolder
from keras_sparseflow.records.integrity import damage_of, sealed

ROWS = [{"epoch": 0, "loss": 1.5, "accuracy": 0.25, "test_loss": 1.0, "test_accuracy": 0.5}]
FLOW = [{"epoch": 0, "reading": "end", "measure": "egf_2", "layer": "total", "value": 0.125}]


@pytest.fixture
def folder(tmp_path):
    records.write_json(tmp_path / "study.json", {"name": "s", "run_ids": ["a", "b"], "runs_planned": 2})
    for run_id in ("a", "b"):
        run = RunFolder(tmp_path, run_id)
        run.start({"run_id": run_id, "spec": {"seed": 3}, "active_weights": [5]})
        run.save_arrays("weights.npz", {"kernel": np.ones(3)})
        run.finish(
            {"test_accuracy": 0.5, "test_loss": float("nan"), "diverged": False}, {"history": ROWS, "flow": FLOW}
        )
    return RunFolder(tmp_path, "a")


def change(path, **entries):
    content = json.loads(path.read_text())
    content.update(entries)
    path.write_text(json.dumps(content))


def test_a_run_as_it_was_written_is_whole(folder):
    assert damage_of(folder.path, arrays=True) == ""
    change(folder.path / "result.json")  # other spaces, the same values
    assert damage_of(folder.path) == ""


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda run: (run / "result.json").write_text("{}"), "result.json: expected the entries `files` and `digest`"),
        (lambda run: (run / "result.json").write_text("[1]"), "result.json: expected the entries"),
        (lambda run: (run / "result.json").write_bytes(b"\xff\x00"), "result.json: expected JSON"),
        (lambda run: (run / "result.json").write_text("[" * 100_000), "result.json: expected JSON"),
        (lambda run: change(run / "result.json", test_accuracy=5.0), "result.json: expected the digest"),
        (lambda run: change(run / "result.json", test_accuracy=None), "result.json: expected the digest"),
        (lambda run: (run / "history.csv").write_text("epoch,loss,accuracy,test_loss,test_accuracy\n"), "history.csv"),
        (lambda run: (run / "flow.csv").unlink(), "flow.csv: expected the digest .*; found no such file"),
        (lambda run: change(run / "spec.json", spec={"seed": 4}), "spec.json: expected the digest"),
    ],
)
def test_every_change_is_named_with_its_file_what_was_expected_and_what_was_found(folder, break_it, said):
    break_it(folder.path)
    with pytest.raises(ValueError, match=f"{folder.path}/.*{said.split('/')[-1]}.*--repair"):
        records.read_results(folder.path.parent)
    assert list(records.damaged_runs(folder.path.parent)) == ["a"]


def test_stored_arrays_are_looked_at_when_asked(folder):
    (folder.path / "weights.npz").write_bytes(b"other")
    assert damage_of(folder.path) == ""
    assert "weights.npz" in damage_of(folder.path, arrays=True)


def test_values_out_of_range_are_damage_also_under_a_digest(folder):
    path = folder.path / "result.json"
    files = {name: (folder.path / name).read_bytes() for name in ("spec.json", "history.csv", "flow.csv")}
    records.write_json(path, sealed({"test_accuracy": 5.0}, files))
    assert damage_of(folder.path) == f"{path}: expected `test_accuracy` in [0, 1]; found 5.0"


def test_another_number_of_rows_than_of_epochs_is_damage_also_under_a_digest(folder):
    path = folder.path / "result.json"
    files = {name: (folder.path / name).read_bytes() for name in ("spec.json", "history.csv", "flow.csv")}
    for epochs, wrong in ((1, ""), (2, "history.csv: expected 2 rows, as many as `epochs_run`; found 1")):
        records.write_json(path, sealed({"test_accuracy": 0.5, "epochs_run": epochs}, files))
        assert damage_of(folder.path) == (wrong and f"{folder.path}/{wrong}")


def test_damaged_runs_are_left_out_where_that_is_asked(folder):
    change(folder.path / "result.json", test_accuracy=0.9)
    study_dir = folder.path.parent
    for read in (records.read_results, records.read_history, records.read_flow):
        assert set(read(study_dir, damaged="leave_out")["run_id"]) == {"b"}
    with pytest.raises(ValueError, match=r"`damaged` must be 'raise' or 'leave_out'; received 'no'\."):
        records.read_results(study_dir, damaged="no")


def test_repair_removes_damaged_runs_alone(folder):
    other = RunFolder(folder.path.parent, "b")
    (folder.path / "weights.npz").write_bytes(b"other")
    assert "weights.npz" in folder.repair() and not folder.path.exists()
    assert other.repair() == "" and other.finished


def test_repair_removes_a_run_whose_checkpoint_cannot_be_read(tmp_path):
    begun = RunFolder(tmp_path, "begun")
    begun.start({"run_id": "begun"})
    assert begun.repair() == "" and begun.path.exists()
    (begun.path / "checkpoint.npz").write_bytes(b"no arrays")
    assert "checkpoint.npz is corrupt" in begun.repair() and not begun.path.exists()
