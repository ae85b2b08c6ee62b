"""Masks as arrays."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.layers.kernels import (
    active_count,
    check_mask,
    decode_mask,
    dense_gradients,
    effective_kernel,
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


def test_gradient_is_masked_and_dense_gradients_shows_all_of_it():
    kernel = keras.Variable([1.0, 0.0, 2.0])
    mask = np.array([True, False, True])
    inputs = tf.constant([3.0, 5.0, float("nan")])
    gradients = []
    for context in (None, dense_gradients()):
        with tf.GradientTape() as tape:
            if context is None:
                loss = tf.reduce_sum(effective_kernel(kernel, mask) * inputs)
            else:
                with context:
                    loss = tf.reduce_sum(effective_kernel(kernel, mask) * inputs)
        gradients.append(tape.gradient(loss, kernel.value).numpy())
    np.testing.assert_array_equal(gradients, [[3, 0, np.nan], [3, 5, np.nan]])


def test_masked_gradient_is_zero_even_where_it_would_be_nan():
    kernel = keras.Variable([0.0])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(effective_kernel(kernel, np.array([False])) * float("nan"))
    assert tape.gradient(loss, kernel.value).numpy() == 0


def test_dense_gradients_ends_with_an_exception():
    kernel = keras.Variable([0.0])
    with pytest.raises(KeyError), dense_gradients():
        raise KeyError
    assert effective_kernel(kernel, np.array([False])) is not kernel
