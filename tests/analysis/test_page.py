import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.analysis.figures import accuracy_by_width, flow_by_width
from keras_sparseflow.analysis.page import (
    format_fixed,
    format_number,
    format_p,
    format_signed,
    inline_svg,
    p_colour,
)

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


def _channels(colour):
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _luminance(colour):
    """Returns the relative luminance of WCAG 2."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in _channels(colour))]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_scale_goes_from_green_over_yellow_to_red():
    (green_r, green_g, _), (yellow_r, yellow_g, yellow_b), (red_r, red_g, _) = map(
        _channels, map(p_colour, (0, 0.5, 1))
    )
    assert green_g > green_r + 60
    assert min(yellow_r, yellow_g) > yellow_b + 60
    assert red_r > red_g + 60


@given(st.floats(0, 1))
def test_text_is_legible_on_every_colour(p_value):
    assert (_luminance(p_colour(p_value)) + 0.05) / (_luminance("#16191c") + 0.05) > 6


@given(st.floats(0, 0.999))
def test_scale_is_continuous(p_value):
    steps = np.abs(np.subtract(_channels(p_colour(p_value)), _channels(p_colour(p_value + 0.001))))
    assert steps.max() <= 2


def test_no_p_value_has_no_colour():
    assert p_colour(float("nan")) == "transparent"


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


def test_figures_stand_in_a_page_without_sharing_ids(make_results):
    results = make_results(widths=(7, 20))
    figures = accuracy_by_width(results), flow_by_width(results)
    texts = [str(inline_svg(figure, f"f{i}", "A <title> & more")) for i, figure in enumerate(figures)]
    ids = []
    for text in texts:
        root = ElementTree.fromstring(text)
        assert root.tag.endswith("svg")
        assert root.get("aria-label") == "A <title> & more"
        own = [element.get("id") for element in root.iter() if element.get("id")]
        used = re.findall(r'(?:href="#|url\(#)([^")]+)', text)
        assert used and set(used) <= set(own)
        ids += own
    assert len(ids) == len(set(ids))


def test_figures_take_their_colours_from_the_page(make_results):
    text = str(inline_svg(accuracy_by_width(make_results(widths=(7, 20))), "f", "title"))
    for name in ("ink", "faint", "sparse", "dense"):
        assert f"var(--{name})" in text
    assert not re.search(r"#(1f2429|d5d9de|0072b2|d55e00|000000|ffffff)", text)
    assert "<metadata" not in text
