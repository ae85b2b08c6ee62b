"""Mask scores: of the kernel's shape, and of what they say they are."""

import numpy as np
import pytest

from keras_sparseflow.masks import SCORES


def scores(name, kernel, seed=0):
    return SCORES.get(name)(kernel, np.random.default_rng(seed))


@pytest.mark.parametrize("name", SCORES.names())
def test_every_score_has_the_kernels_shape_and_depends_on_the_seed_alone_beside_it(name):
    kernel = np.random.default_rng(3).normal(size=(4, 5)).astype("float32")
    assert scores(name, kernel).shape == kernel.shape
    np.testing.assert_array_equal(scores(name, kernel), scores(name, kernel))


def test_magnitude_forgets_the_sign_and_random_forgets_the_weights():
    np.testing.assert_array_equal(scores("magnitude", np.array([-3.0, 0.0, 2.0])), [3, 0, 2])
    np.testing.assert_array_equal(scores("random", np.zeros(9)), scores("random", np.ones(9)))
    assert not np.array_equal(scores("random", np.zeros(9)), scores("random", np.zeros(9), seed=1))


def test_an_unknown_score_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'magnitude'"):
        SCORES.get("magnitud")
