"""Devices and precision: what they may change of a run, what they must not, and what is refused."""

import signal

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_sparseflow.launchers import terminal
from keras_sparseflow.studies.executors.options import STRATEGIES, Options, make_strategy
from keras_sparseflow.studies.prepare import prepare
from keras_sparseflow.studies.run import run as run_module
from keras_sparseflow.studies.run.network import build_network
from keras_sparseflow.studies.run.run import run
from keras_sparseflow.studies.run_study import run_study
from keras_sparseflow.studies.spec.run_spec import LEAVES
from keras_sparseflow.studies.study import Study
from keras_sparseflow.training.precision import precision_policy
from keras_sparseflow.training.state import network_state, restore_state
from tests.backend import untraced
from tests.studies.executing import InterruptionError

MIRRORED = Options(strategy="mirrored")


@pytest.fixture
def eager():
    """Steps run operation by operation."""
    with untraced():
        yield


# --- one device; suites/cluster has two --------------------------------------------------------------------------


def test_a_strategy_of_one_device_changes_nothing_and_a_finished_run_is_finished_under_it(spec, folder, data):
    spec, strategy = spec(variant="BN", epochs=2, flow_measures=("egf_1",)), make_strategy(MIRRORED)
    with untraced():
        plain = run(spec, folder(spec, "plain"), data, tensorboard=False)
    run(spec, folder(spec, "mirrored"), data, tensorboard=False, strategy=strategy)
    assert run(spec, folder(spec, "plain"), data, strategy=strategy) == plain
    for name in ("history.csv", "flow.csv"):
        frames = [pd.read_csv(folder(spec, where).path / name) for where in ("plain", "mirrored")]
        pd.testing.assert_frame_equal(*frames, rtol=1e-5)


# --- several workers: suites/cluster has real ones ------------------------------------------------------------


def test_a_follower_writes_nothing_and_comes_to_the_same(spec, folder, data, monkeypatch, eager):
    chosen = spec(variant="BN", epochs=2, flow_epochs=1)
    expected = run(chosen, folder(chosen, "chief"), data, checkpoint_seconds=0)
    monkeypatch.setattr(run_module, "is_chief", lambda strategy: False)
    found = run(chosen, folder(chosen, "follower"), data, checkpoint_seconds=0)
    assert found.pop("seconds") > 0 and expected.pop("seconds") > 0 and found == expected
    assert not folder(chosen, "follower").path.parent.exists()


def test_workers_compare_run_epoch_and_every_variable_before_they_train(
    spec, folder, data, monkeypatch, every_epoch, eager
):
    compared = []
    monkeypatch.setattr(run_module, "worker_count", lambda strategy: 2)
    monkeypatch.setattr(run_module, "check_agreement", lambda strategy, value, what: compared.append(value))

    def interrupt(epoch, logs):
        raise InterruptionError

    chosen = spec(epochs=2, flow_epochs=0)
    for name in ("first", "second", "first"):  # the last one goes on
        with pytest.raises(InterruptionError):
            run(chosen, folder(chosen, name), data, tensorboard=False, on_epoch=interrupt, checkpoint_seconds=0)
    first, second, resumed = compared
    assert first == second and [first["epochs done"], resumed["epochs done"]] == [0, 1]
    assert first["run"] == resumed["run"] == chosen.run_id and first["state"] != resumed["state"]


def test_while_workers_wait_for_each_other_the_system_hears_an_interruption(monkeypatch):
    before, heard = signal.getsignal(signal.SIGINT), []

    def refuse(options):
        heard.append(signal.getsignal(signal.SIGINT))
        raise ValueError("no workers")

    monkeypatch.setattr(terminal, "make_strategy", refuse)
    with pytest.raises(ValueError, match="no workers"):
        terminal._meet_workers(Options(strategy="multiworker"))
    assert heard == [signal.SIG_DFL] and signal.getsignal(signal.SIGINT) is before


# --- what is refused, and when --------------------------------------------------------------------------------------


class Several:
    """Stands in for a strategy of so many replicas."""

    def __init__(self, replicas):
        self.num_replicas_in_sync = replicas
        self.scope = tf.distribute.get_strategy().scope


def several(monkeypatch, replicas):
    monkeypatch.setitem(STRATEGIES._loaded, "mirrored", lambda devices: Several(replicas))


def tiny(**base):
    return Study(
        name="tiny", title="Tiny", grids=[{"hidden_layers": (1,)}], width_fractions=(0.5,), seeds=(0,),
        base={"epochs": 1, "image_size": 4, "train_size": 60, "batch_size": 32, **base},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"strategy": "mirored"},
            "Unknown strategy 'mirored'; expected one of none, mirrored, multiworker, tpu.*'mirrored'",
        ),
        ({"devices": 0, "strategy": "mirrored"}, "`devices` must be a whole number of at least 1; received 0"),
    ],
)
def test_options_that_no_machine_can_follow_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Options(**options)


