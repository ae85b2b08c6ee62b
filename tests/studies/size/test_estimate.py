"""Estimates of whole studies, with a machine of a known speed."""

import pytest
from keras_sparseflow.studies.size.calibration import Speed, Timing
from keras_sparseflow.studies.size.estimate import estimate_plan, estimate_studies, size_of

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.executors.executors import Options, StudyPlan
from keras_sparseflow.studies.size import estimate
from keras_sparseflow.studies.size.cost import cost
from keras_sparseflow.studies.study import Study

SPEED = Speed((Timing(10, 1e-9, 1.0, 0.0),))
HOW = {"data_dir": None, "executor": "serial", "options": Options()}


@pytest.fixture
def calibrated(monkeypatch):
    """Notes what is calibrated."""
    seen = []

    def calibrate(work, executor, options, on_progress):
        seen.append((executor, len(work.loads)))
        return SPEED

    monkeypatch.setattr(estimate, "calibrate", calibrate)
    return seen


def study(**base):
    return Study(name="s", title="t", base=base, seeds=(0,), width_fractions=(0.5,))


def test_the_size_is_that_of_the_study():
    assert size_of(study(dataset="cifar100", image_size=8), None) == DataSize((8, 8, 3), 100, 50_000, 10_000)
    assert size_of(study(), None).inputs == 64


def test_all_studies_share_one_calibration_and_one_that_cannot_be_trained_is_told(calibrated):
    small, large = study(dataset="cifar10", image_size=4, epochs=1), study(dataset="cifar10", image_size=4, epochs=3)
    found = estimate_studies([small, study(train_size=5000), large], **HOW)
    assert calibrated == [("serial", 4)]
    assert found[0].cost == cost(small.specs(48, 10), DataSize((4, 4, 3), 10, 50_000, 10_000))
    assert found[2].seconds == pytest.approx(3 * found[0].seconds)
    assert found[1].cost is None and found[1].seconds is None and "`train_size` must be in" in found[1].refusal


def test_nothing_is_calibrated_where_nothing_can_be_trained(calibrated):
    (found,) = estimate_studies([study(image_size=99)], **HOW)
    assert "received 99" in found.refusal and calibrated == []


def test_networks_of_a_plan_that_are_alone_are_estimated_alone(calibrated):
    specs, size = study().specs(64, 10), DataSize((8, 8, 1), 10, 1438, 359)
    assert estimate_plan(StudyPlan((), tuple(specs), {}, 0), size, Options()) > 0 and calibrated == [("serial", 2)]
    assert estimate_plan(StudyPlan((), (), {}, 2), size, Options()) == 0
