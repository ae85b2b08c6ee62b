"""The side of a task on a cluster, without one: letters, launches, and what a task refuses."""

import dataclasses

import pytest

from keras_sparseflow.studies.executors import ray_task
from keras_sparseflow.studies.executors.options import DEFAULT_OPTIONS, Options
from keras_sparseflow.studies.executors.ray_task import Launch, Letters, UnsharedError, train_task
from keras_sparseflow.studies.executors.stored_plan import platform_here
from keras_sparseflow.studies.prepare import prepare
from keras_sparseflow.studies.run_study import run_study
from keras_sparseflow.studies.study import Study
from keras_sparseflow.training.distributed import device

BASE = {"epochs": 2, "image_size": 4, "train_size": 100, "batch_size": 50, "flow_epochs": 0}


@pytest.fixture
def part(tmp_path):
    """A task of two networks."""
    grids = [{"variant": ("NR",), "hidden_layers": (1,)}]
    study = Study(name="tiny", title="", grids=grids, base=BASE, width_fractions=(0.5,), seeds=(0,))
    prepared = prepare(study, runs_dir=tmp_path, options=Options(tensorboard=False))
    prepared.study_dir.mkdir()
    return dataclasses.replace(prepared, writer=(1, 1))


def work(part, launch, run_ids=None, platform=None):
    """Trains a task; returns its letters."""
    from keras_sparseflow.data import load_images

    sent = []
    letters = Letters(sent.extend)
    run_ids = [spec.run_id for spec in part.specs] if run_ids is None else run_ids
    data = load_images("digits", image_size=4, train_size=100)
    train_task(part, run_ids, data, platform or platform_here(DEFAULT_OPTIONS), launch, letters)
    letters.flush()
    return sent


def test_a_task_leaves_what_a_study_leaves_and_tells_of_it(part, tmp_path):
    letters = work(part, Launch.new(part.study_dir))
    whole = run_study(part.study, runs_dir=tmp_path / "whole", options=part.options)
    for spec in part.specs:
        found, expected = ((folder / spec.run_id / "history.csv").read_bytes() for folder in (part.study_dir, whole))
        assert found == expected
        of_run = [letter for letter in letters if letter[1] == spec.run_id]
        assert [argument[0] for method, _, argument in of_run if method == "epoch_of"] == [0, 1]
        assert of_run[-1] == ("finish", spec.run_id, {"diverged": False})
        assert not (part.study_dir / spec.run_id / ".writer").exists()


def test_launches_are_counted_and_one_that_is_not_in_the_folder_is_refused(part, monkeypatch):
    launches = [Launch.new(part.study_dir) for _ in range(2)]
    assert [launch.number for launch in launches] == [1, 2] and launches[0].nonce != launches[1].nonce
    launches[1].check_shared(part.study_dir)
    monkeypatch.setattr(ray_task, "_VISIBLE_SECONDS", 0.0)
    for other in (part.study_dir, part.study_dir / "elsewhere"):
        with pytest.raises(UnsharedError, match="is not the folder that the launcher writes to: give a --runs_dir"):
            launches[0].check_shared(other)


def test_runs_that_would_be_called_otherwise_are_refused(part):
    launch = Launch.new(part.study_dir)
    with pytest.raises(RuntimeError, match="other versions of this package or its plugins"):
        work(part, launch, run_ids=["another", *(spec.run_id for spec in part.specs[1:])])


def test_fewer_cores_than_planned_threads_are_refused_and_another_platform_is_told(part, monkeypatch):
    launch, here = Launch.new(part.study_dir), platform_here(DEFAULT_OPTIONS)
    ray_task._set_up.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(device, "cores", lambda: 1)
        with pytest.raises(RuntimeError, match="planned for 5 threads; this process may use 1 cores"):
            work(part, launch, platform=dataclasses.replace(here, threads=5))
    letters = work(part, launch, platform=dataclasses.replace(here, tensorflow="2.0"))
    (note,) = [argument for method, _, argument in letters if method == "note"]
    assert note.startswith("Last bits may differ on") and "tensorflow 2.0 (here" in note


def test_letters_are_sent_together_and_only_the_last_words_are_kept(part, monkeypatch):
    sent = []
    letters = Letters(sent.append)
    monkeypatch.setattr(letters, "_sent", float("inf"))  # never due
    for words in ("one", "two"):
        letters.say_of(part.specs[0])(words)
    letters.note("a line")
    letters.refuse(part.specs[0], "no")
    assert sent == []
    letters.flush()
    run_id = part.specs[0].run_id
    assert sent == [[("say_of", run_id, ("two",)), ("note", "", "a line"), ("refuse", run_id, "no")]]