@pytest.mark.parametrize("executor", ["serial", "auto"])
@pytest.mark.parametrize(
    ("replicas", "options", "message"),
    [
        (3, {"strategy": "mirrored"}, "`batch_size` must be a multiple of 3, the devices.*received 32"),
        (1, {"devices": 2}, "`devices` must be 1 without a strategy; received 2. Give --strategy=mirrored"),
    ],
)
def test_a_study_that_its_devices_can_not_train_is_refused_before_the_first_network(
    tmp_path, monkeypatch, executor, replicas, options, message
):
    several(monkeypatch, replicas)
    with pytest.raises(ValueError, match=message):
        run_study(tiny(), runs_dir=tmp_path, executor=executor, options=Options(**options))
    assert not list(tmp_path.glob("tiny/*/spec.json"))


def test_xla_under_a_strategy_is_refused():
    with pytest.raises(ValueError, match="`jit` must be false or auto under a strategy, MirroredStrategy.*true"):
        make_strategy(Options(strategy="mirrored", jit=True))


def test_populations_train_on_one_device_in_float32(tmp_path, monkeypatch):
    several(monkeypatch, 2)

    def planned(executor, options=MIRRORED, **base):
        return prepare(tiny(**base), runs_dir=tmp_path, executor=executor, options=options).plan

    plan = planned("auto")
    assert len(plan.alone) == 2 and not plan.populations
    reason = "a population trains on one device; without a strategy --devices=2 spreads networks over two GPUs"
    assert plan.reasons == {"--strategy=mirrored": reason}
    with pytest.raises(
        ValueError,
        match="with --strategy=mirrored cannot .*: a population .* over two GPUs. Use --executor=serial",
    ):
        planned("population")
    plan = planned("auto", Options(), precision="mixed_bfloat16")
    assert len(plan.alone) == 2 and list(plan.reasons) == ["precision 'mixed_bfloat16'"]
    with pytest.raises(ValueError, match="precision 'mixed_bfloat16' cannot be trained as a population"):
        planned("population", Options(), precision="mixed_bfloat16")


# --- precision ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_layers_compute_in_half_precision_and_weights_and_logits_stay_float32(spec, data, precision):
    with precision_policy(precision):
        model = build_network(spec(precision=precision, variant="BN"), data)
    assert keras.config.dtype_policy().name == "float32"
    assert model.get_layer("hidden_1").compute_dtype == precision.removeprefix("mixed_")
    assert model(data.test_images).dtype == tf.float32
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    assert hasattr(model.optimizer, "dynamic_scale") == (precision == "mixed_float16")


def test_half_precision_measures_the_flow_of_the_unscaled_loss(spec, folder, data, eager):
    flows = []
    for precision in ("float32", "mixed_float16"):
        chosen = spec(precision=precision, epochs=1, variant="L2", learning_rate=1e-6)
        run(chosen, folder(chosen), data, tensorboard=False)
        flows.append(pd.read_csv(folder(chosen).path / "flow.csv"))
    np.testing.assert_allclose(flows[1]["value"], flows[0]["value"], rtol=2e-2)
    assert not np.array_equal(flows[1]["value"], flows[0]["value"])


def test_the_policy_is_as_before_even_after_an_error():
    with pytest.raises(InterruptionError), precision_policy("mixed_float16"):
        assert keras.config.dtype_policy().name == "mixed_float16"
        raise InterruptionError
    assert keras.config.dtype_policy().name == "float32"


def test_the_loss_scale_survives_an_interruption_and_the_beginning_of_fit(spec, data):
    chosen = spec(precision="mixed_float16", optimizer="adam")

    def network():
        with precision_policy("mixed_float16"):
            return build_network(chosen, data)

    first, second = network(), network()
    first.optimizer.dynamic_scale.assign(2.0**10)
    first.optimizer.step_counter.assign(7)
    state = {name: keras.ops.convert_to_numpy(v) for name, v in network_state(first).items()}
    restore_state(network_state(second), state, "here")
    second.fit(data.train_images, data.train_labels, batch_size=16, verbose=0)
    assert float(second.optimizer.dynamic_scale) == 2**10 and int(second.optimizer.step_counter) == 7 + 3
    assert list(network_state(second)) == list(state)


def test_an_interrupted_run_in_half_precision_goes_on_as_if_it_had_not_been(spec, folder, data, every_epoch, eager):
    chosen = spec(precision="mixed_float16", optimizer="adam", epochs=2, flow_epochs=0)
    run(chosen, folder(chosen, "whole"), data, tensorboard=False)

    def stop(epoch, logs):
        raise InterruptionError

    with pytest.raises(InterruptionError):
        run(chosen, folder(chosen, "broken"), data, tensorboard=False, on_epoch=stop, checkpoint_seconds=0)
    run(chosen, folder(chosen, "broken"), data, tensorboard=False)
    frames = [pd.read_csv(folder(chosen, name).path / "history.csv") for name in ("broken", "whole")]
    pd.testing.assert_frame_equal(*frames, rtol=1e-4)


# --- the same bytes -------------------------------------------------------------------------------------------------


def test_the_strategy_is_no_part_of_a_run_s_name():
    assert not {"strategy", "devices", "jit"} & set(LEAVES)
