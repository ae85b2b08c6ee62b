import itertools

import matplotlib.colors
import numpy as np
import pytest

from keras_sparseflow.analysis.figures.drawing.colours import ARM_STYLES, INK, ON_DARK, line_styles, p_colour

PAPER = ("NR", "DA", "L2", "SC", "BN", "DA_BN", "L2_BN", "SC_BN", "DA_SC_BN", "DA_L2_SC_BN")


def _luminance(colour):
    """Relative luminance in [0, 1], as in the Web Content Accessibility Guidelines."""
    channels = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _contrast(one, other):
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("names", [PAPER, [f"layer_{i}" for i in range(64)], ["relu", "swish", "BN"]])
def test_every_line_looks_different(names):
    styles = line_styles(names)
    assert list(styles) == list(names)
    looks = [
        (style["color"], style["marker"], str(style["linestyle"]), style["fillstyle"]) for style in styles.values()
    ]
    assert len(set(looks)) == len(names)


def test_papers_variants_differ_without_colour():
    looks = [(s["marker"], str(s["linestyle"]), s["fillstyle"]) for s in line_styles(PAPER).values()]
    assert len(set(looks)) == len(PAPER)


def test_batch_norm_alone_changes_dash_and_filling_and_keeps_colour_and_marker():
    styles = line_styles(PAPER)
    for without, with_norm in (("NR", "BN"), ("DA", "DA_BN"), ("L2", "L2_BN"), ("SC", "SC_BN")):
        assert styles[without]["color"] == styles[with_norm]["color"]
        assert styles[without]["marker"] == styles[with_norm]["marker"]
        assert styles[without]["linestyle"] != styles[with_norm]["linestyle"] == "-"
        assert (styles[without]["fillstyle"], styles[with_norm]["fillstyle"]) == ("none", "full")


def test_a_variant_looks_the_same_whatever_stands_beside_it():
    assert line_styles(["L2_BN"])["L2_BN"] == line_styles(PAPER)["L2_BN"]


def test_every_colour_of_a_figure_has_one_for_dark_pages_and_all_differ():
    drawn = {style["color"] for style in (*line_styles([str(i) for i in range(8)]).values(), *ARM_STYLES.values())}
    assert drawn | {INK} <= set(ON_DARK)
    assert len(set(ON_DARK.values())) == len(ON_DARK)


@pytest.mark.parametrize("colour", sorted({s["color"] for s in line_styles(PAPER).values()}))
def test_lines_show_on_white_and_on_dark(colour):
    assert _contrast(colour, "#ffffff") > 2
    assert _contrast(ON_DARK[colour], "#15181b") > 4.5


def test_p_values_go_from_blue_over_white_to_orange():
    assert [p_colour(p) for p in (0.0, 0.5, 1.0, np.nan)] == ["#62a8de", "#f5f3ee", "#f09648", "transparent"]
    # Blue against red and green tells the ends apart for those too who confuse red and green.
    blueness = [blue - red for red, _, blue in (matplotlib.colors.to_rgb(p_colour(p)) for p in np.linspace(0, 1, 21))]
    assert all(one > other for one, other in itertools.pairwise(blueness)) and blueness[0] > 0.4 > -0.4 > blueness[-1]
    assert all(_contrast(p_colour(p), "#16191c") > 4.5 for p in np.linspace(0, 1, 21))


@pytest.mark.parametrize("p_value", [-0.1, 1.5, np.inf])
def test_what_is_no_p_value_is_refused(p_value):
    with pytest.raises(ValueError, match=r"`p_value` must be in \[0, 1\] or NaN; received"):
        p_colour(p_value)
