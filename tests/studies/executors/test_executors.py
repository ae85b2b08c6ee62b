"""Executors and studies as a whole: nothing twice, nothing lost, clear refusals before any training."""

import errno
import functools
import gc
import json
import shutil
import time

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from keras_sparseflow import records
from keras_sparseflow.data import memory
from keras_sparseflow.studies import prepare as prepare_module
from keras_sparseflow.studies import run_study as run_study_module
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.run.log import RunLog
from keras_sparseflow.studies.run_study import run_network, run_study
from keras_sparseflow.studies.study import Study
from keras_sparseflow.training.distributed import device
from keras_sparseflow.training.population import elementwise
from tests.backend import untraced
from tests.plugins.packages import registered
from tests.studies.executing import plan, train, trained_epochs

BASE = {"epochs": 1, "image_size": 4, "train_size": 100, "batch_size": 50, "flow_epochs": 1}


def study(*grids, **values):
    grids = [{"hidden_layers": (1,), **grid} for grid in grids or ({"variant": ("NR", "BN")},)]
    defaults = {"name": "tiny", "title": "Tiny", "base": BASE, "width_fractions": (0.5,), "seeds": (0,)}
    return Study(**{**defaults, "grids": grids, **values})


@pytest.fixture(autouse=True)
def _eager():
    """Networks alone take their few steps operation by operation."""
    with untraced():
        yield


PREPARATION = {
    run_study_module: ("prepare", "check_images", "check_masks", "load_images"),
    prepare_module: ("check_specs", "make_strategy", "plan_study", "cost"),
    Study: ("members",),
}
"""Functions of a study's preparation, by the module or class from which they are called."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Trains the study by an executor, once, and returns its folder and the parts of its preparation in any order."""

    @functools.cache
    def train_study(executor):
        calls = []

        def counted(name, function):
            return lambda *arguments, **options: (calls.append(name), function(*arguments, **options))[1]

        with pytest.MonkeyPatch.context() as patch:
            for where, names in PREPARATION.items():
                for name in names:
                    patch.setattr(where, name, counted(name, getattr(where, name)))
            folder = run_study(study(), runs_dir=tmp_path_factory.mktemp("runs"), executor=executor)
        return folder, sorted(calls)

    return train_study


@pytest.fixture(scope="module")
def trained_by(watched):
    """Returns the folder of the study that an executor has trained."""
    return lambda executor: watched(executor)[0]


@pytest.fixture
def finished(trained_by, tmp_path):
    """Copies the study that an executor has trained into a folder of runs, and returns where it is."""
    return lambda executor="serial": shutil.copytree(trained_by(executor), tmp_path / "tiny")


@pytest.fixture
def dry(monkeypatch):
    """The specs that an executor "dry" is given, which trains nothing."""
    seen = []
    registered(monkeypatch, EXECUTORS, dry=lambda prepared, *rest: seen.extend(prepared.specs))
    return seen


each_executor = pytest.mark.parametrize("executor", ["serial", "population"])


@each_executor
def test_a_study_leaves_its_plan_and_every_run(trained_by, executor):
    study_dir = trained_by(executor)
    assert study_dir.name == "tiny"
    results = records.read_results(study_dir)
    assert list(results["arm"]) == ["sparse", "dense"] * 2 and list(results["variant"]) == ["NR", "NR", "BN", "BN"]
    assert set(results["max_width"]) == {20} and set(results["dense_width"]) == {10}
    for _, pair in results.groupby("variant"):
        assert pair["active_weights"].nunique() == 1
    plan = records.read_study(study_dir)
    assert plan["run_ids"] == list(results["run_id"]) and plan["data"]["train_images"] == 100


@each_executor
def test_finished_runs_are_skipped_and_a_larger_grid_adds_to_them(tmp_path, finished, monkeypatch, executor):
    study_dir, trained = finished(executor), trained_epochs(monkeypatch)
    assert run_study(study(), runs_dir=tmp_path, executor=executor) == study_dir
    assert trained == {}
    run_study(study({"variant": ("NR", "L2", "BN")}), runs_dir=tmp_path, executor=executor)
    assert len(trained) == 2 and all("-L2-" in run_id for run_id in trained)
    assert len(records.read_results(study_dir)) == 6


@each_executor
def test_a_study_is_prepared_once(watched, executor):
    """Its networks are made, checked, counted and planned, and its images are loaded, one time each."""
    assert watched(executor)[1] == sorted(name for names in PREPARATION.values() for name in names)


