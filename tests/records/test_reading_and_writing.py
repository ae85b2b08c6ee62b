"""The run store: whole files or none, and clear words about what is broken."""

import errno
import json
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow import records
from keras_sparseflow.records import (
    DIAGNOSTICS_COLUMNS,
    FLOW_COLUMNS,
    HISTORY_COLUMNS,
    LANDSCAPE_COLUMNS,
    RunFolder,
    files,
)
from keras_sparseflow.records import folder as folder_module
from keras_sparseflow.records.columns import TABLES

HISTORY = [{"epoch": 0, "loss": 1.5, "accuracy": 0.25, "test_loss": 1.0, "test_accuracy": 0.5}]
FLOW = [{"epoch": 0, "reading": "end", "measure": "egf_2", "layer": "total", "value": 0.125}]


def finish(study_dir, run_id, **result):
    folder = RunFolder(study_dir, run_id)
    counts = [5, 0, 0] if run_id == "b" else [5, 7, 1]
    spec = {"model": {"model": "mlp", "width": 7}, "training": {"variant": "BN"}, "seed": 3}
    folder.start({"run_id": run_id, "spec": spec, "active_weights": counts})
    folder.finish({"test_accuracy": 0.5, "flow_reading": "end", **result}, {"history": HISTORY, "flow": FLOW})
    return folder


@pytest.fixture
def study_dir(tmp_path):
    records.write_json(tmp_path / "study.json", {"name": "s", "run_ids": ["a", "b", "c"], "runs_planned": 3})
    return tmp_path


def test_schema_is_pinned():
    assert HISTORY_COLUMNS == ("epoch", "loss", "accuracy", "test_loss", "test_accuracy")
    assert FLOW_COLUMNS == ("epoch", "reading", "measure", "layer", "value")
    assert DIAGNOSTICS_COLUMNS == ("epoch", "measure", "layer", "value")
    assert LANDSCAPE_COLUMNS == ("diagnostic", "x", "y", "loss")


def test_finished_runs_are_read_back_in_the_order_of_the_plan(study_dir):
    finish(study_dir, "b", test_accuracy=0.75)
    finish(study_dir, "a")
    RunFolder(study_dir, "c").start({"run_id": "c", "spec": {}})  # not finished
    finish(study_dir, "left_over")  # of an earlier plan
    results = records.read_results(study_dir)
    assert results.attrs["spec_columns"] == ["model", "width", "variant", "seed"], "fields by name, without their parts"
    spec = {"model": "mlp", "width": 7, "variant": "BN", "seed": 3}
    assert results.to_dict("records") == [
        {"run_id": "a", **spec, "flow_reading": "end", "test_accuracy": 0.5, "empty_kernels": 0},
        {"run_id": "b", **spec, "flow_reading": "end", "test_accuracy": 0.75, "empty_kernels": 2},
    ]
    assert records.read_history(study_dir).to_dict("records") == [{"run_id": r, **HISTORY[0]} for r in "ab"]
    assert records.read_flow(study_dir).to_dict("records") == [{"run_id": r, **FLOW[0]} for r in "ab"]


def test_a_run_has_a_row_for_each_member_of_the_study_with_the_labels_of_that_place(study_dir):
    for run_id in "abc":
        finish(study_dir, run_id)
    places = [("a", "sparse", 9), ("b", "dense", 9), ("c", "sparse", 8), ("b", "dense", 8)]
    members = [{"run_id": run_id, "arm": arm, "width": width} for run_id, arm, width in places]
    records.write_json(study_dir / "study.json", {"run_ids": ["a", "b", "c"], "members": members})
    results = records.read_results(study_dir)
    assert [*results[["run_id", "arm", "width"]].itertuples(index=False, name=None)] == places
    assert results.attrs["spec_columns"] == ["model", "width", "variant", "seed", "arm"]
    assert len(records.read_history(study_dir)) == len(records.read_flow(study_dir)) == 3, "of each run once"
    (study_dir / "b" / "result.json").unlink()
    assert records.read_results(study_dir)["run_id"].tolist() == ["a", "c"], "those that are finished"


