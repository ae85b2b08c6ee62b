"""Scalars as TensorBoard reads them: what `tf.summary.scalar` writes, in one record a step."""

import errno
import itertools
import os
import re
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.util import tensor_util

from keras_sparseflow.training.tensorboard import scalars
from keras_sparseflow.training.tensorboard.scalars import ScalarWriter, flow_tag, flow_tags, metric_tag, metric_tags

STEPS = {
    0: {"metrics/loss": 0.1, "flow/egf_2/total": 1 / 3, "count": 3, "numpy": np.float64(1e-30), "tensor": 2.5},
    2: {"metrics/loss": float("nan"), "flow/egf_2/total": float("inf"), "count": -0.25, "numpy": np.float32(7)},
    3_000_000_000: {"metrics/loss": -float("inf"), "tensor": tf.constant(1e10)},
}


def write(folder, steps=STEPS):
    writer = ScalarWriter(str(folder))
    for step, values in steps.items():
        writer.write(step, values)
    writer.close()
    return folder


def write_by_tensorflow(folder):
    with tf.summary.create_file_writer(str(folder)).as_default() as writer:
        for step, values in STEPS.items():
            for tag, value in values.items():
                tf.summary.scalar(tag, value, step=step)
        writer.close()
    return folder


def events(folder):
    """All events of the folder's only file."""
    (path,) = folder.iterdir()
    return [Event.FromString(record) for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]


def read(folder):
    """Steps and values by tag, and the tags' metadata, as TensorBoard loads them."""
    loaded = EventAccumulator(str(folder)).Reload()
    found = {
        tag: [(event.step, tensor_util.make_ndarray(event.tensor_proto)) for event in loaded.Tensors(tag)]
        for tag in loaded.Tags()["tensors"]
    }
    return found, {tag: loaded.SummaryMetadata(tag) for tag in found}


# --- the same as TensorFlow -------------------------------------------------------------------------------------


def test_the_file_holds_the_values_that_tensorflow_writes(tmp_path):
    ours, theirs = events(write(tmp_path / "ours")), events(write_by_tensorflow(tmp_path / "theirs"))
    assert ours[0].file_version == theirs[0].file_version == "brain.Event:2"
    ours, theirs = (
        [(e.step, value.SerializeToString(deterministic=True)) for e in file[1:] for value in e.summary.value]
        for file in (ours, theirs)
    )
    assert len(ours) == 11 and ours == theirs


def test_tensorboard_loads_the_same_from_both(tmp_path):
    (ours, our_metadata), (theirs, their_metadata) = (
        read(write(tmp_path / "ours")), read(write_by_tensorflow(tmp_path / "theirs")),
    )  # fmt: skip
    assert our_metadata == their_metadata
    assert {metadata.plugin_data.plugin_name for metadata in our_metadata.values()} == {"scalars"}
    assert list(ours) == list(theirs) == ["metrics/loss", "flow/egf_2/total", "count", "numpy", "tensor"]
    for tag, values in theirs.items():
        assert [(step, value.dtype, value.shape) for step, value in ours[tag]] == [
            (step, np.float32, ()) for step, _ in values
        ]
        np.testing.assert_array_equal([value for _, value in ours[tag]], [value for _, value in values])


def test_the_values_of_a_step_share_one_record_with_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr(scalars, "time", SimpleNamespace(time=lambda: 1234567890.5))
    first, *rest = events(write(tmp_path))
    assert not first.summary.value
    assert [(event.step, len(event.summary.value)) for event in rest] == [(0, 5), (2, 4), (3_000_000_000, 2)]
    assert {event.wall_time for event in (first, *rest)} == {1234567890.5}


# --- values -----------------------------------------------------------------------------------------------------


def test_values_that_are_not_finite_stay_as_they_are(tmp_path):
    found, _ = read(write(tmp_path, {1: {"nan": float("nan"), "inf": float("inf"), "minus": -float("inf")}}))
    assert np.isnan(found["nan"][0][1])
    assert found["inf"] == [(1, float("inf"))] and found["minus"] == [(1, -float("inf"))]


def test_a_value_beyond_float32_becomes_infinite(tmp_path):
    found, _ = read(write(tmp_path, {0: {"python": 1e300, "numpy": np.float64(-1e300)}}))
    assert found == {"python": [(0, float("inf"))], "numpy": [(0, -float("inf"))]}


@pytest.mark.parametrize("value", [None, "high", np.zeros(2)], ids=str)
def test_what_is_no_number_is_refused_and_leaves_no_file(tmp_path, value):
    with pytest.raises((TypeError, ValueError)):
        ScalarWriter(str(tmp_path / "events")).write(0, {"fine": 1.0, "not": value})
    assert not (tmp_path / "events").exists()


