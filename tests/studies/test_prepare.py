"""Everything that follows from a study before its first step, with no network trained and no file written."""

import pytest

from keras_sparseflow.data import DataSize
from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.comparisons import Member
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.prepare import prepare, size_of, study_costs
from keras_sparseflow.studies.size.cost import cost
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study
from tests.plugins.packages import install, registered

SIZE = DataSize((4, 4, 1), 10, 200, 359)


def study(base=(), **grid):
    return Study(
        name="tiny",
        title="Tiny",
        grids=[{"variant": ("NR", "BN"), "hidden_layers": (1,), **grid}],
        base={"epochs": 1, "image_size": 4, "train_size": 200, **dict(base)},
        width_fractions=(0.5,),
        seeds=(0, 1),
    )


def clipped(learning_rate):
    import keras

    return keras.optimizers.SGD(learning_rate, clipnorm=1.0)


def variants(plan):
    return [[spec.training.variant for spec in population.specs] for population in plan.populations]


@pytest.mark.parametrize("executor", ["auto", "population"])
def test_a_plan_is_of_populations_and_nothing_is_written(tmp_path, executor):
    prepared = prepare(study(), runs_dir=tmp_path / "runs", executor=executor)
    assert variants(prepared.plan) == [["NR"] * 4, ["BN"] * 4] and not list(tmp_path.iterdir())
    assert (prepared.plan.alone, prepared.plan.reasons, prepared.plan.finished) == ((), {}, 0)
    assert prepared.size == SIZE and prepared.members == study().members(SIZE)
    assert prepared.specs == study().specs(SIZE) and prepared.cost == cost(prepared.specs, SIZE)
    assert prepared.study_dir == tmp_path / "runs" / "tiny"


@pytest.mark.parametrize("executor", ["serial", "mine"])
def test_others_than_populations_train_one_network_after_the_other(tmp_path, executor, monkeypatch):
    registered(monkeypatch, EXECUTORS, mine=lambda prepared, data, progress: None)
    plan = prepare(study(), runs_dir=tmp_path, executor=executor).plan
    assert plan.populations == () and list(plan.alone) == study().specs(SIZE)


def test_finished_runs_are_counted_and_left_out_of_the_plan_but_not_of_the_cost(tmp_path):
    for spec in study(variant=("NR",)).specs(SIZE):
        folder = RunFolder(tmp_path / "tiny", spec.run_id)
        folder.start({"run_id": spec.run_id})
        folder.finish({}, {})
    prepared = prepare(study(), runs_dir=tmp_path)
    assert variants(prepared.plan) == [["BN"] * 4] and prepared.plan.finished == 4
    assert prepared.cost.networks == len(prepared.specs) == 8
    serial = prepare(study(), runs_dir=tmp_path, executor="serial").plan
    assert serial.finished == len(serial.alone) == 4
    assert prepare(study(variant=("NR",)), runs_dir=tmp_path).plan.populations == ()


def test_a_network_of_several_pairs_is_prepared_once(tmp_path):
    prepared = prepare(study(score=("random", "magnitude"), variant=("NR",)), runs_dir=tmp_path)
    assert len(prepared.members) == 8 and prepared.cost.networks == len(prepared.specs) == 6
    assert len(prepared.plan.populations[0].specs) == 6


def test_optimizers_that_train_no_population_are_named_with_the_reason(tmp_path, monkeypatch):
    registered(monkeypatch, OPTIMIZERS, clipped=clipped)
    mixed = study(variant=("NR",), optimizer=("sgd", "clipped"))
    plan = prepare(mixed, runs_dir=tmp_path).plan
    assert len(plan.populations) == 1 and [spec.training.optimizer for spec in plan.alone] == ["clipped"] * 4
    ((what, reason),) = plan.reasons.items()
    assert what == "optimizer 'clipped'" and reason.startswith("its `clipnorm` is a norm over a whole tensor")
    with pytest.raises(ValueError, match="with optimizer 'clipped' cannot be trained as a population: its `clipnorm`"):
        prepare(mixed, runs_dir=tmp_path, executor="population")


def test_options_reach_the_plan(tmp_path):
    (whole, _) = prepare(study(), runs_dir=tmp_path).plan.populations
    split = prepare(study(), runs_dir=tmp_path, options=Options(population_memory=whole.memory - 1))
    assert len(split.plan.populations) == 4 and split.options.population_memory == whole.memory - 1
    with pytest.raises(MemoryError, match="5 are allowed"):
        prepare(study(), runs_dir=tmp_path, options=Options(population_memory=5))


@pytest.mark.parametrize("chains", [1, 2])
def test_stacks_are_planned_for_as_many_as_the_device_runs_side_by_side(tmp_path, monkeypatch, chains):
    monkeypatch.setattr("keras_sparseflow.training.distributed.device.parallel_stacks", lambda: chains)
    plan = prepare(study(), runs_dir=tmp_path).plan
    assert [len(population.stacks) for population in plan.populations] == [chains] * 2


@pytest.mark.parametrize("argument", ["betta=1", "learning_rate=1", "weight_decay=1"])
def test_arguments_that_an_optimizer_does_not_take_are_refused(tmp_path, argument):
    with pytest.raises(ValueError, match=f"`optimizer_options` must .*sgd.{argument}"):
        prepare(study(base={"optimizer_options": (f"sgd.{argument}",)}), runs_dir=tmp_path)


def test_a_broken_plugin_is_refused(tmp_path, monkeypatch):
    install(monkeypatch, MEASURES, "row-masks 1.0", largest="json:dumps")
    with pytest.raises(ValueError, match=r"'largest' \(row-masks 1\.0, .*expected a FlowMeasure; received function"):
        prepare(study(base={"flow_measures": ("largest",)}), runs_dir=tmp_path)


def test_networks_in_place_of_those_of_the_study(tmp_path):
    spec = RunSpec.of(width=5, hidden_layers=1, image_size=4, train_size=200)
    prepared = prepare(study(), runs_dir=tmp_path, members=lambda size: [Member(spec, {"inputs": size.inputs})])
    assert prepared.specs == [spec] and prepared.members == [Member(spec, {"inputs": 16})]


def test_the_size_is_that_of_the_study():
    large = Study(name="s", title="", base={"dataset": "cifar100", "image_size": 8})
    assert size_of(large, None) == DataSize((8, 8, 3), 100, 50_000, 10_000)
    assert size_of(Study(name="s", title=""), None).inputs == 64


def test_costs_of_several_studies_and_of_one_that_can_not_be_trained():
    small = Study(name="a", title="", comparison="densities", base={"image_size": 4, "width": 8}, seeds=(0,))
    large = small.with_choices({"epochs": 200})
    too_few, no_such = (
        small.with_choices({"train_size": 5000}),
        small.with_choices({"model": "wide_resnet", "depth": 12}),
    )
    found = study_costs([small, too_few, large, no_such], None)
    assert [each for each, _ in found] == [small, too_few, large, no_such]
    costs = [each for _, each in found]
    assert costs[0] == cost(small.specs(size_of(small, None)), size_of(small, None))
    assert costs[2].steps == 2 * costs[0].steps
    assert "`train_size` must be in" in costs[1] and "`depth` must be 6 n + 4" in costs[3]
