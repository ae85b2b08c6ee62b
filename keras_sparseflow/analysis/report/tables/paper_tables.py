"""Tables for a paper, as Markdown and as LaTeX."""

import re
from collections.abc import Sequence

import pandas as pd

from keras_sparseflow.analysis.report.tables.table import Cell, Table

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"\textbar{}",
    "[": "{[}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\N{EN DASH}": "--",
    "\N{MINUS SIGN}": "$-$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
}
_LATEX_HEAD = "% Needs \\usepackage{booktabs} and \\usepackage[table]{xcolor}.\n"


def markdown(tables: Sequence[Table]) -> str:
    """Returns tables as GitHub-flavoured Markdown: a caption above each."""
    return "\n".join(_markdown(table) for table in tables)


def latex(tables: Sequence[Table]) -> str:
    """Returns tables as LaTeX `table` environments with the rules of booktabs and coloured cells."""
    return _LATEX_HEAD + "".join("\n" + _latex(table) for table in tables)


def escape_latex(text: str) -> str:
    r"""Returns plain text as LaTeX prints it.

    Example:
        >>> escape_latex("L2_BN & 5%")
        'L2\\_BN \\& 5\\%'
    """
    return "".join(_LATEX.get(letter, letter) for letter in text)


def escape_markdown(text: str) -> str:
    r"""Returns plain text as Markdown prints it, in a cell of a table too.

    Example:
        >>> escape_markdown("a|b <0.05")
        'a\\|b \\<0.05'
    """
    text = re.sub(r"([\\|*`<\[\]])", r"\\\1", text)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\_", text)


def _printed(cell: Cell) -> str:
    return f"{cell.text} ({cell.note})" if cell.note else cell.text


def _markdown(table: Table) -> str:
    header = [escape_markdown(f"{column.group} {column.heading}".strip()) for column in table.columns]
    rule = ["---" if column.text else "---:" for column in table.columns]
    lines = [header, rule, *([_markdown_cell(cell) for cell in row] for row in table.rows)]
    shown = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{escape_markdown(table.caption)}\n\n{shown}\n"


def _markdown_cell(cell: Cell) -> str:
    text = escape_markdown(_printed(cell))
    return f"**{text}**" if cell.bold else text


def _latex(table: Table) -> str:
    headings = [escape_latex(column.heading) for column in table.columns]
    groups = [escape_latex(column.group) for column in table.columns]
    places = range(len(headings))  # headings may occur twice
    columns = pd.MultiIndex.from_arrays([groups, places]) if any(groups) else pd.RangeIndex(len(headings))
    texts = pd.DataFrame([[escape_latex(_printed(cell)) for cell in row] for row in table.rows], columns=columns)
    styles = pd.DataFrame([[_style(cell) for cell in row] for row in table.rows], columns=columns)
    styler = texts.style.hide(axis="index").apply(lambda _: styles, axis=None)
    styler.format_index(lambda place: headings[int(str(place))], axis="columns", level=columns.nlevels - 1)
    return str(
        styler.to_latex(
            caption=escape_latex(table.caption),
            label=f"tab:{table.label}",
            column_format="".join("l" if column.text else "r" for column in table.columns),
            position="tbp",
            position_float="centering",
            hrules=True,
            multicol_align="c",
            convert_css=True,
        )
    )


def _style(cell: Cell) -> str:
    bold = "font-weight: bold;" if cell.bold else ""
    return bold + (f"background-color: {cell.colour};" if cell.colour else "")
