"""One run: what it leaves, that options change what they say, and that it survives interruption."""

import functools
import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_sparseflow.data.batches import whole_order
from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.run import run as run_module
from keras_sparseflow.studies.run.network import active_weights, build_network
from keras_sparseflow.studies.run.run import run
from keras_sparseflow.training import measure_flow
from tests.studies.executing import InterruptionError, scalars, untraced

pytestmark = pytest.mark.usefixtures("every_epoch")


STATEFUL = {"epochs": 4, "optimizer": "adam", "variant": "DA_L2_BN", "hidden_layers": 2}


def rows(folder, name):
    return pd.read_csv(folder.path / name)


def interrupt_after(epoch_to_stop):
    def on_epoch(epoch, logs):
        if epoch == epoch_to_stop:
            raise InterruptionError

    return on_epoch


@pytest.fixture(scope="module")
def finished(spec, data, tmp_path_factory):
    """Trains a network and returns its folder; one that several tests look at is trained once."""

    @functools.cache
    def folder_of(chosen, tensorboard):
        folder = RunFolder(tmp_path_factory.mktemp("study"), chosen.run_id)
        run(chosen, folder, data, tensorboard=tensorboard)
        return folder

    return lambda tensorboard=True, **options: folder_of(spec(**options), tensorboard)


@pytest.fixture(scope="module")
def trained(finished):
    """Trains a network and returns its rows."""

    def rows_of(**options):
        folder = finished(tensorboard=False, **options)
        return rows(folder, "history.csv"), rows(folder, "flow.csv")

    return rows_of


@pytest.fixture(scope="module")
def losses(spec, data, tmp_path_factory):
    """Trains a network for an epoch, or for as many as it says, and returns the losses; each network once."""

    @functools.cache
    def losses_of(chosen):
        folder = RunFolder(tmp_path_factory.mktemp("option"), chosen.run_id)
        with untraced():
            run(chosen, folder, data, tensorboard=False)
        return rows(folder, "history.csv")["loss"]

    return lambda **options: losses_of(spec(**{"epochs": 1, "flow_epochs": 0, **options}))


# --- what a run leaves ------------------------------------------------------------------------------------------


def test_a_finished_run_has_all_its_files_and_learns(spec, folder, data):
    spec = spec(epochs=20, optimizer="momentum")
    result = run(spec, folder(spec), data)
    path = folder(spec).path
    assert sorted(p.name for p in path.iterdir()) == ["events", "flow.csv", "history.csv", "result.json", "spec.json"]
    history, flow = rows(folder(spec), "history.csv"), rows(folder(spec), "flow.csv")
    assert list(history["epoch"]) == list(range(20))
    assert set(flow["measure"]) == {"grad_norm_1", "grad_norm_2", "egf_1", "egf_2"}
    assert set(flow["layer"]) == {"hidden_1", "output", "total"} and len(flow) == 11 * 2 * 4 * 3
    assert list(dict.fromkeys(flow["reading"])) == ["steps", "end"]
    assert result["test_accuracy"] > 0.8 and history["loss"].iloc[-1] < history["loss"].iloc[0]


def test_the_result_follows_from_the_rows_and_its_schema_is_pinned(finished):
    folder = finished()
    result = json.loads((folder.path / "result.json").read_text())
    history, flow = rows(folder, "history.csv"), rows(folder, "flow.csv")
    assert list(result) == [
        "test_accuracy", "test_loss", "best_test_accuracy", "train_accuracy", "train_loss", "diverged", "epochs_run",
        "flow_reading", "grad_norm_1", "grad_norm_2", "egf_1", "egf_2", "seconds", "active_weights",
    ]  # fmt: skip
    assert result["test_accuracy"] == history["test_accuracy"].iloc[-1]
    assert result["best_test_accuracy"] == history["test_accuracy"].max()
    assert result["train_loss"] == history["loss"].iloc[-1] and result["epochs_run"] == 3
    assert result["flow_reading"] == "end"
    totals = flow[(flow["layer"] == "total") & (flow["reading"] == "end")].groupby("measure")["value"].mean()
    for measure in totals.index:
        np.testing.assert_allclose(result[measure], totals[measure], rtol=1e-12)
    assert result["active_weights"] == 16 * 6 + 6 * 3 and result["seconds"] > 0


