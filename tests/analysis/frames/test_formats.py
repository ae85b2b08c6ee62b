import numpy as np
import pytest

from keras_sparseflow.analysis.frames.formats import format_fixed, format_large, format_number, format_p, format_signed

MINUS, DASH, TIMES = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"


@pytest.mark.parametrize(
    ("p_value", "text"),
    [(0.0, "<0.001"), (0.00049, "<0.001"), (0.0005, "0.001"), (0.25, "0.250"), (np.nan, DASH), (1, "1.000")],
)
def test_p_values_are_printed_as_in_the_paper(p_value, text):
    assert format_p(p_value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (-2.0, MINUS + "2"),
        (np.nan, DASH),
        (None, DASH),
        (np.inf, "infinity"),
        (-np.inf, MINUS + "infinity"),
    ],
)
def test_numbers(value, text):
    assert format_number(value) == text


def test_columns_of_numbers_line_up():
    assert [format_fixed(v) for v in (0.9, 0.95, np.nan, -1)] == ["0.9000", "0.9500", DASH, MINUS + "1.0000"]
    assert [format_signed(v, 2) for v in (0.5, -0.5, np.inf, np.nan)] == ["+0.50", MINUS + "0.50", "infinity", DASH]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (31765568, "31,765,568"), (999_999_999, "999,999,999"), (2.5e9, f"2.50 {TIMES} 10⁹"), (np.nan, DASH)],
)
def test_counts_are_in_full_until_they_are_long(count, text):
    assert format_large(count) == text
