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
from rich.console import Console

from keras_sparseflow.data import memory
from keras_sparseflow.flow import MEASURES, FlowMeasure
from keras_sparseflow.records import RunFolder, read_json
from keras_sparseflow.records.checkpoint_clock import CheckpointClock
from keras_sparseflow.studies.executors import populations
from keras_sparseflow.studies.run import progress, run
from keras_sparseflow.studies.run.log import RunLog
from keras_sparseflow.studies.run.progress import StudyProgress
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.training.distributed import device
from keras_sparseflow.training.population.trainer import Population
from tests.backend import untraced
from tests.plugins.packages import registered
from tests.studies.executing import (
    InterruptionError,
    assert_same_files,
    plan,
    scalars,
    stopped,
    train,
    train_with,
    trained_epochs,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("every_epoch", "one_stack_at_a_time")]

EPOCHS = 4
HUGE = 1e30


@dataclasses.dataclass
class Whole:
    """Networks that train together, from beginning to end.

    Args:
        specs: of the networks.
        study_dir: where they are.
        seconds: that it took.
        sizes: how many batches of test images, and how many images in each.
        states: of each network after its third epoch, by run id.
    """

    specs: list
    study_dir: Path
    seconds: float = 0.0
    sizes: set = dataclasses.field(default_factory=set)
    states: dict = dataclasses.field(default_factory=dict)


@pytest.fixture(scope="module")
def one_stack_at_a_time():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "parallel_stacks", lambda: 1)
        yield


def kept_states(patch, states):
    """Keeps the state of each run after its third epoch, which is due to be saved."""
    save = RunLog.save

    def keep(log, arrays):
        if log.next_epoch == 3:
            states[log.spec.run_id] = dict(arrays)
        save(log, arrays)

    patch.setattr(RunLog, "save", keep)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, pair, data, one_stack_at_a_time):
    """Two pairs that train together, whose test images are evaluated five at most at a time."""
    values = {"epochs": EPOCHS, "optimizer": "momentum", "schedule": "cosine", "variant": "L2", "l2": 0.05}
    flow = {"flow_epochs": 2, "flow_measures": ("egf_1",), "flow_readings": ("steps",)}
    specs = [spec for seed in (0, 1) for spec in pair(seed=seed, learning_rate=0.02, **values, **flow)]
    whole, init = Whole(specs, tmp_path_factory.mktemp("whole"), -time.monotonic()), Population.__init__

    def watched(program, stacks, batches, test, *rest):
        whole.sizes.add(test.labels.shape)
        init(program, stacks, batches, test, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Population, "__init__", watched)
        patch.setattr(populations, "EVALUATION_BATCH", 5)
        patch.setattr(CheckpointClock, "due", lambda clock: True)
        kept_states(patch, whole.states)
        train("population", specs, whole.study_dir, data)
    whole.seconds += time.monotonic()
    return whole


@pytest.fixture(scope="module")
def interrupted_together(whole, data, tmp_path_factory):
    """The folder of the first two of them, which were interrupted together after two epochs."""
    study_dir = tmp_path_factory.mktemp("interrupted")
    stopped("population", whole.specs[:2], study_dir, data, 1)
    return study_dir


