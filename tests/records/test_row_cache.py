"""Caches of many runs: read at once the second time, and never anything but what the files hold."""

import json
import os
import sqlite3
import time

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow import records
from keras_sparseflow.records import RunFolder, row_cache, study_reader
from keras_sparseflow.records.study_reader import StudyReader

RUNS = [f"run_{number}" for number in range(12)]
READS = [
    records.read_results,
    records.read_history,
    records.read_flow,
    records.read_diagnostics,
    records.read_landscape,
    records.read_validation,
]


def finish(study_dir, run_id, seed):
    rng = np.random.default_rng(seed)
    history = [dict(zip(records.HISTORY_COLUMNS, (epoch, *rng.random(4).tolist()), strict=True)) for epoch in range(3)]
    flow = [
        {"epoch": epoch, "reading": "end", "measure": "egf_2", "layer": layer, "value": value}
        for epoch, layer, value in ((0, "=1+1", 0.5), (2, "total", float("nan")))
    ]
    tables = {"history": history, "flow": flow if seed % 3 else []}
    if seed % 2:
        tables["diagnostics"] = [{"epoch": 2, "measure": "top_eigenvalue", "layer": "total", "value": 1.5}]
        tables["validation"] = [{"epoch": 2, "loss": 0.25, "accuracy": 0.75}]
        tables["landscape"] = [{"diagnostic": "loss_along", "x": 0.5, "y": 0.0, "loss": float("inf")}]
    folder = RunFolder(study_dir, run_id)
    spec = {"training": {"variant": "BN" if seed % 2 else None, "flow_measures": ["egf_1"]}, "seed": seed}
    if seed % 2:
        spec["model"] = {"width": 7}
    folder.start({"run_id": run_id, "spec": spec, "active_weights": [seed, 0]})
    folder.finish({"test_accuracy": 0.5, "diverged": seed == 3, **({"extra": None} if seed == 4 else {})}, tables)
    for path in folder.path.iterdir():
        os.utime(path, (time.time() - 60, time.time() - 60))


@pytest.fixture
def study_dir(tmp_path, monkeypatch):
    monkeypatch.setattr(study_reader, "FEWEST", 10)
    records.write_json(tmp_path / "study.json", {"run_ids": RUNS, "defaults": {"width": 9}})
    for seed, run_id in enumerate(RUNS):
        finish(tmp_path, run_id, seed)
    return tmp_path


def same(frames, others):
    for frame, other in zip(frames, others, strict=True):
        pd.testing.assert_frame_equal(frame, other)
        assert frame.attrs == other.attrs


def stored(study_dir, query):
    """Returns what the cache holds."""
    database = sqlite3.connect(study_dir / row_cache.FILE)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def texts(study_dir, name="flow"):
    """Returns the texts of a table in the cache."""
    ((content,),) = stored(study_dir, f"SELECT content FROM arrays WHERE name = '{name}' AND part = 'texts'")
    return json.loads(content)


def read(study_dir):
    return [each(study_dir, damaged="leave_out") for each in READS]


@pytest.fixture
def files_closed(monkeypatch):
    """No file of a run may be opened."""

    def opened(*_, **__):
        raise AssertionError("a file of a run is read")

    for name in ("read_table", "damage_of", "_spec_of"):
        monkeypatch.setattr(study_reader, name, opened)


def test_the_second_reading_opens_no_file_of_a_run_and_gives_the_same_frames(study_dir, request):
    first = read(study_dir)
    assert [path.name for path in (study_dir / ".cache").iterdir()] == ["rows.sqlite"]
    assert {name for (name,) in stored(study_dir, "SELECT name FROM arrays")} == {"results", *records.columns.TABLES}
    request.getfixturevalue("files_closed")
    same(read(study_dir), first)
    assert first[2]["layer"].unique().tolist() == ["=1+1", "total"]


def test_runs_in_another_order_or_fewer_of_them_are_read_from_the_cache_too(study_dir, request):
    read(study_dir)
    chosen = RUNS[::-2]
    records.write_json(study_dir / "study.json", {"run_ids": chosen, "defaults": {"width": 9}})
    second = read(study_dir)
    (study_dir / ".cache").rename(study_dir / "gone")
    same(second, read(study_dir))
    assert second[0]["run_id"].tolist() == chosen


