"""One run: the files that it leaves, the epochs and tensors of its flow, and interruptions that it survives."""

import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_sparseflow.data.batches import whole_order
from keras_sparseflow.records import RunFolder
from keras_sparseflow.records.integrity import without_digests
from keras_sparseflow.studies.run import run as run_module
from keras_sparseflow.studies.run.log import RunLog
from keras_sparseflow.studies.run.network import build_network
from keras_sparseflow.studies.run.run import run
from keras_sparseflow.training import SparseModel, measure_flow
from keras_sparseflow.training.tensorboard.scalars import flow_tag
from tests.backend import untraced
from tests.studies.executing import InterruptionError, scalars

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("every_epoch")]

STATEFUL = {
    "epochs": 10, "batch_size": 16, "flow_epochs": 2, "optimizer": "adam", "learning_rate": 0.02,
    "variant": "DA_L2_BN", "hidden_layers": 2,
}  # fmt: skip
PLAIN = {"epochs": 2, "flow_epochs": 0}


def rows(folder, name):
    return pd.read_csv(folder.path / name)


def interrupt_after(epoch_to_stop):
    def on_epoch(epoch, logs):
        if epoch == epoch_to_stop:
            raise InterruptionError

    return on_epoch


def interrupt(*arguments):
    raise InterruptionError


def interrupted(spec, folder, data, epoch, checkpoint_seconds=0):
    """Trains a run until after an epoch."""
    with pytest.raises(InterruptionError):
        run(spec, folder, data, on_epoch=interrupt_after(epoch), checkpoint_seconds=checkpoint_seconds)


@pytest.fixture(scope="module")
def whole(spec, data, tmp_path_factory):
    """A stateful network, trained from beginning to end, and its folder."""
    chosen = spec(**STATEFUL)
    folder = RunFolder(tmp_path_factory.mktemp("study"), chosen.run_id)
    run(chosen, folder, data)
    return chosen, folder


@pytest.fixture
def eager():
    """Steps run operation by operation."""
    with untraced():
        yield


# --- what a run leaves ------------------------------------------------------------------------------------------


def test_a_finished_run_has_all_its_files_and_learns(whole):
    folder = whole[1]
    assert sorted(p.name for p in folder.path.iterdir()) == [
        "events", "flow.csv", "history.csv", "result.json", "spec.json",
    ]  # fmt: skip
    history, flow = rows(folder, "history.csv"), rows(folder, "flow.csv")
    assert list(history["epoch"]) == list(range(10)) and list(dict.fromkeys(flow["epoch"])) == [0, 9]
    assert set(flow["measure"]) == {"grad_norm_1", "grad_norm_2", "egf_1", "egf_2"}
    assert set(flow["layer"]) == {"hidden_1", "hidden_2", "output", "total"} and len(flow) == 2 * 2 * 4 * 4
    assert list(dict.fromkeys(flow["reading"])) == ["steps", "end"]
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] and history["test_accuracy"].iloc[-1] > 0.6


def test_the_result_follows_from_the_rows_and_its_schema_is_pinned(whole):
    folder = whole[1]
    result = without_digests(json.loads((folder.path / "result.json").read_text()))
    history, flow = rows(folder, "history.csv"), rows(folder, "flow.csv")
    assert list(result) == [
        "test_accuracy", "test_loss", "best_test_accuracy", "train_accuracy", "train_loss", "diverged", "epochs_run",
        "flow_reading", "grad_norm_1", "grad_norm_2", "egf_1", "egf_2", "seconds", "active_weights",
    ]  # fmt: skip
    assert result["test_accuracy"] == history["test_accuracy"].iloc[-1]
    assert result["best_test_accuracy"] == history["test_accuracy"].max()
    assert result["train_loss"] == history["loss"].iloc[-1] and result["epochs_run"] == 10
    assert result["flow_reading"] == "end"
    totals = flow[(flow["layer"] == "total") & (flow["reading"] == "end")].groupby("measure")["value"].mean()
    for measure in totals.index:
        np.testing.assert_allclose(result[measure], totals[measure], rtol=1e-12)
    assert result["active_weights"] == 16 * 6 + 36 + 6 * 3 and result["seconds"] > 0


def test_a_finished_run_is_not_trained_again(whole, data):
    spec, folder = whole
    first = without_digests(json.loads((folder.path / "result.json").read_text()))
    stamp = (folder.path / "history.csv").stat().st_mtime_ns
    assert run(spec, folder, data, on_epoch=interrupt) == first
    assert (folder.path / "history.csv").stat().st_mtime_ns == stamp


