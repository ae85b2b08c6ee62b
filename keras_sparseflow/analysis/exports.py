"""The tables of a report, ready for a paper: in the paper's layout, as Markdown and as LaTeX."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from keras_sparseflow import records
from keras_sparseflow.analysis.cells import columns_in_order
from keras_sparseflow.analysis.figures.drawing.colours import p_colour
from keras_sparseflow.analysis.formats import NOTHING, format_fixed, format_p
from keras_sparseflow.analysis.labels import flow_name, reading_name
from keras_sparseflow.analysis.pairs import ARMS
from keras_sparseflow.analysis.readings import reading_of
from keras_sparseflow.analysis.sheets import Entry, Sheet, latex, markdown
from keras_sparseflow.analysis.summary import ALPHA

PAPER = "Tessera, Hooker and Rosman (2021)"


def write_exports(sheets: Sequence[Sheet], folder: str | Path, name: str) -> list[Path]:
    """Writes sheets as `<name>.md` and `<name>.tex` and returns the paths; each file is written atomically."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {folder / f"{name}.md": markdown(sheets), folder / f"{name}.tex": latex(sheets)}
    for path, text in texts.items():
        records.write_atomic(path, text.encode())
    return list(texts)


def p_value_sheets(comparison: pd.DataFrame, value: str = "test_accuracy", alpha: float = ALPHA) -> list[Sheet]:
    """Returns a sheet per table of a study, in the paper's layout: a row per optimizer, a column per variant.

    A p-value below `alpha` is bold; the published one stands in parentheses beside it where there is one.

    Args:
        comparison: as `tabulate` returns it.
        value: the column that the arms were compared by.
        alpha: significance level in (0, 1).
    """
    return [_p_value_sheet(inside, label, value, alpha) for label, inside in by_table(comparison)]


def mean_sheets(means: pd.DataFrame, value: str = "test_accuracy") -> list[Sheet]:
    """Returns a sheet per table of a study: a row per cell and arm, a column per dense width.

    Args:
        means: as `tabulate_means` returns it.
        value: the column whose means these are.
    """
    return [_mean_sheet(inside, label, value) for label, inside in by_table(means)]


def correlation_sheets(correlations: pd.DataFrame) -> list[Sheet]:
    """Returns a sheet per dataset in the layout of the paper's table 1: a row per measure, a column per target and arm.

    The highest of a column is bold; the published number stands in parentheses beside ours where there is one.

    Args:
        correlations: as `with_published_tau` returns it.
    """
    groups = correlations.groupby("dataset", sort=False)
    return [_correlation_sheet(inside, str(dataset)) for dataset, inside in groups]


def _p_value_sheet(cells: pd.DataFrame, label: str, value: str, alpha: float) -> Sheet:
    columns = columns_in_order(cells)
    at = {(cell["row"], cell["column"]): cell for cell in cells.to_dict("records")}
    rows = [
        [Entry(row), *(_p_entry(at.get((row, column)), alpha) for column in columns)]
        for row in dict.fromkeys(cells["row"])
    ]
    pairs = sorted(set(cells["pairs"]))
    caption = (
        f"Sparse against dense, {label}: p-values of one-tailed paired Wilcoxon signed-rank tests, H1: the sparse "
        f"network's {spoken(value)} is better. {number_range(pairs)} pairs per cell. Bold: p < {alpha:g}."
    )
    if cells["published_p"].notna().any():
        caption += f" In parentheses: the p-value of {PAPER}."
    diverged = int(cells["sparse_diverged"].sum() + cells["dense_diverged"].sum())
    if diverged:
        caption += f" {diverged} run{'' if diverged == 1 else 's'} diverged."
    return Sheet(slug("p-values", label), caption, ["", *columns], rows)


def _p_entry(cell: dict[Any, Any] | None, alpha: float) -> Entry:
    if cell is None:
        return Entry("")
    p_value, published = cell["p_value"], cell["published_p"]
    beside = "" if pd.isna(published) else f" ({published:.3f})"
    if pd.isna(p_value):
        return Entry(NOTHING + beside)
    return Entry(format_p(p_value) + beside, bold=bool(p_value < alpha), colour=p_colour(p_value))


