"""Tables of a report: one object, shown on a page, in Markdown and in LaTeX."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Cell:
    """One place of a table.

    Attributes:
        text: as a reader sees it.
        note: a second, smaller line; in print it follows in parentheses.
        bold: whether it stands out.
        colour: a colour to lay under it, such as "#ffeb84", or "".
        sort: the number that the cell is sorted by on a page; None for text, NaN where there is none.
        link: where its text leads to on a page, or "".
    """

    text: str
    note: str = ""
    bold: bool = False
    colour: str = ""
    sort: float | None = None
    link: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: what stands above it.
        text: whether it holds words, which stand at the left, instead of numbers.
        group: a title over neighbouring columns of the same group, or "".
    """

    heading: str
    text: bool = False
    group: str = ""


@dataclass(frozen=True)
class Table:
    """A table as it is shown and printed.

    Attributes:
        label: names it in a file and on a page: letters, digits and dashes.
        caption: what it shows, in sentences.
        columns: its columns; the first ones hold the names of rows.
        rows: a `Cell` for each column.
        file: the name of the Markdown and LaTeX file that it is printed in, or "" for the page alone.
        heading: above the table on a page; "" where its section has but one.
        held: how many of the first columns name a row: they stay where they are while the others scroll.
    """

    label: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    file: str = ""
    heading: str = ""
    held: int = 1

    def __post_init__(self) -> None:
        columns = len(self.columns)
        wrong = next((len(row) for row in self.rows if len(row) != columns), None)
        if wrong is not None:
            raise ValueError(f"`rows` must have a cell for each of {columns} columns; received rows of {wrong}.")


@dataclass(frozen=True)
class Shown:
    """A column of a frame as a table shows it.

    Attributes:
        key: the frame's column.
        heading: what stands above it.
        form: returns a value as text.
        bold: returns whether a row's cell stands out; None where none does.
        note: returns the second line of a row's cell; None where there is none.
        text: whether it holds words.
        group: see `Column`.

    Example:
        >>> Shown("p_holm", "p, Holm", "{:.3f}".format).form(0.01234)
        '0.012'
    """

    key: str
    heading: str
    form: Callable[[Any], str] = str
    bold: Callable[[Any], bool] | None = None
    note: Callable[[Any], str] | None = None
    text: bool = False
    group: str = ""


def table_of(
    frame: pd.DataFrame,
    shown: Sequence[Shown],
    label: str,
    caption: str,
    file: str = "",
    heading: str = "",
    held: int = 1,
) -> Table:
    """Returns a table with a row for each row of a frame.

    Args:
        frame: the numbers, in full precision.
        shown: the columns to show, in order.
        label: see `Table`.
        caption: what it shows, in sentences.
        file: the name of the file that it is printed in, or "" for the page alone.
        heading: above the table on a page.
        held: number of first columns that stay in sight while the others scroll.

    Example:
        >>> made = table_of(pd.DataFrame({"n": [2]}), [Shown("n", "pairs")], "pairs", "How many.")
        >>> made.rows[0][0].text, made.rows[0][0].sort
        ('2', 2.0)
    """
    rows = [[_cell(row, column) for column in shown] for row in frame.to_dict("records")]
    return Table(label, caption, [Column(c.heading, c.text, c.group) for c in shown], rows, file, heading, held)


def _cell(row: dict[Any, Any], shown: Shown) -> Cell:
    value = row[shown.key]
    sort = None if shown.text else float(value)
    note = shown.note(row) if shown.note else ""
    return Cell(shown.form(value), note, bool(shown.bold and shown.bold(row)), sort=sort)