def test_diagnostics_are_files_of_the_runs_that_have_some(study_dir):
    diagnostics = [{"epoch": 0, "measure": "top_eigenvalue", "layer": "total", "value": 2.5}]
    landscape = [{"diagnostic": "loss_along", "x": -0.5, "y": 0.0, "loss": 1.25}]
    with_some, without = finish(study_dir, "a"), finish(study_dir, "b")
    with_some.finish({}, {"history": HISTORY, "flow": FLOW, "diagnostics": diagnostics, "landscape": landscape})
    without.finish({}, {"history": HISTORY, "flow": FLOW, "diagnostics": [], "landscape": []})
    assert records.read_diagnostics(study_dir).to_dict("records") == [{"run_id": "a", **diagnostics[0]}]
    assert records.read_landscape(study_dir).to_dict("records") == [{"run_id": "a", **landscape[0]}]
    assert sorted(path.name for path in without.path.iterdir()) == [
        "flow.csv",
        "history.csv",
        "result.json",
        "spec.json",
    ]
    (with_some.path / "landscape.csv").write_text("x,loss\n")
    with pytest.raises(ValueError, match=r"landscape\.csv: expected the digest"):
        records.read_landscape(study_dir)


def test_a_field_that_does_not_apply_to_a_run_has_the_default_that_the_study_records(tmp_path):
    for run_id, spec in (("a", {"seed": 0}), ("b", {"seed": 1, "training": {"precision": "mixed_float16"}})):
        folder = records.RunFolder(tmp_path, run_id)
        folder.start({"run_id": run_id, "spec": spec})
        folder.finish({"test_accuracy": 0.5}, {"history": [], "flow": []})
    study = {"run_ids": ["a", "b"], "defaults": {"precision": "float32", "seed": 7}}
    records.write_json(tmp_path / "study.json", study)
    results = records.read_results(tmp_path)
    assert results[["seed", "precision"]].to_numpy().tolist() == [[0, "float32"], [1, "mixed_float16"]]
    assert results.attrs["spec_columns"] == ["seed", "precision"]


def test_a_study_without_finished_runs_gives_empty_frames_with_their_columns(study_dir):
    assert records.read_results(study_dir).empty
    assert list(records.read_flow(study_dir)) == ["run_id", *FLOW_COLUMNS]


def test_numbers_survive_to_the_last_digit(study_dir):
    finish(study_dir, "a", test_accuracy=0.1 + 0.2, seconds=np.float32(1) / 3)
    row = records.read_results(study_dir).iloc[0]
    assert row["test_accuracy"] == 0.1 + 0.2 and row["seconds"] == float(np.float32(1) / 3)


def test_nan_and_infinity_become_null_and_are_read_as_nan(study_dir):
    folder = finish(study_dir, "a", test_loss=float("nan"), train_loss=float("inf"))
    assert json.loads((folder.path / "result.json").read_text())["test_loss"] is None
    assert pd.isna(records.read_results(study_dir)["train_loss"]).all()


def test_result_is_written_last(study_dir, monkeypatch):
    order = []
    write = files.write_atomic
    monkeypatch.setattr(files, "write_atomic", lambda path, content: (order.append(path.name), write(path, content)))
    finish(study_dir, "a")
    assert order == ["spec.json", "history.csv", "flow.csv", "result.json"]


def test_checkpoint_holds_arrays_and_progress_and_goes_when_the_run_is_finished(tmp_path):
    folder = RunFolder(tmp_path, "a")
    folder.start({})
    assert folder.load_checkpoint() is None
    arrays = {"model_0": np.arange(6.0).reshape(2, 3), "model_1": np.array([True, False]), "optimizer_0": np.int32(7)}
    folder.save_checkpoint(arrays, {"history": HISTORY})
    loaded, progress = folder.load_checkpoint()
    assert progress == {"history": HISTORY} and set(loaded) == set(arrays)
    for name, array in arrays.items():
        assert np.array_equal(loaded[name], array) and loaded[name].dtype == np.asarray(array).dtype
    folder.finish({}, {"history": HISTORY, "flow": FLOW})
    assert folder.finished and folder.load_checkpoint() is None


