"""TensorBoard scalars: all values of one step in one record of an event file."""

import itertools
import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.types_pb2 import DT_FLOAT
from tensorboard.plugins.scalar.metadata import create_summary_metadata

_METADATA = create_summary_metadata(display_name=None, description=None)

_FILE_NUMBERS = itertools.count()
"""Tells apart the files that this process makes in one second."""


class ScalarWriter:
    """Writes TensorBoard scalars into a folder; folder and file are made at the first value.

    TensorBoard sees what `tf.summary.scalar` would have written. That writes a record for each value,
    at 0.15 ms each; here the values of a step share a record, which costs 0.1 ms for about thirty.

    Args:
        log_dir: the folder.
    """

    def __init__(self, log_dir: str):
        self._log_dir = str(log_dir)
        self._file: tf.io.TFRecordWriter | None = None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes each value under its tag at this step; the values are on disk when it returns.

        Values are kept as float32: NaN and infinities as they are, larger ones as infinity.
        """
        if not values:
            return
        record = _scalars_event(step, values).SerializeToString()  # first, so that a bad value makes no file
        if self._file is None:
            self._file = _open_event_file(self._log_dir)
        self._file.write(record)
        self._file.flush()

    def close(self) -> None:
        """Closes the file; a later value opens another."""
        if self._file is not None:
            self._file.close()
            self._file = None


def metric_tags(metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns metrics by their TensorBoard tags."""
    return {f"metrics/{name}": value for name, value in metrics.items()}


def flow_tags(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Returns the values of one epoch's flow rows by their TensorBoard tags."""
    return {f"flow/{row['measure']}/{row['layer']}": row["value"] for row in rows}


def _scalars_event(step: int, values: Mapping[str, float]) -> Event:
    """Returns one event with every value, each in the form that `tf.summary.scalar` gives it."""
    event = Event(wall_time=time.time(), step=step)
    with np.errstate(over="ignore"):
        numbers = np.array([float(value) for value in values.values()]).astype("<f4")
    for tag, number in zip(values, numbers, strict=True):
        item = event.summary.value.add(tag=tag, metadata=_METADATA)
        item.tensor.dtype = DT_FLOAT
        item.tensor.tensor_shape.SetInParent()  # present and empty: a scalar
        item.tensor.tensor_content = number.tobytes()
    return event


def _open_event_file(log_dir: str) -> tf.io.TFRecordWriter:
    """Makes an event file under a name that no other file has, and writes the version that must come first.

    TensorBoard reads a folder's files in the order of their names; the padded number makes that their age.
    """
    tf.io.gfile.makedirs(log_dir)
    now = time.time()
    name = f"events.out.tfevents.{int(now)}.{socket.gethostname()}.{os.getpid()}.{next(_FILE_NUMBERS):06d}"
    file = tf.io.TFRecordWriter(os.path.join(log_dir, name))
    file.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
    return file
