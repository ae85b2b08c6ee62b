"""Callbacks of one's own: each network has its own, they watch, and they never change a result."""

import keras
import pytest

from keras_sparseflow.data import data_size
from keras_sparseflow.plugins import register
from keras_sparseflow.plugins.registry import table
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.study_plan import plan_study
from keras_sparseflow.studies.prepare import prepare
from keras_sparseflow.studies.run.run import made_callbacks, run
from keras_sparseflow.studies.study import Study
from tests.backend import untraced


@pytest.fixture
def registered():
    """Registers a function as the callback "mine" until the test ends."""

    def add(function):
        return register("callback", "mine", function)

    yield add
    table("callback").unregister("mine")


def test_a_network_hands_its_spec_its_folder_and_its_epochs_to_a_callback(registered, spec, data, tmp_path):
    seen = []

    def watch(given, folder):
        seen.append((given.run_id, folder))
        return [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["val_loss"])))]

    registered(watch)
    one = spec(epochs=2)
    with untraced():
        watched = run(one, RunFolder(tmp_path / "a", one.run_id), data, callbacks=("mine",), tensorboard=False)
        alone = run(one, RunFolder(tmp_path / "b", one.run_id), data, tensorboard=False)
    assert seen[0] == (one.run_id, tmp_path / "a" / one.run_id)
    assert [epoch for epoch, _ in seen[1:]] == [0, 1]
    assert seen[-1][1] == pytest.approx(watched["test_loss"])
    assert {**watched, "seconds": 0} == {**alone, "seconds": 0}


def test_a_callback_that_ends_a_training_is_an_error_and_leaves_no_result(registered, spec, data, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    registered(lambda given, folder: Stop())
    one = spec(epochs=3)
    folder = RunFolder(tmp_path, one.run_id)
    with untraced(), pytest.raises(RuntimeError, match=r"after 1 of 3 epochs.*may only watch"):
        run(one, folder, data, callbacks=("mine",), tensorboard=False)
    assert not folder.finished


def test_networks_with_callbacks_are_trained_alone_and_the_plan_says_why(registered, pair, tmp_path):
    registered(lambda given, folder: [])
    planned = plan_study(pair(), tmp_path, data_size("digits"), "auto", Options(callbacks=("mine",)))
    assert len(planned.alone) == 2 and planned.reasons == {"--callbacks": "a callback sees one network"}
    with pytest.raises(ValueError, match="--callbacks cannot be trained as a population"):
        plan_study(pair(), tmp_path, data_size("digits"), "population", Options(callbacks=("mine",)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none_such", "Unknown callback 'none_such'"),
        ("no_module:watch", "'no_module:watch' gives ModuleNotFoundError"),
        ("keras.callbacks:none", "gives AttributeError"),
        ("keras_sparseflow:__version__", "is a str"),
    ],
)
def test_what_is_no_function_is_refused_before_any_training(name, message, tmp_path):
    study = Study(name="small", title="", seeds=(0,), width_fractions=(0.5,), base={"image_size": 4})
    with pytest.raises(ValueError, match=message):
        prepare(study, runs_dir=tmp_path, executor="serial", options=Options(callbacks=(name,)))


def test_a_function_that_returns_no_callback_is_named(registered, spec, tmp_path):
    registered(lambda given, folder: "nothing")
    with pytest.raises(TypeError, match="'mine' of `callbacks` must return Keras callbacks; received str"):
        made_callbacks(("mine",), spec(), tmp_path)


def test_names_are_checked():
    for wrong in ("mine", [1], 3):
        with pytest.raises(ValueError, match="`callbacks` must list"):
            Options(callbacks=wrong)