def test_a_finished_run_is_not_trained_again(spec, data, finished):
    folder = finished()
    first = json.loads((folder.path / "result.json").read_text())
    stamp = (folder.path / "history.csv").stat().st_mtime_ns
    assert run(spec(), folder, data, on_epoch=interrupt_after(0)) == first
    assert (folder.path / "history.csv").stat().st_mtime_ns == stamp


def test_the_same_spec_gives_the_same_run(spec, folder, data, finished):
    spec = spec(**STATEFUL)
    run(spec, folder(spec), data, tensorboard=False)
    first, second = (rows(one, "history.csv") for one in (finished(**STATEFUL), folder(spec)))
    pd.testing.assert_frame_equal(first, second, rtol=1e-5)


def test_tensorboard_reads_the_metrics_and_flow_that_the_rows_hold(finished):
    folder = finished(epochs=4, flow_epochs=2)
    found = scalars(folder)
    history, flow = rows(folder, "history.csv"), rows(folder, "flow.csv")
    expected = {f"metrics/{c}": list(zip(history["epoch"], history[c], strict=True)) for c in history if c != "epoch"}
    for place, group in flow.groupby(["reading", "measure", "layer"]):
        expected["/".join(("flow", *place))] = list(zip(group["epoch"], group["value"], strict=True))
    assert set(found) == set(expected)
    for tag, values in expected.items():
        np.testing.assert_allclose(found[tag], values, rtol=1e-6, err_msg=tag)


def test_tensorboard_can_be_left_out(finished):
    assert not finished(tensorboard=False, flow_epochs=0).events.exists()


def test_augmentation_pads_by_an_eighth_of_the_images_side_or_one_pixel(trained):
    by_default, by_one = (trained(variant="DA", **option)[0] for option in ({}, {"augment_pad": 1}))
    pd.testing.assert_frame_equal(by_default, by_one, rtol=1e-6)


# --- the two arms -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden_layers", [1, 2, 4])
def test_both_arms_have_the_same_active_weights_in_every_kernel(spec, data, hidden_layers):
    sparse, dense = (build_network(spec(arm=arm, hidden_layers=hidden_layers), data) for arm in ("sparse", "dense"))
    assert active_weights(sparse) == active_weights(dense) == [16 * 6, *[36] * (hidden_layers - 1), 18]
    assert sparse.get_layer("hidden_1").units == 20 and dense.get_layer("hidden_1").units == 6
    assert isinstance(sparse.get_layer("output"), MaskedDense) and not isinstance(
        dense.get_layer("output"), MaskedDense
    )


def test_both_arms_see_the_same_batches(spec, folder, data, monkeypatch):
    from keras_sparseflow.training import SparseModel

    seen = []

    class Watching(SparseModel):
        def fit(self, batches, **arguments):
            seen.append([images.numpy() for images, _ in batches])
            return super().fit(batches, **arguments)

    monkeypatch.setattr("keras_sparseflow.studies.run.pair_network.network_class", lambda: Watching)
    for arm in ("sparse", "dense"):
        run(spec(arm=arm, variant="DA", augment_pad=1), folder(spec(arm=arm)), data)
    assert len(seen[0]) == 9 and np.array_equal(seen[0], seen[1])


