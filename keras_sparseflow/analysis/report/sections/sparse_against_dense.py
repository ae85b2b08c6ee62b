"""Sparse against dense: p-values in the layout of the paper's tables, and every test in full."""

from typing import Any

import pandas as pd

from keras_sparseflow.analysis.figures.drawing.colours import p_colour
from keras_sparseflow.analysis.frames.cells import columns_in_order
from keras_sparseflow.analysis.frames.formats import NOTHING, format_interval, format_p, format_signed, plural
from keras_sparseflow.analysis.published.agreement import agreement, agreement_sentences
from keras_sparseflow.analysis.published.conditions import published_differences
from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.pair_tables import pair_files
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Shown, Table, table_of
from keras_sparseflow.analysis.report.words import needed_note, number_range, slug, spoken
from keras_sparseflow.analysis.statistics.signed_rank import ALPHA

PAPER = "Tessera, Hooker and Rosman (2021)"

_READ = (
    "Each cell pairs every sparse network with the dense one of equal capacity, width and seed. Its p-value is of a "
    "one-tailed paired Wilcoxon signed-rank test, as in the paper: small where sparse ranks above dense, close to 1 "
    f"where dense ranks above sparse. Bold is p < {ALPHA:g}, not corrected. Beside it stands the two-sided p-value "
    "after Holm's correction for all tests of this page; the verdicts below follow from that one, in both directions."
)
_METHODS = {
    "exact": "exact: from the exact distribution of the statistic.",
    "permutation": "permutation: exact too, over all sign patterns, as differences are tied or zero.",
    "asymptotic": "asymptotic: normal approximation, corrected for ties.",
}


@section("p_values", "answer", "Is sparse better than dense?", "sparse against dense: p-values and verdicts")
def p_values(numbers: StudyNumbers) -> Content | None:
    """Returns p-values of sparse against dense; nothing for a study without pairs."""
    if not numbers.of_pairs:
        return None
    comparison = numbers.comparison
    tables = [
        table
        for label, inside in comparison.groupby("table", sort=False)
        for table in _tables(str(label), inside, numbers)
    ]
    files = {
        "p_values": comparison.drop(columns=["table", "row", "column"]),
        **pair_files(numbers.results, comparison, numbers.value, numbers.source.diverged),
    }
    return Content([*tables, *numbers.drawings("tests"), *_sentences(numbers)], files, before=_READ)


def _sentences(numbers: StudyNumbers) -> list[str]:
    comparison = numbers.comparison
    said = [
        " ".join(text for name, text in _METHODS.items() if name in set(comparison["method"])),
        "The typical difference is the Hodges-Lehmann estimate, its interval holds what the test would not reject. The "
        "effect size is the rank-biserial correlation, from \N{MINUS SIGN}1 (dense above sparse in every pair) to 1. "
        "Zeros are pairs without a difference.",
        *agreement_sentences(agreement(comparison)),
    ]
    if comparison["published_assumed"].any():
        said.append("A star stands beside a published p-value where the paper does not say which variant it is of.")
    differences = published_differences(numbers.results, comparison)
    if differences:
        said.append(f"The paper's conditions were others. Here: {'; '.join(differences)}.")
    return [sentence for sentence in said if sentence]


def _tables(label: str, cells: pd.DataFrame, numbers: StudyNumbers) -> list[Table]:
    columns = columns_in_order(cells)
    at = {(cell["row"], cell["column"]): cell for cell in cells.to_dict("records")}
    rows = [[Cell(row), *(_cell(at.get((row, column))) for column in columns)] for row in dict.fromkeys(cells["row"])]
    header = [Column("optimizer", text=True), *map(Column, columns)]
    layout = Table(slug("p-values", label), _caption(label, cells, numbers.value), header, rows, "p_values", label)
    return [layout, _details(label, cells)]


def _cell(cell: dict[Any, Any] | None) -> Cell:
    if cell is None:
        return Cell("", sort=float("nan"))
    p_value, published = cell["p_value"], cell["published_p"]
    star = "*" if cell["published_assumed"] else ""
    paper = "" if pd.isna(published) else f"paper {published:.3f}{star}"
    if pd.isna(p_value):
        return Cell(NOTHING, paper, sort=p_value)
    note = ", ".join(filter(None, [f"Holm {format_p(cell['p_holm'])}", paper]))
    return Cell(format_p(p_value), note, bool(p_value < ALPHA), p_colour(p_value), p_value, cell["pairs_file"])


def _details(label: str, cells: pd.DataFrame) -> Table:
    cells = cells.assign(
        cell=cells["row"] + ", " + cells["column"],
        interval=[format_interval(row["low"], row["high"]) for row in cells.to_dict("records")],
        diverged=cells["sparse_diverged"] + cells["dense_diverged"],
        left_out=cells["incomplete_pairs"] + cells["dropped_pairs"],
    )
    shown = [
        Shown("cell", "cell", text=True),
        Shown("verdict", "is sparse better?", text=True, note=needed_note),
        Shown("p_holm", "p two-sided, Holm", format_p, bold=lambda row: row["p_holm"] < ALPHA),
        Shown("p_two_sided", "p two-sided", format_p),
        Shown("p_value", "p one-tailed", format_p),
        *(
            [Shown("published_p", "p, paper", format_p, note=lambda row: row["published_elsewhere"])]
            if cells["published_p"].notna().any()
            else []
        ),
        Shown("difference", "typical difference", format_signed),
        Shown("interval", "95% interval", text=True),
        Shown("median_difference", "median difference", format_signed),
        Shown("effect_size", "effect size", lambda size: format_signed(size, 2)),
        *(Shown(name, heading, "{:g}".format) for name, heading in _COUNTS.items()),
        Shown("method", "method", text=True),
    ]
    return table_of(cells, shown, slug("tests", label), "Every test in full.", heading=f"{label}: every test")


_COUNTS = {"pairs": "pairs", "zeros": "zeros", "diverged": "diverged", "left_out": "left out"}


def _caption(label: str, cells: pd.DataFrame, value: str) -> str:
    caption = (
        f"Sparse against dense, {label}: p-values of one-tailed paired Wilcoxon signed-rank tests, H1: sparse ranks "
        f"above dense in {spoken(value)}. {number_range(sorted(set(cells['pairs'])))} pairs per cell. Bold: "
        f"p < {ALPHA:g}, not corrected. In parentheses: the two-sided p-value after Holm's correction."
    )
    if cells["published_p"].notna().any():
        caption += f" After it: the one-tailed p-value of {PAPER}, not corrected."
    diverged = int(cells["sparse_diverged"].sum() + cells["dense_diverged"].sum())
    return caption + (f" {plural(diverged, 'run')} diverged." if diverged else "")
