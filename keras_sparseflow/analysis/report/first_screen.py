"""The first screen of a report: its question, one answer, the effects behind it, and what to bear in mind."""

from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.formats import format_interval, format_p, format_signed, plural
from keras_sparseflow.analysis.report.effects import side_in_words
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.words import listed, spoken
from keras_sparseflow.analysis.statistics.verdicts import NO_DIFFERENCE, NOT_TESTABLE, OTHER_WAY, TOO_FEW, YES


def answer(numbers: StudyNumbers, effects: pd.DataFrame) -> list[str]:
    """Returns what a study found, in sentences: counts of its verdicts, then where a difference was found.

    Args:
        numbers: of the study.
        effects: as `keras_sparseflow.analysis.report.effects.effects` returns it.
    """
    if effects.empty or (effects["verdict"] == NOT_TESTABLE).all():
        return ["Nothing can be compared yet: no two networks that differ in one thing alone have both finished."]
    if len(effects) == 1:
        return [_single(effects.to_dict("records")[0], numbers.value)]
    first, second = _sides(effects)
    what = "cell" if numbers.of_pairs else "comparison"
    count = {verdict: int((effects["verdict"] == verdict).sum()) for verdict in effects["verdict"].unique()}
    total = plural(len(effects), what)
    found = [
        f"{first} better than {second} in {count.get(YES, 0)} of {total}",
        f"worse in {count.get(OTHER_WAY, 0)}",
    ]
    rest = []
    if count.get(NO_DIFFERENCE):
        rest.append(f"in {count[NO_DIFFERENCE]} no difference was seen")
    if count.get(TOO_FEW):
        rest.append(f"in {count[TOO_FEW]} there are too few pairs to tell")
    if count.get(NOT_TESTABLE):
        rest.append(f"{count[NOT_TESTABLE]} can't be tested")
    said = [f"{' and '.join(found)}{'; ' + ', '.join(rest) if rest else ''}."]
    for verdict, opening in ((YES, "Better"), (OTHER_WAY, "Worse")):
        rows = effects[effects["verdict"] == verdict]
        if len(rows):
            named = [f"{row['label']} ({_interval(row)})" for row in rows.to_dict("records")]
            said.append(f"{opening}: {listed(named)}.")
    return said


def _sides(effects: pd.DataFrame) -> tuple[str, str]:
    """Returns both sides of comparisons as the subject and the object of a sentence."""
    if set(effects["first"]) == {"sparse"} and set(effects["second"]) == {"dense"}:
        return "Sparse networks are", "dense ones of equal capacity"
    references = effects["second"].unique()
    reference = side_in_words(str(references[0])) if len(references) == 1 else "what they are compared with"
    firsts = effects["first"].unique()
    subject = f"{side_in_words(str(firsts[0]))} is" if len(firsts) == 1 else "What was tried is"
    return subject[:1].upper() + subject[1:], reference


def _single(row: dict[Any, Any], value: str) -> str:
    first, second = side_in_words(row["first"]), side_in_words(row["second"])
    if (row["first"], row["second"]) == ("sparse", "dense"):
        first, second = "sparse networks", "dense ones of equal capacity"
    verb = "are" if first.endswith("s") else "is"
    numbers = f"{spoken(value)} {_interval(row)}, {row['reason']}"
    if row["verdict"] in (YES, OTHER_WAY):
        how = "better" if row["verdict"] == YES else "worse"
        known = f"{spoken(value)} {_interval(row)}, p = {format_p(row['p_value'])}, {plural(int(row['pairs']), 'pair')}"
        return f"{first[:1].upper()}{first[1:]} {verb} {how} than {second}: {known}."
    if row["verdict"] == NO_DIFFERENCE:
        return f"No difference between {first} and {second} was seen: {numbers}."
    return f"There are too few pairs to tell whether {first} {verb} better than {second}: {numbers}."


def _interval(row: dict[Any, Any]) -> str:
    """Returns a difference with its 95% interval, where there are pairs enough for one."""
    effect = format_signed(row["effect"])
    return effect if pd.isna(row["low"]) else f"{effect}, 95% interval {format_interval(row['low'], row['high'])}"


def question(numbers: StudyNumbers) -> str:
    """Returns the question of a study: its title, or its name."""
    study = numbers.source.study
    return str(study.get("title") or study.get("name") or "Study")


def axis_label(effects: pd.DataFrame, value: str) -> str:
    """Returns the label of the axis along which effects stand.

    Args:
        effects: as `keras_sparseflow.analysis.report.effects.effects` returns it.
        value: the column that was compared.
    """
    sides = [
        side_in_words(str(effects[side].iloc[0])) if effects[side].nunique() == 1 else several
        for side, several in (("first", "each"), ("second", "its reference"))
    ]
    better = " (right: the first is better)" if value.endswith("loss") else ""
    return f"{' minus '.join(sides)}, {spoken(value)}{better}"
