"""Tables as objects: made from frames, a cell for each column."""

import math
import re

import pandas as pd
import pytest

from keras_sparseflow.analysis.frames.formats import format_p
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Shown, Table, table_of


def test_a_frame_becomes_rows_of_texts_that_keep_their_numbers():
    frame = pd.DataFrame({"cell": ["NR", "BN"], "p": [0.0123456, math.nan], "n": [15, 0]})
    shown = [
        Shown("cell", "cell", text=True),
        Shown("p", "p", format_p, bold=lambda row: row["p"] < 0.05, group="test"),
        Shown("n", "pairs", "{:g}".format, note=lambda row: "" if row["n"] else "none"),
    ]
    table = table_of(frame, shown, "tests", "Tests.", file="tests", heading="All")
    assert (table.label, table.caption, table.file, table.heading) == ("tests", "Tests.", "tests", "All")
    assert table.columns == [Column("cell", text=True), Column("p", group="test"), Column("pairs")]
    first, second = table.rows
    assert first == [Cell("NR"), Cell("0.012", bold=True, sort=0.0123456), Cell("15", sort=15)]
    assert second[1].text == "\N{EN DASH}" and math.isnan(second[1].sort) and not second[1].bold
    assert second[2] == Cell("0", "none", sort=0)


def test_rows_of_another_length_are_refused():
    message = re.escape("`rows` must have a cell for each of 2 columns; received rows of 1.")
    with pytest.raises(ValueError, match=message):
        Table("t", "", [Column("a"), Column("b")], [[Cell("1"), Cell("2")], [Cell("1")]])
