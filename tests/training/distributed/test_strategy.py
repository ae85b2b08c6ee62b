"""Strategies by name: which devices they take, and what they ask of batches and networks."""

import keras
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.training.distributed.strategy import (
    check_batch,
    compiles,
    evaluation_batch,
    mirrored,
    one_device,
    synchronize_norms,
    tpu,
)


class Several:
    """Stands in for a strategy of so many replicas."""

    def __init__(self, replicas):
        self.num_replicas_in_sync = replicas


@pytest.fixture(scope="module")
def one_cpu():
    tf.constant(0) + 1  # TensorFlow has started, so that the CPU is not divided any more
    return mirrored(1)


def test_without_a_number_all_devices_are_taken(one_cpu):
    assert mirrored().num_replicas_in_sync == one_cpu.num_replicas_in_sync == 1
    assert one_device().num_replicas_in_sync == one_device(1).num_replicas_in_sync == 1


@pytest.mark.parametrize("devices", [0, 2])
def test_more_devices_than_there_are_are_refused_with_those_that_are_there(one_cpu, devices):
    message = rf"`devices` must be in \[1, 1\], for the CPUs here are CPU:0; received {devices}. A CPU is divided only"
    with pytest.raises(ValueError, match=message):
        mirrored(devices)


def test_several_devices_need_a_strategy():
    with pytest.raises(ValueError, match="must be 1 without a strategy; received 2. Give --strategy=mirrored"):
        one_device(2)


def test_a_tpu_is_asked_by_its_name(monkeypatch):
    """No TPU can be tried here: this is what stands between its resolver and the strategy."""
    asked = []
    monkeypatch.setenv("TPU_NAME", "mine")
    monkeypatch.setattr(
        tf.distribute.cluster_resolver, "TPUClusterResolver", lambda tpu: asked.append(tpu) or "resolver"
    )
    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", asked.append)
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", asked.append)
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda resolver: Several(8))
    make = tpu.__wrapped__
    assert make(8).num_replicas_in_sync == make().num_replicas_in_sync == 8
    assert asked[:3] == ["mine", "resolver", "resolver"]
    with pytest.raises(ValueError, match="`devices` must be 8, the cores of the TPU 'mine', or left out; received 4"):
        make(4)


@pytest.mark.parametrize(("batch_size", "replicas"), [(128, 1), (128, 4), (7, 7)])
def test_batches_that_replicas_share_equally_pass(batch_size, replicas):
    check_batch(batch_size, Several(replicas))


def test_others_are_refused():
    with pytest.raises(ValueError, match="`batch_size` must be a multiple of 3, the devices .*; received 128"):
        check_batch(128, Several(3))


@pytest.mark.parametrize(
    ("count", "replicas", "expected"),
    [(10_000, 1, 1000), (359, 1, 359), (359, 2, 356), (10_000, 3, 999), (10_000, 8, 1000), (1005, 4, 992), (3, 4, 4)],
)
def test_images_are_evaluated_in_as_few_batches_as_replicas_can_share(count, replicas, expected):
    """359 = 356 + 3, for of 358 + 1 the second replica would get none; 1005 = 992 + 13, for 5 are 2, 2, 1 and none."""
    assert evaluation_batch(count, 1000, Several(replicas)) == expected


@given(st.integers(1, 8), st.integers(359, 3000))
def test_no_replica_is_left_without_images(replicas, count):
    size = evaluation_batch(count, 1000, Several(replicas))
    assert size % replicas == 0 and 0 < size <= min(count, 1000)
    rest = count % size
    share = -(-rest // replicas)  # as TensorFlow gives them out, one replica after the other
    assert rest == 0 or rest - share * (replicas - 1) in range(1, share + 1)


def test_xla_is_left_alone_without_a_strategy_and_off_under_one(one_cpu):
    assert [compiles(jit, one_device()) for jit in (None, True, False)] == [None, True, False]
    assert [compiles(jit, one_cpu) for jit in (None, False)] == [False, False]
    with pytest.raises(ValueError, match="`jit` must be false or auto under a strategy"):
        compiles(True, one_cpu)


def test_norms_are_synchronized_under_a_strategy_alone(one_cpu):
    def norms():
        inner = keras.Sequential([keras.layers.BatchNormalization()])
        return keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(), inner])

    for strategy, expected in ((one_device(), False), (one_cpu, True)):
        model = norms()
        synchronize_norms(model, strategy)
        assert [model.layers[0].synchronized, model.layers[1].layers[0].synchronized] == [expected] * 2
