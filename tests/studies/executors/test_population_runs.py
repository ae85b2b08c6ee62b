"""Populations as executors of runs: the same files as one by one, interruption, divergence, memory, options."""

import dataclasses
import io
import shutil
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import ops
from keras_sparseflow.studies.executors.progress import StudyProgress
from rich.console import Console

from keras_sparseflow.flow import MEASURES, FlowMeasure
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.records import RunFolder, read_json
from keras_sparseflow.studies.executors import executors, progress
from keras_sparseflow.studies.executors import populations as population
from keras_sparseflow.studies.executors.executors import Options
from keras_sparseflow.studies.executors.plan import plan_populations
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.training.population.trainer import Population
from tests.studies.executing import (
    InterruptionError,
    assert_same_files,
    interrupted_after,
    scalars,
    stopped,
    train,
    trained_epochs,
)

pytestmark = pytest.mark.usefixtures("every_epoch")

EPOCHS = 5
HUGE = 1e30


@dataclasses.dataclass
class Whole:
    """Networks that train together, from beginning to end.

    Args:
        specs: of the networks.
        study_dir: where they are.
        seconds: that it took.
        sizes: how many batches of test images, and how many images in each.
    """

    specs: list
    study_dir: Path
    seconds: float
    sizes: set


@pytest.fixture(scope="module")
def whole_training(tmp_path_factory, spec, data):
    """Four networks that train together, whose test images are evaluated five at most at a time."""
    specs = [
        spec(
            arm=arm,
            seed=seed,
            epochs=EPOCHS,
            optimizer="momentum",
            schedule="cosine",
            variant="L2",
            l2=0.05,
            learning_rate=0.02,
        )
        for seed in (0, 1)
        for arm in ("sparse", "dense")
    ]
    whole = Whole(specs, tmp_path_factory.mktemp("whole"), -time.monotonic(), set())
    init = Population.__init__

    def watched(program, stacks, batches, test, *rest):
        whole.sizes.add(test.labels.shape)
        init(program, stacks, batches, test, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Population, "__init__", watched)
        patch.setattr(population, "EVALUATION_BATCH", 5)
        train("population", specs, whole.study_dir, data)
    whole.seconds += time.monotonic()
    return whole


@pytest.fixture(scope="module")
def whole(whole_training):
    """The specs of these four networks, and where they are."""
    return whole_training.specs, whole_training.study_dir


@pytest.fixture(scope="module")
def wild(whole, data, tmp_path_factory):
    """The second of them with a learning rate at which it diverges, and where it is after it was trained alone."""
    spec, study_dir = dataclasses.replace(whole[0][1], learning_rate=HUGE), tmp_path_factory.mktemp("alone")
    train("serial", [spec], study_dir, data)
    return spec, study_dir


@pytest.fixture
def room_for(monkeypatch):
    """Gives the device room for so many networks at once, from some epoch on."""

    def limit(members, from_epoch=0):
        init = Population.__init__

        def limited(population, stacks, *rest):
            init(population, stacks, *rest)
            call = population._call

            def with_little_room(indices, epoch, *arguments):
                if sum(len(stack.members) for stack in stacks) > members and epoch >= from_epoch:
                    raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nand so on")
                call(indices, epoch, *arguments)

            population._call = with_little_room

        monkeypatch.setattr(Population, "__init__", limited)

    return limit


@pytest.fixture
def clipped():
    """An optimizer that is not elementwise, as a plugin would add it; and how it is called."""
    OPTIMIZERS.register("clipped", lambda learning_rate: keras.optimizers.SGD(learning_rate, global_clipnorm=1.0))
    yield {"optimizer": "clipped"}
    OPTIMIZERS.unregister("clipped")


@pytest.fixture
def mixing():
    """An activation in which units depend on each other, as a plugin would add it; and how it is called."""
    ACTIVATIONS.register("mixing", keras.activations.softmax)
    yield {"activation": "mixing"}
    ACTIVATIONS.unregister("mixing")


@pytest.fixture
def mean():
    """A measure that depends on the size of a kernel, as a plugin would add it; and how it is called."""
    MEASURES.register("mean", FlowMeasure(lambda g, m: ops.mean(ops.abs(g)), sum, "mean"))
    yield {"flow_measures": ("egf_2", "mean")}
    MEASURES.unregister("mean")


