import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from keras_sparseflow.analysis import against_size, figure_bytes, p_value_heatmap, tabulate
from keras_sparseflow.analysis.figures.drawing.colours import ON_DARK
from keras_sparseflow.analysis.figures.drawing.svg import page_markup


@pytest.fixture(scope="module", name="drawn")
def fixture_drawn(make_results):
    results = make_results(("adam",), ("NR", "BN"), widths=(7, 20), seeds=(0, 1))
    return results, against_size(results)


def _markup(figure):
    return str(page_markup(figure_bytes(figure), "f", "title"))


def _marks(svg, kind="curve"):
    root = ElementTree.fromstring(svg)
    return [element for element in root.iter() if element.get("class") == kind]


def test_lines_say_whose_they_are_and_what_is_at_their_places(drawn):
    results, figure = drawn
    (line,) = [
        mark for mark in _marks(figure_bytes(figure))
        if (mark.get("data-label"), mark.get("data-panel")) == ("BN", "adam, dense")
        and mark.get("data-x") == "7;20"
    ]  # fmt: skip
    runs = results.query("variant == 'BN' and arm == 'dense'")
    means = runs.groupby("dense_width")["test_accuracy"].mean()
    assert [float(value) for value in line.get("data-y").split(";")] == pytest.approx(list(means), rel=1e-4)
    places = re.findall(r"[ML]([\d.]+) ([\d.]+)", next(line.iter("{http://www.w3.org/2000/svg}path")).get("d"))
    assert len(places) == 2, "as many places as numbers"


def test_dots_say_which_run_they_are(drawn):
    results, figure = drawn
    told = [mark.get("data-runs").split(";") for mark in _marks(figure_bytes(figure)) if mark.get("data-runs")]
    assert sorted(name for names in told for name in names) == sorted(results["run_id"])


def test_marks_and_names_of_the_legend_can_be_found(drawn):
    keys = _marks(figure_bytes(drawn[1]), "key")
    assert [key.get("data-label") for key in keys] == ["NR", "NR", "BN", "BN"]


def test_numbers_that_are_read_keep_their_digits_and_places_are_rounded():
    figure = Figure(figsize=(2, 1))
    figure.text(0.1234567, 0.12345678, "p = 0.00012345 <!-- stays -->")
    text = figure_bytes(figure).decode()
    assert "p = 0.00012345 &lt;!-- stays --&gt;" in text
    assert not re.search(r' (?:x|y)="\d+\.\d{3,}"', text)


def test_markup_has_ids_of_its_own_and_leads_to_them(drawn):
    svg = figure_bytes(drawn[1])
    for prefix in ("a", "b"):
        text = str(page_markup(svg, prefix, "A <title> & more"))
        root = ElementTree.fromstring(text)
        own = {element.get("id") for element in root.iter() if element.get("id")}
        used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
        assert used and used <= own and all(name.startswith(f"{prefix}-") for name in own)
        assert (root.get("role"), root.get("aria-label")) == ("img", "A <title> & more")


def test_markup_takes_colours_and_lettering_from_the_page(drawn):
    text = str(page_markup(figure_bytes(drawn[1]), "f", "title"))
    assert "var(--c1f2429)" in text and "#1f2429" not in text
    assert "DejaVu" not in text and "<style" not in text and "<metadata" not in text


@pytest.mark.parametrize("inches", [3, 6, 10.4])
def test_a_figure_is_as_broad_as_its_page_and_its_letters_stay_legible(inches):
    style = ElementTree.fromstring(_markup(Figure(figsize=(inches, 1)))).get("style")
    width, *ends = re.fullmatch(r"width: (.*); min-width: (\d+)px; max-width: (\d+)px", style).groups()
    assert width == "100%" and [int(end) / (96 * inches) for end in ends] == pytest.approx([0.82, 1.4], abs=0.01)


def test_every_colour_of_a_line_follows_the_theme(make_results):
    variants = ("NR", "DA", "L2", "SC", "BN", "DA_BN", "L2_BN", "SC_BN", "DA_SC_BN", "DA_L2_SC_BN")
    text = str(_markup(against_size(make_results(("adam",), variants, widths=(7, 20)))))
    used = set(re.findall(r"var\(--c([0-9a-f]{6})\)", text))
    assert len(used) >= 7 and {f"#{colour}" for colour in used} <= set(ON_DARK)
    assert not re.findall(r"(?:fill|stroke): ?#", text)


def test_text_of_a_figure_is_text(make_results):
    text = str(_markup(against_size(make_results(widths=(7, 20)), lines="arm")))
    words = [
        "".join(element.itertext()) for element in ElementTree.fromstring(text).iter() if element.tag.endswith("text")
    ]
    assert {"adam, NR", "Dense width (units)", "Test accuracy (fraction)", "sparse", "dense"} <= set(words)
    assert "font-family" not in text


def test_cells_of_the_heat_map_keep_their_colours(make_results):
    results = make_results(widths=(7, 20))
    text = str(_markup(p_value_heatmap(tabulate(results))))
    assert len(re.findall(r"fill: #[0-9a-f]{6}", text)) >= 3
