"""`RunLog`: rows, events, checkpoints and the result of a run, without any training."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_sparseflow.records import FLOW_COLUMNS, HISTORY_COLUMNS, RunFolder
from keras_sparseflow.studies.run.dashboard import hyperparameters
from keras_sparseflow.studies.run.log import RunLog
from keras_sparseflow.training.tensorboard import scalars as scalar_writer
from tests.studies.executing import scalars
from tests.training.dashboard import Dashboard

METRICS = {"loss": 1.5, "accuracy": 0.25, "test_loss": 1.0, "test_accuracy": 0.5}


def flow_rows(epoch, value=0.5):
    values = {"hidden_1": value + 7.0, "total": value}
    rows = [{"epoch": epoch, "measure": "egf_2", "layer": layer, "value": v} for layer, v in values.items()]
    return [{**row, "reading": "steps", "value": 10 * row["value"]} for row in rows] + [
        {**row, "reading": "end"} for row in rows
    ]


@pytest.fixture
def log(spec, folder):
    def make(tensorboard=True, **values):
        return RunLog(spec(**values), folder(spec(**values)), tensorboard)

    return make


def test_a_log_begins_with_nothing_and_is_over_after_the_last_epoch(log):
    log = log(epochs=2)
    assert log.restore() is None and not log.folder.path.exists()
    log.start([4, 2])
    for epoch in range(2):
        assert (log.next_epoch, log.over) == (epoch, False)
        log.add(METRICS, [], 1.0)
    assert log.over and not log.diverged and log.seconds == 2.0


def test_spec_json_is_written_before_training_and_names_what_was_realised(log):
    log = log()
    log.start((4, np.int64(2)))
    written = json.loads((log.folder.path / "spec.json").read_text())
    assert written["run_id"] == log.spec.run_id and written["spec"] == log.spec.to_dict()
    assert written["active_weights"] == [4, 2] and written["versions"]["keras"]
    assert sorted(path.name for path in log.folder.path.iterdir()) == ["events", "spec.json"]


@pytest.mark.parametrize("name", ["loss", "test_loss"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_means_diverged_and_over(log, name, value):
    log = log()
    log.start([])
    log.add({**METRICS, name: value}, [], 1.0)
    assert log.diverged and log.over
    assert log.finish([3])["diverged"] and log.folder.finished


def test_the_result_is_of_the_last_epoch_and_the_means_of_the_totals(log):
    log = log(epochs=3)
    log.start([])
    for epoch, accuracy in enumerate((0.5, 0.75, 0.25)):
        log.add({**METRICS, "test_accuracy": accuracy}, flow_rows(epoch, epoch) if epoch != 1 else [], 0.5)
    result = log.finish([4, 2])
    assert result == {
        "test_accuracy": 0.25, "test_loss": 1.0, "best_test_accuracy": 0.75, "train_accuracy": 0.25,
        "train_loss": 1.5, "diverged": False, "epochs_run": 3, "flow_reading": "end", "egf_2": 1.0,
        "seconds": 1.5, "active_weights": 6,
    }  # fmt: skip
    history, flow = (pd.read_csv(log.folder.path / name) for name in ("history.csv", "flow.csv"))
    assert tuple(history) == HISTORY_COLUMNS and tuple(flow) == FLOW_COLUMNS
    assert list(history["epoch"]) == [0, 1, 2] and list(flow["epoch"]) == [0, 0, 0, 0, 2, 2, 2, 2]


def test_the_result_is_of_the_steps_where_the_end_is_not_read_and_of_none_without_flow(log):
    for rows, found in ((flow_rows(0)[:2], ("steps", 5.0)), ([], (None, None))):
        one = log(epochs=1, seed=len(rows))
        one.start([])
        one.add(METRICS, rows, 0.5)
        result = one.finish([])
        assert (result["flow_reading"], result.get("egf_2")) == found


def test_restore_gives_back_what_was_saved_and_events_after_it_go(log):
    first, second = log(), log()
    first.start([])
    first.add(METRICS, flow_rows(0), 2.0)
    first.save({"hidden_1/kernel": np.arange(3.0)})
    first.add({**METRICS, "loss": 0.1}, flow_rows(1), 2.0)  # not saved: lost by the interruption
    arrays = second.restore()
    assert list(arrays) == ["hidden_1/kernel"] and np.array_equal(arrays["hidden_1/kernel"], np.arange(3.0))
    assert second.history == first.history[:1] and second.flow == flow_rows(0)
    assert (second.next_epoch, second.seconds, second.diverged) == (1, 2.0, False)
    second.start([])
    assert scalars(second.folder)["metrics/loss"] == [(0, 1.5)]
    second.add({**METRICS, "loss": 0.2}, flow_rows(1, 0.75), 1.0)
    second.close()
    found = scalars(second.folder)
    assert [step for step, _ in found["metrics/loss"]] == [0, 1] and found["metrics/loss"][1][1] == pytest.approx(0.2)
    assert found["flow/end/egf_2"] == [(0, 0.5), (1, 0.75)]
    assert found["flow/steps/egf_2"] == [(0, 5.0), (1, 7.5)]


def test_a_diverged_run_is_diverged_after_restore(log):
    first, second = log(), log()
    first.start([])
    first.add({**METRICS, "loss": math.nan}, [], 1.0)
    first.save({})
    second.restore()
    assert second.diverged and second.over and math.isnan(second.history[0]["loss"])


def test_without_tensorboard_old_events_go_and_none_come(log):
    first, second = log(), log(tensorboard=False)
    first.start([])
    first.add(METRICS, [], 1.0)
    first.close()
    assert first.folder.events.is_dir()
    second.start([])
    second.add(METRICS, [], 1.0)
    second.finish([])
    assert not second.folder.events.exists()


def interrupt(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize(("loss", "status"), [(1.5, "STATUS_SUCCESS"), (math.nan, "STATUS_FAILURE")])
def test_a_run_is_a_row_of_the_dashboard_and_has_a_status_when_it_is_finished(log, tmp_path, loss, status):
    log = log(seed=3)
    log.start([])
    row = {"run": f"study/{log.spec.run_id}/events", "hparams": hyperparameters(log.spec), "metrics": {}}
    assert Dashboard(tmp_path).rows() == {log.spec.run_id: row | {"status": "STATUS_UNKNOWN"}}
    log.add({**METRICS, "loss": loss}, [], 1.0)
    log.finish([])
    (found,) = Dashboard(tmp_path).rows().values()
    assert found["status"] == status and found["metrics"]["metrics/test_accuracy"] == (0, 0.5)


def test_a_run_that_is_taken_up_again_is_one_row_with_its_own_end(log, tmp_path, monkeypatch):
    first, second, third = log(epochs=2), log(epochs=2), log(epochs=2)
    first.start([])
    first.add({**METRICS, "loss": 0.25}, [], 1.0)
    first.save({})
    first.add({**METRICS, "loss": math.nan}, [], 1.0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RunFolder, "finish", interrupt)
        first.finish([])  # its end is among the events, its result is not written
    for again in (second, third):
        again.restore()
        again.start([])
    (row,) = Dashboard(tmp_path).rows().values()
    assert row["status"] == "STATUS_UNKNOWN" and row["metrics"]["metrics/loss"] == (0, 0.25)
    third.add(METRICS, [], 1.0)
    third.finish([])
    (row,) = Dashboard(tmp_path).rows().values()
    assert row["status"] == "STATUS_SUCCESS" and row["metrics"]["metrics/loss"] == (1, 1.5)


def test_a_metric_that_is_missing_is_an_error_and_adds_nothing(log):
    log = log()
    log.start([])
    with pytest.raises(KeyError, match="test_loss"):
        log.add({name: value for name, value in METRICS.items() if name != "test_loss"}, [], 1.0)
    assert log.next_epoch == 0


def test_a_full_disk_names_the_folder_of_events_and_what_to_do(log, monkeypatch):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    monkeypatch.setattr(scalar_writer, "_open_event_file", lambda log_dir: tf.io.TFRecordWriter("/dev/full"))
    made = log()
    with pytest.raises(
        OSError, match=f"^{made.folder.events} can't be written: .*No space left.* Free space on that disk"
    ):
        made.start([5])
