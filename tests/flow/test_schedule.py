"""Measured epochs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.flow import measured_epochs


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (1000, [0, 99, 199, 299, 399, 499, 599, 699, 799, 899, 999]),
        (500, [0, 49, 99, 149, 199, 249, 299, 349, 399, 449, 499]),
        (11, list(range(11))),
        (4, [0, 1, 2, 3]),
        (1, [0]),
        (30, [0, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29]),
    ],
)
def test_schedule_of_the_paper(epochs, expected):
    assert measured_epochs(epochs) == expected


def test_other_counts():
    assert measured_epochs(100, 0) == [] and measured_epochs(100, 1) == [99] and measured_epochs(100, 2) == [0, 99]
    assert measured_epochs(100, 3) == [0, 49, 99]


@given(st.integers(1, 3000), st.integers(2, 50))
def test_first_and_last_are_measured_and_count_is_kept(epochs, count):
    chosen = measured_epochs(epochs, count)
    assert chosen[0] == 0 and chosen[-1] == epochs - 1
    assert chosen == sorted(set(chosen))
    assert len(chosen) <= min(epochs, count)
    if epochs >= 2 * count:
        assert len(chosen) == count


@pytest.mark.parametrize(
    ("epochs", "count", "wrong"), [(0, 11, "`epochs`.*received 0"), (5, -1, "`count`.*received -1")]
)
def test_impossible_numbers_are_refused(epochs, count, wrong):
    with pytest.raises(ValueError, match=wrong):
        measured_epochs(epochs, count)