@pytest.fixture
def largest_column():
    """A measure that depends on the kernel's shape and not on its padding."""

    def per_layer(gradient, mask):
        gradient = gradient if mask is None else ops.where(mask, gradient, 0.0)
        return ops.max(ops.sqrt(ops.sum(ops.square(gradient), axis=0)))

    MEASURES.register("largest_column", FlowMeasure(per_layer, lambda values: ops.max(ops.stack(values)), "max"))
    yield "largest_column"
    MEASURES.unregister("largest_column")


def interrupt(*arguments):
    raise InterruptionError


def take(spec, whole, study_dir):
    """Copies what the training of all four left of one."""
    shutil.copytree(RunFolder(whole[1], spec.run_id).path, RunFolder(study_dir, spec.run_id).path)


def result_of(spec, study_dir):
    return read_json(RunFolder(study_dir, spec.run_id).path / "result.json")


def check_same_as(whole, study_dir, rtol=1e-5):
    for spec in whole[0]:
        assert_same_files(spec, whole[1], study_dir, rtol)


# --- what is left on disk ---------------------------------------------------------------------------------------


def test_every_file_of_a_study_is_the_same_as_from_runs_one_by_one(spec, data, tmp_path):
    specs = [
        spec(
            arm=arm,
            variant=variant,
            epochs=3,
            flow_epochs=2,
            optimizer="adam",
            learning_rate=0.003,
            l2=0.1,
        )
        for variant in ("NR", "DA_L2", "BN")
        for arm in ("sparse", "dense")
    ]
    plan = executors.plan(specs, tmp_path, data.input_shape, data.num_classes, "population", Options())
    assert [len(population.specs) for population in plan.populations] == [4, 2], "NR and DA_L2 train together"
    alone = [specs[0], specs[3], specs[4]]  # each variant, and either arm of those that train together
    train("serial", alone, tmp_path / "serial", data)
    train("population", specs, tmp_path / "population", data)
    for one in alone:
        assert_same_files(one, tmp_path / "serial", tmp_path / "population")


def test_a_measure_of_a_plugin_gives_the_same_rows_as_one_by_one(spec, data, tmp_path, largest_column):
    specs = [
        spec(arm=arm, dense_width=width, epochs=2, flow_measures=("egf_2", largest_column))
        for width in (6, 13)
        for arm in ("sparse", "dense")
    ]
    (planned,) = executors.plan(specs, tmp_path, (4, 4, 1), 3, "population", Options()).populations
    assert any(
        specs[1].width < stack.width for stack in planned.stacks if planned.specs.index(specs[1]) in stack.members
    )
    alone = [specs[1], specs[2]]  # the dense one that is padded, and the other sparse one
    train("serial", alone, tmp_path / "serial", data)
    train("population", specs, tmp_path / "population", data)
    for one in specs:
        flow = pd.read_csv(RunFolder(tmp_path / "population", one.run_id).path / "flow.csv")
        assert (flow[flow["measure"] == largest_column]["value"] > 0).sum() == 2 * 2 * 3, (
            "by both readings, two layers and the network"
        )
    for one in alone:
        assert_same_files(one, tmp_path / "serial", tmp_path / "population")


def test_test_images_are_evaluated_in_batches_that_change_no_number(whole_training, data, tmp_path):
    """All at once here."""
    assert whole_training.sizes == {(3, 4)}, "12 test images, 5 at most"
    two = [whole_training.specs[index] for index in (0, 3)]
    train("population", two, tmp_path, data)
    for spec in two:
        assert_same_files(spec, whole_training.study_dir, tmp_path, 1e-5)


def test_the_seconds_of_runs_that_train_together_add_up_to_the_time_it_took(whole_training):
    seconds = sum(result_of(spec, whole_training.study_dir)["seconds"] for spec in whole_training.specs)
    assert 0.3 * whole_training.seconds < seconds <= whole_training.seconds