def test_a_run_whose_file_has_changed_is_read_anew_and_checked(study_dir):
    first = read(study_dir)
    path = study_dir / RUNS[5] / "flow.csv"
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.7"))  # of the same size
    assert list(StudyReader(study_dir).damage) == []
    reader = StudyReader(study_dir)
    assert len(reader.results()) == len(RUNS) - 1 and list(reader.damage) == [RUNS[5]]
    with pytest.raises(ValueError, match=rf"{RUNS[5]}/flow\.csv: expected the digest"):
        records.read_history(study_dir)
    finish(study_dir, RUNS[5], 7)
    changed = read(study_dir)
    assert changed[0].set_index("run_id").loc[RUNS[5], "seed"] == 7
    same([frame[frame["run_id"] != RUNS[5]].reset_index(drop=True) for frame in changed[1:]],
         [frame[frame["run_id"] != RUNS[5]].reset_index(drop=True) for frame in first[1:]])  # fmt: skip


def test_a_run_that_has_since_finished_is_added(study_dir):
    first = read(study_dir)
    records.write_json(study_dir / "study.json", {"run_ids": [*RUNS, "late"], "defaults": {"width": 9}})
    same(read(study_dir), first)
    finish(study_dir, "late", 5)
    assert all(len(frame) > len(before) for frame, before in zip(read(study_dir), first, strict=True))


def damages(content):
    """Yields a file's content, damaged in many ways."""
    rng = np.random.default_rng(0)
    yield from (b"", b"PK", content[:-1], content[: len(content) // 2], b"x" * 1000, content + b"x" * 1000)
    written = np.flatnonzero(np.frombuffer(content, np.uint8))  # the rest of a page is empty
    for place in rng.choice(written, size=100, replace=False):
        yield content[:place] + bytes([content[place] ^ 1 << rng.integers(8)]) + content[place + 1 :]


def test_a_cache_that_is_damaged_in_any_way_changes_nothing_and_is_made_anew(study_dir):
    first = read(study_dir)
    path = study_dir / row_cache.FILE
    for broken in damages(path.read_bytes()):
        path.write_bytes(broken)
        same(read(study_dir), first)
    path.write_bytes(b"x" * 1000)
    read(study_dir)
    assert texts(study_dir)["runs"] == RUNS


def test_columns_whose_parts_are_exchanged_are_noticed(study_dir):
    first = read(study_dir)
    for part, other in ((".loss", ".test_loss"), (".epoch", ".loss")):
        database = sqlite3.connect(study_dir / row_cache.FILE)
        with database:
            for old, new in ((part, "x"), (other, part), ("x", other)):
                database.execute("UPDATE arrays SET part = ? WHERE name = 'history' AND part = ?", [new, old])
        database.close()
        same(read(study_dir), first)


def test_a_cache_of_another_format_is_not_used(study_dir, monkeypatch):
    first = read(study_dir)
    monkeypatch.setattr(row_cache, "_FORMAT", 3)
    same(read(study_dir), first)
    assert texts(study_dir)["format"] == 3


def test_another_process_that_writes_is_not_waited_for_long_and_nothing_is_lost(study_dir, monkeypatch):
    first = read(study_dir)
    monkeypatch.setattr(row_cache, "_PATIENCE", 0.1)
    database = sqlite3.connect(study_dir / row_cache.FILE)
    database.execute("BEGIN EXCLUSIVE")
    same(read(study_dir), first)
    database.close()
    assert texts(study_dir)["runs"] == RUNS


def test_numbers_of_frames_that_readers_return_can_be_changed(study_dir):
    for history in (records.read_history(study_dir), records.read_history(study_dir)):
        history.loc[0, "loss"] = 5.0
        assert history["loss"].iloc[0] == 5.0


@pytest.mark.parametrize("error", [PermissionError, sqlite3.OperationalError("disk I/O error")])
def test_a_folder_that_cannot_be_written_to_is_read(study_dir, monkeypatch, error):
    def refused(*given):
        raise error

    monkeypatch.setattr(row_cache.RowCache, "_store", refused)
    first = read(study_dir)
    assert not [*(study_dir / ".cache").iterdir()]
    same(read(study_dir), first)


def test_files_that_have_only_just_been_written_are_not_trusted(study_dir):
    os.utime(study_dir / RUNS[0] / "flow.csv")
    read(study_dir)
    assert texts(study_dir)["runs"] == RUNS[1:]


def test_a_small_study_has_no_cache(study_dir, monkeypatch):
    monkeypatch.setattr(study_reader, "FEWEST", 13)
    read(study_dir)
    assert not (study_dir / ".cache").exists()


def test_damaged_runs_looks_at_every_file_although_there_is_a_cache(study_dir):
    read(study_dir)
    path, before = study_dir / RUNS[0] / "flow.csv", (study_dir / RUNS[0] / "flow.csv").stat()
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # the same size and time: nobody could tell
    from keras_sparseflow.records import integrity

    integrity._damage.cache_clear()  # as in a process of its own
    assert list(records.damaged_runs(study_dir)) == [RUNS[0]]
