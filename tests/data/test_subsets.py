"""The choice of images: exact counts, balance, and nothing but the seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.data.subsets import balanced_subset, stratified_split

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array)
SEEDS = st.integers(0, 2**32)


@given(LABELS, SEEDS, st.data())
def test_subset_has_exact_size_and_classes_as_equal_as_they_can_be(labels, seed, data):
    size = data.draw(st.integers(0, len(labels)))
    subset = balanced_subset(labels, size, seed)
    assert len(subset) == len(set(subset.tolist())) == size
    assert (np.diff(subset) > 0).all()
    available, taken = np.bincount(labels, minlength=5), np.bincount(labels[subset], minlength=5)
    # A class that has fewer than the fullest by more than one has given all its images.
    assert all(taken[taken < taken.max() - 1] == available[taken < taken.max() - 1])


@given(LABELS, SEEDS, st.data())
def test_smaller_subset_is_part_of_larger_one(labels, seed, data):
    larger = data.draw(st.integers(0, len(labels)))
    smaller = data.draw(st.integers(0, larger))
    assert set(balanced_subset(labels, smaller, seed)) <= set(balanced_subset(labels, larger, seed))


def test_scarce_class_gives_all_and_others_share_the_rest():
    labels = np.repeat([0, 1, 2], [50, 3, 50])
    assert np.bincount(labels[balanced_subset(labels, 43, seed=5)]).tolist() == [20, 3, 20]


def test_seed_alone_decides():
    labels = np.arange(300) % 3
    first = balanced_subset(labels, 30, seed=1)
    np.testing.assert_array_equal(first, balanced_subset(labels, 30, seed=1))
    assert not np.array_equal(first, balanced_subset(labels, 30, seed=2))


def test_every_image_and_every_class_is_chosen_equally_often():
    labels = np.arange(20) % 4
    subsets = [balanced_subset(labels, 5, seed) for seed in range(2000)]
    chosen = np.bincount(np.concatenate(subsets), minlength=20)
    np.testing.assert_allclose(chosen / 2000, 0.25, atol=0.05)
    extra = [np.argmax(np.bincount(labels[subset], minlength=4)) for subset in subsets]
    np.testing.assert_allclose(np.bincount(extra, minlength=4) / 2000, 0.25, atol=0.05)


def test_indices_are_the_same_on_every_version():
    labels = np.arange(40) % 2
    assert balanced_subset(labels, 5, seed=0).tolist() == [2, 3, 11, 13, 20]


@pytest.mark.parametrize("size", [-1, 7])
def test_impossible_size_is_refused(size):
    with pytest.raises(ValueError, match=rf"`size` must be in \[0, 6\]; received {size}"):
        balanced_subset(np.arange(6) % 2, size, seed=0)


def test_negative_seed_is_refused():
    with pytest.raises(ValueError, match="`seed` must be an integer of at least 0; received -3"):
        balanced_subset(np.arange(6) % 2, 2, seed=-3)


@given(LABELS, SEEDS)
def test_split_is_a_partition_with_the_rounded_share_of_each_class(labels, seed):
    train, test = stratified_split(labels, 0.2, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(labels)))
    expected = [round(0.2 * count) for count in np.bincount(labels, minlength=5)]
    assert np.bincount(labels[test], minlength=5).tolist() == expected


def test_split_depends_on_seed():
    labels = np.arange(100) % 2
    assert not np.array_equal(stratified_split(labels, 0.2, 0)[1], stratified_split(labels, 0.2, 1)[1])