@pytest.mark.slow
def test_networks_leave_no_gradients_behind_and_what_was_there_is_frozen_for_them(tmp_path, monkeypatch, spec, data):
    tf.config.run_functions_eagerly(False)
    registered_gradients, frozen, add = [], [], RunLog.add

    def watched(log, *arguments):
        registered_gradients.append(len(ops.gradient_registry._registry))
        frozen.append(gc.get_freeze_count())
        add(log, *arguments)

    monkeypatch.setattr(RunLog, "add", watched)
    specs = [spec(epochs=1, flow_epochs=0, seed=seed) for seed in range(3)]
    keras.utils.clear_session()
    before = len(ops.gradient_registry._registry)
    gc.unfreeze()  # conftest.py has frozen what was there before the tests
    try:
        train("serial", specs[:2], tmp_path, data, tensorboard=False)
        assert registered_gradients[0] > before and len(set(registered_gradients)) == 1, "as many after each network"
        assert min(frozen) > 10_000 and not gc.get_freeze_count()
    finally:
        gc.freeze()
    train("serial", specs[2:], tmp_path, data, tensorboard=False)
    assert gc.get_freeze_count(), "what a program has frozen itself stays so"


@each_executor
def test_a_failure_keeps_what_was_finished(tmp_path, monkeypatch, executor):
    """The disk fills up during the second run; after room is made, one run is left to train."""
    write, results, pair = records.write_atomic, [], study({})

    def until_full(path, content):
        if path.name == "result.json" and len(results) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        results.append(path) if path.name == "result.json" else None
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(records.files, "write_atomic", until_full)
        with pytest.raises(OSError, match="No space left"):
            run_study(pair, runs_dir=tmp_path, executor=executor)
    assert len(records.read_results(tmp_path / "tiny")) == 1
    trained = trained_epochs(monkeypatch)
    run_study(pair, runs_dir=tmp_path, executor=executor)
    assert len(trained) == 1 and len(records.read_results(tmp_path / "tiny")) == 2


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nmuch more"), "OOM when allocating"),
        (tf.errors.InternalError(None, None, "Dst tensor is not initialized."), "Dst tensor is not initialized"),
        (MemoryError("Unable to allocate 7.28 TiB"), "Unable to allocate 7.28 TiB"),
        (MemoryError(), "memory has run out"),
    ],
)
def test_memory_that_one_network_exhausts_is_an_error_that_names_it(tmp_path, monkeypatch, error, why):
    def full(*arguments, **options):
        raise error

    monkeypatch.setattr(keras.Model, "fit", full)
    with pytest.raises(MemoryError) as refusal:
        run_study(study({}), runs_dir=tmp_path, executor="serial")
    run_id = records.read_study(tmp_path / "tiny")["run_ids"][0]
    assert str(refusal.value) == f"There is no room for the network {run_id}: {why}. {memory.SMALLER}"


def test_other_internal_errors_stay_as_they_are(tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise tf.errors.InternalError(None, None, "a defect")

    monkeypatch.setattr(keras.Model, "fit", broken)
    with pytest.raises(tf.errors.InternalError, match="a defect"):
        run_study(study({}), runs_dir=tmp_path, executor="serial")


@each_executor
def test_states_that_take_long_to_save_are_saved_less_often(tmp_path, monkeypatch, spec, data, executor):
    """Half a second for a state, and epochs of milliseconds: the next one is due after seconds."""
    save, saved = RunLog.save, []
    monkeypatch.setattr(
        RunLog, "save", lambda log, arrays: (time.sleep(0.5), saved.append(log.next_epoch), save(log, arrays))
    )
    train(executor, [spec(epochs=8, batch_size=48, flow_epochs=0)], tmp_path, data, checkpoint_seconds=0)
    assert saved[0] == 1 and len(saved) < 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"base": {"dataset": "digits", "batch_size": 5000}}, r"`batch_size` must be in \[1, 1438\].*received 5000"),
        ({"base": {"image_size": 9}}, "`image_size`.*received 9"),
        ({"grids": [{"variant": ("NR", "SC"), "hidden_layers": (2,)}]}, "SC.*at least 3 hidden layers"),
        ({"max_width": 4, "width_fractions": (1, 0.9)}, "different widths"),
    ],
    ids=str,
)
def test_bad_input_is_refused_before_any_training(tmp_path, monkeypatch, values, message):
    trained = trained_epochs(monkeypatch)
    with pytest.raises(ValueError, match=message):
        run_study(study(**values), runs_dir=tmp_path)
    assert trained == {} and not list(tmp_path.glob("*/*/result.json"))


