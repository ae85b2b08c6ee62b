"""What a study would do, told without doing it."""

import dataclasses
import io
from types import SimpleNamespace

import keras
import pytest
from rich.console import Console

from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.studies import launch
from keras_sparseflow.studies.executors.executors import Options, StudyPlan
from keras_sparseflow.studies.printing import print_plan
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.studies.study import Study
from tests.plugins.packages import install


@pytest.fixture
def study():
    return Study(
        name="tiny",
        title="Tiny",
        grids=[{"variant": ("NR", "BN"), "hidden_layers": (1,)}],
        base={"epochs": 1, "image_size": 4, "train_size": 200},
        width_fractions=(0.5,),
        seeds=(0, 1),
    )


@pytest.fixture
def clipped():
    OPTIMIZERS.register("clipped", lambda learning_rate: keras.optimizers.SGD(learning_rate, clipnorm=1.0))
    yield "clipped"
    OPTIMIZERS.unregister("clipped")


def shown(plan):
    output = io.StringIO()
    print_plan(plan, Console(file=output, width=200))
    return output.getvalue()


def with_grid(study, **grid):
    return Study(**{**vars(study), "grids": [{**study.grids[0], **grid}]})


@pytest.mark.parametrize("executor", ["auto", "population"])
def test_a_plan_is_of_populations_and_nothing_is_written(study, tmp_path, executor):
    plan = launch.plan_study(study, runs_dir=tmp_path / "runs", executor=executor)
    assert [[spec.variant for spec in population.specs] for population in plan.populations] == [["NR"] * 4, ["BN"] * 4]
    assert (plan.alone, plan.reasons, plan.finished) == ((), {}, 0) and not list(tmp_path.iterdir())
    text = shown(plan)
    assert "Networks that train together" in text and "8 networks in 2 populations" in text
    assert "One after the other" not in text and "Finished before" not in text


def test_a_broken_plugin_is_refused_by_a_plan_and_a_preview(study, tmp_path, monkeypatch):
    install(monkeypatch, MEASURES, "row-masks 1.0", largest="json:dumps")
    broken = Study(**{**vars(study), "base": {**study.base, "flow_measures": ("largest",)}})
    given = {"runs_dir": tmp_path, "data_dir": None, "executor": "serial", "options": Options()}
    for ask in (launch.plan_study, launch.preview_study):
        with pytest.raises(
            ValueError, match=r"'largest' \(row-masks 1\.0, .*expected a FlowMeasure; received function"
        ):
            ask(broken, **given)


def test_the_plan_of_serial_is_one_network_after_the_other(study, tmp_path):
    plan = launch.plan_study(study, runs_dir=tmp_path, executor="serial")
    assert plan.populations == () and list(plan.alone) == study.specs(16, 10)
    assert shown(plan) == "One after the other: 8 networks.\n"


def test_one_network_is_singular(study):
    text = shown(StudyPlan((), (study.specs(16, 10)[0],), {}, 1))
    assert text == "One after the other: 1 network.\nFinished before: 1 network.\n"


def test_finished_runs_are_counted_and_left_out(study, tmp_path):
    half = with_grid(study, variant=("NR",))
    launch.run_study(half, runs_dir=tmp_path)
    plan = launch.plan_study(study, runs_dir=tmp_path)
    assert [[spec.variant for spec in population.specs] for population in plan.populations] == [["BN"] * 4]
    assert plan.finished == 4 and "Finished before: 4 networks." in shown(plan)
    assert launch.plan_study(study, runs_dir=tmp_path, executor="serial").finished == 4
    assert shown(launch.plan_study(half, runs_dir=tmp_path)) == "Finished before: 4 networks.\n"


