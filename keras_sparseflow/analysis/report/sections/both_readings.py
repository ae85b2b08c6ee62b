"""The two readings of gradient flow side by side: which verdicts and which signs depend on the choice between them."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.claims.case import Scale
from keras_sparseflow.analysis.claims.claim import JudgedHalf
from keras_sparseflow.analysis.frames.cells import apart
from keras_sparseflow.analysis.frames.formats import format_fixed, format_signed
from keras_sparseflow.analysis.frames.labels import flow_name, reading_name
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.frames.pairs import pair_arms
from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.table import Shown, Table, table_of
from keras_sparseflow.analysis.report.words import spoken
from keras_sparseflow.analysis.statistics.signed_rank import SignedRankTest, wilcoxon_signed_rank
from keras_sparseflow.analysis.statistics.verdicts import correct, judge

_READ = (
    "Flow at the end of an epoch is the norm of the mean gradient over the training images with the weights that the "
    "epoch leaves; the mean over steps is that of the gradients by which the epoch moved them. The rest of this page "
    "is of the first reading where every run has it. Here both are judged, each as if it were the only one: p-values "
    "are corrected over the tests of one reading."
)
_RATIO = Scale(ratio=True)


@section("readings", "flow", "Do the two readings of flow agree?", "verdicts by both readings of gradient flow")
def readings(numbers: StudyNumbers) -> Content | None:
    """Returns verdicts on claims, flow of both arms and correlations by each reading; nothing of a single reading."""
    results = numbers.source.other_results
    if results is None or not numbers.reading:
        return None
    other = StudyNumbers(dataclasses.replace(numbers.source, results=results, other_results=None))
    blocks: list[Any] = []
    files: dict[str, pd.DataFrame] = {}
    for name, rows, table in (
        ("reading_claims", *_claims(numbers, other)),
        ("reading_arms", *_arms(numbers, other)),
        ("reading_correlations", *_correlations(numbers, other)),
    ):
        if len(rows):
            blocks += table
            files[name] = rows
    return Content(blocks, files, before=_READ) if blocks else None


def turned(first: str, second: str, difference: float, other: float) -> bool:
    """Returns whether two verdicts on one thing differ, or the signs of their differences.

    Args:
        first: the answer of one verdict.
        second: that of the other.
        difference: by one reading; NaN where nothing was tested.
        other: by the other reading.

    Example:
        >>> turned("yes", "yes", 0.2, 0.1), turned("yes", "no difference seen", 0.2, 0.1)
        (False, True)
    """
    return first != second or bool(difference * other < 0)


def _claims(numbers: StudyNumbers, other: StudyNumbers) -> tuple[pd.DataFrame, list[Any]]:
    """Returns half-sentences that flow decides, with both verdicts, and a table of those that differ."""
    theirs = {
        (judged.claim.text, half.text, half.case): half for judged in other.claims for half in judged.halves
    }  # fmt: skip
    rows = []
    for judged in numbers.claims:
        for half in judged.halves:
            again = theirs.get((judged.claim.text, half.text, half.case))
            if again is not None and half.of_flow and again.of_flow:
                rows.append(_both(judged.claim.place, half, again))
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame, []
    said = _counted(frame, "half-sentence that flow decides", "half-sentences that flow decides")
    shown = [
        Shown("half", "half-sentence", text=True, note=lambda row: row["place"]),
        *_sides(numbers, other),
    ]
    differing = frame[frame["turned"]]
    table = table_of(differing, shown, "reading-claims", "", "reading_claims", heading="Claims of the papers")
    return frame, [said, *([table] if len(differing) else [])]


def _both(place: str, half: JudgedHalf, again: JudgedHalf) -> dict[str, Any]:
    answers = half.verdict.answer, again.verdict.answer
    return {
        "place": place,
        "half": half.text + (f" ({half.case})" if half.case else ""),
        **dict(zip(("answer", "other_answer"), answers, strict=True)),
        "difference": half.difference,
        "other_difference": again.difference,
        "numbers": half.numbers,
        "other_numbers": again.numbers,
        "turned": turned(*answers, half.difference, again.difference),
    }


def _sides(numbers: StudyNumbers, other: StudyNumbers) -> list[Shown]:
    """Returns the columns of both readings: the answer, and beneath it the numbers."""
    return [
        Shown("answer", reading_name(numbers.reading), text=True, note=lambda row: row["numbers"]),
        Shown("other_answer", reading_name(other.reading), text=True, note=lambda row: row["other_numbers"]),
    ]


def _arms(numbers: StudyNumbers, other: StudyNumbers) -> tuple[pd.DataFrame, list[Any]]:
    """Returns the ratio of flow of sparse to dense networks by both readings, and a table of cells that differ."""
    measure = numbers.source.measure
    if not numbers.of_pairs or measure not in numbers.results:
        return pd.DataFrame(), []
    sides = [_ratios(each, measure) for each in (numbers, other)]
    rows = []
    for cell, (test, answer, own_numbers) in sides[0].items():
        if cell not in sides[1]:
            continue
        again, other_answer, other_numbers = sides[1][cell]
        rows.append(
            {
                "cell": cell,
                "answer": answer,
                "other_answer": other_answer,
                "difference": test.difference,
                "other_difference": again.difference,
                "numbers": own_numbers,
                "other_numbers": other_numbers,
                "turned": turned(answer, other_answer, test.difference, again.difference),
            }
        )
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame, []
    name = flow_name(measure)
    said = f"{name} of sparse against dense networks, is it higher? {_counted(frame, 'cell', 'cells')}"
    shown = [Shown("cell", "cell", text=True), *_sides(numbers, other)]
    heading = f"Is {name} of sparse networks higher?"
    differing = frame[frame["turned"]]
    table = table_of(differing, shown, "reading-arms", "", "reading_arms", heading=heading)
    return frame, [said, *([table] if len(differing) else [])]


def _ratios(numbers: StudyNumbers, measure: str) -> dict[str, tuple[SignedRankTest, str, str]]:
    """Returns, for each cell, the test of the logarithms of flow in both arms, its answer, and its numbers."""
    placed = numbers.placed
    pairs = pair_arms(numbers.results, measure, "drop")
    pairs = pairs[(pairs[["sparse", "dense"]] > 0).all(axis=1)].merge(
        placed.drop_duplicates("run_id")[["run_id", "table", "cell"]], left_on="sparse_run_id", right_on="run_id"
    )
    names = pairs["cell"] + apart(pairs["table"])
    tests = {
        str(name): wilcoxon_signed_rank(np.log(inside["sparse"]), np.log(inside["dense"]))
        for name, inside in pairs.groupby(names, sort=False)
    }
    corrected, family = correct(list(tests.values()))
    found = {}
    for (name, test), p_value in zip(tests.items(), corrected, strict=True):
        verdict = judge(test, float(p_value), family, show=_RATIO.difference)
        interval = "" if np.isnan(test.low) else f" [{', '.join(map(_RATIO.difference, (test.low, test.high)))}]"
        found[name] = (test, verdict.answer, f"{_RATIO.difference(test.difference)}{interval}; {verdict.reason}")
    return found


def _counted(frame: pd.DataFrame, unit: str, units: str) -> str:
    turns = int(frame["turned"].sum())
    signs = int((frame["difference"] * frame["other_difference"] < 0).sum())
    of = f"{len(frame)} {unit if len(frame) == 1 else units}"
    if not turns:
        return f"Both readings give the same answer and the same sign in all of {of}."
    return f"The readings differ in {turns} of {of}, in the sign of the difference in {signs}."


def _correlations(numbers: StudyNumbers, other: StudyNumbers) -> tuple[pd.DataFrame, list[Table]]:
    """Returns the mean signed tau of each measure, arm and target by both readings, and a table of all."""
    own, theirs = numbers.correlations, other.correlations
    side = "arm" if numbers.of_pairs else "method"
    place = ["dataset" if numbers.of_pairs else "table", side, "measure", "target"]
    if own.empty or theirs.empty:
        return pd.DataFrame(), []
    frame = own[[*place, "mean_tau", "mean_abs_tau", "configurations"]].merge(
        theirs[[*place, "mean_tau", "mean_abs_tau"]], on=place, suffixes=("", "_other")
    )
    named = frame.assign(
        side=frame[side] if numbers.of_pairs else frame[side].map(method_name), target=frame["target"].map(spoken)
    )
    words = [reading_name(each.reading) for each in (numbers, other)]
    shown = [
        Shown(place[0], place[0], text=True),
        Shown("side", side, text=True),
        Shown("measure", "measure", flow_name, text=True),
        Shown("target", "with", text=True),
        *(
            Shown(f"{key}{suffix}", word, form, _opposite, group=what)
            for key, what, form in (("mean_tau", "mean tau", _signed), ("mean_abs_tau", "mean |tau|", _absolute))
            for suffix, word in zip(("", "_other"), words, strict=True)
        ),
    ]
    caption = (
        "Kendall's tau of flow and performance by both readings, mean over configurations. Bold: the signs differ."
    )
    table = table_of(named, shown, "reading-correlations", caption, "reading_correlations", "Correlations", held=4)
    return frame, [table]


def _opposite(row: dict[Any, Any]) -> bool:
    return bool(row["mean_tau"] * row["mean_tau_other"] < 0)


def _signed(tau: float) -> str:
    return format_signed(tau, 3)


def _absolute(tau: float) -> str:
    return format_fixed(tau, 3)
