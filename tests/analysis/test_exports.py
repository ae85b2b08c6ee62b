import re

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.frames.formats import format_p
from keras_sparseflow.analysis.published.p_values import with_published_tau
from keras_sparseflow.analysis.report.exports import correlation_sheets, mean_sheets, p_value_sheets, write_exports
from keras_sparseflow.analysis.report.tables import tabulate, tabulate_means
from keras_sparseflow.analysis.statistics.correlation import correlate_flow


def texts(sheet):
    return [[entry.text for entry in row] for row in sheet.rows]


def test_p_values_stand_in_the_papers_layout(make_results):
    comparison = tabulate(make_results())
    (sheet,) = p_value_sheets(comparison)
    assert list(sheet.header) == ["", "NR", "BN"]
    p = comparison.set_index(["optimizer", "variant"])["p_value"]
    assert texts(sheet) == [
        [name, *(format_p(p[name, variant]) for variant in ("NR", "BN"))] for name in ("adam", "sgd")
    ]
    bold = {
        (row[0].text, name) for row in sheet.rows for name, entry in zip(sheet.header, row, strict=True) if entry.bold
    }
    assert bold == set(p[p < 0.05].index) and 0 < len(bold) < 4
    assert all(re.fullmatch("#[0-9a-f]{6}", entry.colour) for row in sheet.rows for entry in row[1:])
    assert (
        "digits, 2 hidden layers, learning rate 0.001, relu" in sheet.caption and "15 pairs per cell" in sheet.caption
    )


def test_published_p_values_stand_in_parentheses(make_results):
    results = make_results(("adam", "lion"), ("NR",)).assign(dataset="cifar100", hidden_layers=4)
    (sheet,) = p_value_sheets(tabulate(results))
    assert re.fullmatch(r"[<\d.]+ \(0\.000\)", sheet.rows[0][1].text) and "(" not in sheet.rows[1][1].text
    assert "In parentheses: the p-value of Tessera, Hooker and Rosman (2021)." in sheet.caption


def test_cells_without_a_p_value_or_not_run_are_dash_and_blank(make_results):
    results = make_results(("adam", "sgd"), ("NR", "BN"), widths=(7, 20))
    results = results[(results["optimizer"] != "sgd") | (results["variant"] == "NR")]
    results = results[(results["optimizer"] != "adam") | (results["variant"] == "NR") | (results["arm"] == "dense")]
    (sheet,) = p_value_sheets(tabulate(results))
    assert [row[2].text for row in sheet.rows] == ["\N{EN DASH}", ""]
    assert "0 to 6 pairs per cell" in sheet.caption


def test_diverged_runs_are_named_in_the_caption(make_results):
    results = make_results(("adam",), ("NR",), widths=(7,))
    results.loc[0, "diverged"] = True
    assert "1 run diverged" in p_value_sheets(tabulate(results))[0].caption
    (sheet,) = mean_sheets(tabulate_means(results))
    assert sheet.rows[0][3].text.endswith("(n = 2)") and "(n" not in sheet.rows[1][3].text
    assert "The 1 run that diverged is left out" in sheet.caption


def test_means_are_those_of_the_seeds(make_results):
    results = make_results(("adam",), ("NR", "BN"), widths=(7, 20))
    (sheet,) = mean_sheets(tabulate_means(results))
    assert list(sheet.header) == ["optimizer", "variant", "arm", "7", "20"]
    assert [row[:3] for row in texts(sheet)] == [["adam", v, arm] for v in ("NR", "BN") for arm in ("sparse", "dense")]
    seeds = results[(results["variant"] == "BN") & (results["arm"] == "dense") & (results["dense_width"] == 20)]
    mean, spread = (float(part) for part in sheet.rows[3][4].text.split(" \N{PLUS-MINUS SIGN} "))
    assert mean == pytest.approx(np.mean(seeds["test_accuracy"]), abs=5e-5)
    assert spread == pytest.approx(np.std(seeds["test_accuracy"], ddof=1), abs=5e-5)
    assert "over 3 seeds" in sheet.caption


def test_a_single_seed_has_no_spread(make_results):
    (sheet,) = mean_sheets(tabulate_means(make_results(("adam",), ("NR",), widths=(7,), seeds=(0,))))
    assert re.fullmatch(r"0\.\d{4}", sheet.rows[0][3].text)


def test_correlations_stand_as_in_table_1(make_results):
    taus = with_published_tau(correlate_flow(make_results().assign(dataset="cifar10")))
    (sheet,) = correlation_sheets(taus)
    assert list(sheet.header) == ["measure", *["test loss", "test accuracy"] * 2]
    assert list(sheet.groups) == [("sparse", 2), ("dense", 2)]
    at = taus.set_index(["measure", "arm", "target"])
    ours, theirs = at.loc["egf_2", "sparse", "test_accuracy"][["mean_abs_tau", "published_tau"]]
    (row,) = [row for row in sheet.rows if row[0].text == "EGF (2-norm)"]
    assert row[2].text == f"{ours:.3f} ({theirs:.3f})" and theirs == 0.332
    for column, key in enumerate([(arm, t) for arm in ("sparse", "dense") for t in ("test_loss", "test_accuracy")], 1):
        values = {row[0].text: float(row[column].text.split()[0]) for row in sheet.rows}
        bold = {row[0].text for row in sheet.rows if row[column].bold}
        assert bold and all(values[name] == max(values.values()) for name in bold), key


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
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(rows) >= 2
        for row in rows:
            spans = sum(int(span) - 1 for span in re.findall(r"\\multicolumn\{(\d+)\}", row))
            assert len(re.findall(r"(?<!\\)&", row)) + 1 + spans == len(columns), row
    assert not re.search(r"[^\x00-\x7f]", bare)


def test_every_export_is_well_formed(make_results, tmp_path):
    names = ("NR", "L2_BN")
    parts = [make_results(("adam", "sgd"), names, widths=(7, 20)).assign(dataset=name) for name in ("cifar10", "a&b_%")]
    results = pd.concat(parts, ignore_index=True)
    results["run_id"] += "-" + results["dataset"]
    results.loc[[0, 1], "diverged"] = True
    sheets = {
        "p_values": p_value_sheets(tabulate(results)),
        "means": mean_sheets(tabulate_means(results)),
        "correlations": correlation_sheets(with_published_tau(correlate_flow(results))),
    }
    for name, made in sheets.items():
        paths = write_exports(made, tmp_path, name)
        assert [path.name for path in paths] == [f"{name}.md", f"{name}.tex"] and len(made) == 2
        check_latex(paths[1].read_text())
        labels = re.findall(r"\\label\{tab:([a-z0-9-]+)\}", paths[1].read_text())
        assert len(set(labels)) == 2
        tables = [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", paths[0].read_text(), re.MULTILINE)]
        assert len(tables) == 2
        for lines in tables:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_no_correlations_make_no_sheet(make_results):
    results = make_results(("adam",), ("NR",)).drop(columns=["egf_1", "egf_2", "grad_norm_1", "grad_norm_2"])
    assert correlation_sheets(with_published_tau(correlate_flow(results))) == []
