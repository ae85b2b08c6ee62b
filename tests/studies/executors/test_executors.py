"""Executors and studies as a whole: nothing twice, nothing lost, clear refusals before any training."""

import errno
import functools
import io
import json
import shutil
import time

import numpy as np
import pandas as pd
import pytest
from keras_sparseflow.studies.executors.progress import StudyProgress
from rich.console import Console

from keras_sparseflow import records
from keras_sparseflow.studies import launch
from keras_sparseflow.studies.executors import executors
from keras_sparseflow.studies.executors.executors import Options
from keras_sparseflow.studies.run.log import RunLog
from keras_sparseflow.studies.study import Study
from keras_sparseflow.training.distributed import device
from keras_sparseflow.training.population import elementwise
from tests.studies.executing import trained_epochs


def study(**values):
    defaults = {
        "name": "tiny",
        "title": "Tiny",
        "grids": [{"variant": ("NR", "BN"), "hidden_layers": (1,)}],
        "base": {"epochs": 2, "image_size": 4, "train_size": 200},
        "width_fractions": (0.5,),
        "seeds": (0,),
    }
    return Study(**{**defaults, **values})


@pytest.fixture(scope="module")
def trained_by(tmp_path_factory):
    """Trains the study by an executor, once, and returns its folder."""

    @functools.cache
    def train(executor):
        return launch.run_study(study(), runs_dir=tmp_path_factory.mktemp("runs"), executor=executor)

    return train


@pytest.fixture
def finished(trained_by, tmp_path):
    """Copies the study that an executor has trained into a folder of runs, and returns where it is."""
    return lambda executor="serial": shutil.copytree(trained_by(executor), tmp_path / "tiny")


@pytest.fixture
def dry():
    """The specs that an executor "dry" is given, which trains nothing."""
    seen = []
    executors.EXECUTORS.register("dry", lambda specs, *rest: seen.extend(specs))
    yield seen
    executors.EXECUTORS.unregister("dry")


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
    assert plan["run_ids"] == list(results["run_id"]) and plan["data"]["train_images"] == 200


@each_executor
def test_finished_runs_are_skipped_and_a_larger_grid_adds_to_them(tmp_path, finished, monkeypatch, executor):
    study_dir, trained = finished(executor), trained_epochs(monkeypatch)
    assert launch.run_study(study(), runs_dir=tmp_path, executor=executor) == study_dir
    assert trained == {}
    larger = study(grids=[{"variant": ("NR", "L2", "BN"), "hidden_layers": (1,)}])
    launch.run_study(larger, runs_dir=tmp_path, executor=executor)
    assert len(trained) == 2 and all("-L2-" in run_id for run_id in trained)
    assert len(records.read_results(study_dir)) == 6


@each_executor
def test_a_failure_keeps_what_was_finished(tmp_path, monkeypatch, executor):
    """The disk fills up during the third run; after room is made, two runs are left to train."""
    write, results, four = records.write_atomic, [], study(grids=[{"hidden_layers": (1,)}], seeds=(0, 1))

    def until_full(path, content):
        if path.name == "result.json" and len(results) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        results.append(path) if path.name == "result.json" else None
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(records.files, "write_atomic", until_full)
        with pytest.raises(OSError, match="No space left"):
            launch.run_study(four, runs_dir=tmp_path, executor=executor)
    assert len(records.read_results(tmp_path / "tiny")) == 2
    trained = trained_epochs(monkeypatch)
    launch.run_study(four, runs_dir=tmp_path, executor=executor)
    assert len(trained) == 2 and len(records.read_results(tmp_path / "tiny")) == 4


@each_executor
def test_states_that_take_long_to_save_are_saved_less_often(tmp_path, monkeypatch, executor):
    """Half a second for a state, and epochs of milliseconds: the next one is due after seconds."""
    save, saved = RunLog.save, []
    monkeypatch.setattr(
        RunLog, "save", lambda log, arrays: (time.sleep(0.5), saved.append(log.next_epoch), save(log, arrays))
    )
    base = {"epochs": 20, "image_size": 4, "train_size": 200}
    slow = study(grids=[{"hidden_layers": (1,)}], base=base)
    launch.run_study(slow, runs_dir=tmp_path, executor=executor, options=Options(checkpoint_seconds=0))
    assert saved[0] == 1 and len(saved) < 2 * 4, "two runs of 20 epochs"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"grids": [{"optimizer": ("sgd", "sdg")}]}, "Unknown optimizer 'sdg'"),
        ({"base": {"dataset": "digitz"}}, "Unknown dataset 'digitz'"),
        ({"base": {"batch_size": 5000}}, r"`batch_size` must be in \[1, 1438\].*received 5000"),
        ({"base": {"image_size": 9}}, "`image_size`.*received 9"),
        ({"grids": [{"variant": ("NR", "SC")}], "base": {"train_size": 100, "hidden_layers": 2}}, "`base` takes"),
        ({"grids": [{"variant": ("NR", "SC"), "hidden_layers": (2,)}]}, "SC.*at least 3 hidden layers"),
        ({"max_width": 4, "width_fractions": (1, 0.9)}, "different widths"),
    ],
    ids=str,
)
def test_bad_input_is_refused_before_any_training(tmp_path, monkeypatch, values, message):
    trained = trained_epochs(monkeypatch)
    with pytest.raises(ValueError, match=message):
        launch.run_study(study(**values), runs_dir=tmp_path)
    assert trained == {} and not list(tmp_path.glob("*/*/result.json"))


