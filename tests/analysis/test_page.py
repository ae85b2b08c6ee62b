import re
from importlib import resources
from xml.etree import ElementTree

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.analysis.colours import ON_DARK, p_colour
from keras_sparseflow.analysis.figures import accuracy_by_width, flow_by_width, p_value_heatmap, variants_by_width
from keras_sparseflow.analysis.report.page import inline_svg
from keras_sparseflow.analysis.report.tables import tabulate


def _luminance(colour):
    """Returns the relative luminance of WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@given(st.floats(0, 1))
def test_text_is_legible_on_every_colour_of_a_p_value(p_value):
    css = resources.files("keras_sparseflow.analysis.report").joinpath("templates", "report.css").read_text()
    (ink,) = re.findall(r"td\.cell a \{ color: (#\w+);", css)
    assert (_luminance(p_colour(p_value)) + 0.05) / (_luminance(ink) + 0.05) > 6


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
    for colour in ("1f2429", "d5d9de", "0072b2", "d55e00"):
        assert f"var(--c{colour})" in text and f"var(--c{colour})" in text
    assert not re.search(r"#(1f2429|d5d9de|0072b2|d55e00|000000|ffffff)", text)
    assert "<metadata" not in text


def test_every_colour_of_a_line_follows_the_theme(make_results):
    variants = ("NR", "DA", "L2", "SC", "BN", "DA_BN", "L2_BN", "SC_BN", "DA_SC_BN", "DA_L2_SC_BN")
    text = str(inline_svg(variants_by_width(make_results(("adam",), variants, widths=(7, 20))), "f", "title"))
    used = set(re.findall(r"var\(--c([0-9a-f]{6})\)", text))
    assert len(used) >= 7 and {f"#{colour}" for colour in used} <= set(ON_DARK)
    assert not re.findall(r"(?:fill|stroke):#", text)


def test_text_of_a_figure_is_text(make_results):
    text = str(inline_svg(accuracy_by_width(make_results(widths=(7, 20))), "f", "title"))
    words = [
        "".join(element.itertext()) for element in ElementTree.fromstring(text).iter() if element.tag.endswith("text")
    ]
    assert {"adam, NR", "Dense width (units)", "Test accuracy (fraction)", "sparse", "dense"} <= set(words)
    assert "font-family" not in text


def test_cells_of_the_heat_map_keep_their_colours(make_results):
    results = make_results(widths=(7, 20))
    text = str(inline_svg(p_value_heatmap(tabulate(results)), "f", "title"))
    assert len(re.findall(r"fill:#[0-9a-f]{6}", text)) >= 3