@pytest.mark.parametrize(("choice", "fan_ins"), [("dense", (16, 200)), ("sparse", (16, 500)), ("active", (6.4, 200))])
@pytest.mark.parametrize("arm", ["sparse", "dense"])
def test_init_fan_in_sets_the_standard_deviation_of_both_arms(spec, data, choice, fan_ins, arm):
    """N = 16, w = 200, W = 500, o = 3: He normal, so sqrt(2 / fan-in)."""
    model = build_network(spec(dense_width=200, max_width=500, arm=arm, init_fan_in=choice), data)
    for name, fan_in in zip(("hidden_1", "output"), fan_ins, strict=True):
        kernel = keras.ops.convert_to_numpy(model.get_layer(name).kernel)
        np.testing.assert_allclose(kernel[kernel != 0].std(), np.sqrt(2 / fan_in), rtol=0.1)


# --- every option changes what it says --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "also"),
    [
        ({"optimizer": "momentum"}, {}),
        ({"optimizer": "adam"}, {}),
        ({"optimizer": "adagrad"}, {}),
        ({"optimizer": "rmsprop"}, {}),
        ({"learning_rate": 0.2}, {}),
        ({"batch_size": 12}, {}),
        ({"seed": 1}, {}),
        ({"arm": "dense"}, {}),
        ({"dense_width": 7}, {}),
        ({"max_width": 21}, {}),
        ({"hidden_layers": 2}, {}),
        ({"activation": "tanh"}, {}),
        ({"init_fan_in": "sparse"}, {}),
        ({"variant": "DA"}, {}),
        ({"variant": "BN"}, {}),
        ({"variant": "L2"}, {"l2": 0.1}),
        ({"variant": "SC"}, {"hidden_layers": 3}),
        ({"l2": 0.2}, {"variant": "L2"}),
        ({"augment_pad": 2}, {"variant": "DA"}),
        ({"augment_flip": "never"}, {"variant": "DA"}),
        ({"norm_place": "after"}, {"variant": "BN"}),
        ({"skip_span": 1}, {"variant": "SC", "hidden_layers": 3}),
        ({"skip_place": "after"}, {"variant": "SC", "hidden_layers": 3}),
        ({"schedule": "cosine"}, {"epochs": 3}),
        ({"schedule": "step"}, {"epochs": 4}),
        ({"loss": "squared_error"}, {}),
        ({"precision": "mixed_bfloat16"}, {"epochs": 3}),
        ({"score": "magnitude"}, {}),
        ({"score_samples": 3}, {"score": "snip"}),
        ({"optimizer": "adamw"}, {"variant": "L2", "l2": 0.1}),
        ({"l2_form": "decoupled"}, {"variant": "L2", "l2": 0.5, "optimizer": "adam"}),
        ({"l2_form": "loss"}, {"variant": "L2", "l2": 0.5, "optimizer": "adamw"}),
        ({"optimizer_options": ("rmsprop.rho=0.5",)}, {"optimizer": "rmsprop"}),
        ({"optimizer_options": ("adagrad.initial_accumulator_value=0.1",)}, {"optimizer": "adagrad"}),
        ({"optimizer_options": ("momentum.momentum=0.5",)}, {"optimizer": "momentum"}),
        ({"activation_options": ("prelu.slope=0.5",)}, {"activation": "prelu"}),
        ({"activation_options": ("srelu.right_threshold=0.1", "srelu.right_slope=0.5")}, {"activation": "srelu"}),
    ],
    ids=str,
)
def test_option_changes_the_training(losses, changed, also):
    assert not np.allclose(losses(**also), losses(**{**also, **changed}), rtol=1e-4)


@pytest.mark.parametrize(
    ("changed", "also"),
    [
        ({"flow_cost": "data"}, {"variant": "L2", "l2": 0.1}),
        ({"flow_mode": "inference"}, {"variant": "BN", "flow_readings": ("end",)}),
        ({"flow_readings": ("steps",)}, {"variant": "BN", "flow_readings": ("end",)}),
        ({"flow_tensors": "all"}, {"variant": "BN"}),
    ],
    ids=str,
)
def test_flow_option_changes_the_flow_and_not_the_training(trained, changed, also):
    (history, flow), (other_history, other_flow) = (trained(**{**also, **extra}) for extra in ({}, changed))
    np.testing.assert_allclose(history["loss"], other_history["loss"], rtol=1e-5)
    total, other_total = (f[f["layer"] == "total"]["value"].to_numpy() for f in (flow, other_flow))
    assert total.shape == other_total.shape and not np.allclose(total, other_total, rtol=1e-3)


