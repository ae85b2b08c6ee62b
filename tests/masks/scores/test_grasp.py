"""GraSP: the score, with its sign, from the explicit Hessian, and what removing weights does to the gradient."""

import functools

import numpy as np
import pytest

from keras_sparseflow.masks import make_masks
from keras_sparseflow.masks.scores.grasp import grasp_scores
from tests.masks import small
from tests.masks.scores.test_gradients import problem

pytestmark = pytest.mark.tensorflow("GraSP")


@pytest.mark.parametrize("batch_size", [7, 2])
def test_scores_are_weights_times_the_explicit_hessian_times_the_gradient(batch_size):
    model, (x, y) = small.network(), small.data(7)
    at = small.flatten(small.kernels(model))

    def loss(flat):
        return small.loss(flat, x, y, 2.0)

    found = small.flatten(grasp_scores(problem(model, (x, y), batch_size=batch_size), temperature=2.0))
    expected = at * (small.hessian(loss, at) @ small.gradient(loss, at))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-8)
    assert (found < 0).any() and (found > 0).any(), "signs are kept"


def test_weights_are_kept_whose_shrinking_reduces_the_gradients_norm():
    model, (x, y) = small.network(), small.data()
    at = small.flatten(small.kernels(model))
    temperature = 200.0

    def squared_norm(flat):
        return np.sum(small.gradient(lambda f: small.loss(f, x, y, temperature), flat) ** 2) * 1e5

    slope = small.gradient(lambda scales: squared_norm(at * scales), np.ones(len(at)), step=1e-3)
    masks = make_masks(model, 0.5, score="grasp", distribution="global", data=(x, y))
    kept = small.flatten(masks.values())
    assert slope[kept].min() > slope[~kept].max(), "the slope along a weight's scale is twice its score"


def test_temperature_changes_the_ranking():
    model, data = small.network(), small.data()
    cold = small.flatten(grasp_scores(problem(model, data), temperature=0.05))
    assert not np.array_equal(np.argsort(cold), np.argsort(small.flatten(grasp_scores(problem(model, data)))))


def test_a_score_with_other_options_is_given_as_a_function():
    model, data = small.network(), small.data()
    masks = make_masks(model, 0.5, score=functools.partial(grasp_scores, temperature=0.05), data=data)
    scores = grasp_scores(problem(model, data), temperature=0.05)
    assert all(s[m].min() > s[~m].max() for s, m in zip(scores, masks.values(), strict=True))
