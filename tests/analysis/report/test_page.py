"""A page from made-up sections, and figures that stand in it."""

import re
from importlib import resources

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from keras_sparseflow.analysis.figures.drawing.colours import p_colour
from keras_sparseflow.analysis.figures.gallery import Drawing
from keras_sparseflow.analysis.report.made_sections import MadeSection
from keras_sparseflow.analysis.report.page import render
from keras_sparseflow.analysis.report.section import GROUPS, Content
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Table
from tests.analysis.pages import Page


def _luminance(colour):
    """Returns the relative luminance of WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@given(st.floats(0, 1))
def test_text_is_legible_on_every_colour_of_a_p_value(p_value):
    css = resources.files("keras_sparseflow.analysis.report").joinpath("templates", "report.css").read_text()
    (ink,) = re.findall(r"td\.filled[^{]*\{ color: (#\w+);", css)
    assert (_luminance(p_colour(p_value)) + 0.05) / (_luminance(ink) + 0.05) > 6


SHOWN = {
    "title": "A <b>", "name": "made_up", "created": "2026-01-02 03:04:05", "networks": "2 networks", "reproduces": "",
    "preset": "", "changes": 0, "answer": ["First & <i>.", "Second."], "warnings": ["One <u>.", "Two."],
}  # fmt: skip


def _section(*blocks, id="one", group="answer", **content):
    return MadeSection(id, group, f"Heading <{id}>", Content(blocks, **content))


def _table(**changes):
    rows = [
        [Cell("adam <x>"), Cell("0.012", "paper 0.031", True, "#63be7b", 0.0123, "pairs a.csv"), Cell("NR, EGF")],
        [Cell("sgd"), Cell("\N{EN DASH}", sort=float("nan")), Cell("text")],
    ]
    columns = [Column("", text=True), Column("p"), Column("words", text=True)]
    return Table(**{"label": "table-1", "caption": "", "columns": columns, "rows": rows, **changes})


def _rendered(*sections, **shown):
    return render({**SHOWN, **shown}, sections, None, files=False)


def test_the_first_screen_is_the_answer_and_the_warnings():
    page = Page(_rendered())
    assert page.text("h1") == "A <b>"
    assert page.text("section", id="answer") == "First & <i>. Second."
    assert [text for _, text in page.find("li")] == ["One <u>.", "Two."] and not page.find("h2")
    assert not Page(_rendered(warnings=[])).find("section", id="warnings")


def test_sections_stand_in_their_groups_and_groups_without_any_are_left_out():
    sections = [_section("a", id="a", group="made"), _section("b", id="b"), _section("c", id="c", group="made")]
    page = Page(_rendered(*sections))
    assert [text for _, text in page.find("h2")] == [GROUPS["answer"], GROUPS["made"]]
    assert page.sections == ["b", "a", "c"]
    assert [text for _, text in page.find("h3")] == ["Heading <b>", "Heading <a>", "Heading <c>"]
    assert [link for link in page.links if link != "#top"] == ["#b", "#a", "#c"]


def test_a_table_keeps_numbers_notes_links_and_colours():
    page = Page(_rendered(_section(_table(heading="Head"), "A paragraph & more.", before="Small.")))
    assert page.find("table", id="table-1", class_="sortable") and page.text("h4") == "Head"
    (first, text), (missing, dash) = page.find("td")[0], page.find("td")[2]
    assert float(first["data-sort"]) == 0.0123 and text == "0.012 paper 0.031"
    assert {"bold", "filled"} <= set(first["class"].split()) and "#63be7b" in first["style"]
    assert missing["data-sort"] == "" and dash == "\N{EN DASH}"
    assert "data-sort" not in page.find("td")[1][0], "words sort as text"
    assert page.links[-1] == "report/pairs%20a.csv" and page.find("th", scope="row")[0][1] == "adam <x>"
    assert [text for _, text in page.find("p", class_="quiet")][1] == "Small."
    assert "A paragraph & more." in [text for _, text in page.find("p")]


def test_the_columns_that_name_a_row_are_heads_of_it():
    for held in (1, 2):
        page = Page(_rendered(_section(_table(held=held))))
        assert len(page.find("th", scope="row")) == 2 * held and len(page.find("td")) == 2 * (3 - held)
        assert len(page.find("th", class_="held")) == 3 * held


def test_groups_of_columns_have_a_row_of_their_own():
    columns = [Column(""), Column("x", group="sparse"), Column("y", group="sparse")]
    page = Page(_rendered(_section(_table(columns=columns))))
    assert [(attrs["colspan"], text) for attrs, text in page.find("th", scope="colgroup")] == [
        ("1", ""),
        ("2", "sparse"),
    ]
    assert not Page(_rendered(_section(_table()))).find("tr", class_="groups")


def test_files_of_a_section_are_named():
    frame = pd.DataFrame()
    content = {"files": {"numbers": frame, "pairs_a": frame}}
    page = Page(_rendered(_section(_table(file="printed"), _table(label="t2", file="printed"), **content)))
    assert [link for link in page.links if link.startswith("report/")][-3:] == [
        "report/numbers.csv", "report/printed.md", "report/printed.tex"
    ]  # fmt: skip


def test_the_legend_explains_the_abbreviations_of_the_page():
    page = Page(_rendered(_section(_table())))
    assert [text for _, text in page.find("dt")] == ["NR", "EGF"]
    assert {text for _, text in page.find("abbr")} >= {"NR", "EGF"}
    assert not Page(_rendered()).find("section", id="legend")


@pytest.mark.parametrize("place", ["heading", "column", "group", "note", "before", "paragraph", "title", "section"])
def test_the_legend_has_the_abbreviations_of_every_text(place):
    text = "corrected by Holm"
    drawing = Drawing("name", text if place == "title" else "", "", Figure(figsize=(1, 1)))
    table = _table(
        heading=text if place == "heading" else "",
        columns=[Column(text if place == "column" else "", group=text if place == "group" else "")],
        rows=[[Cell("", note=text if place == "note" else "")]],
    )
    blocks = [table, drawing, text if place == "paragraph" else ""]
    content = Content(blocks, before=text if place == "before" else "")
    page = Page(_rendered(MadeSection("one", "answer", text if place == "section" else "", content)))
    assert [text for _, text in page.find("dt")] == ["Holm"] == [text for _, text in page.find("abbr")]
