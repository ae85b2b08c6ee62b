"""Running and interrupting executors on runs of a second, and comparing what they leave."""

import contextlib
import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from keras_sparseflow.records import RunFolder, read_json
from keras_sparseflow.records.checkpoint_clock import CheckpointClock
from keras_sparseflow.records.integrity import without_digests
from keras_sparseflow.studies.comparisons import Member
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.study_plan import plan_study
from keras_sparseflow.studies.prepare import Prepared
from keras_sparseflow.studies.run.log import RunLog
from keras_sparseflow.studies.run.network import size_of
from keras_sparseflow.studies.run.progress import StudyProgress
from keras_sparseflow.studies.size.cost import cost
from keras_sparseflow.studies.study import Study


class InterruptionError(Exception):
    pass


def plan(executor, specs, study_dir, data, **options):
    """Returns which of the specs an executor would train together."""
    return plan_study(specs, study_dir, size_of(data), executor, Options(**options))


def train(executor, specs, study_dir, data, **options):
    """Trains specs; returns the lines of progress."""
    output = io.StringIO()
    with StudyProgress(specs, Console(file=output, width=200)) as progress:
        train_with(progress, executor, specs, study_dir, data, **options)
    return output.getvalue()


def train_with(progress, executor, specs, study_dir, data, **options):
    """Trains specs, which tell of their progress."""
    prepared = Prepared(
        study=Study(name="study", title=""),
        study_dir=study_dir,
        members=[Member(spec, {}) for spec in specs],
        specs=specs,
        size=size_of(data),
        cost=cost(specs, size_of(data)),
        plan=plan(executor, specs, study_dir, data, **options),
        options=Options(**options),
    )
    EXECUTORS.get(executor)(prepared, data, progress)


@contextlib.contextmanager
def interrupted_after(epoch, runs):
    """Within it, training ends by an exception when that many runs have saved their state after this epoch."""
    save, saved = RunLog.save, []

    def save_and_interrupt(log, arrays):
        save(log, arrays)
        saved.append(log) if log.next_epoch == epoch + 1 else None
        if len(saved) == runs:
            raise InterruptionError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(InterruptionError):
        patch.setattr(RunLog, "save", save_and_interrupt)
        patch.setattr(CheckpointClock, "due", lambda clock: True)  # however long the last one took
        yield


def stopped(executor, specs, study_dir, data, epoch):
    """Returns the checkpoints, `(arrays, progress)` by run id, of runs that are interrupted after an epoch."""
    for group in [[spec] for spec in specs] if executor == "serial" else [specs]:
        with interrupted_after(epoch, len(group)):
            train(executor, group, study_dir, data, checkpoint_seconds=0)
    return {spec.run_id: RunFolder(study_dir, spec.run_id).load_checkpoint() for spec in specs}


def trained_epochs(patch):
    """Returns the epochs that are trained from here on, by run id, under any executor."""
    add, trained = RunLog.add, {}

    def watched(log, *arguments):
        trained.setdefault(log.spec.run_id, []).append(log.next_epoch)
        add(log, *arguments)

    patch.setattr(RunLog, "add", watched)
    return trained


def scalars(folder):
    """Returns what TensorBoard reads from a run's events: pairs of step and value by tag."""
    events = EventAccumulator(str(folder.events)).Reload()
    return {
        tag: [(event.step, float(tensor_util.make_ndarray(event.tensor_proto))) for event in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
        if events.SummaryMetadata(tag).plugin_data.plugin_name == "scalars"
    }


def assert_same_files(spec, expected_dir, found_dir, rtol=1e-4):
    """All that two executions left of a run agrees: spec, result (but the seconds), rows, TensorBoard scalars."""
    expected, found = (RunFolder(study_dir, spec.run_id) for study_dir in (expected_dir, found_dir))
    names = {path.name for path in expected.path.iterdir()}
    assert names == {path.name for path in found.path.iterdir()}
    assert read_json(expected.path / "spec.json") == read_json(found.path / "spec.json")
    results = [without_digests(read_json(folder.path / "result.json")) for folder in (expected, found)]
    assert list(results[0]) == list(results[1]) and all(result.pop("seconds") > 0 for result in results)
    assert results[0].pop("flow_reading") == results[1].pop("flow_reading")
    assert results[1] == pytest.approx(results[0], rel=rtol), spec.run_id
    for name in sorted(names & {"history.csv", "flow.csv", "diagnostics.csv", "landscape.csv"}):
        frames = [pd.read_csv(folder.path / name) for folder in (expected, found)]
        pd.testing.assert_frame_equal(frames[1], frames[0], rtol=rtol, atol=0)
    if "events" in names:
        shown = [scalars(folder) for folder in (expected, found)]
        assert set(shown[0]) == set(shown[1]) and shown[0]
        for tag, values in shown[0].items():
            np.testing.assert_allclose(shown[1][tag], values, rtol=rtol, err_msg=tag)