def test_both_readings_are_each_as_if_it_were_alone(trained):
    _, both = trained(variant="DA_BN", flow_readings=("steps", "end"))
    for reading in ("steps", "end"):
        _, alone = trained(variant="DA_BN", flow_readings=(reading,))
        assert set(alone["reading"]) == {reading}
        rows = both[both["reading"] == reading].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, alone, rtol=1e-5)


def test_the_end_is_that_of_the_weights_left_on_all_images_without_augmentation(spec, folder, data):
    """The batches are those of the training's size, the last one smaller."""
    chosen = spec(variant="DA_L2_BN", l2=0.1, epochs=1, batch_size=20)
    models = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "build_network", lambda *a, **k: models.append(build_network(*a, **k)) or models[-1])
        run(chosen, folder(chosen), data, tensorboard=False)
    count = len(data.train_images)
    order = whole_order(count)
    assert count % chosen.batch_size and sorted(order) == list(range(count))
    batches = [order[first : first + chosen.batch_size] for first in range(0, count, chosen.batch_size)]
    pairs = ((data.train_images[batch], data.train_labels[batch]) for batch in batches)
    ragged = tf.data.Dataset.from_generator(
        lambda: pairs,
        output_signature=(tf.TensorSpec((None, *data.input_shape)), tf.TensorSpec((None,), tf.int32)),
    )
    expected = measure_flow(models[0], ragged)
    flow = rows(folder(chosen), "flow.csv").query("reading == 'end'")
    assert flow["layer"].tolist() == [row["layer"] for row in expected]
    np.testing.assert_allclose(flow["value"], [row["value"] for row in expected], rtol=1e-5)


def test_flow_epochs_and_measures_choose_the_rows(trained):
    _, flow = trained(epochs=6, flow_epochs=3, flow_measures=("egf_2",))
    assert list(dict.fromkeys(flow["epoch"])) == [0, 2, 5] and set(flow["measure"]) == {"egf_2"}
    _, none = trained(flow_epochs=0)
    assert none.empty


def test_options_of_the_data_reach_it(data):
    """These act through `load_images`; that they change the images is tested with it."""
    from keras_sparseflow.data import load_images

    whole = load_images("digits")
    part = load_images("digits", image_size=4, train_size=50, subset_seed=0)
    other = load_images("digits", image_size=4, train_size=50, subset_seed=1)
    assert whole.train_images.shape[1:] == (8, 8, 1) and part.train_images.shape == (50, 4, 4, 1)
    assert not np.array_equal(part.train_images, other.train_images)


# --- divergence and interruption --------------------------------------------------------------------------------


def test_a_diverged_run_is_finished_and_says_so(spec, folder, data):
    spec = spec(learning_rate=1e30, epochs=10)
    result = run(spec, folder(spec), data)
    assert result["diverged"] and result["epochs_run"] < 10 and folder(spec).finished
    assert json.loads((folder(spec).path / "result.json").read_text())["train_loss"] is None


def test_a_run_whose_last_step_diverges_says_so(spec, folder, data):
    """One step at a huge rate: the training loss is still that of the initial weights, the test loss is not."""
    spec = spec(learning_rate=1e30, epochs=1, batch_size=48)
    assert run(spec, folder(spec), data)["diverged"]


def test_a_diverged_run_that_is_interrupted_is_only_finished(spec, folder, data, monkeypatch):
    spec = spec(learning_rate=1e30, epochs=10)

    def killed(*arguments):
        raise InterruptionError

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "finish", killed)
        with pytest.raises(InterruptionError):
            run(spec, folder(spec), data, checkpoint_seconds=0)
    result = run(spec, folder(spec), data, on_epoch=interrupt_after(0))
    assert result["diverged"] and result["epochs_run"] < 10


