"""Mask scores: the contract of every one of them, and the plain ones."""

import keras
import numpy as np
import pytest

from keras_sparseflow.masks import SCORES, make_masks
from tests.masks import small
from tests.masks.scores.test_gradients import problem

layers = keras.layers


@pytest.fixture(scope="module")
def model():
    """A convolutional network with a nested part, as plain Keras users write it."""
    inner = keras.Sequential([keras.Input((3, 3, 4)), layers.Flatten(), layers.Dense(6, "relu", name="hidden")])
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(4, 4, activation="relu", name="conv")(inputs)
    return keras.Model(inputs, layers.Dense(3, name="head")(inner(x)))


@pytest.fixture(scope="module")
def data():
    """Twelve images of three classes."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 6, 6, 2)).astype("float32"), np.arange(12) % 3


@small.EACH_SCORE
def test_every_score_has_the_kernels_shapes_is_finite_and_repeats_itself(score, model, data):
    found = [SCORES.get(score)(problem(model, data)) for _ in range(2)]
    kernels = problem(model, data).kernels
    for kernel, one, other in zip(kernels, *found, strict=True):
        assert one.shape == kernel.shape and not np.isnan(one).any()
        np.testing.assert_array_equal(one, other)


@small.EACH_SCORE
@pytest.mark.parametrize("distribution", ["uniform", "erk", "er", "global"])
def test_every_score_with_every_distribution_has_exact_counts_and_leaves_the_model_alone(
    score, distribution, model, data
):
    before = [np.array(variable) for variable in model.variables]
    masks = make_masks(model, 0.3, score=score, distribution=distribution, data=data)
    sizes = {path: mask.size for path, mask in masks.items()}
    assert all(mask.dtype == bool for mask in masks.values())
    if distribution == "uniform":
        assert [mask.sum() for mask in masks.values()] == [round(0.3 * size) for size in sizes.values()]
    else:
        assert sum(mask.sum() for mask in masks.values()) == round(0.3 * sum(sizes.values()))
    assert all(np.array_equal(one, np.array(v)) for one, v in zip(before, model.variables, strict=True))


def test_magnitude_forgets_the_sign_and_random_forgets_the_weights():
    signs = keras.Sequential([keras.Input((3,)), layers.Dense(1, use_bias=False)])
    signs.layers[0].kernel.assign([[-3.0], [0.0], [2.0]])
    np.testing.assert_array_equal(SCORES.get("magnitude")(problem(signs, None))[0], [[3], [0], [2]])
    first = SCORES.get("random")(problem(signs, None))[0]
    signs.layers[0].kernel.assign(np.ones((3, 1)))
    np.testing.assert_array_equal(first, SCORES.get("random")(problem(signs, None))[0])


def test_an_unknown_score_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'magnitude'"):
        SCORES.get("magnitud")