def test_the_rows_of_a_checkpoint_are_read_without_its_arrays(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path, "a")
    assert folder.checkpoint_rows() == []
    folder.start({})
    assert folder.checkpoint_rows() == []
    folder.save_checkpoint({"kernel": np.zeros(3)}, {"history": HISTORY})
    read, names = np.lib.npyio.NpzFile.__getitem__, []
    monkeypatch.setattr(
        np.lib.npyio.NpzFile, "__getitem__", lambda file, name: (names.append(name), read(file, name))[1]
    )
    assert folder.checkpoint_rows() == HISTORY and names == ["__progress__"]


def test_a_full_disk_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch):
    path = tmp_path / "file"
    records.write_atomic(path, b"old")

    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        records.write_atomic(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_leftovers_of_a_killed_writer_go_when_the_run_starts_again(tmp_path):
    folder = RunFolder(tmp_path, "a")
    folder.path.mkdir()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [files.temporary_path(folder.path / "history.csv").name]  # this process lives
    killed = names[0].replace(f"-{os.getpid()}-", f"-{ended.pid}-")
    elsewhere = re.sub(r"\.[0-9a-f]{8}-", ".01234567-", killed)
    names += [killed, elsewhere, ".mine.tmp", "history.csv.tmp"]
    for name in names:
        (folder.path / name).write_text("half")
    folder.start({})
    assert {path.name for path in folder.path.iterdir()} == {"spec.json", *names} - {killed}
    os.utime(folder.path / elsewhere, (0, 0))
    files.remove_leftovers(folder.path)
    assert not (folder.path / elsewhere).exists() and (folder.path / ".mine.tmp").exists()


@pytest.fixture
def unsealed(monkeypatch):
    """Switches off the check of digests, as if every file had been written as it is."""
    monkeypatch.setattr("keras_sparseflow.records.study_reader.damage_of", lambda *_, **__: "")


# --- what is broken ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"a": \udc80'.encode("utf-8", "surrogateescape")])
def test_a_corrupt_json_file_is_named_with_a_remedy(study_dir, content, unsealed):
    folder = finish(study_dir, "a")
    path = folder.path / "result.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=r"result\.json is corrupt: expected .*Run the study again with --repair"):
        records.read_results(study_dir)


def test_a_spec_of_another_run_is_refused(study_dir, unsealed):
    folder = finish(study_dir, "a")
    records.write_json(folder.path / "spec.json", {"run_id": "z", "spec": {}})
    with pytest.raises(ValueError, match="expected run_id 'a'; received 'z'"):
        records.read_results(study_dir)


@pytest.mark.parametrize(("name", "text"), [("history.csv", ""), ("flow.csv", "epoch,other\n1,2\n")])
def test_corrupt_rows_are_named(study_dir, name, text, unsealed):
    (finish(study_dir, "a").path / name).write_text(text)
    read = records.read_history if name == "history.csv" else records.read_flow
    with pytest.raises(ValueError, match=f"{name} is corrupt"):
        read(study_dir)


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (records.read_history, "0,1.5,0.25,abc,0.5", r"history\.csv is corrupt: expected numbers .* `test_loss`.*abc"),
        (
            records.read_flow,
            "0,end,egf_2,total,oops",
            r"flow\.csv is corrupt: expected numbers in the column `value`.*oops",
        ),
        (records.read_flow, ",end,egf_2,total,0.5", r"flow\.csv is corrupt: expected a value of `epoch`.*none in 1"),
        (records.read_flow, "0,end,egf_2,,0.5", r"flow\.csv is corrupt: expected a value of `layer`"),
        (records.read_diagnostics, "0,top_eigenvalue,total,1.2.3", r"diagnostics\.csv is corrupt: .*`value`"),
        (records.read_landscape, "loss_along,-0.5,zero,1.0", r"landscape\.csv is corrupt: .*column `y`.*zero"),
        (records.read_flow, "0,end,egf_2,total,0.5,9,9", r"flow\.csv is corrupt: expected"),
    ],
)
def test_what_is_no_number_is_named_with_its_file_and_a_remedy(study_dir, read, text, message, unsealed):
    name = read.__name__.removeprefix("read_")
    (finish(study_dir, "a").path / f"{name}.csv").write_text(f"{','.join(TABLES[name])}\n{text}\n")
    with pytest.raises(ValueError, match=message + ".*Run the study again with --repair"):
        read(study_dir)


