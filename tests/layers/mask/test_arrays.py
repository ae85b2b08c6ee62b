"""Masks as arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.layers.mask.arrays import (
    active_count,
    check_mask,
    decode_mask,
    encode_mask,
    random_mask,
)

SHAPES = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)


@given(shape=SHAPES, share=st.floats(0, 1), seed=st.integers(0, 2**31))
def test_random_mask_has_exactly_the_count(shape, share, seed):
    active = active_count(share, int(np.prod(shape)))
    mask = random_mask(shape, active, seed)
    assert mask.shape == shape and mask.dtype == bool and mask.sum() == active == round(share * np.prod(shape))


def test_random_mask_depends_on_its_seed_alone():
    np.random.seed(0)
    first = random_mask((20, 30), 100, seed=7)
    np.random.seed(1)
    assert np.array_equal(first, random_mask((20, 30), 100, seed=7))
    assert not np.array_equal(first, random_mask((20, 30), 100, seed=8))


def test_random_mask_is_uniform():
    """Each of 12 entries is active in 1/3 of 3000 masks: within 5 standard deviations."""
    share = np.mean([random_mask((3, 4), 4, seed) for seed in range(3000)], axis=0)
    assert np.abs(share - 1 / 3).max() < 5 * np.sqrt(1 / 3 * 2 / 3 / 3000)


@pytest.mark.parametrize("active", [-1, 13])
def test_random_mask_refuses_an_impossible_count(active):
    with pytest.raises(ValueError, match=rf"\[0, 12\].*received {active}"):
        random_mask((3, 4), active, seed=0)


@given(shape=SHAPES, seed=st.integers(0, 1000))
def test_encoded_mask_decodes_to_itself(shape, seed):
    mask = random_mask(shape, int(np.prod(shape)) // 2, seed)
    assert np.array_equal(decode_mask(encode_mask(mask)), mask)


@pytest.mark.parametrize("density", [90, -0.1, float("nan"), "0.5", True, None])
def test_density_outside_its_range_is_refused(density):
    with pytest.raises(ValueError, match=r"`density` must be in \[0, 1\].*received"):
        active_count(density, 10)


def test_check_mask_takes_zeros_and_ones():
    assert check_mask([[0.0, 1.0]], (1, 2)).tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((2, 3)), r"shape \(3, 2\); received \(2, 3\)"),
        (np.full((3, 2), 0.5), "received .*0.5"),
        (np.full((3, 2), np.nan), "received .*nan"),
        (np.full((3, 2), 2), "received .*2"),
    ],
)
def test_check_mask_refuses_another_shape_or_value(mask, message):
    with pytest.raises(ValueError, match=message):
        check_mask(mask, (3, 2))
