"""SNIP: the score itself, by finite differences."""

import numpy as np
import pytest

from keras_sparseflow.masks import make_masks
from keras_sparseflow.masks.scores.snip import snip_scores
from tests.masks import small
from tests.masks.scores.test_gradients import problem

pytestmark = pytest.mark.tensorflow("SNIP")


@pytest.mark.parametrize("batch_size", [7, 3])
def test_scores_are_what_scaling_each_weight_does_to_the_loss_summed_before_the_absolute_value(batch_size):
    model, (x, y) = small.network(), small.data(7)
    at = small.flatten(small.kernels(model))
    found = small.flatten(snip_scores(problem(model, (x, y), batch_size=batch_size)))
    by_scaling = small.gradient(lambda scales: small.loss(at * scales, x, y), np.ones(len(at)))
    np.testing.assert_allclose(found, np.abs(by_scaling), rtol=1e-6, atol=1e-9)


def test_the_highest_are_kept_globally_and_in_each_kernel():
    model, data = small.network(), small.data()
    scores = snip_scores(problem(model, data))
    together = make_masks(model, 0.5, score="snip", distribution="global", data=data)
    flat, kept = small.flatten(scores), small.flatten(together.values())
    assert kept.sum() == 12 and flat[kept].min() > flat[~kept].max()
    each = make_masks(model, 0.5, score="snip", data=data)
    assert [mask.sum() for mask in each.values()] == [6, 6]
    assert all(s[m].min() > s[~m].max() for s, m in zip(scores, each.values(), strict=True))


def test_weights_that_a_mask_has_removed_score_zero():
    model, data = small.network(masked=True), small.data()
    scores, at = small.flatten(snip_scores(problem(model, data))), small.flatten(small.kernels(model))
    assert not scores[at == 0].any() and (scores[at != 0] > 0).all()
