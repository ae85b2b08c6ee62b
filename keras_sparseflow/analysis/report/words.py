"""Words of a report: settings, counts and times as a reader expects them, and the meaning of abbreviations."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.formats import plural
from keras_sparseflow.analysis.frames.labels import VALUE_NAMES
from keras_sparseflow.analysis.frames.pairs import worst_value

ABBREVIATIONS = {
    "NR": "no regularisation, no BatchNorm, no skip connections",
    "BN": "BatchNorm",
    "DA": "data augmentation",
    "SC": "skip connections",
    "L2": "L2 regularisation",
    "GSk": "ghost skip connections, which fade while the network trains",
    "GSw": "ghost soft activations, which turn into ReLU while the network trains",
    "LRsI": "layer-wise rescaled initialisation",
    "LS": "label smoothing",
    "tost": "all four tweaks together",
    "EGF": "effective gradient flow: the gradient norm of active weights, mean over the layers",
    "tau": "Kendall's rank correlation tau-b, from -1 to 1",
    "Holm": "corrected by Holm's procedure for the number of tests: of one section, or of all claims",
    "SNIP": "masks by connection sensitivity at the start",
    "GraSP": "masks that preserve gradient flow",
    "SynFlow": "masks by synaptic flow",
    "ERK": "Erdős-Rényi kernel densities",
}
"""Abbreviations of the field that a page explains where they stand."""

_KNOWN = re.compile(r"(?<![A-Za-z0-9])(" + "|".join(ABBREVIATIONS) + r")(?![A-Za-z0-9])")


def explained(markup: str) -> str:
    """Returns escaped text in which the first of each abbreviation says what it stands for under the pointer."""
    seen: set[str] = set()

    def explain(found: re.Match[str]) -> str:
        name = found.group(1)
        if name in seen:
            return name
        seen.add(name)
        return f'<abbr title="{ABBREVIATIONS[name]}">{name}</abbr>'

    return _KNOWN.sub(explain, markup)


def abbreviations_in(texts: Sequence[str]) -> dict[str, str]:
    """Returns the abbreviations that texts hold with their meanings, as a legend."""
    held = {found for text in texts for found in _KNOWN.findall(text)}
    return {name: meaning for name, meaning in ABBREVIATIONS.items() if name in held}


def scaled_down(study: Mapping[str, Any]) -> list[str]:
    """Returns how a study differs from the preset that it was made from; nothing where it was made from none.

    Args:
        study: what `keras_sparseflow.records.read_study` returns. Of its keys, `preset` (a name), `reproduces`
            (such as "Table 4") and `overrides` (dicts with `choice`, `preset`, `here`) are read; each may miss.
    """
    if not study.get("preset"):
        return []
    preset = f"the preset {study['preset']}" + (f" ({study['reproduces']})" if study.get("reproduces") else "")
    overrides = study.get("overrides") or []
    if not overrides:
        return [f"This study is {preset}, at full size and unchanged."]
    changes = ", ".join(
        f"{row['choice']} {in_words(row['here'])} (preset: {in_words(row['preset'])})" for row in overrides
    )
    return [f"This study is {preset} with {plural(len(overrides), 'choice')} changed: {changes}."]


def settings(results: pd.DataFrame, columns: list[str], most: int = 12) -> Mapping[str, str]:
    """Returns, for each column of the spec that holds anything, its values in words."""
    table: dict[str, str] = {}
    for column in columns:
        held = results[column].dropna()
        if held.map(lambda value: isinstance(value, list | dict | set)).any():
            held = held.map(in_words)
        values = sorted(held.drop_duplicates().tolist(), key=lambda value: (isinstance(value, str), value))
        if values and column != "run_id":
            words = [in_words(value) for value in values[:most]]
            table[column] = ", ".join(words) + (f" and {len(values) - most} more" if len(values) > most else "")
    return table


def duration(seconds: float) -> str:
    """Returns a time in words: `duration(4210)` is "1 h 10 min"."""
    if pd.isna(seconds):
        return "unknown"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def in_words(value: Any) -> str:
    """Returns a setting as a reader expects it: no trailing zeros, "none" for nothing, lists with commas."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {in_words(item)}" for key, item in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def how_counted(value: str, diverged: str) -> str:
    """Returns what becomes of diverged runs in the tests of a report, in words."""
    if diverged == "drop":
        return "Their pairs are left out of the tests."
    worst = f"{worst_value(value):g}".replace("inf", "infinity")
    return (
        f"In the tests a diverged run counts as the worst possible {spoken(value)} ({worst}), and a pair of which both "
        "diverged as no difference; means and curves leave diverged runs out."
    )


def needed_note(row: Mapping[str, Any]) -> str:
    """Returns beside a verdict how many pairs would do, where they are too few."""
    return "" if pd.isna(row["needed"]) else f"{row['needed']:g} pairs would do"


def spoken(column: str) -> str:
    """Returns a column's name in words."""
    name = VALUE_NAMES.get(column)
    return column.replace("_", " ") if name is None else name[0].lower() + name[1:]


def listed(names: Sequence[str], most: int = 8) -> str:
    """Returns names with commas, or semicolons where names hold commas, the last of many left out and counted."""
    shown = ("; " if any("," in name for name in names) else ", ").join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def number_range(numbers: Sequence[int]) -> str:
    """Returns sorted numbers in words: the only one, or the first to the last."""
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def slug(kind: str, label: str) -> str:
    """Returns the label of a table: letters, digits and dashes."""
    return f"{kind}-" + re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