def test_a_finished_run_is_left_alone(whole, data, monkeypatch):
    specs, study_dir = whole
    before = {path: path.stat().st_mtime_ns for path in study_dir.rglob("*")}
    trained = trained_epochs(monkeypatch)
    train("population", specs, study_dir, data)
    assert trained == {} and before == {path: path.stat().st_mtime_ns for path in study_dir.rglob("*")}


# --- interruption -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("began", "goes_on"), [("serial", "population"), ("population", "serial"), ("population", "population")]
)
def test_an_interrupted_run_goes_on_as_if_it_had_not_been_under_either_executor(
    whole, data, tmp_path, monkeypatch, began, goes_on
):
    specs, whole_dir = whole
    two = [specs[0], specs[3]]
    stopped(began, two, tmp_path, data, 1)
    trained = trained_epochs(monkeypatch)
    train(goes_on, two, tmp_path, data)
    assert trained == {spec.run_id: [2, 3, 4] for spec in two}
    for spec in two:
        assert_same_files(spec, whole_dir, tmp_path, 1e-5 if began == goes_on == "population" else 1e-4)


def test_runs_that_stand_at_different_epochs_become_different_populations(whole, data, tmp_path, monkeypatch):
    specs, _ = whole
    stopped("population", specs[:2], tmp_path, data, 0)
    stopped("population", specs[2:3], tmp_path, data, 2)
    plan = executors.plan(specs, tmp_path, data.input_shape, data.num_classes, "population", Options())
    assert [(p.first_epoch, {s.run_id for s in p.specs}) for p in plan.populations] == [
        (1, {s.run_id for s in specs[:2]}), (3, {specs[2].run_id}), (0, {specs[3].run_id})
    ]  # fmt: skip
    trained = trained_epochs(monkeypatch)
    train("population", specs, tmp_path, data)
    assert [trained[spec.run_id][0] for spec in specs] == [1, 1, 3, 0]
    check_same_as(whole, tmp_path)


def test_a_run_killed_between_its_last_epoch_and_its_result_is_only_finished(whole, data, tmp_path, monkeypatch):
    """One by one the state of the last epoch is saved; together it is not, and the last epoch is trained again."""
    specs, _ = whole
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "finish", interrupt)
        for group, executor in ((specs[:1], "serial"), (specs[1:], "population")):
            with pytest.raises(InterruptionError):
                train(executor, group, tmp_path, data, checkpoint_seconds=0)
    trained = trained_epochs(monkeypatch)
    train("population", specs, tmp_path, data)
    assert trained == {spec.run_id: [EPOCHS - 1] for spec in specs[1:]}
    check_same_as(whole, tmp_path)


def test_a_corrupt_checkpoint_is_named_before_any_training(whole, data, tmp_path, monkeypatch):
    specs, _ = whole
    stopped("population", specs, tmp_path, data, 1)
    checkpoint = RunFolder(tmp_path, specs[-1].run_id).path / "checkpoint.npz"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-30])
    trained = trained_epochs(monkeypatch)
    with pytest.raises(ValueError, match=rf"{specs[-1].run_id}/checkpoint\.npz is corrupt.*Remove that run's folder"):
        train("population", specs, tmp_path, data)
    assert trained == {}