def _mean_sheet(means: pd.DataFrame, label: str, value: str) -> Sheet:
    widths = sorted(means["dense_width"].unique())
    places = ["row", "column", "arm"]
    at = {tuple(mean[c] for c in (*places, "dense_width")): mean for mean in means.to_dict("records")}
    rows = []
    for row, column in means[["row", "column"]].drop_duplicates().itertuples(index=False):
        for arm in ARMS:
            entries = [mean_entry(at.get((row, column, arm, width))) for width in widths]
            rows.append([Entry(row), Entry(column), Entry(arm), *entries])
    seeds = sorted(set(means["n"]))
    caption = (
        f"{spoken(value).capitalize()} by dense width, {label}: mean \N{PLUS-MINUS SIGN} standard deviation over "
        f"{number_range(seeds)} seed{'' if seeds == [1] else 's'}."
    )
    diverged = int(means["diverged"].sum())
    if diverged:
        runs = "run that diverged is" if diverged == 1 else "runs that diverged are"
        caption += f" The {diverged} {runs} left out; n says how many are not."
    header = ["optimizer", "variant", "arm", *(str(width) for width in widths)]
    return Sheet(slug("means", label), caption, header, rows, names=3)


def mean_entry(mean: dict[Any, Any] | None) -> Entry:
    """Returns mean and standard deviation, of a row of means, as they are printed."""
    if mean is None or not mean["n"]:
        return Entry(NOTHING)
    text = format_fixed(mean["mean"])
    if not pd.isna(mean["std"]):
        text += f" \N{PLUS-MINUS SIGN} {format_fixed(mean['std'])}"
    return Entry(text + (f" (n = {mean['n']})" if mean["diverged"] else ""))


def _correlation_sheet(taus: pd.DataFrame, dataset: str) -> Sheet:
    arms = [arm for arm in ARMS if (taus["arm"] == arm).any()]
    targets = list(dict.fromkeys(taus["target"]))
    columns = [(arm, target) for arm in arms for target in targets]
    at = {(tau["measure"], tau["arm"], tau["target"]): tau for tau in taus.to_dict("records")}
    best = taus.groupby(["arm", "target"])["mean_abs_tau"].max()
    rows = [
        [Entry(flow_name(measure)), *(_tau_entry(at.get((measure, *column)), best.get(column)) for column in columns)]
        for measure in dict.fromkeys(taus["measure"])
    ]
    caption = (
        f"Gradient flow and performance, {dataset}: absolute Kendall rank correlation, mean over "
        f"{number_range(sorted(set(taus['configurations'])))} configurations. Bold: the highest of a column."
    ) + flow_sentence(taus)
    if taus["published_tau"].notna().any():
        caption += f" In parentheses: the number of {PAPER}."
    header = ["measure", *(spoken(target) for _, target in columns)]
    return Sheet(slug("correlations", dataset), caption, header, rows, groups=[(arm, len(targets)) for arm in arms])


def _tau_entry(tau: dict[Any, Any] | None, best: float | None) -> Entry:
    if tau is None:
        return Entry("")
    beside = "" if pd.isna(tau["published_tau"]) else f" ({tau['published_tau']:.3f})"
    return Entry(format_fixed(tau["mean_abs_tau"], 3) + beside, bold=tau["mean_abs_tau"] == best)


def flow_sentence(taus: pd.DataFrame) -> str:
    """Returns by which reading flow was measured, as a sentence to follow another; "" where that is not named."""
    reading = reading_of(taus)
    return f" Flow: {reading_name(reading)}." if reading else ""


def by_table(placed: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Returns the rows of each table, by its label."""
    return [(str(label), inside) for label, inside in placed.groupby("table", sort=False)]


def slug(kind: str, label: str) -> str:
    """Returns the label of a sheet: letters, digits and dashes."""
    return f"{kind}-" + re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")


def number_range(numbers: Sequence[int]) -> str:
    """Returns sorted numbers in words: the only one, or the first to the last."""
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def spoken(column: str) -> str:
    """Returns a column's name in words."""
    return column.replace("_", " ")