def test_text_that_is_none_is_named(study_dir, unsealed):
    (finish(study_dir, "a").path / "flow.csv").write_bytes(b"epoch,measure,layer,value\n0,egf_2,\xff,1\n")
    with pytest.raises(ValueError, match=r"flow\.csv is corrupt: expected CSV"):
        records.read_flow(study_dir)
    (study_dir / "a" / "history.csv").unlink()
    with pytest.raises(ValueError, match=r"history\.csv is missing"):
        records.read_history(study_dir)


def test_values_that_are_not_finite_and_layers_named_by_numbers_are_read_as_they_were_written(study_dir):
    values = [0.5, float("inf"), float("-inf"), float("nan")]
    flow = [{**FLOW[0], "layer": str(place), "value": value} for place, value in enumerate(values)]
    finish(study_dir, "a").finish({}, {"history": HISTORY, "flow": flow})
    read = records.read_flow(study_dir)
    assert read["layer"].tolist() == ["0", "1", "2", "3"]
    np.testing.assert_array_equal(read["value"], values)


@pytest.mark.parametrize(("drop", "again"), [(8, None), (None, 4), (8, 4)])
def test_a_surface_that_is_no_whole_grid_is_refused_where_it_is_read(study_dir, drop, again):
    points = [(x, y) for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0)]
    rows = [{"diagnostic": "loss_surface", "x": x, "y": y, "loss": 1.0} for x, y in points]
    rows += [{"diagnostic": "loss_along", "x": 0.25, "y": 0.0, "loss": 1.0}]
    folder = finish(study_dir, "a")
    folder.finish({}, {"history": HISTORY, "flow": FLOW, "landscape": rows})
    assert len(records.read_landscape(study_dir)) == 10
    broken = [row for place, row in enumerate(rows) if place != drop] + ([] if again is None else [rows[again]])
    folder.finish({}, {"history": HISTORY, "flow": FLOW, "landscape": broken})
    message = (
        rf"landscape\.csv is corrupt: .*each of the 9 points of a loss_surface once; received {len(broken) - 1} rows"
    )
    with pytest.raises(ValueError, match=message):
        records.read_landscape(study_dir)


def test_a_corrupt_checkpoint_is_named(tmp_path):
    folder = RunFolder(tmp_path, "a")
    folder.start({})
    for content in (b"PK\x03\x04 cut off", b"no archive", b""):
        (folder.path / "checkpoint.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"checkpoint\.npz is corrupt: expected stored arrays"):
            folder.load_checkpoint()
        with pytest.raises(ValueError, match=r"checkpoint\.npz is corrupt: expected stored arrays"):
            folder.checkpoint_rows()


def test_a_study_file_without_run_ids_is_a_clear_error(tmp_path):
    records.write_json(tmp_path / "study.json", {"name": "s"})
    with pytest.raises(ValueError, match=r"study\.json is corrupt: expected the list `run_ids`"):
        records.read_results(tmp_path)


def test_a_folder_without_a_study_is_a_clear_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no study: expected the file .*study\.json"):
        records.read_results(tmp_path)


# --- the lock ---------------------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from pathlib import Path
from keras_sparseflow.records import study_lock
with study_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_process_at_a_time_and_a_killed_one_lets_go(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        message = rf"Another process \(pid {holder.pid}\) is running"
        with pytest.raises(RuntimeError, match=message), records.study_lock(tmp_path):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with records.study_lock(tmp_path):
        pass


def test_texts_that_a_spreadsheet_would_run_are_written_so_that_none_does_and_read_back_unchanged(study_dir):
    names = ["=1+1", "+1", "-1", "@x", "'=1+1", "'a'", "''=1", "\t=1", "nan", "null", "None", "a,b", 'a"b', "-"]
    flow = [{**FLOW[0], "layer": name, "value": -0.5} for name in names]
    folder = finish(study_dir, "a")
    folder.finish({}, {"history": HISTORY, "flow": flow})
    cells = pd.read_csv(folder.path / "flow.csv", dtype=str, keep_default_na=False)
    assert not cells["layer"].str.contains(r"^[=+\-@\t\r]").any() and set(cells["value"]) == {"-0.5"}
    assert records.read_flow(study_dir)["layer"].tolist() == names


def test_an_epoch_that_is_no_whole_number_is_named(study_dir, unsealed):
    (finish(study_dir, "a").path / "flow.csv").write_text(f"{','.join(FLOW_COLUMNS)}\n0.5,end,egf_2,total,1\n")
    with pytest.raises(ValueError, match=r"flow\.csv is corrupt: expected whole numbers in the column `epoch`"):
        records.read_flow(study_dir)


def test_a_lock_that_cannot_be_written_is_named_with_what_to_do(tmp_path, monkeypatch):
    def refused(lock):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(folder_module.FileLock, "_acquire", refused)
    message = rf"^{tmp_path}/\.lock can't be written: .*a disk that can be written to"
    with pytest.raises(OSError, match=message), records.study_lock(tmp_path):
        pass


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "Free space"), (errno.EACCES, "may write to"), (errno.EIO, "See that the folder")],
)
def test_an_error_of_writing_names_the_file_and_what_to_do(tmp_path, monkeypatch, number, said):
    def fails(fd):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match=f"^{tmp_path}/file can't be written: .*{said}") as error:
        records.write_atomic(tmp_path / "file", b"new")
    assert error.value.errno == number and not [*tmp_path.iterdir()]