@pytest.fixture
def halfway(interrupted_together, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(interrupted_together, tmp_path / "halfway")


@pytest.fixture(scope="module")
def wild(whole, data, tmp_path_factory):
    """The second of them with a learning rate at which it diverges, and its result after it was trained alone."""
    spec, study_dir = whole.specs[1].but(learning_rate=HUGE), tmp_path_factory.mktemp("alone")
    with untraced():
        train("serial", [spec], study_dir, data)
    return spec, result_of(spec, study_dir)


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


def interrupt(*arguments):
    raise InterruptionError


def take(spec, whole, study_dir):
    """Copies what the training of all four left of one."""
    shutil.copytree(RunFolder(whole.study_dir, spec.run_id).path, RunFolder(study_dir, spec.run_id).path)


def result_of(spec, study_dir):
    return read_json(RunFolder(study_dir, spec.run_id).path / "result.json")


def check_same(specs, whole, study_dir, rtol=1e-5):
    """Test images are evaluated all at once here."""
    for spec in specs:
        assert_same_files(spec, whole.study_dir, study_dir, rtol)


# --- what is left on disk ---------------------------------------------------------------------------------------


def test_every_file_of_a_study_is_the_same_as_from_runs_one_by_one(pair, data, tmp_path, monkeypatch):
    """With a measure that depends on the kernel's shape and not on its padding, too."""

    def largest_column(gradient, mask):
        gradient = gradient if mask is None else ops.where(mask, gradient, 0.0)
        return ops.max(ops.sqrt(ops.sum(ops.square(gradient), axis=0)))

    measure = FlowMeasure(largest_column, lambda values: ops.max(ops.stack(values)), "max")
    registered(monkeypatch, MEASURES, largest_column=measure)
    values = {"epochs": 2, "optimizer": "adam", "learning_rate": 0.003, "l2": 0.1}
    measures = ("grad_norm_2", "largest_column")
    specs = [s for v in ("NR", "DA_L2", "BN") for s in pair(variant=v, flow_measures=measures, **values)]
    found = plan("population", specs, tmp_path, data)
    assert [len(population.specs) for population in found.populations] == [4, 2], "NR and DA_L2 train together"
    assert all(len(population.stacks) == 1 for population in found.populations), "dense ones are padded"
    alone = [specs[1], specs[2], specs[4]]  # each variant, and either arm of those that train together
    with untraced():
        train("serial", alone, tmp_path / "serial", data)
    train("population", specs, tmp_path / "population", data)
    for one in specs:
        flow = pd.read_csv(RunFolder(tmp_path / "population", one.run_id).path / "flow.csv")
        values = flow[flow["measure"] == "largest_column"]["value"]
        assert len(values) == 2 * 2 * 3 and (values > 0).all(), "by both readings, two layers and the network"
    for one in alone:
        assert_same_files(one, tmp_path / "serial", tmp_path / "population")


def test_diagnostics_are_those_of_runs_one_by_one(spec, data, tmp_path):
    """Diagnostics look at the current weights of each member: along the training and of the trained network."""
    diagnosed = {
        "diagnostics": ("top_eigenvalue", "activation_sparsity", "loss_surface"), "diagnostic_epochs": 1,
        "diagnostic_samples": 9, "eigenvalue_iterations": 2, "landscape_steps": 3, "flow_epochs": 0, "epochs": 2,
    }  # fmt: skip
    specs = [spec(**diagnosed, variant="BN"), spec(**diagnosed, variant="BN", matched_fraction=None, width=8)]
    with untraced():
        train("serial", specs, tmp_path / "serial", data)
        train("population", specs, tmp_path / "population", data)
    for one in specs:
        assert_same_files(one, tmp_path / "serial", tmp_path / "population", rtol=1e-3)


def test_test_images_are_evaluated_in_batches(whole):
    assert whole.sizes == {(3, 4)}, "12 test images, 5 at most"


def test_the_seconds_of_runs_that_train_together_add_up_to_the_time_it_took(whole):
    seconds = sum(result_of(spec, whole.study_dir)["seconds"] for spec in whole.specs)
    assert 0.3 * whole.seconds < seconds <= whole.seconds


def test_a_finished_run_is_left_alone(whole, data, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in whole.study_dir.rglob("*")}
    trained = trained_epochs(monkeypatch)
    train("population", whole.specs, whole.study_dir, data)
    assert trained == {} and before == {path: path.stat().st_mtime_ns for path in whole.study_dir.rglob("*")}


def test_so_is_one_that_another_process_has_finished_since_it_was_planned(whole, data, tmp_path, monkeypatch):
    planned, trained = plan("population", whole.specs, tmp_path, data), trained_epochs(monkeypatch)
    for spec in whole.specs:
        take(spec, whole, tmp_path)
    assert len(planned.populations) == 1
    monkeypatch.setattr("tests.studies.executing.plan_study", lambda *given: planned)
    train("population", whole.specs, tmp_path, data)
    assert trained == {}


# --- interruption -----------------------------------------------------------------------------------------------


def test_interrupted_runs_go_on_together_as_if_they_had_not_been_each_from_where_it_is(
    whole, halfway, data, monkeypatch
):
    """Two were trained together for two epochs, one alone for one; those that stand alike are one population."""
    specs = whole.specs
    with untraced():
        stopped("serial", specs[2:3], halfway, data, 0)
    found = plan("population", specs, halfway, data)
    assert [(p.first_epoch, {s.run_id for s in p.specs}) for p in found.populations] == [
        (2, {s.run_id for s in specs[:2]}), (1, {specs[2].run_id}), (0, {specs[3].run_id})
    ]  # fmt: skip
    take(specs[3], whole, halfway)
    trained = trained_epochs(monkeypatch)
    train("population", specs, halfway, data)
    assert trained == {specs[0].run_id: [2, 3], specs[1].run_id: [2, 3], specs[2].run_id: [1, 2, 3]}
    check_same(specs[:2], whole, halfway)
    check_same(specs[2:], whole, halfway, 1e-4)


def test_runs_that_were_interrupted_together_go_on_alone(whole, halfway, data, monkeypatch):
    two = whole.specs[:2]
    trained = trained_epochs(monkeypatch)
    with untraced():
        train("serial", two, halfway, data)
    assert trained == {spec.run_id: [2, 3] for spec in two}
    check_same(two, whole, halfway, 1e-4)


def test_a_run_killed_between_its_last_epoch_and_its_result_is_only_finished(whole, data, tmp_path, monkeypatch):
    """Runs one by one save the state of the last epoch; a population does not, and trains that epoch again."""
    specs = whole.specs[:2]
    with monkeypatch.context() as patch, untraced():
        patch.setattr(RunFolder, "finish", interrupt)
        for spec, executor in zip(specs, ("serial", "population"), strict=True):
            with pytest.raises(InterruptionError):
                train(executor, [spec], tmp_path, data, checkpoint_seconds=0)
    trained = trained_epochs(monkeypatch)
    train("population", specs, tmp_path, data)
    assert trained == {specs[1].run_id: [EPOCHS - 1]}
    check_same(specs, whole, tmp_path, 1e-4)


def test_a_corrupt_checkpoint_is_named_before_any_training(whole, halfway, data, monkeypatch):
    spec = whole.specs[0]
    checkpoint = RunFolder(halfway, spec.run_id).path / "checkpoint.npz"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-30])
    trained = trained_epochs(monkeypatch)
    with pytest.raises(
        ValueError, match=rf"{spec.run_id}/checkpoint\.npz is corrupt.*Run the study again with --repair"
    ):
        train("population", whole.specs, halfway, data)
    assert trained == {}