def test_other_images_under_the_same_study_are_refused(tmp_path, finished, dry, monkeypatch):
    """A folder of images, or a dataset of another version, may change behind its name."""
    finished()
    load = launch.load_images

    def rounded(*arguments, **options):
        data = load(*arguments, **options)
        images = np.nextafter(data.train_images, np.float32(10))
        object.__setattr__(data, "train_images", images)
        return data

    with monkeypatch.context() as patch:
        patch.setattr(launch, "load_images", rounded)  # as another machine may
        launch.run_study(study(), runs_dir=tmp_path, executor="dry")
    assert len(dry) == 4

    def changed(*arguments, **options):
        data = load(*arguments, **options)
        images = np.array(data.train_images)
        images[0, 0, 0, 0] += 1
        object.__setattr__(data, "train_images", images)
        return data

    monkeypatch.setattr(launch, "load_images", changed)
    with pytest.raises(ValueError, match="images of this study are not those"):
        launch.run_study(study(seeds=(0, 1)), runs_dir=tmp_path)
    for result in tmp_path.glob("*/*/result.json"):
        result.rename(result.with_name("checkpoint.npz"))  # runs that have begun count as well
    with pytest.raises(ValueError, match="images of this study are not those"):
        launch.run_study(study(seeds=(0, 1)), runs_dir=tmp_path)
    for checkpoint in tmp_path.glob("*/*/checkpoint.npz"):
        checkpoint.unlink()
    launch.run_study(study(seeds=(0, 1)), runs_dir=tmp_path, executor="dry")  # nothing has begun
    assert len(dry) == 4 + 8


def test_unknown_executor_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match="Unknown executor 'seriel'; expected one of auto, population, serial. Did you mean 'serial'"
    ):
        launch.run_study(study(), runs_dir=tmp_path, executor="seriel")


def test_a_third_party_executor_takes_its_place(tmp_path, dry):
    launch.run_study(study(), runs_dir=tmp_path, executor="dry")
    assert len(dry) == 4


# --- one network ------------------------------------------------------------------------------------------------


def test_single_networks_join_one_folder(tmp_path):
    values = {"epochs": 1, "image_size": 4, "train_size": 200, "hidden_layers": 1}
    first = launch.run_network(values, runs_dir=tmp_path)
    second = launch.run_network({**values, "arm": "dense", "dense_width": 3}, runs_dir=tmp_path)
    assert first.finished and second.finished and first.path.parent == tmp_path / "networks-digits-4px-200"
    results = records.read_results(first.path.parent)
    assert list(results["dense_width"]) == [10, 3] and list(results["max_width"]) == [20, 20]
    choices = {choice["choice"]: choice["value"] for choice in records.read_study(first.path.parent)["choices"]}
    assert choices["epochs"] == "1" and choices["image_size"] == "4" and choices["hidden_layers"] == "1"


def test_a_network_that_was_killed_before_it_began_does_not_stand_in_the_way(tmp_path, dry):
    """Its id stands in study.json, and nothing else of it is there."""
    values = {"epochs": 1, "image_size": 4, "train_size": 200, "hidden_layers": 1}
    first = launch.run_network(values, runs_dir=tmp_path, executor="dry")
    assert records.read_study(first.path.parent)["run_ids"] == [dry[0].run_id] and not first.path.exists()
    assert launch.run_network({**values, "seed": 1}, runs_dir=tmp_path).finished


def test_networks_on_other_images_have_another_folder(tmp_path, dry):
    values = {"epochs": 1, "image_size": 4, "train_size": 200, "hidden_layers": 1}
    folders = [
        launch.run_network({**values, "train_size": size}, runs_dir=tmp_path, executor="dry") for size in (200, 300)
    ]
    assert len(dry) == 2 and folders[0].path.parent != folders[1].path.parent


def test_a_checkpoint_left_beside_a_result_is_removed(tmp_path, finished):
    study_dir = finished()
    leftover = study_dir / records.read_study(study_dir)["run_ids"][0] / "checkpoint.npz"
    leftover.write_bytes(b"")
    launch.run_study(study(), runs_dir=tmp_path)
    assert not leftover.exists()


