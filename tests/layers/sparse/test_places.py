"""Places of active weights, against the matrix itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.layers.mask.arrays import random_mask
from keras_sparseflow.layers.sparse.places import Places, check_indices, indices_of, moved

SIZES = st.tuples(st.integers(1, 7), st.integers(1, 7), st.floats(0, 1), st.integers(0, 1000))


@given(SIZES)
def test_both_orders_name_the_entries_of_the_mask(sizes):
    inputs, units, share, seed = sizes
    mask = random_mask((inputs, units), round(share * inputs * units), seed)
    places = Places(indices_of(mask), inputs, units)
    rows, columns = np.nonzero(mask)
    assert places.columns.tolist() == columns.tolist()
    assert [int(n) for n in np.diff(places.starts)] == mask.sum(1).tolist()
    assert [int(n) for n in np.diff(places.unit_starts)] == mask.sum(0).tolist()
    by_units = [(int(r), int(columns[o])) for r, o in zip(places.rows, places.order, strict=True)]
    assert by_units == sorted(zip(rows.tolist(), columns.tolist(), strict=True), key=lambda place: place[::-1])


@given(SIZES)
def test_weights_that_stay_keep_their_values_and_new_ones_get_the_first(sizes):
    inputs, units, share, seed = sizes
    count = round(share * inputs * units)
    before, after = (random_mask((inputs, units), count, s) for s in (seed, seed + 1))
    dense = np.random.default_rng(seed).normal(size=before.shape)
    found = moved(dense[before], indices_of(before), indices_of(after), 7.0)
    assert np.array_equal(found, np.where(before, dense, 7.0)[after])


@pytest.mark.parametrize("indices", [[0, 2], [0, 2, 2], [2, 1, 3], [-1, 0, 1], [1, 2, 6]])
def test_places_that_are_none_of_the_kernel_are_refused(indices):
    with pytest.raises(ValueError, match="`indices` must be 3 ascending places below 6; received"):
        check_indices(indices, (2, 3), 3)
