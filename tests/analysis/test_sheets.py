import re

import pytest

from keras_sparseflow.analysis.report.sheets import Entry, Sheet, escape_latex, escape_markdown, latex, markdown


def a_sheet(**changes):
    made = {
        "label": "p-values-digits",
        "caption": "p < 0.05 & 100% of a_b.",
        "header": ["", "NR", "L2_BN"],
        "rows": [
            [Entry("adam"), Entry("0.012", bold=True, colour="#63be7b"), Entry("\N{EN DASH}")],
            [Entry("a|b"), Entry("<0.001 (0.031)"), Entry("\N{MINUS SIGN}1 \N{PLUS-MINUS SIGN} 2")],
        ],
    }
    return Sheet(**{**made, **changes})


def test_markdown_is_a_github_table_below_its_caption():
    assert markdown([a_sheet()]).splitlines() == [
        r"p \< 0.05 & 100% of a_b.",
        "",
        "|  | NR | L2_BN |",
        "| --- | ---: | ---: |",
        "| adam | **0.012** | \N{EN DASH} |",
        r"| a\|b | \<0.001 (0.031) | " + "\N{MINUS SIGN}1 \N{PLUS-MINUS SIGN} 2 |",
    ]


def test_latex_is_a_table_with_booktabs_rules():
    body = latex([a_sheet()]).split("\n\n")[1]
    assert body.splitlines() == [
        r"\begin{table}[tbp]",
        r"  \centering",
        r"  \caption{p $<$ 0.05 \& 100\% of a\_b.}",
        r"  \label{tab:p-values-digits}",
        r"  \begin{tabular}{lrr}",
        r"    \toprule",
        r"     & NR & L2\_BN \\",
        r"    \midrule",
        r"    adam & \pcell{63BE7B}{\textbf{0.012}} & -- \\",
        r"    a\textbar{}b & $<$0.001 (0.031) & $-$1 $\pm$ 2 \\",
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]


def test_groups_span_their_columns():
    sheet = a_sheet(
        header=["measure", "x", "y", "x", "y"], rows=[[Entry("a")] * 5], groups=[("sparse", 2), ("dense", 2)]
    )
    assert r" & \multicolumn{2}{c}{sparse} & \multicolumn{2}{c}{dense} \\" in latex([sheet])
    assert r"\cmidrule(lr){2-3} \cmidrule(lr){4-5}" in latex([sheet])
    assert "| measure | sparse x | sparse y | dense x | dense y |" in markdown([sheet])


def test_colours_are_asked_for_by_a_command_that_a_document_may_define():
    text = latex([a_sheet()])
    assert r"\providecommand{\pcell}[2]{#2}" in text
    assert r"% \newcommand{\pcell}[2]{\cellcolor[HTML]{#1}#2}" in text


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


def test_rows_of_another_length_are_refused():
    with pytest.raises(
        ValueError, match=re.escape("`rows` must have an entry for each of 3 columns; received rows of 2.")
    ):
        a_sheet(rows=[[Entry("adam"), Entry("1")]])
    with pytest.raises(ValueError, match="`groups` must span 2 columns; received 1"):
        a_sheet(groups=[("sparse", 1)])