@pytest.mark.parametrize("max_width", [19, 22], ids=["narrower", "wider"])
@pytest.mark.parametrize("arm", ["sparse", "dense"])
def test_a_checkpoint_of_another_network_is_refused_before_it_is_trained(
    whole, data, tmp_path, monkeypatch, arm, max_width
):
    own = next(spec for spec in whole[0] if spec.arm == arm)
    other = dataclasses.replace(own, max_width=max_width, dense_width=6 + max_width - 20)
    stopped("population", [other], tmp_path, data, 1)
    shutil.copytree(RunFolder(tmp_path, other.run_id).path, RunFolder(tmp_path, own.run_id).path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    trained = trained_epochs(monkeypatch)
    message = rf"checkpoint in .*{own.run_id} is of another network: expected 'hidden_1/kernel'"
    with pytest.raises(ValueError, match=message):
        train("population", [own], tmp_path, data)
    assert trained == {} and before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


# --- divergence -------------------------------------------------------------------------------------------------


def test_a_member_that_diverges_is_finished_as_alone_and_touches_no_other(whole, wild, data, tmp_path):
    """It leaves no epochs to wait for."""
    (specs, whole_dir), (wild, alone_dir) = whole, wild
    tame = [specs[0], *specs[2:]]
    with StudyProgress([*tame, wild], Console(file=io.StringIO())) as shown:
        executors.population([specs[0], wild, *specs[2:]], tmp_path, data, shown, Options())
    results = [result_of(wild, study_dir) for study_dir in (tmp_path, alone_dir)]
    assert all(result["diverged"] for result in results)
    assert results[0]["epochs_run"] == results[1]["epochs_run"] < EPOCHS
    for spec in tame:
        assert_same_files(spec, whole_dir, tmp_path, rtol=1e-6)
        assert all(np.isfinite(v) for values in scalars(RunFolder(whole_dir, spec.run_id)).values() for _, v in values)
    assert shown.diverged == 1 and shown.done == 4 and not any(shown._epochs_left.values())
    assert shown._epochs_trained == 3 * EPOCHS + results[0]["epochs_run"]


def test_weights_and_slots_beside_a_diverged_member_are_bit_for_bit_those_beside_a_tame_one(whole, data, tmp_path):
    specs, _ = whole
    tame, wild = (
        stopped("population", specs, tmp_path / "tame", data, 3),
        dataclasses.replace(specs[0], learning_rate=HUGE),
    )
    with interrupted_after(3, runs=3):
        train("population", [wild, *specs[1:]], tmp_path / "wild", data, checkpoint_seconds=0)
    finished = RunFolder(tmp_path / "wild", wild.run_id)
    assert finished.finished and finished.load_checkpoint() is None
    for spec in specs[1:]:
        arrays, _ = RunFolder(tmp_path / "wild", spec.run_id).load_checkpoint()
        for name, array in tame[spec.run_id][0].items():
            np.testing.assert_array_equal(arrays[name], array, err_msg=name)


def test_a_population_whose_members_all_diverge_ends_early(spec, data, tmp_path, monkeypatch):
    specs = [spec(learning_rate=HUGE, seed=seed, epochs=50) for seed in (0, 1)]
    trained = trained_epochs(monkeypatch)
    train("population", specs, tmp_path, data)
    for one in specs:
        assert result_of(one, tmp_path)["diverged"] and len(trained[one.run_id]) < 4


# --- memory -----------------------------------------------------------------------------------------------------


def test_a_population_without_room_is_halved_and_comes_to_the_same(whole, data, tmp_path, room_for, monkeypatch):
    room_for(2)
    trained = trained_epochs(monkeypatch)
    lines = train("population", whole[0], tmp_path, data)
    assert lines.count("Going on with half") == 1 and (
        "The device has no room for this population: OOM when allocating tensor. Going on with half as many networks "
        "at once.\n" in lines
    )
    assert trained == {spec.run_id: list(range(EPOCHS)) for spec in whole[0]}
    check_same_as(whole, tmp_path)


def test_room_for_one_network_is_enough(whole, data, tmp_path, room_for):
    specs, whole_dir = whole
    room_for(1)
    assert train("population", specs[1:], tmp_path, data).count("Going on with half") == 2
    for spec in specs[1:]:
        assert_same_files(spec, whole_dir, tmp_path, rtol=1e-5)


@pytest.mark.parametrize("checkpoint_seconds", [0, 1000])
def test_memory_that_ends_late_costs_no_epoch_that_was_saved_nor_a_member_that_was_finished(
    whole, wild, data, tmp_path, room_for, monkeypatch, checkpoint_seconds
):
    """Without a checkpoint the others start again; with one they go on from it."""
    (specs, whole_dir), (wild, alone_dir) = whole, wild
    tame = [specs[0], *specs[2:]]
    room_for(2, from_epoch=3)
    trained = trained_epochs(monkeypatch)
    train("population", [specs[0], wild, *specs[2:]], tmp_path, data, checkpoint_seconds=checkpoint_seconds)
    again = [] if checkpoint_seconds == 0 else list(range(3))
    assert {spec.run_id: trained.pop(spec.run_id) for spec in tame} == {
        spec.run_id: again + list(range(EPOCHS)) for spec in tame
    }
    assert trained == {wild.run_id: list(range(result_of(wild, alone_dir)["epochs_run"]))}
    for spec in tame:
        assert_same_files(spec, whole_dir, tmp_path, rtol=1e-5)


def test_memory_that_ends_while_states_are_saved_leaves_members_at_different_epochs_that_go_on(
    whole, data, tmp_path, monkeypatch
):
    """The machine's own memory may end as well, between one member's checkpoint and the next one's."""
    save, saves = RunFolder.save_checkpoint, []

    def with_little_room(folder, *arguments):
        saves.append(folder.run_id)
        if len(saves) == 6:  # the second epoch's second
            raise MemoryError
        save(folder, *arguments)

    monkeypatch.setattr(RunFolder, "save_checkpoint", with_little_room)
    train("population", whole[0], tmp_path, data, checkpoint_seconds=0)
    check_same_as(whole, tmp_path)


def test_no_room_for_a_single_network_is_an_error_and_finished_runs_stay(whole, data, tmp_path, room_for):
    specs, _ = whole
    take(specs[0], whole, tmp_path)
    room_for(0)
    with pytest.raises(MemoryError, match=r"The device has no room for this population: OOM when allocating tensor"):
        train("population", specs, tmp_path, data)
    assert [RunFolder(tmp_path, spec.run_id).finished for spec in specs] == [True, False, False, False]


# --- options ----------------------------------------------------------------------------------------------------


def test_population_memory_splits_the_plan_and_not_the_results(whole, data, tmp_path):
    specs, _ = whole
    arguments = (specs, tmp_path, data.input_shape, data.num_classes, "population")
    (together,) = executors.plan(*arguments, Options()).populations
    little = Options(population_memory=together.memory - 1)
    plan = executors.plan(*arguments, little)
    assert len(plan.populations) == 2 and all(p.memory < together.memory for p in plan.populations)
    train("population", specs, tmp_path, data, population_memory=little.population_memory)
    check_same_as(whole, tmp_path)


def test_a_network_too_large_for_population_memory_is_refused_before_any_training(whole, data, tmp_path, monkeypatch):
    trained = trained_epochs(monkeypatch)
    with pytest.raises(MemoryError, match=r"estimated .* bytes; 1,000 are allowed.*--population_memory_gb"):
        train("auto", whole[0], tmp_path, data, population_memory=1000)
    assert trained == {} and not list(tmp_path.iterdir())


def test_the_slots_of_the_optimizer_count_in_the_plan(spec, data, tmp_path):
    memory = {}
    for optimizer in ("sgd", "adam"):
        specs = [spec(optimizer=optimizer)]
        plan = executors.plan(specs, tmp_path, data.input_shape, data.num_classes, "auto", Options())
        memory[optimizer] = plan.populations[0].memory
    (adam,) = plan_populations(
        specs, input_shape=data.input_shape, classes=data.num_classes, slots=lambda name: 2, memory=10**9
    )
    assert memory["adam"] == adam.memory > memory["sgd"]


def test_jit_says_whether_xla_compiles_and_changes_no_number(spec, data, tmp_path, monkeypatch):
    specs, compiled, make = [spec(arm="dense", seed=seed, flow_measures=("egf_1",)) for seed in (0, 1)], [], tf.function

    def watched(*arguments, **options):
        compiled.append(options.get("jit_compile"))
        return make(*arguments, **options)

    monkeypatch.setattr("keras_sparseflow.training.population.trainer.tf.function", watched)
    for jit in (True, False):
        compiled.clear()
        train("population", specs, tmp_path / str(jit), data, jit=jit)
        assert compiled.count(jit) >= 5 and compiled.count(not jit) == 0
    compiled.clear()
    monkeypatch.setattr(Population, "train_epoch", interrupt)
    with pytest.raises(InterruptionError):
        train("population", specs, tmp_path / "None", data, jit=None)
    assert compiled.count(False) >= 5 and compiled.count(True) == 0, "on a CPU"
    for one in specs:
        assert_same_files(one, tmp_path / "False", tmp_path / "True")


def test_every_option_reaches_the_runs_of_serial(spec, data, tmp_path, monkeypatch):
    from keras_sparseflow.studies.run import run

    given = {}
    monkeypatch.setattr(run, "run", lambda *arguments, **options: given.update(options) or {"diverged": False})
    options = {"tensorboard": False, "jit": True, "checkpoint_seconds": 3.5, "allow_collapse": True}
    train("serial", [spec()], tmp_path, data, **options)
    assert callable(given.pop("on_epoch")) and callable(given.pop("say"))
    assert given.pop("strategy") is tf.distribute.get_strategy(), "one device"
    assert given == options


REASONS = {
    "clipped": "optimizer 'clipped'{}: its `global_clipnorm` is a norm over a whole tensor, which would hold several",
    "mixing": "activation 'mixing'{}: the value of a unit depends on other units",
    "mean": "flow measure 'mean'{}: its value depends on the size of a kernel, so the padding",
}


@pytest.mark.parametrize("plugin", REASONS)
def test_population_refuses_what_can_not_be_stacked(spec, data, tmp_path, request, plugin, monkeypatch):
    specs = [spec(), spec(**request.getfixturevalue(plugin))]
    trained = trained_epochs(monkeypatch)
    message = REASONS[plugin].format(" cannot be trained as a population")
    with pytest.raises(ValueError, match=rf"^Networks with {message}.* Use --executor=serial, or auto, for them\.$"):
        train("population", specs, tmp_path, data)
    assert trained == {} and not list(tmp_path.iterdir())


def test_auto_trains_these_one_after_the_other_and_the_others_together_and_says_so(
    spec, data, tmp_path, request, monkeypatch
):
    """Without TensorBoard: neither leaves events."""
    from keras_sparseflow.studies.run import run

    one_by_one, together = [], []
    run_one, run_many = run.run, population.run_populations
    monkeypatch.setattr(
        run, "run", lambda spec, *rest, **options: (one_by_one.append(spec), run_one(spec, *rest, **options))[1]
    )
    monkeypatch.setattr(
        population, "run_populations", lambda plan, *rest: (together.extend(plan), run_many(plan, *rest))
    )
    values = [{"arm": "sparse", **request.getfixturevalue(plugin)} for plugin in REASONS]
    specs = [spec(epochs=1, **value) for value in [*values, {"arm": "sparse"}, {"arm": "dense"}]]
    lines = train("auto", specs, tmp_path, data, tensorboard=False)
    assert one_by_one == specs[:3] and [set(planned.specs) for planned in together] == [set(specs[3:])]
    for reason in REASONS.values():
        assert "Networks with " + reason.format(" are trained one after the other") in lines
    assert all(RunFolder(tmp_path, one.run_id).finished for one in specs) and "5/5 runs" in lines
    assert not list(tmp_path.glob("*/events"))


# --- progress ---------------------------------------------------------------------------------------------------


def test_progress_counts_the_epochs_of_every_member(whole, data, tmp_path, monkeypatch):
    specs, _ = whole
    monkeypatch.setattr(progress, "LINE_SECONDS", 0)
    monkeypatch.setattr(progress.StudyProgress, "time_left", lambda shown: str(sum(shown._epochs_left.values())))
    stopped("population", specs[:2], tmp_path, data, 2)
    take(specs[3], whole, tmp_path)
    output = io.StringIO()
    with StudyProgress(specs, Console(file=output, width=200)) as shown:
        executors.population(specs, tmp_path, data, shown, Options())
    lines = output.getvalue().splitlines()
    assert shown._epochs_trained == 2 * 2 + EPOCHS and (shown.done, shown.skipped, shown.diverged) == (4, 1, 0)
    assert lines[0].startswith("1/4 runs, 15 left;") and lines[0].endswith("finished before")
    assert lines[1] == "1/4 runs, 15 left; 2 networks together: epoch 4/5, step 1/3"
    accuracy = next(line for line in lines if "epoch 4/5, test accuracy" in line)
    assert accuracy.startswith("1/4 runs, 11 left;") and "nan" not in accuracy
    assert lines[-1].startswith("4/4 runs, 0 left;") and lines[-1].endswith("finished")