# --- files ------------------------------------------------------------------------------------------------------


def test_nothing_is_made_before_the_first_value(tmp_path):
    folder = tmp_path / "run" / "events"
    writer = ScalarWriter(str(folder))
    writer.write(0, {})
    writer.close()
    assert not list(tmp_path.iterdir())
    writer.write(0, {"loss": 1.0})
    assert len(list(folder.iterdir())) == 1


def test_values_can_be_read_before_close_and_are_only_appended(tmp_path):
    writer = ScalarWriter(str(tmp_path))
    before = b""
    for step in range(3):
        writer.write(step, {"loss": step / 2})
        (path,) = tmp_path.iterdir()
        content = path.read_bytes()
        assert content.startswith(before) and len(content) > len(before)
        assert read(tmp_path)[0]["loss"] == [(earlier, earlier / 2) for earlier in range(step + 1)]
        before = content
    writer.close()
    assert path.read_bytes() == before, "close has nothing left to write"


def test_writers_of_one_folder_do_not_clash_within_a_second(tmp_path, monkeypatch):
    """Files are numbered 8 to 13: their names sort by age, as TensorBoard reads them."""
    monkeypatch.setattr(scalars, "_FILE_NUMBERS", itertools.count(8))
    monkeypatch.setattr(scalars, "time", SimpleNamespace(time=lambda: 1234567890.5))
    writers = [ScalarWriter(str(tmp_path)) for _ in range(5)]
    for step in range(2):
        for index, writer in enumerate(writers):
            writer.write(step, {f"loss/{index}": 10.0 * index + step})
    for writer in writers:
        writer.close()
    writers[0].write(2, {"loss/0": 2.0})  # after `close`, in a file of its own
    writers[0].close()
    name = re.escape(f"events.out.tfevents.1234567890.{socket.gethostname()}.{os.getpid()}.") + r"\d{6}"
    paths = list(tmp_path.iterdir())
    assert len(paths) == 6 and all(re.fullmatch(name, path.name) for path in paths)
    expected = {f"loss/{i}": [(0, 10.0 * i), (1, 10.0 * i + 1)] for i in range(5)}
    expected["loss/0"].append((2, 2.0))
    assert read(tmp_path)[0] == expected


def test_a_summary_of_any_kind_stands_among_the_values_at_step_0(tmp_path, monkeypatch):
    monkeypatch.setattr(scalars, "time", SimpleNamespace(time=lambda: 1234567890.5))
    summary = Summary(value=[Summary.Value(tag="note", simple_value=0.5)])
    writer = ScalarWriter(str(tmp_path))
    writer.write(3, {"loss": 1.0})
    writer.write_summary(summary)
    _, values, other = events(tmp_path)
    assert [value.tag for value in values.summary.value] == ["loss"]
    assert (other.step, other.wall_time, other.summary) == (0, 1234567890.5, summary)
    writer.close()


# --- tags -------------------------------------------------------------------------------------------------------


FULL = Path("/dev/full")
"""A disk without any room, as Linux has it."""


@pytest.fixture
def full_disk(monkeypatch):
    if not FULL.exists():
        pytest.skip("no /dev/full on this system")
    monkeypatch.setattr(scalars, "_open_event_file", lambda log_dir: tf.io.TFRecordWriter(str(FULL)))


def test_a_full_disk_is_an_error_of_the_folder_and_not_of_memory(tmp_path, full_disk):
    writer = ScalarWriter(str(tmp_path))
    with pytest.raises(OSError, match=re.escape(str(tmp_path))) as error:
        writer.write(0, {"a": 1.0})
    assert error.value.errno == errno.ENOSPC


def test_a_folder_that_cannot_be_made_is_pythons_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=rf"{tmp_path}/file is not a directory: '{tmp_path}/file/events'"):
        ScalarWriter(str(tmp_path / "file/events")).write(0, {"a": 1.0})


def test_tags_name_the_metric_or_the_measure_and_its_layer():
    row = {"epoch": 3, "reading": "steps", "measure": "egf_2", "layer": "hidden_1", "value": 0.5}
    assert metric_tag("test_loss") == "metrics/test_loss"
    assert flow_tag("end", "egf_2", "total") == "flow/end/egf_2"
    assert metric_tags({"test_loss": 2.0}) == {"metrics/test_loss": 2.0}
    assert flow_tags([row, {**row, "layer": "total", "value": 1.5}]) == {
        "flow_by_layer/steps/egf_2/hidden_1": 0.5,
        "flow/steps/egf_2": 1.5,
    }