def test_arrays_of_absurd_size_are_one_clear_line(tmp_path):
    folder = RunFolder(tmp_path, "a")
    folder.start({})
    for shape in ("(10000000000, 1000000000)", "(1000000000,)", "(-1,)", "[", "(" * 2000):
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        with zipfile.ZipFile(folder.path / "checkpoint.npz", "w") as archive:
            archive.writestr("kernel.npy", array)
        with pytest.raises(ValueError, match=r"checkpoint\.npz is corrupt: expected stored arrays") as error:
            folder.load_checkpoint()
        assert len(str(error.value)) < 1000


def test_shards_of_one_count_are_at_work_together_and_nobody_else(tmp_path):
    with records.study_lock(tmp_path, (0, 2)) as first_has_started:
        first_has_started()
        with records.study_lock(tmp_path, (1, 2)) as second_has_started:
            second_has_started()
            for other, message in (((0, 2), "shard 0/2 of the study"), ((0, 3), "shard"), (None, "shard")):
                with pytest.raises(RuntimeError, match=message), records.study_lock(tmp_path, other):
                    pass
    whole, message = records.study_lock(tmp_path), "is running the study in"
    with whole, pytest.raises(RuntimeError, match=message), records.study_lock(tmp_path, (0, 2)):
        pass
    with records.study_lock(tmp_path, (0, 3)):
        pass


def test_a_shard_waits_until_another_has_started(tmp_path, monkeypatch):
    monkeypatch.setattr(records.folder, "_START_SECONDS", 0.2)
    with records.study_lock(tmp_path, (0, 2)), pytest.raises(TimeoutError), records.study_lock(tmp_path, (1, 2)):
        pass


# --- the writer -------------------------------------------------------------------------------------------------


def test_an_older_attempt_stops_and_does_not_come_back(tmp_path):
    older, newer, locked = (records.RunFolder(tmp_path, "run", writer) for writer in ((1, 1), (1, 2), None))
    older.start({"run_id": "run"})
    named = records.read_json(older.path / ".writer")
    assert (named["launch"], named["attempt"], named["pid"]) == (1, 1, os.getpid()) and named["host"]
    older.check_writer()
    newer.start({"run_id": "run"})
    for late in (older.check_writer, lambda: older.start({}), lambda: older.finish({}, {})):
        with pytest.raises(RuntimeError, match="A later attempt has taken over .*run; this one stops"):
            late()
    newer.finish({"diverged": False}, {"history": []})
    assert newer.finished and not (newer.path / ".writer").exists()
    with pytest.raises(RuntimeError, match="A later attempt"):
        newer.check_writer()
    locked.check_writer()