def test_tensorboard_reads_the_metrics_and_flow_that_the_rows_hold(whole):
    folder = whole[1]
    found = scalars(folder)
    history, flow = rows(folder, "history.csv"), rows(folder, "flow.csv")
    expected = {f"metrics/{c}": list(zip(history["epoch"], history[c], strict=True)) for c in history if c != "epoch"}
    for place, group in flow.groupby(["reading", "measure", "layer"]):
        expected[flow_tag(*place)] = list(zip(group["epoch"], group["value"], strict=True))
    assert set(found) == set(expected)
    for tag, values in expected.items():
        np.testing.assert_allclose(found[tag], values, rtol=1e-6, err_msg=tag)


def test_tensorboard_and_flow_can_be_left_out(spec, folder, data, eager):
    spec = spec(epochs=1, flow_epochs=0)
    run(spec, folder(spec), data, tensorboard=False)
    assert not folder(spec).events.exists() and rows(folder(spec), "flow.csv").empty


# --- what it is trained on --------------------------------------------------------------------------------------


def test_both_arms_see_the_same_batches(pair, folder, data, monkeypatch, eager):
    seen = []

    class Watching(SparseModel):
        def fit(self, batches, **arguments):
            seen.append([images.numpy() for images, _ in batches])
            return super().fit(batches, **arguments)

    monkeypatch.setattr("keras_sparseflow.studies.run.network.network_class", lambda: Watching)
    for spec in pair(variant="DA", epochs=1, flow_epochs=0):
        run(spec, folder(spec), data, tensorboard=False)
    assert len(seen[0]) == 2 and np.array_equal(seen[0], seen[1])


# --- gradient flow ----------------------------------------------------------------------------------------------


def test_both_readings_are_each_as_if_it_were_alone(spec, folder, data, eager):
    flow = {}
    for readings in (("steps", "end"), ("steps",), ("end",)):
        chosen = spec(variant="DA_BN", epochs=1, flow_epochs=1, flow_readings=readings)
        run(chosen, folder(chosen), data, tensorboard=False)
        flow[readings] = rows(folder(chosen), "flow.csv")
    both = flow.pop(("steps", "end"))
    for (reading,), alone in flow.items():
        assert set(alone["reading"]) == {reading}
        pd.testing.assert_frame_equal(both[both["reading"] == reading].reset_index(drop=True), alone, rtol=1e-5)


def test_the_end_is_that_of_the_weights_left_on_all_images_without_augmentation(spec, folder, data, eager):
    """The batches are those of the training's size, the last one smaller."""
    chosen = spec(variant="DA_L2_BN", l2=0.1, epochs=1, batch_size=20)
    models = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "build_network", lambda *a, **k: models.append(build_network(*a, **k)) or models[-1])
        run(chosen, folder(chosen), data, tensorboard=False)
    count, size = len(data.train_images), 20
    order = whole_order(count)
    assert count % size and sorted(order) == list(range(count))
    batches = [order[first : first + size] for first in range(0, count, size)]
    pairs = ((data.train_images[batch], data.train_labels[batch]) for batch in batches)
    ragged = tf.data.Dataset.from_generator(
        lambda: pairs,
        output_signature=(tf.TensorSpec((None, *data.input_shape)), tf.TensorSpec((None,), tf.int32)),
    )
    expected = measure_flow(models[0], ragged)
    flow = rows(folder(chosen), "flow.csv").query("reading == 'end'")
    assert flow["layer"].tolist() == [row["layer"] for row in expected]
    np.testing.assert_allclose(flow["value"], [row["value"] for row in expected], rtol=1e-5)


# --- divergence -------------------------------------------------------------------------------------------------


def test_a_diverged_run_is_finished_and_says_so_even_if_it_was_interrupted_before(
    spec, folder, data, monkeypatch, eager
):
    spec = spec(learning_rate=1e30, epochs=10, flow_epochs=0)
    with monkeypatch.context() as patch, pytest.raises(InterruptionError):
        patch.setattr(RunFolder, "finish", interrupt)
        run(spec, folder(spec), data, checkpoint_seconds=0)
    result = run(spec, folder(spec), data, on_epoch=interrupt)
    assert result["diverged"] and result["epochs_run"] < 10 and folder(spec).finished
    assert json.loads((folder(spec).path / "result.json").read_text())["train_loss"] is None


def test_a_run_whose_last_step_diverges_says_so(spec, folder, data, eager):
    """One step at a huge rate: the training loss is still that of the initial weights, the test loss is not."""
    spec = spec(learning_rate=1e30, epochs=1, batch_size=48, flow_epochs=0)
    assert run(spec, folder(spec), data)["diverged"]