@pytest.mark.parametrize(("index", "change"), [(0, {"width": 22}), (1, {"width": 5})], ids=["wider", "narrower"])
def test_a_checkpoint_of_another_network_is_refused_before_it_is_trained(
    whole, data, tmp_path, monkeypatch, index, change
):
    """One of the two networks is sparse, the other dense."""
    own = whole.specs[index]
    other = own.but(**change)
    with untraced():
        stopped("serial", [other], tmp_path, data, 0)
    shutil.copytree(RunFolder(tmp_path, other.run_id).path, RunFolder(tmp_path, own.run_id).path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    trained = trained_epochs(monkeypatch)
    message = rf"checkpoint in .*{own.run_id} is of another network: expected 'hidden_1/kernel'"
    with pytest.raises(ValueError, match=message):
        train("population", [own], tmp_path, data)
    assert trained == {} and before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


# --- divergence -------------------------------------------------------------------------------------------------


def test_a_member_that_diverges_is_finished_as_alone_and_touches_no_other(whole, wild, data, tmp_path, monkeypatch):
    """Others do not wait for its epochs; their weights and slots are those beside a tame one, bit for bit."""
    wild, alone = wild
    tame, states = [whole.specs[0], *whole.specs[2:]], {}
    kept_states(monkeypatch, states)
    members = [whole.specs[0], wild, *whole.specs[2:]]
    with StudyProgress(members, Console(file=io.StringIO())) as shown:
        train_with(shown, "population", members, tmp_path, data, checkpoint_seconds=0)
    result = result_of(wild, tmp_path)
    assert result["diverged"] and alone["diverged"] and result["epochs_run"] == alone["epochs_run"] < EPOCHS
    assert RunFolder(tmp_path, wild.run_id).load_checkpoint() is None
    check_same(tame, whole, tmp_path, 1e-6)
    for spec in tame:
        assert all(np.isfinite(v) for values in scalars(RunFolder(tmp_path, spec.run_id)).values() for _, v in values)
        for name, array in whole.states[spec.run_id].items():
            np.testing.assert_array_equal(states[spec.run_id][name], array, err_msg=name)
    assert shown.diverged == 1 and shown.done == 4 and not any(shown._epochs_left.values())
    assert shown._epochs_trained == 3 * EPOCHS + result["epochs_run"]


def test_a_population_whose_members_all_diverge_ends_early(spec, data, tmp_path, monkeypatch):
    specs = [spec(learning_rate=HUGE, seed=seed, epochs=50, flow_epochs=0) for seed in (0, 1)]
    trained = trained_epochs(monkeypatch)
    train("population", specs, tmp_path, data)
    for one in specs:
        assert result_of(one, tmp_path)["diverged"] and len(trained[one.run_id]) < 4


# --- memory -----------------------------------------------------------------------------------------------------


def test_a_population_without_room_is_halved_down_to_one_network_and_comes_to_the_same(
    whole, data, tmp_path, room_for, monkeypatch
):
    two = [whole.specs[0], whole.specs[3]]
    room_for(1)
    trained = trained_epochs(monkeypatch)
    lines = train("population", two, tmp_path, data)
    assert lines.count("Going on with half") == 1 and (
        "There is no room for this population: OOM when allocating tensor. Going on with half as many networks "
        "at once.\n" in lines
    )
    assert trained == {spec.run_id: list(range(EPOCHS)) for spec in two}
    check_same(two, whole, tmp_path)


@pytest.mark.parametrize("checkpoint_seconds", [0, 1000])
def test_memory_that_ends_late_costs_no_epoch_that_was_saved_nor_a_member_that_was_finished(
    whole, wild, data, tmp_path, room_for, monkeypatch, checkpoint_seconds
):
    """Without a checkpoint the others start again; with one they go on from it."""
    (wild, alone), tame = wild, [whole.specs[0], whole.specs[3]]
    room_for(2, from_epoch=3)
    trained = trained_epochs(monkeypatch)
    train("population", [tame[0], wild, tame[1]], tmp_path, data, checkpoint_seconds=checkpoint_seconds)
    again = [] if checkpoint_seconds == 0 else list(range(3))
    assert {spec.run_id: trained.pop(spec.run_id) for spec in tame} == {
        spec.run_id: again + list(range(EPOCHS)) for spec in tame
    }
    assert trained == {wild.run_id: list(range(alone["epochs_run"]))}
    check_same(tame, whole, tmp_path)


def test_memory_that_ends_while_states_are_saved_leaves_members_at_different_epochs_that_go_on(
    whole, data, tmp_path, monkeypatch
):
    """The machine's own memory may end as well, between one member's checkpoint and the next one's."""
    save, saves, two = RunFolder.save_checkpoint, [], [whole.specs[0], whole.specs[3]]

    def with_little_room(folder, *arguments):
        saves.append(folder.run_id)
        if len(saves) == 4:  # the second epoch's second
            raise MemoryError
        save(folder, *arguments)

    monkeypatch.setattr(RunFolder, "save_checkpoint", with_little_room)
    train("population", two, tmp_path, data, checkpoint_seconds=0)
    check_same(two, whole, tmp_path)


def test_no_room_for_a_single_network_is_an_error_and_finished_runs_stay(whole, data, tmp_path, room_for):
    specs = whole.specs
    take(specs[0], whole, tmp_path)
    room_for(0)
    with pytest.raises(MemoryError) as refusal:
        train("population", specs, tmp_path, data)
    (named,) = [spec for spec in specs[1:] if spec.run_id in str(refusal.value)]
    assert str(refusal.value) == (
        f"There is no room for the network {named.run_id}: OOM when allocating tensor. {memory.SMALLER}"
    )
    assert [RunFolder(tmp_path, spec.run_id).finished for spec in specs] == [True, False, False, False]


# --- options ----------------------------------------------------------------------------------------------------


def test_jit_says_whether_xla_compiles_and_changes_no_number(spec, data, tmp_path, monkeypatch):
    flow = {"flow_measures": ("egf_1",), "flow_readings": ("end",)}
    specs, compiled, make = [spec(matched_fraction=None, width=4, epochs=1, **flow)], [], tf.function

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
    assert_same_files(specs[0], tmp_path / "False", tmp_path / "True")


def test_every_option_reaches_the_runs_of_serial(spec, data, tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr(run, "run", lambda *arguments, **options: given.update(options) or {"diverged": False})
    options = {"tensorboard": False, "jit": True, "checkpoint_seconds": 3.5, "allow_collapse": True}
    train("serial", [spec()], tmp_path, data, **options)
    assert callable(given.pop("on_epoch")) and callable(given.pop("say"))
    assert given.pop("strategy") is tf.distribute.get_strategy(), "one device"
    assert given.pop("max_density") is None, "of a network whose kernels are small"
    assert given == {**options, "callbacks": ()}


def test_what_can_not_be_stacked_is_trained_alone_and_the_rest_together(spec, pair, data, tmp_path, monkeypatch):
    """Without TensorBoard: neither leaves events."""
    registered(monkeypatch, OPTIMIZERS, clipped=lambda learning_rate: keras.optimizers.SGD(learning_rate, clipnorm=1.0))
    one_by_one, together = [], []
    run_one, run_many = run.run, populations.run_populations
    monkeypatch.setattr(
        run, "run", lambda spec, *rest, **options: (one_by_one.append(spec), run_one(spec, *rest, **options))[1]
    )
    monkeypatch.setattr(
        populations, "run_populations", lambda plan, *rest: (together.extend(plan), run_many(plan, *rest))
    )
    specs = [spec(epochs=1, flow_epochs=0, optimizer="clipped"), *pair(epochs=1, flow_epochs=0)]
    with untraced():
        lines = train("auto", specs, tmp_path, data, tensorboard=False)
    assert one_by_one == specs[:1] and [set(planned.specs) for planned in together] == [set(specs[1:])]
    assert "Networks with optimizer 'clipped' are trained one after the other: its `clipnorm` is a norm over" in lines
    assert all(RunFolder(tmp_path, one.run_id).finished for one in specs) and "3/3 runs" in lines
    assert not list(tmp_path.glob("*/events"))


# --- progress ---------------------------------------------------------------------------------------------------


def test_progress_counts_the_epochs_of_every_member(whole, halfway, data, monkeypatch):
    specs = whole.specs[:3]
    monkeypatch.setattr(progress, "LINE_SECONDS", 0)
    monkeypatch.setattr(progress.StudyProgress, "time_left", lambda shown: str(sum(shown._epochs_left.values())))
    take(specs[2], whole, halfway)
    output = io.StringIO()
    with StudyProgress(specs, Console(file=output, width=200)) as shown:
        train_with(shown, "population", specs, halfway, data)
    lines = output.getvalue().splitlines()
    assert shown._epochs_trained == 2 * 2 and (shown.done, shown.skipped, shown.diverged) == (3, 1, 0)
    assert lines[0].startswith("1/3 runs, 8 left;") and lines[0].endswith("finished before")
    assert lines[1] == "1/3 runs, 8 left; 2 networks together: epoch 3/4, step 1/2"
    accuracy = next(line for line in lines if "epoch 3/4, test accuracy" in line)
    assert accuracy.startswith("1/3 runs, 5 left;") and "nan" not in accuracy
    assert lines[-1].startswith("3/3 runs, 0 left;") and lines[-1].endswith("finished")
