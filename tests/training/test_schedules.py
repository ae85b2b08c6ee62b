"""Learning rates over training, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.studies.spec.name_tables import SCHEDULES
from keras_sparseflow.training.schedules import Scheduled, constant, cosine, step, wide_resnet


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (constant, [1, 1, 1, 1, 1]),
        (cosine, [1, (1 + np.sqrt(0.5)) / 2, 0.5, (1 - np.sqrt(0.5)) / 2, (1 + np.cos(0.999 * np.pi)) / 2]),
        (step, [1, 1, 0.1, 0.01, 0.01]),
        (wide_resnet, [1, 1, 0.2, 0.04, 0.008]),
    ],
)
def test_factors_over_a_training(factor, expected):
    rates = Scheduled(0.5, factor, steps=1000)
    found = [float(rates(tf.constant(number, tf.int64))) for number in (0, 250, 500, 750, 999)]
    np.testing.assert_allclose(found, 0.5 * np.array(expected), rtol=1e-4, atol=1e-8)


def test_rates_of_several_networks_keep_their_shape():
    rates = Scheduled([[0.1], [0.5]], step, steps=4)
    np.testing.assert_allclose(rates(2), [[0.01], [0.05]], rtol=1e-6)


def test_it_survives_its_config():
    rates = Scheduled([[0.1], [0.5]], cosine, steps=8)
    np.testing.assert_array_equal(Scheduled.from_config(rates.get_config())(3), rates(3))


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_every_schedule_starts_at_the_rate_and_never_exceeds_it(name):
    factors = SCHEDULES.get(name)(tf.linspace(0.0, 1.0, 50))
    assert factors[0] == 1 and np.all(factors >= 0) and np.all(factors <= 1)


def test_wide_resnets_schedule_drops_at_the_published_epochs_of_200():
    rates = Scheduled(0.1, wide_resnet, steps=200 * 390)
    at = [float(rates(epoch * 390 + step)) for epoch in (60, 120, 160) for step in (-1, 0)]
    np.testing.assert_allclose(at, [0.1, 0.02, 0.02, 0.004, 0.004, 0.0008], rtol=1e-6)