# --- interruption -----------------------------------------------------------------------------------------------


def check_same(folder, whole):
    """Checks equality to the last bit; the number of threads makes no difference to networks as small."""
    for name in ("history.csv", "flow.csv"):
        pd.testing.assert_frame_equal(rows(folder, name), rows(whole, name), check_exact=True)
    assert scalars(folder)["metrics/loss"] == scalars(whole)["metrics/loss"]


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(whole, folder, data):
    """Before its first checkpoint it starts again, and after it goes on, twice; the time that it took before counts."""
    spec, whole = whole
    broken = folder(spec)
    interrupted(spec, broken, data, 1, checkpoint_seconds=1000)
    assert broken.load_checkpoint() is None
    interrupted(spec, broken, data, 0)
    arrays, progress = broken.load_checkpoint()
    broken.save_checkpoint(arrays, {**progress, "seconds": 1000.0})
    interrupted(spec, broken, data, 7)
    assert not broken.finished
    epochs = []
    result = run(spec, broken, data, on_epoch=lambda epoch, logs: epochs.append(epoch))
    assert epochs == [8, 9], "it goes on with the next epoch"
    assert 1000 < result["seconds"] < 1100
    check_same(broken, whole)


KINDS = {
    "dropout": {"dropout": 0.3},
    "rigl": {"method": "rigl", "move_frequency": 2},
    "set": {"method": "set", "move_frequency": 2},
    "magnitude": {"method": "magnitude", "prune_from": 0.0, "prune_until": 0.9, "prune_frequency": 1},
    "ghosts": {"tweaks": "GSk_GSw", "hidden_layers": 2},
    "sparse": {"optimizer": "momentum"},
    "vit": {"model": "vit", "width": 8, "depth": 1, "heads": 2, "patch_size": 2},
}
"""Networks with a state of every kind."""


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_network_alone_goes_on_to_the_same_bytes(spec, folder, data, kind):
    size = {"matched_fraction": None, "density": 0.5}
    chosen = spec(**size, **{"epochs": 4, "batch_size": 12, "flow_epochs": 2, **KINDS[kind]})
    how = {"tensorboard": False, "max_density": 1.0 if kind == "sparse" else None}
    run(chosen, folder(chosen, "whole"), data, **how)
    for epoch in (0, 2):
        with pytest.raises(InterruptionError):
            run(chosen, folder(chosen, "broken"), data, on_epoch=interrupt_after(epoch), checkpoint_seconds=0, **how)
        assert len(folder(chosen, "broken").checkpoint_rows()) == epoch + 1
    run(chosen, folder(chosen, "broken"), data, **how)
    for name in ("history.csv", "flow.csv"):
        broken, whole = ((folder(chosen, study).path / name).read_bytes() for study in ("broken", "whole"))
        assert broken == whole, name


def test_events_after_the_last_checkpoint_are_not_counted_twice(spec, folder, data, monkeypatch, eager):
    """Events reach the disk every epoch, checkpoints now and then: here after the first epoch alone."""
    spec, save = spec(epochs=4, flow_epochs=0), RunLog.save
    monkeypatch.setattr(RunLog, "save", lambda log, arrays: save(log, arrays) if log.next_epoch == 1 else None)
    interrupted(spec, folder(spec), data, 2)
    run(spec, folder(spec), data)
    for tag, values in scalars(folder(spec)).items():
        assert [step for step, _ in values] == [0, 1, 2, 3], tag


def test_a_run_killed_between_its_last_epoch_and_its_result_is_only_finished(spec, folder, data, monkeypatch, eager):
    spec = spec(**PLAIN)
    with monkeypatch.context() as patch, pytest.raises(InterruptionError):
        patch.setattr(RunFolder, "finish", interrupt)
        run(spec, folder(spec), data, checkpoint_seconds=0)
    result = run(spec, folder(spec), data, on_epoch=interrupt)
    assert result["epochs_run"] == 2 and folder(spec).finished


def test_a_checkpoint_of_another_network_is_refused(spec, folder, data, eager):
    mine, other = spec(**PLAIN), spec(**PLAIN, width=22)
    interrupted(mine, folder(mine), data, 0)
    before = {path.name: path.read_bytes() for path in folder(mine).path.iterdir() if path.is_file()}
    with pytest.raises(ValueError, match="of another network: expected .* to have the shape"):
        run(other, folder(mine), data)
    assert before == {path.name: path.read_bytes() for path in folder(mine).path.iterdir() if path.is_file()}
