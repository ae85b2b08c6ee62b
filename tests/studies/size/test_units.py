"""Numbers and times in words."""

import pytest
from keras_sparseflow.studies.size.units import cost_line, duration, short

from keras_sparseflow.studies.size.cost import Cost


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (7, "7"), (999, "999"), (999.7, "1 k"), (1000, "1 k"), (1234, "1.23 k"), (949_256, "949 k"),
     (999_999, "1 M"), (31_765_568, "31.8 M"), (2.04e17, "204 P"), (3.26e19, "32.6 E"), (5e24, "5e+03 Z")],
)  # fmt: skip
def test_numbers_have_three_digits_and_a_prefix(number, text):
    assert short(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (9.96, "10 s"), (59, "59 s"), (60, "1 min"), (90, "1.5 min"), (3599, "60 min"), (3600, "1 h"),
     (86_400, "1 d"), (34 * 86_400, "34 d"), (364 * 86_400, "364 d"), (15 * 365 * 86_400, "15 y")],
)  # fmt: skip
def test_times_have_the_unit_that_suits_them(seconds, text):
    assert duration(seconds) == text


def test_a_cost_in_words():
    assert cost_line(Cost(1, 1500, 949_256, 9_480_000, 10**15, 10**14)) == (
        "1 network, 1.5 k gradient steps; 949 k active of 9.48 M stored weights; 1 PFLOP, of which active weights "
        "alone would need 100 TFLOP."
    )
