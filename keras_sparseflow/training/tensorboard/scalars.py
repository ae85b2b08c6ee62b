"""TensorBoard event files: all scalars of one step in one record."""

import contextlib
import errno
import itertools
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.types_pb2 import DT_FLOAT
from tensorboard.plugins.scalar.metadata import create_summary_metadata

from keras_sparseflow.flow.measure_table import TOTAL

_METADATA = create_summary_metadata(display_name=None, description=None)

_FILE_NUMBERS = itertools.count()
"""Numbers that tell files of one process and one second apart."""


class ScalarWriter:
    """Writes TensorBoard scalars and other summaries into a folder; the first one makes folder and file.

    TensorBoard shows the same as for `tf.summary.scalar`. That writes a record for each value, at 0.15 ms;
    here the values of a step share a record, which takes 0.1 ms for about thirty.

    Every method raises OSError where the folder can't be written to.

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
        if values:
            self._append(_scalars_event(step, values))  # made first, so that a bad value makes no file

    def write_summary(self, summary: Summary) -> None:
        """Writes a summary of any kind, at step 0; it is on disk when it returns."""
        self._append(Event(wall_time=time.time(), step=0, summary=summary))

    def close(self) -> None:
        """Closes the file; a later value opens another."""
        file, self._file = self._file, None
        if file is not None:
            with _python_errors(self._log_dir):
                file.close()

    def _append(self, event: Event) -> None:
        with _python_errors(self._log_dir):
            if self._file is None:
                self._file = _open_event_file(self._log_dir)
            self._file.write(event.SerializeToString())
            self._file.flush()


@contextlib.contextmanager
def _python_errors(path: str) -> Iterator[None]:
    """Context in which TensorFlow's error of a file is Python's: a full disk is not taken for full memory.

    Args:
        path: named by the error.
    """
    try:
        yield
    except tf.errors.OpError as error:
        reason = error.message.rpartition("; ")[2]  # TensorFlow writes "<file>; <the system's words>"
        code = next((code for code in errno.errorcode if os.strerror(code) == reason), errno.EIO)
        raise OSError(code, reason, path) from error


def metric_tag(name: str) -> str:
    """Returns the TensorBoard tag of a metric."""
    return f"metrics/{name}"


def flow_tag(reading: str, measure: str, layer: str) -> str:
    """Returns the TensorBoard tag of a flow measure's value by a reading, for a layer or for the network ("total").

    TensorBoard sorts tags, and groups them by their first part: so the network's stand before those of its layers.
    """
    return f"flow/{reading}/{measure}" if layer == TOTAL else f"flow_by_layer/{reading}/{measure}/{layer}"


def metric_tags(metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns metrics by their TensorBoard tags."""
    return {metric_tag(name): value for name, value in metrics.items()}


def flow_tags(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Returns the values of one epoch's flow rows by their TensorBoard tags."""
    return {flow_tag(row["reading"], row["measure"], row["layer"]): row["value"] for row in rows}


def diagnostic_tags(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Returns the values of one epoch's diagnostics, given as rows like those of flow, by their TensorBoard tags."""
    return {f"{row['measure']}/{row['layer']}": row["value"] for row in rows}


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
    """Makes an event file with a unique name, and writes the version that must come first.

    TensorBoard reads a folder's files in the order of their names; the padded number keeps them in order of age.
    """
    tf.io.gfile.makedirs(log_dir)
    now = time.time()
    name = f"events.out.tfevents.{int(now)}.{socket.gethostname()}.{os.getpid()}.{next(_FILE_NUMBERS):06d}"
    file = tf.io.TFRecordWriter(os.path.join(log_dir, name))
    file.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
    return file
