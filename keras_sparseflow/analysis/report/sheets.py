"""Sheets: tables laid out for a paper, and printed as Markdown or LaTeX."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

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
_LATEX_HEAD = r"""% Needs \usepackage{booktabs}.
% To colour p-values, load \usepackage[table]{xcolor} and write before this file:
% \newcommand{\pcell}[2]{\cellcolor[HTML]{#1}#2}
\providecommand{\pcell}[2]{#2}
"""


@dataclass(frozen=True)
class Entry:
    """What stands in one place of a sheet.

    Attributes:
        text: as a reader sees it.
        bold: whether it stands out.
        colour: a colour to lay under it, such as "#ffeb84", or "".
    """

    text: str
    bold: bool = False
    colour: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table as it is printed.

    Attributes:
        label: names it in a file: letters, digits and dashes.
        caption: what it shows, in sentences.
        header: the names of the columns.
        rows: an `Entry` for each column.
        names: how many columns, from the left, hold names; the others hold numbers.
        groups: titles over the columns that hold numbers, each with how many it spans; none where empty.
    """

    label: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Entry]]
    names: int = 1
    groups: Sequence[tuple[str, int]] = ()

    def __post_init__(self) -> None:
        columns = len(self.header)
        wrong = next((len(row) for row in self.rows if len(row) != columns), None)
        if wrong is not None:
            raise ValueError(f"`rows` must have an entry for each of {columns} columns; received rows of {wrong}.")
        spanned = sum(span for _, span in self.groups)
        if self.groups and spanned != len(self.header) - self.names:
            raise ValueError(f"`groups` must span {len(self.header) - self.names} columns; received {spanned}.")


def markdown(sheets: Sequence[Sheet]) -> str:
    """Returns the sheets as GitHub-flavoured Markdown: a caption above each table."""
    return "\n".join(_markdown(sheet) for sheet in sheets)


def latex(sheets: Sequence[Sheet]) -> str:
    r"""Returns the sheets as LaTeX `table` environments with booktabs' rules.

    A coloured entry is written `\pcell{RRGGBB}{entry}`, which prints the entry alone unless the document
    defines that command; the file's first lines say how.
    """
    return _LATEX_HEAD + "".join("\n" + _latex(sheet) for sheet in sheets)


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


def _markdown(sheet: Sheet) -> str:
    titles = [title for title, span in sheet.groups for _ in range(span)] or [""] * (len(sheet.header) - sheet.names)
    header = [*sheet.header[: sheet.names]]
    header += [f"{title} {name}".strip() for title, name in zip(titles, sheet.header[sheet.names :], strict=True)]
    rule = ["---"] * sheet.names + ["---:"] * (len(header) - sheet.names)
    lines = [[escape_markdown(name) for name in header], rule]
    lines += [[_markdown_entry(entry) for entry in row] for row in sheet.rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{escape_markdown(sheet.caption)}\n\n{table}\n"


def _markdown_entry(entry: Entry) -> str:
    text = escape_markdown(entry.text)
    return f"**{text}**" if entry.bold else text


def _latex(sheet: Sheet) -> str:
    lines = [
        r"\begin{table}[tbp]",
        r"  \centering",
        rf"  \caption{{{escape_latex(sheet.caption)}}}",
        rf"  \label{{tab:{sheet.label}}}",
        rf"  \begin{{tabular}}{{{'l' * sheet.names}{'r' * (len(sheet.header) - sheet.names)}}}",
        r"    \toprule",
        *_latex_groups(sheet),
        f"    {' & '.join(escape_latex(name) for name in sheet.header)} \\\\",
        r"    \midrule",
        *(f"    {' & '.join(_latex_entry(entry) for entry in row)} \\\\" for row in sheet.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_groups(sheet: Sheet) -> list[str]:
    if not sheet.groups:
        return []
    titles, rules, start = [""] * sheet.names, [], sheet.names + 1
    for title, span in sheet.groups:
        titles.append(rf"\multicolumn{{{span}}}{{c}}{{{escape_latex(title)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + span - 1}}}")
        start += span
    return [f"    {' & '.join(titles)} \\\\", f"    {' '.join(rules)}"]


def _latex_entry(entry: Entry) -> str:
    text = escape_latex(entry.text)
    text = rf"\textbf{{{text}}}" if entry.bold else text
    return rf"\pcell{{{entry.colour[1:].upper()}}}{{{text}}}" if entry.colour else text