def test_other_images_under_the_same_study_are_refused(tmp_path, finished, dry, monkeypatch):
    """A folder of images, or a dataset of another version, may change behind its name."""
    finished()
    load = run_study_module.load_images

    def rounded(*arguments, **options):
        data = load(*arguments, **options)
        images = np.nextafter(data.train_images, np.float32(10))
        object.__setattr__(data, "train_images", images)
        return data

    with monkeypatch.context() as patch:
        patch.setattr(run_study_module, "load_images", rounded)  # as another machine may
        run_study(study(), runs_dir=tmp_path, executor="dry")
    assert len(dry) == 4

    def changed(*arguments, **options):
        data = load(*arguments, **options)
        images = np.array(data.train_images)
        images[0, 0, 0, 0] += 1
        object.__setattr__(data, "train_images", images)
        return data

    monkeypatch.setattr(run_study_module, "load_images", changed)
    with pytest.raises(ValueError, match="images of this study are not those"):
        run_study(study(seeds=(0, 1)), runs_dir=tmp_path)
    for result in tmp_path.glob("*/*/result.json"):  # runs that have begun count as well
        result.unlink()
        records.RunFolder(result.parents[1], result.parent.name).save_checkpoint({}, {"history": []})
    with pytest.raises(ValueError, match="images of this study are not those"):
        run_study(study(seeds=(0, 1)), runs_dir=tmp_path)
    for checkpoint in tmp_path.glob("*/*/checkpoint.npz"):
        checkpoint.unlink()
    run_study(study(seeds=(0, 1)), runs_dir=tmp_path, executor="dry")  # nothing has begun
    assert len(dry) == 4 + 8


def test_a_network_that_was_killed_before_it_began_does_not_stand_in_the_way(tmp_path, dry):
    """Its id stands in study.json, and nothing else of it is there."""
    first = run_network({**BASE, "hidden_layers": 1}, runs_dir=tmp_path, executor="dry")
    assert records.read_study(first.path.parent)["run_ids"] == [dry[0].run_id] and not first.path.exists()
    assert run_network({**BASE, "hidden_layers": 1, "seed": 1}, runs_dir=tmp_path).finished


def test_a_checkpoint_left_beside_a_result_is_removed(tmp_path, finished):
    study_dir = finished()
    leftover = study_dir / records.read_study(study_dir)["run_ids"][0] / "checkpoint.npz"
    leftover.write_bytes(b"")
    run_study(study(), runs_dir=tmp_path)
    assert not leftover.exists()


# --- plans ------------------------------------------------------------------------------------------------------


TRIED = {"optimizer_options": ("sgd.nesterov=true",)}
"""An optimizer about which nothing is written down."""


@pytest.fixture
def asked(monkeypatch):
    """Questions of a plan in their order: the memory of the device, and optimizers, each of which makes tensors."""
    asked, why_not, slots = [], elementwise.why_not_elementwise, elementwise.slots_per_weight

    def noted(name, answer):
        return lambda *arguments: (asked.append(name), answer(*arguments))[1]

    monkeypatch.setattr(device, "population_memory", noted("memory", lambda: 10**9))
    monkeypatch.setattr(elementwise, "why_not_elementwise", noted("optimizer", why_not))
    monkeypatch.setattr(elementwise, "slots_per_weight", noted("slots", slots))
    return asked


@pytest.mark.parametrize("executor", ["auto", "population"])
def test_memory_is_asked_for_before_an_optimizer_is_tried(tmp_path, spec, data, asked, executor):
    plan(executor, [spec(**TRIED)], tmp_path, data)
    assert asked[0] == "memory" and asked.count("memory") == 1 and {"optimizer", "slots"} < set(asked)


def test_memory_that_is_said_is_not_asked_for(tmp_path, spec, data, asked):
    plan("auto", [spec(**TRIED)], tmp_path, data, population_memory=10**9)
    assert "memory" not in asked and asked
    asked.clear()
    plan("serial", [spec(**TRIED)], tmp_path, data)
    assert asked == []


def test_an_optimizer_of_the_package_is_not_tried(tmp_path, spec, data, asked):
    plan("population", [spec(optimizer="adam")], tmp_path, data)
    assert asked == ["memory"]


def test_what_is_finished_is_not_tried(trained_by, asked):
    study_dir = trained_by("serial")
    asked.clear()
    found = prepare_module.prepare(study(), runs_dir=study_dir.parent, executor="population").plan
    assert "optimizer" not in asked and (found.populations, found.alone) == ((), ())
    assert (found.reasons, found.finished) == ({}, 4)


# --- files ------------------------------------------------------------------------------------------------------


def test_results_hold_numbers_and_no_pickles(trained_by):
    study_dir = trained_by("serial")
    for path in study_dir.rglob("*"):
        assert path.is_dir() or path.suffix in (".json", ".csv", ".lock", "") or "tfevents" in path.name, path
    for path in study_dir.rglob("*.json"):
        json.loads(path.read_text())
    for path in study_dir.rglob("*.csv"):
        assert not pd.read_csv(path).empty
