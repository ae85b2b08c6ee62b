"""Capacity matching against the published counts."""

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.studies.comparisons import default_max_width, dense_widths, match_capacity


@pytest.mark.parametrize(
    ("classes", "hidden_layers", "dense_width", "published"),
    [(10, 1, 308, 949_256), (100, 4, 2768, 31_765_568)],
)
def test_published_counts_of_active_weights(classes, hidden_layers, dense_width, published):
    kernels = match_capacity(3072, classes, hidden_layers, dense_width, default_max_width(3072))
    assert sum(kernel.active for kernel in kernels) == published


def test_published_widths():
    assert dense_widths(default_max_width(3072)) == [308, 923, 1538, 2153, 2768]
    assert dense_widths(default_max_width(784)) == [79, 236, 394, 552, 709]


def test_shapes_counts_and_densities_by_hand():
    first, hidden, last = match_capacity(inputs=6, classes=3, hidden_layers=2, dense_width=4, max_width=10)
    assert (first.dense_shape, first.sparse_shape, first.active) == ((6, 4), (6, 10), 24)
    assert (hidden.dense_shape, hidden.sparse_shape, hidden.active) == ((4, 4), (10, 10), 16)
    assert (last.dense_shape, last.sparse_shape, last.active) == ((4, 3), (10, 3), 12)
    assert [k.density for k in (first, hidden, last)] == [0.4, 0.16, 0.4]
    assert [k.active_fan_in for k in (first, hidden, last)] == [2.4, 1.6, 4.0]


@given(st.integers(1, 300), st.integers(1, 50), st.integers(1, 5), st.integers(1, 200), st.integers(0, 200))
def test_both_arms_have_the_same_active_weights_in_every_kernel(inputs, classes, layers, width, extra):
    kernels = match_capacity(inputs, classes, layers, width, width + extra)
    assert len(kernels) == layers + 1
    for kernel in kernels:
        assert kernel.active == prod(kernel.dense_shape) <= prod(kernel.sparse_shape)
        assert round(kernel.density * prod(kernel.sparse_shape)) == kernel.active


def test_an_infeasible_pair_is_refused_with_both_counts():
    with pytest.raises(ValueError, match=r"width 11 has 99 active weights.*width 10 has room for 90"):
        match_capacity(inputs=6, classes=3, hidden_layers=1, dense_width=11, max_width=10)


@pytest.mark.parametrize(("layers", "width"), [(0, 4), (1, 0)])
def test_numbers_below_one_are_refused(layers, width):
    with pytest.raises(ValueError, match="at least 1; received 0"):
        match_capacity(6, 3, layers, width, 10)


@pytest.mark.parametrize("fractions", [(0.5, 90), (0,), (0.5, 0.5)])
def test_bad_fractions_are_refused(fractions):
    with pytest.raises(ValueError, match="`fractions`.*received"):
        dense_widths(100, fractions)
