"""Values as bytes: they come back to the bit, smaller where signs and exponents repeat."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from keras_sparseflow.twins import value_codes

TYPES = ["float32", "float16", "float64", "int32", "uint8", "bool", ml_dtypes.bfloat16]


def back(values):
    return value_codes.decode(*value_codes.encode(values), values.size, values.dtype.name)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("count", [0, 1, 1000])
def test_values_of_every_type_come_back(dtype, count):
    values = np.random.default_rng(0).normal(size=count).astype(dtype)
    assert back(values).dtype == values.dtype and back(values).tobytes() == values.tobytes()


@given(arrays.arrays(np.float32, (5,)))
def test_values_come_back_to_the_bit_nan_and_negative_zero_too(values):
    assert back(values).tobytes() == values.tobytes()


def test_weights_take_less_than_their_bytes_and_noise_not_more():
    generator = np.random.default_rng(0)
    weights, noise = generator.normal(size=50_000).astype("f"), generator.bytes(200_000)
    assert len(value_codes.encode(weights)[1]) < 0.93 * 200_000
    assert value_codes.encode(np.frombuffer(noise, np.float32)) == ("raw", noise)


def test_planes_by_hand():
    import zlib

    planes = zlib.compress(bytes([1, 3, 2, 4]))
    np.testing.assert_array_equal(value_codes.decode("planes+deflate", planes, 2, "uint16"), [0x0201, 0x0403])


@pytest.mark.parametrize(
    ("code", "content", "message"),
    [("raw", b"123", "3 bytes are not 1 values of 4"), ("planes+deflate", b"x", "cannot be inflated"),
     ("lzma", b"", "Unknown code of values: 'lzma'")],
)  # fmt: skip
def test_bytes_that_are_no_values_are_refused(code, content, message):
    with pytest.raises(ValueError, match=message):
        value_codes.decode(code, content, 1, "float32")
