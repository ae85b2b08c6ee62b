"""Masks as bytes: every code gives the mask back, the smallest is taken, damage is noticed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.layers.mask.arrays import random_mask
from keras_sparseflow.twins import mask_codes

CODES = ["bits", "gaps8", "gaps16"]


@given(st.lists(st.booleans(), max_size=60))
def test_a_mask_comes_back(entries):
    mask = np.array(entries, bool)
    np.testing.assert_array_equal(mask_codes.decode(*mask_codes.encode(mask), mask.size), mask)


@pytest.mark.parametrize("place", [0, 254, 255, 256, 509, 510, 511, 65534, 65535, 65536, 131072])
def test_gaps_longer_than_a_byte_or_two_come_back(place):
    mask = np.zeros(131073, bool)
    mask[[place, 131072]] = True
    code, content = mask_codes.encode(mask)
    assert code.startswith("gaps") and len(content) < 40
    np.testing.assert_array_equal(mask_codes.decode(code, content, mask.size), mask)


def test_bytes_by_hand():
    mask = np.zeros(600, bool)
    mask[[0, 2, 3, 300]] = True
    gaps = bytes([0, 1, 0, 255, 296 - 255])
    np.testing.assert_array_equal(mask_codes.decode("gaps8", gaps, 600), mask)
    np.testing.assert_array_equal(mask_codes.decode("gaps16", b"\0\0\1\0\0\0\x28\1", 600), mask)
    np.testing.assert_array_equal(mask_codes.decode("bits", b"\xb0" + bytes(36) + b"\x08" + bytes(37), 600), mask)
    assert len(mask_codes.encode(mask)[1]) == 5 and mask_codes.encode(mask)[0] == "gaps8"


@pytest.mark.parametrize(("density", "bits"), [(0.5, 1.001), (0.1, 0.48), (0.01, 0.083), (0.001, 0.014)])
def test_size_comes_near_the_entropy_of_the_mask(density, bits):
    """Binary entropy: 1, 0.469, 0.081 and 0.011 bits an entry."""
    mask = random_mask((400_000,), round(density * 400_000), seed=0)
    assert 8 * len(mask_codes.encode(mask)[1]) / mask.size < bits


def test_all_active_takes_no_bytes_and_none_active_next_to_none():
    assert mask_codes.encode(np.ones(10_000, bool)) == ("full", b"")
    assert len(mask_codes.encode(np.zeros(10_000, bool))[1]) == 0


def test_a_mask_of_whole_rows_takes_next_to_nothing():
    mask = np.repeat(random_mask((500,), 50, seed=0), 800)
    assert len(mask_codes.encode(mask)[1]) < 500


@pytest.mark.parametrize(
    ("code", "content"),
    [("bits", b"123"), ("gaps8", bytes([9, 0])), ("gaps16", b"123"), ("full", b"1"), ("bits+deflate", b"nonsense")],
)
def test_bytes_that_are_no_mask_are_refused(code, content):
    with pytest.raises(ValueError, match=r"mask|gaps"):
        mask_codes.decode(code, content, 10)


def test_an_unknown_code_is_refused():
    with pytest.raises(ValueError, match="Unknown code of a mask: 'runs'"):
        mask_codes.decode("runs", b"", 3)
