"""Selection: exact counts and one order among equals."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.masks import top_mask


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40), st.data())
def test_it_is_the_stable_sort_from_the_highest_score_down(scores, data):
    active = data.draw(st.integers(0, len(scores)))
    expected = np.zeros(len(scores), bool)
    expected[np.argsort(-np.array(scores, float), kind="stable")[:active]] = True
    np.testing.assert_array_equal(top_mask(np.array(scores, float), active), expected)


def test_equal_scores_keep_the_exact_count_and_the_first_entries():
    mask = top_mask(np.zeros((3, 4)), 5)
    assert mask.shape == (3, 4) and mask.dtype == bool
    np.testing.assert_array_equal(np.flatnonzero(mask), np.arange(5))


def test_masks_of_growing_counts_are_nested():
    scores = np.random.default_rng(0).integers(0, 4, (6, 7)).astype(float)
    masks = [top_mask(scores, active) for active in range(scores.size + 1)]
    assert all((low <= high).all() for low, high in itertools.pairwise(masks))


def test_infinite_scores_are_ranked_and_nan_and_impossible_counts_are_refused():
    np.testing.assert_array_equal(top_mask(np.array([-np.inf, 0, np.inf]), 2), [False, True, True])
    with pytest.raises(ValueError, match="1 NaN of 2"):
        top_mask(np.array([np.nan, 1.0]), 1)
    with pytest.raises(ValueError, match=r"`active` must be in \[0, 2\]; received 3"):
        top_mask(np.ones(2), 3)
