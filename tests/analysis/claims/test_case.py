import numpy as np
import pytest

from keras_sparseflow.analysis.claims.case import HIGHER, LOWER, Case, Scale

MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
PAIRS = np.arange(8.0)


@pytest.mark.parametrize(
    ("scale", "value", "difference"),
    [
        (Scale(), "0.5000", "+0.5000"),
        (Scale(decimals=None), "0.5", "+0.5"),
        (Scale(ratio=True), "1.649", f"{TIMES} 1.649"),
    ],
)
def test_a_scale_says_how_values_are_printed(scale, value, difference):
    assert (scale.value(0.5), scale.difference(0.5)) == (value, difference)


def test_no_minus_stands_before_a_zero():
    assert Scale().difference(-1e-9) == "+0.0000"


def test_a_difference_is_shown_as_the_first_side_minus_the_second_whatever_is_claimed():
    first, second = 0.5 - PAIRS / 100, np.full(8, 0.6)
    for claimed, better in ((LOWER, 1), (HIGHER, -1)):
        case = Case("", first, second, claimed, Scale(), ("with", "without"))
        test = case.test()
        assert np.sign(test.difference) == better
        assert case.show(test.difference) == f"{MINUS}0.1350"
        assert case.numbers(test) == "with 0.4650, without 0.6000; difference -0.1350 [-0.1600, -0.1100]".replace(
            "-", MINUS
        )


def test_numbers_of_few_pairs_have_no_interval_and_infinite_ones_no_mean():
    case = Case("", np.array([0.5, 0.4]), np.array([0.4, -np.inf]), HIGHER, Scale(), ("with", "without"), note="more")
    assert case.numbers(case.test()) == "with 0.4500, without -infinity; difference infinity; more".replace("-", MINUS)