def test_optimizers_that_train_no_population_are_named_with_the_reason(study, tmp_path, clipped):
    mixed = with_grid(study, variant=("NR",), optimizer=("sgd", clipped))
    plan = launch.plan_study(mixed, runs_dir=tmp_path, executor="auto")
    assert len(plan.populations) == 1 and [spec.optimizer for spec in plan.alone] == [clipped] * 4
    text = shown(plan)
    assert "One after the other: 4 networks." in text
    assert "Networks with optimizer 'clipped' can't be stacked: its `clipnorm` is a norm over a whole tensor" in text
    with pytest.raises(ValueError, match="with optimizer 'clipped' cannot be trained as a population: its `clipnorm`"):
        launch.plan_study(mixed, runs_dir=tmp_path, executor="population")


def test_options_reach_the_plan(study, tmp_path):
    (whole, _) = launch.plan_study(study, runs_dir=tmp_path).populations
    plan = launch.plan_study(study, runs_dir=tmp_path, options=Options(population_memory=whole.memory - 1))
    assert len(plan.populations) == 4
    with pytest.raises(MemoryError, match="5 are allowed"):
        launch.plan_study(study, runs_dir=tmp_path, options=Options(population_memory=5))


@pytest.mark.parametrize("chains", [1, 2])
def test_stacks_are_planned_for_as_many_as_the_device_runs_side_by_side(study, tmp_path, monkeypatch, chains):
    monkeypatch.setattr("keras_sparseflow.training.distributed.device.parallel_stacks", lambda: chains)
    plan = launch.plan_study(study, runs_dir=tmp_path)
    assert [len(population.stacks) for population in plan.populations] == [chains] * 2


def test_the_plan_of_another_executor_is_not_known(study, tmp_path):
    with pytest.raises(ValueError, match="plan of executor 'dry' is not known; expected auto, population or serial"):
        launch.plan_study(study, runs_dir=tmp_path, executor="dry")


@pytest.mark.parametrize("argument", ["betta=1", "learning_rate=1", "weight_decay=1"])
def test_wrong_options_leave_the_record_of_a_study_as_it_was(study, tmp_path, monkeypatch, argument):
    monkeypatch.setitem(launch.EXECUTORS._loaded, "auto", lambda *_: None)
    record = launch.run_study(study, runs_dir=tmp_path) / "study.json"
    before = record.read_bytes()
    with pytest.raises(ValueError, match=f"`optimizer_options` must .*sgd.{argument}"):
        launch.run_study(study.with_choices({"optimizer_options": (f"sgd.{argument}",)}), runs_dir=tmp_path)
    assert record.read_bytes() == before


def test_what_the_executor_gets_is_what_the_caller_gave(study, tmp_path, monkeypatch):
    seen, options = (
        SimpleNamespace(),
        Options(tensorboard=False, jit=True, population_memory=10**9, checkpoint_seconds=1.5),
    )

    def executor(specs, study_dir, data, progress, given):
        seen.options, seen.folder, seen.count = given, study_dir, len(specs)

    monkeypatch.setitem(launch.EXECUTORS._loaded, "auto", executor)
    launch.run_study(study, runs_dir=tmp_path, executor="auto", options=options)
    assert seen.options == options and seen.folder == tmp_path / "tiny" and seen.count == 8
    launch.run_network({"image_size": 4}, runs_dir=tmp_path, executor="auto", options=options)
    assert seen.options == options and seen.folder == tmp_path / "networks-digits-4px" and seen.count == 1


def test_what_a_population_cannot_train_is_refused_before_the_record_is_written(tmp_path):
    study = Study(
        name="s",
        title="",
        grids=[{"activation": ("softmax",)}],
        base={"epochs": 1, "image_size": 4, "train_size": 100, "batch_size": 50},
        width_fractions=(0.5,),
        seeds=(0,),
    )
    with pytest.raises(ValueError, match="activation 'softmax' cannot be trained as a population"):
        launch.run_study(study, runs_dir=tmp_path, executor="population")
    assert not (tmp_path / "s" / "study.json").exists()


def test_data_of_every_study_is_checked():
    there = Study(name="a", title="", base={"dataset": "digits", "train_size": 50})
    launch.check_data([there, there], data_dir=None)
    missing = dataclasses.replace(there, base={"dataset": "digit"})
    with pytest.raises(ValueError, match="digit"):
        launch.check_data([there, missing], data_dir=None)
