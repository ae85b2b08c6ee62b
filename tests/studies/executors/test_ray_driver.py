"""The driver of a cluster, without one: how a study is cut into tasks, and what is refused before it connects."""

import dataclasses
import sys

import pytest

from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.executors import ray_driver
from keras_sparseflow.studies.executors.options import DEFAULT_OPTIONS, Options
from keras_sparseflow.studies.executors.ray_driver import tasks_of
from keras_sparseflow.studies.executors.stored_plan import platform_here
from keras_sparseflow.studies.prepare import prepare
from keras_sparseflow.studies.run_study import run_study
from keras_sparseflow.studies.size.cost import cost
from keras_sparseflow.studies.study import Study
from keras_sparseflow.training.distributed import device

BASE = {"epochs": 1, "image_size": 4, "train_size": 100, "batch_size": 50, "flow_epochs": 0}


def study(**values):
    grids = [{"variant": ("NR", "BN", "SC_BN"), "hidden_layers": (3,)}]
    return Study(
        **{
            "name": "tiny",
            "title": "",
            "grids": grids,
            "base": BASE,
            "width_fractions": (0.5,),
            "seeds": (0,),
            **values,
        }
    )


def test_populations_networks_alone_and_tickets_are_tasks_the_costliest_first(tmp_path):
    tasks = tasks_of(prepare(study(), runs_dir=tmp_path, executor="ray"))
    assert [len(task.plan.populations) for task in tasks] == [1, 1, 1] and not any(task.plan.alone for task in tasks)
    flops = [cost(task.specs, task.size).flops for task in tasks]
    assert flops == sorted(flops, reverse=True)
    grids = [{"hidden_layers": (1,)}]
    tickets = study(
        grids=grids, comparison="densities", rounds=2, fraction=0.5, seeds=(0, 1), base={**BASE, "width": 8}
    )
    tasks = tasks_of(prepare(tickets, runs_dir=tmp_path, executor="ray"))
    assert [[spec.sparsity.density for spec in task.plan.alone] for task in tasks] == [[1.0, 0.5, 0.25]] * 2
    assert all("strategy" not in vars(task) and task.members == [] for task in tasks), "what is sent is small"


def test_what_is_finished_is_no_task(tmp_path):
    prepared = prepare(study(), runs_dir=tmp_path, executor="ray")
    done = prepared.plan.populations[0].specs
    for spec in done:
        folder = RunFolder(prepared.study_dir, spec.run_id)
        folder.start({"run_id": spec.run_id})
        folder.finish({}, {})
    again = prepare(study(), runs_dir=tmp_path, executor="ray")
    left = tasks_of(dataclasses.replace(again, specs=[spec for spec in again.specs if spec not in done]))
    assert len(left) == 2 and not {spec for task in left for spec in task.specs} & {*done}


def test_the_plan_is_for_what_a_task_takes(tmp_path):
    def platform(**options):
        return prepare(study(), runs_dir=tmp_path, executor="ray", options=Options(**options)).plan.stored.platform

    assert platform() == platform_here(DEFAULT_OPTIONS)
    assert platform(task_cpus=6).threads == 3 and platform(task_cpus=1).threads == 1
    on_gpus = platform(task_gpus=0.5, population_memory=10**9)
    assert (on_gpus.device, on_gpus.threads) == ("GPU", None)
    with pytest.raises(ValueError, match="Give --population_memory_gb with --task_gpus"):
        platform(task_gpus=1)
    with pytest.raises(ValueError, match="`strategy` must be 'none' for --executor=ray; received 'mirrored'"):
        platform(strategy="mirrored", devices=1)


def test_a_task_with_fewer_cores_than_threads_is_refused():
    assert ray_driver._needs(Options(), 2) == {"num_cpus": 2, "num_gpus": 0}
    assert ray_driver._needs(Options(task_cpus=4, task_gpus=0.5), 2) == {"num_cpus": 4, "num_gpus": 0.5}
    with pytest.raises(ValueError, match="`task_cpus` must be at least 2, the threads .*; received 1"):
        ray_driver._needs(Options(task_cpus=1), 2)


def test_the_launcher_needs_no_cores_itself(tmp_path, monkeypatch):
    prepared = prepare(study(), runs_dir=tmp_path, executor="ray", options=Options(task_cpus=64))
    from keras_sparseflow.studies.executors.stored_plan import keep_plan

    keep_plan(prepared.study_dir, prepared.plan.stored, None, replan=False)
    assert prepare(study(), runs_dir=tmp_path, executor="ray").plan.stored == prepared.plan.stored
    monkeypatch.setattr(device, "cores", lambda: 2)
    with pytest.raises(RuntimeError, match="planned for 32 threads; this process may use 2 cores"):
        prepare(study(), runs_dir=tmp_path)


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        ImportError, match=r"--executor=ray needs the extra `ray`: pip install 'keras_sparseflow\[ray\]'"
    ):
        run_study(study(), runs_dir=tmp_path, executor="ray", options=Options(tensorboard=False))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task_cpus": 0}, "`task_cpus` must be a whole number of at least 1; received 0"),
        ({"task_gpus": -1}, "`task_gpus` must be a number of at least 0; received -1"),
        ({"task_gpus": float("nan")}, "`task_gpus` must be a number of at least 0; received nan"),
        ({"task_retries": -1}, "`task_retries` must be a whole number of at least 0; received -1"),
        ({"ray_address": "head:6379"}, "`ray_address` must be auto, local or ray://host:port; received 'head:6379'"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Options(**options)
