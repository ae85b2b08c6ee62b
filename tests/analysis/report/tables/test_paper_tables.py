"""Printed tables: Markdown as GitHub reads it, LaTeX with the rules of booktabs, bold and coloured cells."""

import re
import shutil
import subprocess

import pytest

from keras_sparseflow.analysis.report.tables.paper_tables import escape_latex, escape_markdown, latex, markdown
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Table

HARD = "a&b_%, $5 {x} #1 ~ ^ \\ <0.05 | [y]"


def a_table(**changes):
    made = {
        "label": "p-values-digits",
        "caption": "p < 0.05 & 100% of a_b.",
        "columns": [Column("", text=True), Column("NR"), Column("L2_BN")],
        "rows": [
            [Cell("adam"), Cell("0.012", bold=True, colour="#63be7b"), Cell("\N{EN DASH}")],
            [Cell("a|b"), Cell("<0.001", note="paper 0.031"), Cell("\N{MINUS SIGN}1 \N{PLUS-MINUS SIGN} 2")],
        ],
    }
    return Table(**{**made, **changes})


def a_grouped_table():
    groups = [Column(heading, group=group) for group in ("arm_1", "dense") for heading in ("x", "y")]
    return a_table(columns=[Column("measure", text=True), *groups], rows=[[Cell("a")] * 5])


def check_latex(text):
    """Fails unless braces and environments match and every row has as many columns as its table."""
    bare = re.sub(r"(?m)(?<!\\)%.*$", "", text)
    depth = 0
    for sign in re.findall(r"(?<!\\)[{}]", bare):
        depth += 1 if sign == "{" else -1
        assert depth >= 0
    assert depth == 0 and len(re.findall(r"(?<!\\)\$", bare)) % 2 == 0
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", bare):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    for columns, body in re.findall(r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", bare, re.DOTALL):
        assert [body.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        for row in rows:
            spans = sum(int(span) - 1 for span in re.findall(r"\\multicolumn\{(\d+)\}", row))
            assert len(re.findall(r"(?<!\\)&", row)) + 1 + spans == len(columns), row
    assert not re.search(r"[^\x00-\x7f]", bare)


def test_markdown_is_a_github_table_below_its_caption():
    assert markdown([a_table()]).splitlines() == [
        r"p \< 0.05 & 100% of a_b.",
        "",
        "|  | NR | L2_BN |",
        "| --- | ---: | ---: |",
        "| adam | **0.012** | \N{EN DASH} |",
        r"| a\|b | \<0.001 (paper 0.031) | " + "\N{MINUS SIGN}1 \N{PLUS-MINUS SIGN} 2 |",
    ]


def test_latex_is_a_table_with_booktabs_rules():
    body = latex([a_table()]).split("\n\n")[1]
    lines = [line.strip() for line in body.splitlines()]
    assert lines == [
        r"\begin{table}[tbp]",
        r"\centering",
        r"\caption{p $<$ 0.05 \& 100\% of a\_b.}",
        r"\label{tab:p-values-digits}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"& NR & L2\_BN \\",
        r"\midrule",
        r"adam & \bfseries {\cellcolor[HTML]{63BE7B}} 0.012 & -- \\",
        r"a\textbar{}b & $<$0.001 (paper 0.031) & $-$1 $\pm$ 2 \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_latex_says_which_packages_it_needs():
    head = latex([a_table()]).splitlines()[0]
    assert head.startswith("%") and "booktabs" in head and r"\usepackage[table]{xcolor}" in head


def test_groups_span_their_columns():
    text = latex([a_grouped_table()])
    assert r"& \multicolumn{2}{c}{arm\_1} & \multicolumn{2}{c}{dense} \\" in text
    assert r"measure & x & y & x & y \\" in text
    assert "| measure | arm_1 x | arm_1 y | dense x | dense y |" in markdown([a_grouped_table()])


def test_tables_of_any_shape_are_well_formed_latex():
    hard = a_table(caption=HARD, columns=[Column(HARD, text=True), Column(HARD, group=HARD)], rows=[[Cell(HARD)] * 2])
    text = latex([a_table(), a_grouped_table(), hard, a_table(rows=[])])
    check_latex(text)
    assert text.count(r"\begin{table}") == 4


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex is installed")
def test_pdflatex_sets_the_tables(tmp_path):
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}\usepackage[table]{xcolor}"
    body = latex([a_table(), a_grouped_table(), a_table(caption=HARD)])
    (tmp_path / "a.tex").write_text(f"{head}\n\\begin{{document}}\n{body}\n\\end{{document}}\n")
    subprocess.run(["pdflatex", "-halt-on-error", "-interaction=batchmode", "a.tex"], cwd=tmp_path, check=True)


@pytest.mark.parametrize("sign", list("&%$#_{}~^\\<>|["))
def test_no_sign_of_latex_is_left_bare(sign):
    escaped = escape_latex(f"a{sign}b")
    assert escaped not in (f"a{sign}b", "ab") and escaped.startswith("a") and escaped.endswith("b")
    assert escaped.count("{") == escaped.count("}") or sign in "{}"


@pytest.mark.parametrize(
    ("text", "escaped"), [("egf_1", "egf_1"), ("_x_", r"\_x\_"), ("a*b`[", r"a\*b\`\["), ("\\", r"\\")]
)
def test_markdown_reads_text_as_text(text, escaped):
    assert escape_markdown(text) == escaped


def test_every_row_of_a_markdown_table_has_all_columns():
    lines = markdown([a_table(rows=[[Cell(HARD)] * 3])]).splitlines()[2:]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {4}
