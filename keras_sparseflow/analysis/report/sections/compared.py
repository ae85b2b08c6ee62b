"""Comparisons over densities and seeds: tweaks, variants, methods, and each density with the dense network."""

from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.formats import format_interval, format_p, format_signed
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.table import Shown, table_of
from keras_sparseflow.analysis.report.warnings import budgets
from keras_sparseflow.analysis.report.words import needed_note, slug, spoken
from keras_sparseflow.analysis.statistics.signed_rank import ALPHA

_READ = (
    "Two-sided paired Wilcoxon signed-rank tests of runs that agree in density, seed and all but what is compared. "
    "Tweaks are compared with the training without any. Differences are positive where the first is better. "
    "“p, Holm” is corrected for the tests of this section that could be significant at all; bold is below "
    f"{ALPHA:g}. Pairs of several densities are not draws from one population: a small p says which is better over the "
    "densities trained here, not by how much at each."
)


@section("comparisons", "answer", "Which differences hold?", "variants, tweaks, methods and densities compared")
def comparisons(numbers: StudyNumbers) -> Content | None:
    """Returns every comparison with its verdict; nothing for a study of pairs, or where nothing can be compared."""
    if numbers.of_pairs or numbers.comparisons.empty:
        return None
    rows = numbers.comparisons
    tables = [_table(str(label), inside, numbers) for label, inside in rows.groupby("table", sort=False)]
    budget = budgets(numbers)
    shown = [Shown("name", "method", text=True), Shown("epochs", "epochs in all", "{:g}".format)]
    if budget["flops"].notna().any():
        shown.append(Shown("flops", "floating-point operations", "{:.3g}".format))
    trained = table_of(
        budget,
        shown,
        "budget",
        "Training of each method's costliest network, earlier rounds of lottery tickets included.",
        heading="Training budget",
    )
    return Content([*tables, *([trained] if len(budget) > 1 else [])], {"comparisons": rows}, before=_READ)


def _table(label: str, rows: pd.DataFrame, numbers: StudyNumbers) -> Any:
    by_method = rows["compared"] == "method"
    sides = {side: rows[side].where(~by_method, rows[side].map(method_name)) for side in ("first", "second")}
    rows = rows.assign(
        **sides,
        company=[_company(row) for row in rows.to_dict("records")],
        interval=[format_interval(row["low"], row["high"]) for row in rows.to_dict("records")],
    )
    shown = [
        Shown("first", "first", text=True),
        Shown("second", "second", text=True),
        Shown("company", "of", text=True),
        Shown("verdict", "is the first better?", text=True, note=needed_note),
        Shown("p_holm", "p, Holm", format_p, bold=lambda row: row["p_holm"] < ALPHA),
        Shown("p_two_sided", "p", format_p),
        Shown("difference", "typical difference", format_signed),
        Shown("interval", "95% interval", text=True),
        Shown("median_difference", "median difference", format_signed),
        Shown("effect_size", "effect size", lambda size: format_signed(size, 2)),
        *(Shown(name, name.replace("_", " "), "{:g}".format) for name in ("pairs", "zeros", "diverged", "left_out")),
        Shown("test_method", "method", text=True),
    ]
    caption = (
        f"Differences in {spoken(numbers.value)} at the same density and seed, {label}: two-sided paired Wilcoxon "
        f"signed-rank tests. Bold: corrected p < {ALPHA:g}."
    )
    return table_of(rows, shown, slug("comparisons", label), caption, "comparisons", label, held=3)


def _company(row: dict[Any, Any]) -> str:
    """Returns what both sides of a comparison have in common, in words."""
    method = method_name(row["method"]) if row["method"] else ""
    return ", ".join(filter(None, [row["panel"], row["line"], method]))