def test_an_infeasible_network_is_refused_with_both_counts(tmp_path):
    with pytest.raises(ValueError, match="width 30 has .* active weights.*width 20 has room for"):
        launch.run_network({"dense_width": 30, "image_size": 4}, runs_dir=tmp_path)


# --- plans ------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch):
    """What a plan asks, in order: the memory of the device, and optimizers, each of which makes tensors."""
    asked, why_not, slots = [], elementwise.why_not_elementwise, elementwise.slots_per_weight

    def noted(name, answer):
        return lambda *arguments: (asked.append(name), answer(*arguments))[1]

    monkeypatch.setattr(device, "population_memory", noted("memory", lambda: 10**9))
    monkeypatch.setattr(elementwise, "why_not_elementwise", noted("optimizer", why_not))
    monkeypatch.setattr(elementwise, "slots_per_weight", noted("slots", slots))
    return asked


@pytest.mark.parametrize("executor", ["auto", "population"])
def test_memory_is_asked_for_before_an_optimizer_is_tried(tmp_path, asked, executor):
    executors.plan(study().specs(16, 10), tmp_path, (4, 4, 1), 10, executor, Options())
    assert asked[0] == "memory" and asked.count("memory") == 1 and {"optimizer", "slots"} < set(asked)


def test_memory_that_is_said_is_not_asked_for(tmp_path, asked):
    specs = study().specs(16, 10)
    executors.plan(specs, tmp_path, (4, 4, 1), 10, "auto", Options(population_memory=10**9))
    assert "memory" not in asked and asked
    asked.clear()
    executors.plan(specs, tmp_path, (4, 4, 1), 10, "serial", Options())
    assert asked == []


def test_what_is_finished_is_not_tried(trained_by, asked):
    study_dir = trained_by("serial")
    asked.clear()
    plan = executors.plan(study().specs(16, 10), study_dir, (4, 4, 1), 10, "population", Options())
    assert "optimizer" not in asked and (plan.populations, plan.alone, plan.reasons, plan.finished) == ((), (), {}, 4)


# --- progress ---------------------------------------------------------------------------------------------------


def test_progress_without_a_terminal_is_lines_with_runs_time_and_accuracy(tmp_path, monkeypatch):
    from keras_sparseflow.studies.executors import progress

    monkeypatch.setattr(progress, "LINE_SECONDS", 0)
    output = io.StringIO()
    specs = study().specs(16, 10)
    with StudyProgress(specs, Console(file=output, width=200)) as shown:
        shown.skip(specs[0])
        shown.epoch_of(specs[1])(0, {"val_accuracy": 0.4567})
        shown.finish(specs[1], {"epochs_run": 1, "diverged": True})
    lines = output.getvalue().splitlines()
    assert lines[0].startswith("1/4 runs, -:--:-- left; sgd NR sparse w10 seed 0: finished before")
    assert "epoch 1/2, test accuracy 0.457" in lines[1] and lines[2].endswith("diverged")
    assert (shown.done, shown.skipped, shown.diverged) == (2, 1, 1)


def test_time_left_is_that_of_the_epochs_left(monkeypatch):
    from keras_sparseflow.studies.executors import progress

    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    specs = study(seeds=(0, 1)).specs(16, 10)  # 8 runs of 2 epochs
    shown = StudyProgress(specs, Console(file=io.StringIO()))
    assert shown.time_left() == "-:--:--"
    shown.skip(specs[0])
    now[0] = 160.0
    shown.epoch_of(specs[1])(0, {})
    assert shown.time_left() == "0:13:00"  # 13 epochs left, one a minute
    shown.finish(specs[1], {"epochs_run": 1, "diverged": True})
    assert shown.time_left() == "0:12:00"
    shown.epoch_of(specs[2])(1, {})  # taken up at its second and last epoch
    assert shown.time_left() == "0:05:00"  # 10 epochs left, two a minute


def test_progress_on_a_terminal_is_a_bar():
    output = io.StringIO()
    specs = study().specs(16, 10)
    with StudyProgress(specs, Console(file=output, force_terminal=True, width=120)) as shown:
        shown.finish(specs[0], {"epochs_run": 2, "diverged": False})
    assert "1/4" in output.getvalue() and "left" in output.getvalue()


def test_results_hold_numbers_and_no_pickles(trained_by):
    study_dir = trained_by("serial")
    for path in study_dir.rglob("*"):
        assert path.is_dir() or path.suffix in (".json", ".csv", ".lock", "") or "tfevents" in path.name, path
    for path in study_dir.rglob("*.json"):
        json.loads(path.read_text())
    for path in study_dir.rglob("*.csv"):
        assert not pd.read_csv(path).empty
