"""The first screen of a report: its question, one answer, the effects behind it, and what to bear in mind."""

import dataclasses
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.figures.gallery import Drawing, ideas
from keras_sparseflow.analysis.frames.formats import format_interval, format_signed, plural
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
    if (effects["verdict"] == NOT_TESTABLE).all():
        if effects["pairs"].any():
            return ["Nothing can be told: no pair of networks differs in its result."]
        return ["Nothing can be compared yet: no two networks that differ in one thing alone have both finished."]
    if len(effects) == 1:
        return [_single(effects.to_dict("records")[0], numbers.value)]
    said = [_counted(effects, _UNITS.get(effects["kind"].iloc[0], "comparison"))]
    needed = effects.dropna(subset=["needed"])
    if len(needed):
        named = listed([f"{row['label']} {row['needed']:g}" for row in needed.to_dict("records")])
        said.append(f"Pairs that would find a difference as large as the one seen in 8 of 10 studies: {named}.")
    for verdict, opening in ((YES, "Better"), (OTHER_WAY, "Worse")):
        rows = effects[effects["verdict"] == verdict]
        if len(rows):
            each = [f"{row['label']} ({_interval(row)})" for row in rows.to_dict("records")]
            said.append(f"{opening}: {listed(each)}.")
    return said


def _counted(effects: pd.DataFrame, unit: str) -> str:
    """Returns in how many of several comparisons the first side is better, worse, or neither, in a sentence."""
    first, second = _sides(effects)
    count = effects["verdict"].value_counts()
    better, worse, level, few = (int(count.get(answer, 0)) for answer in (YES, OTHER_WAY, NO_DIFFERENCE, TOO_FEW))
    total = plural(len(effects), unit)
    if level == len(effects):
        return f"No difference between {first} and {second} was seen in any of {total}."
    if few == len(effects):
        return f"There are too few pairs to tell in any of {total} whether {first} did better than {second}."
    if better or worse:
        found = f"{_capital(first)} did better than {second} in {better} of {total} and worse in {worse}"
    elif level:
        found, level = f"No difference between {first} and {second} was seen in {level} of {total}", 0
    else:
        found = f"Whether {first} did better than {second} cannot be told in any of {total}"
    rest = [
        *([f"in {level} no difference was seen"] if level else []),
        *([f"in {few} there are too few pairs to tell"] if few else []),
        *([f"{count[NOT_TESTABLE]} can't be tested"] if NOT_TESTABLE in count else []),
    ]
    return "; ".join([found, *([", ".join(rest)] if rest else [])]) + "."


_UNITS = {"pairs": "cell"}
_SUBJECTS = {"tweaks": "tweaks", "method": "other methods", "line": "other variants", "density": "sparse networks"}


def _sides(effects: pd.DataFrame) -> tuple[str, str]:
    """Returns both sides of several comparisons as they stand in a sentence."""
    kind = effects["kind"].iloc[0]
    if kind == "pairs":
        return "sparse networks", "dense ones of equal capacity"
    firsts, references = effects["first"].unique(), effects["second"].unique()
    subject = side_in_words(str(firsts[0])) if len(firsts) == 1 else _SUBJECTS[kind]
    return subject, side_in_words(str(references[0])) if len(references) == 1 else "what each is compared with"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _single(row: dict[Any, Any], value: str) -> str:
    first, second = side_in_words(row["first"]), side_in_words(row["second"])
    if (row["first"], row["second"]) == ("sparse", "dense"):
        first, second = "sparse networks", "dense ones of equal capacity"
    numbers = f"{spoken(value)} {_interval(row)}, {row['reason']}"
    if row["verdict"] in (YES, OTHER_WAY):
        how = "better" if row["verdict"] == YES else "worse"
        return f"{_capital(first)} did {how} than {second}: {numbers}."
    if row["verdict"] == NO_DIFFERENCE:
        return f"No difference between {first} and {second} was seen: {numbers}."
    return f"There are too few pairs to tell whether {first} did better than {second}: {numbers}."


def _interval(row: dict[Any, Any]) -> str:
    """Returns a difference with its 95% interval, where there are pairs enough for one."""
    effect = format_signed(row["effect"])
    return effect if pd.isna(row["low"]) else f"{effect}, 95% interval {format_interval(row['low'], row['high'])}"


def question(numbers: StudyNumbers) -> str:
    """Returns the question of a study: its title, or its name."""
    study = numbers.source.study
    return str(study.get("title") or study.get("name") or "Study")


def effect_drawing(effects: pd.DataFrame, value: str) -> Drawing | None:
    """Returns the figure of effects; None where there is none.

    Args:
        effects: as `keras_sparseflow.analysis.report.effects.effects` returns it.
        value: the column that was compared.
    """
    if effects.empty:
        return None
    (idea,) = (idea for idea in ideas() if idea.section == "answer")
    label = f"difference in {spoken(value)}" + (" (right: better)" if value.endswith("loss") else "")
    (drawing,) = idea.draw({"effects": effects, "x_label": label})
    return dataclasses.replace(drawing, title=f"Effects: {_difference(effects)}")


def _difference(effects: pd.DataFrame) -> str:
    """Returns what effects are the difference of, in words."""
    if effects["kind"].iloc[0] == "pairs":
        return "sparse minus dense"
    sides = [
        side_in_words(str(effects[side].iloc[0])) if effects[side].nunique() == 1 else several
        for side, several in (("first", "each"), ("second", "what it is compared with"))
    ]
    return " minus ".join(sides)
