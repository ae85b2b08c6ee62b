"""Estimates of time: what they grow with, and that what they are made of is measured."""

import pytest
from keras_sparseflow.studies.size.calibration import Speed, Timing, calibrate
from keras_sparseflow.studies.size.workload import Workload, population_workload, serial_workload

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.executors.executors import Options
from keras_sparseflow.studies.size import calibration
from keras_sparseflow.studies.spec.run_spec import RunSpec

SIZE = DataSize((4, 4, 1), 10, 100, 60)
TIMINGS = (Timing(10, 4e-9, 1.0, 0.0), Timing(1000, 1e-9, 3.0, 0.0))


def network(**values):
    defaults = {"dense_width": 5, "max_width": 10, "hidden_layers": 1, "batch_size": 20, "epochs": 4, "flow_epochs": 0}
    return RunSpec(**{**defaults, **values})


def seconds(*specs, speed, size=SIZE):
    return speed.seconds(serial_workload(specs, size))


def test_training_by_hand():
    """16x10 and 10x10 weights at 1e-6 s an image: 4 epochs of 100 images, and of 60 at a third."""
    speed = Speed((Timing(10, 1e-6, 1.0, 0.0),))
    assert seconds(network(), speed=speed) == pytest.approx(260 * 1e-6 * 4 * (100 + 60 / 3))
    assert seconds(network(epochs=8), network(), speed=speed) == pytest.approx(3 * seconds(network(), speed=speed))


def test_measured_epochs_take_longer():
    speed, free = Speed((Timing(10, 1e-6, 3.0, 0.0),)), DataSize((4, 4, 1), 10, 100, 0)
    plain = seconds(network(), speed=speed, size=free)
    for epochs, measured in ((2, 0.5), (11, 1.0)):
        by_steps, by_end, both = (
            seconds(network(flow_epochs=epochs, flow_readings=names), speed=speed, size=free)
            for names in (("steps",), ("end",), ("steps", "end"))
        )
        assert by_steps == pytest.approx((1 + 2 * measured) * plain)
        assert by_end == pytest.approx((1 + measured) * plain), "as long as the training of that epoch"
        assert both == pytest.approx((1 + 3 * measured) * plain)


def test_building_and_streams_are_added():
    speed = Speed((Timing(10, 1e-6, 1.0, 0.5),), augmenting=1e-3)
    plain = Speed((Timing(10, 1e-6, 1.0, 0.0),))
    spec = network(variant="DA")
    assert seconds(spec, speed=speed) - seconds(spec, speed=plain) == pytest.approx(2 * 0.5 + 1e-3 * 16 * 4 * 100)


@pytest.mark.parametrize(("side", "expected"), [(10, 4e-9), (100, 2e-9), (1000, 1e-9), (3, 4e-9), (5000, 1e-9)])
def test_between_measured_sizes_logarithms_are_interpolated_and_outside_the_nearest_holds(side, expected):
    assert Speed(TIMINGS)._at(side, "per_weight") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("sides", "measured"),
    [([50.0], [50]), ([50.0, 60.0], [50, 60]), ([10.0, 1000.0], [10, 46, 215, 1000]),
     ([1.0, 4000.0], [8, 40, 200, 1000]), ([2000.0, 4000.0], [1000])],
)  # fmt: skip
def test_measured_sizes_span_those_of_the_study_but_no_costly_ones(sides, measured):
    assert calibration._sides(sides) == measured


@pytest.mark.parametrize(("executor", "variant"), [("population", "BN"), ("serial", "DA")])
def test_a_calibration_trains_and_measures(executor, variant, monkeypatch):
    monkeypatch.setattr(calibration, "EPOCH_FLOPS", 1e6)
    specs = [network(variant=variant, dense_width=10, arm=arm) for arm in ("sparse", "dense")]
    work = population_workload(specs, SIZE, 2) if executor == "population" else serial_workload(specs, SIZE)
    told = []
    speed = calibrate(work, executor, Options(tensorboard=False), lambda *counts: told.append(counts))
    assert told == ([(1, 1)] if executor == "population" else [(1, 2), (2, 2)])
    (timing,) = speed.timings
    assert 0 < timing.per_weight < 1e-3 and timing.measuring >= 1 and 0 <= timing.building < 60
    assert 0 <= speed.augmenting < 1e-3 and 0 < speed.seconds(work) < 600


def test_what_is_calibrated_is_of_the_most_frequent_kind(monkeypatch):
    seen = []

    def timing(spec, side, executor, options):
        seen.append((spec.optimizer, spec.parts & {"BN"}, executor))
        return TIMINGS[0]

    monkeypatch.setattr(calibration, "_timing", timing)
    specs = [network(optimizer="sgd"), *(network(optimizer="adam", variant="L2_BN", seed=seed) for seed in range(3))]
    assert calibrate(serial_workload(specs, SIZE), "serial", Options()) == Speed((TIMINGS[0],))
    assert seen == [("adam", {"BN"}, "serial")]


def test_an_empty_workload_takes_no_time():
    assert Speed(TIMINGS).seconds(Workload((), (), 0)) == 0
