"""Selection: exact counts and one order among equals."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.masks import top_mask, top_masks


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


def test_entries_of_minus_infinity_are_taken_last_the_first_ones_first():
    scores = [np.array([-np.inf, 3.0]), np.array([-np.inf, 1.0, 2.0])]
    assert [mask.tolist() for mask in top_masks(scores, 3)] == [[False, True], [False, True, True]]
    assert [mask.tolist() for mask in top_masks(scores, 4)] == [[True, True], [False, True, True]]


def test_infinite_scores_are_ranked_and_nan_and_impossible_counts_are_refused():
    np.testing.assert_array_equal(top_mask(np.array([-np.inf, 0, np.inf]), 2), [False, True, True])
    with pytest.raises(ValueError, match="1 NaN of 2"):
        top_mask(np.array([np.nan, 1.0]), 1)
    with pytest.raises(ValueError, match=r"`active` must be in \[0, 2\]; received 3"):
        top_mask(np.ones(2), 3)


@given(st.lists(st.lists(st.integers(-2, 2), max_size=12), min_size=1, max_size=5), st.data())
def test_several_arrays_are_selected_as_if_they_were_one(lists, data):
    arrays = [np.array(numbers, "float32") for numbers in lists]
    active = data.draw(st.integers(0, sum(map(len, arrays))))
    one = top_mask(np.concatenate(arrays), active)
    np.testing.assert_array_equal(np.concatenate(top_masks(arrays, active)), one)


def test_shapes_types_and_memory_layouts_may_differ():
    row = np.arange(12.0).reshape(3, 4)
    masks = top_masks([np.asfortranarray(row), row.T, row[:, ::2].astype("float32")], 20)
    assert [mask.shape for mask in masks] == [(3, 4), (4, 3), (3, 2)]
    assert sum(mask.sum() for mask in masks) == 20
    expected = np.sort(np.concatenate([row.ravel(), row.ravel(), row[:, ::2].ravel()]))[-20:]
    kept = [array[mask] for array, mask in zip([row, row.T, row[:, ::2]], masks, strict=True)]
    np.testing.assert_array_equal(np.sort(np.concatenate(kept)), expected)
    np.testing.assert_array_equal(top_mask(np.zeros((2, 3), order="F"), 4), [[True, True, True], [True, False, False]])


def test_selection_takes_no_more_than_twice_the_memory_of_the_scores():
    scores = list(np.random.default_rng(0).random((10, 100_000), "float32"))
    tracemalloc.start()
    top_masks(scores, 50_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * sum(array.nbytes for array in scores)


def test_nan_and_impossible_counts_of_several_arrays_are_refused():
    with pytest.raises(ValueError, match="2 NaN of 5"):
        top_masks([np.array([np.nan, 1.0]), np.array([np.nan, 0, 2])], 1)
    with pytest.raises(ValueError, match=r"`active` must be in \[0, 3\]; received -1"):
        top_masks([np.ones(2), np.ones(1)], -1)
