"""Sparsity distributions: exact counts, and ERK by hand."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.masks import DISTRIBUTIONS, all_together, er, erk, kernel_counts, uniform

SHAPES = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple), min_size=1, max_size=6)
DENSITIES = st.floats(0, 1)


@given(SHAPES, DENSITIES)
def test_uniform_rounds_each_kernel(shapes, density):
    assert uniform(shapes, density) == [round(density * math.prod(shape)) for shape in shapes]


@given(SHAPES, DENSITIES)
def test_erk_is_exact_in_total_and_within_each_kernel(shapes, density):
    sizes = [math.prod(shape) for shape in shapes]
    counts = erk(shapes, density)
    assert sum(counts) == round(density * sum(sizes))
    assert all(0 <= count <= size for count, size in zip(counts, sizes, strict=True))


def test_erk_by_hand_without_a_dense_kernel():
    # Raw densities 20/100 and 40/400; 0.05 * 500 = 25 = e * (20 + 40), so e = 5/12: 8.33 and 16.67.
    assert erk([(10, 10), (20, 20)], 0.05) == [8, 17]


def test_erk_makes_kernels_dense_one_after_another():
    # Total 0.5 * (4 + 64 + 400) = 234; raw * size = 4, 16, 40.
    # Round 1: e = 234/60 = 3.9, so 15.6 of 4 is too many. Round 2: e = 230/56 = 4.11, so 65.7 of 64 is too many.
    # Round 3: the last has 234 - 4 - 64 = 166.
    assert erk([(2, 2), (8, 8), (20, 20)], 0.5) == [4, 64, 166]


def test_erk_of_a_convolution_counts_all_dimensions():
    # Raw * size is the sum of the dimensions: 3 + 3 + 4 + 8 = 18 and 8 + 10 = 18, so each has half of 0.1 * 368 = 37.
    assert erk([(3, 3, 4, 8), (8, 10)], 0.1) == [19, 18]


@pytest.mark.parametrize("name", DISTRIBUTIONS.names())
def test_every_distribution_refuses_percentages_and_gives_all_or_nothing_at_the_ends(name):
    distribution = DISTRIBUTIONS.get(name)
    with pytest.raises(ValueError, match="a fraction and not a percentage; received 90"):
        distribution([(3, 4)], 90)
    assert np.sum(distribution([(3, 4), (2,)], 1.0)) == 14
    assert np.sum(distribution([(3, 4), (2,)], 0.0)) == 0


@given(SHAPES, DENSITIES)
def test_er_is_exact_in_total_and_erk_for_matrices(shapes, density):
    sizes = [math.prod(shape) for shape in shapes]
    counts = er(shapes, density)
    assert sum(counts) == round(density * sum(sizes))
    assert all(0 <= count <= size for count, size in zip(counts, sizes, strict=True))
    matrices = [(shape[0], shape[-1]) for shape in shapes]
    assert er(matrices, density) == erk(matrices, density)


def test_er_of_a_convolution_by_hand_counts_channels_alone():
    # Densities are in proportion to 12/32 and 18/80, so shares to 9 * 12 = 108 and 18: of 37, 31.7 and 5.3.
    assert er([(3, 3, 4, 8), (8, 10)], 0.1) == [32, 5]


def test_one_threshold_for_all_has_one_count():
    assert all_together([(3, 3, 4, 8), (8, 10)], 0.1) == 37


def test_counts_of_a_model_are_its_active_weights_or_all():
    inputs = keras.Input((6,))
    hidden = MaskedDense(10, density=0.5, mask_seed=0, name="masked")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, name="stock")(hidden))
    assert kernel_counts(model) == {"masked": 30, "stock": 30}