def test_time_spent_before_an_interruption_counts(spec, folder, data):
    with pytest.raises(InterruptionError):
        run(spec(), folder(spec()), data, on_epoch=interrupt_after(1), checkpoint_seconds=0)
    arrays, progress = folder(spec()).load_checkpoint()
    folder(spec()).save_checkpoint(arrays, {**progress, "seconds": 1000.0})
    assert 1000 < run(spec(), folder(spec()), data)["seconds"] < 1100


def test_events_after_the_last_checkpoint_are_not_counted_twice(spec, folder, data, monkeypatch):
    """Events reach the disk every epoch, checkpoints now and then: here after the first epoch alone."""
    from keras_sparseflow.studies.run.log import RunLog

    save = RunLog.save
    monkeypatch.setattr(RunLog, "save", lambda log, arrays: save(log, arrays) if log.next_epoch == 1 else None)
    with pytest.raises(InterruptionError):
        run(spec(epochs=5), folder(spec(epochs=5)), data, on_epoch=interrupt_after(3), checkpoint_seconds=0)
    run(spec(epochs=5), folder(spec(epochs=5)), data)
    for tag, values in scalars(folder(spec(epochs=5))).items():
        assert [step for step, _ in values] == [0, 1, 2, 3, 4], tag


@pytest.mark.parametrize("stop", [0, 2])
@pytest.mark.parametrize("values", [STATEFUL, {"epochs": 4, "optimizer": "momentum"}], ids=str)
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(spec, folder, data, finished, stop, values):
    spec, whole = spec(**values), finished(**values)
    broken = folder(spec)
    with pytest.raises(InterruptionError):
        run(spec, broken, data, on_epoch=interrupt_after(stop), checkpoint_seconds=0)
    assert not broken.finished
    epochs = []
    run(spec, broken, data, on_epoch=lambda epoch, logs: epochs.append(epoch))
    assert epochs == list(range(stop + 1, 4)), "it goes on with the next epoch"
    for name in ("history.csv", "flow.csv"):
        pd.testing.assert_frame_equal(rows(broken, name), rows(whole, name), rtol=1e-4)
    assert scalars(broken)["metrics/loss"] == [
        (step, pytest.approx(value, rel=1e-4)) for step, value in scalars(whole)["metrics/loss"]
    ]


def test_a_run_interrupted_before_its_first_checkpoint_starts_again(spec, folder, data):
    with pytest.raises(InterruptionError):
        run(spec(), folder(spec()), data, on_epoch=interrupt_after(1))
    epochs = []
    run(spec(), folder(spec()), data, on_epoch=lambda epoch, logs: epochs.append(epoch))
    assert epochs == [0, 1, 2] and list(rows(folder(spec()), "history.csv")["epoch"]) == [0, 1, 2]
    assert [step for step, _ in scalars(folder(spec()))["metrics/loss"]] == [0, 1, 2]


def test_a_run_killed_between_its_last_epoch_and_its_result_is_only_finished(spec, folder, data, monkeypatch):
    def killed(*arguments):
        raise InterruptionError

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "finish", killed)
        with pytest.raises(InterruptionError):
            run(spec(), folder(spec()), data, checkpoint_seconds=0)
    result = run(spec(), folder(spec()), data, on_epoch=interrupt_after(0))
    assert result["epochs_run"] == 3 and folder(spec()).finished


def test_a_checkpoint_of_another_network_is_refused(spec, folder, data):
    with pytest.raises(InterruptionError):
        run(spec(), folder(spec()), data, on_epoch=interrupt_after(0), checkpoint_seconds=0)
    other = RunFolder(folder(spec()).path.parent, spec().run_id)
    before = {path.name: path.read_bytes() for path in other.path.iterdir() if path.is_file()}
    with pytest.raises(ValueError, match="of another network: expected .* to have the shape"):
        run(spec(dense_width=9, max_width=22), other, data)
    assert before == {path.name: path.read_bytes() for path in other.path.iterdir() if path.is_file()}
