"""The effects that a report begins with: what is compared, by how much it differs, and each verdict."""

import pandas as pd

from keras_sparseflow.analysis.frames.cells import apart, describe
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.published.tessera_first_version import published_gains
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.statistics.verdicts import OTHER_WAY, YES

COLUMNS = [
    *(
        "kind",
        "label",
        "first",
        "second",
        "effect",
        "low",
        "high",
        "p_value",
        "verdict",
        "reason",
        "needed",
        "pairs",
        "pairs_used",
        "published",
    ),
    *("median_difference", "effect_size", "diverged"),
]
"""The columns of the frame of effects; `kind` is what was compared: "pairs", "tweaks", "line", "method", "density"."""

_NAMES = {"none": "no tweaks", "tost": "all four tweaks", "dense": "the dense network", "sparse": "sparse networks"}


def effects(numbers: StudyNumbers) -> pd.DataFrame:
    """Returns a row for each comparison that a study was made for, with the columns `COLUMNS`.

    Pairs: sparse minus dense in each cell. Otherwise the first of these that the study has: tweaks minus no tweaks,
    each method minus the first one, each variant minus the first one, each density minus the dense network. `effect`
    is positive where the first is better. `published` is the published gain of tweaks, or of sparse networks on
    CIFAR-100 at a rate of 0.001, as the difference of two published means.
    """
    return _of_pairs(numbers.comparison, numbers.value) if numbers.of_pairs else _of_densities(numbers)


def _of_pairs(comparison: pd.DataFrame, value: str) -> pd.DataFrame:
    cells = comparison["row"] + ", " + comparison["column"]
    rows = comparison.assign(
        kind="pairs",
        label=cells + apart(comparison["table"]),
        first="sparse",
        second="dense",
        effect=comparison["difference"],
        p_value=comparison["p_holm"],
        published=published_gains(comparison, value),
        diverged=comparison["sparse_diverged"] + comparison["dense_diverged"],
    )
    return rows[COLUMNS]


def _of_densities(numbers: StudyNumbers) -> pd.DataFrame:
    rows = _chosen(numbers)
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    by_method = rows["compared"] == "method"
    first, second = (rows[side].where(~by_method, rows[side].map(method_name)) for side in ("first", "second"))
    shared = [column for column in ("panel", "line", "method", "table") if rows[column].nunique() > 1]
    names = rows.assign(method=rows["method"].map(lambda name: method_name(name) if name else ""))
    own = rows["compared"].eq("density").any() or first.nunique() > 1
    shown = first.where(~rows["compared"].eq("density"), first + " density")
    parts = [*([shown] if own or not shared else []), *(names[column] for column in shared)]
    label = [", ".join(filter(None, words)) for words in zip(*parts, strict=True)]
    return rows.assign(
        kind="tweaks" if _with_tweaks(numbers, rows).all() else rows["compared"],
        label=label,
        first=first,
        second=second,
        effect=rows["difference"],
        p_value=rows["p_holm"],
        published=_published(numbers, rows),
    )[COLUMNS].reset_index(drop=True)


def _chosen(numbers: StudyNumbers) -> pd.DataFrame:
    """Returns the comparisons of a study's own question, each with the reference as its second side."""
    all_rows = numbers.comparisons
    lines = all_rows[all_rows["compared"] == "line"]
    tweaked = _with_tweaks(numbers, lines)
    if tweaked.any():
        return lines[tweaked]
    for compared in ("method", "line"):
        rows = all_rows[all_rows["compared"] == compared]
        if len(rows):
            company = [column for column in ("table", "method", "panel", "line") if column != compared]
            reference = rows.groupby(company, sort=False)["first"].transform("first")
            return turned(rows[rows["first"] == reference])
    return all_rows[all_rows["compared"] == "density"]


def _with_tweaks(numbers: StudyNumbers, rows: pd.DataFrame) -> "pd.Series[bool]":
    """Returns which comparisons are of tweaks with the training without any, which is their second side."""
    plain = set(numbers.placed.loc[numbers.placed["tweaks"] == "none", "line"])
    lines = rows["compared"] == "line"
    return lines & ~rows["first"].isin(plain) & rows["second"].isin(plain)


def turned(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns comparisons with their sides exchanged."""
    other = {YES: OTHER_WAY, OTHER_WAY: YES}
    signed = {name: -rows[name] for name in ("difference", "median_difference", "effect_size", "mean")}
    return rows.assign(
        first=rows["second"],
        second=rows["first"],
        low=-rows["high"],
        high=-rows["low"],
        verdict=rows["verdict"].replace(other),
        **signed,
    )


def _published(numbers: StudyNumbers, rows: pd.DataFrame) -> list[float]:
    """Returns the published gain of tweaks beside each comparison of them, mean over the densities that both have."""
    table = numbers.published
    if table.empty or rows["compared"].iloc[0] != "line":
        return [float("nan")] * len(rows)
    names = {"snip": "snip", "lottery": "lth"}
    gains = table.dropna(subset=["gain", "published_gain"]).groupby(["mask", "tweaks"])["published_gain"].mean() / 100
    tweaks = numbers.placed.drop_duplicates("line").set_index("line")["tweaks"]
    keys = [(names.get(row["method"], row["method"]), tweaks[row["first"]]) for row in rows.to_dict("records")]
    return [float(gains.get(key, float("nan"))) for key in keys]


def side_in_words(name: str) -> str:
    """Returns the name of a side of a comparison as it stands in a sentence."""
    return _NAMES.get(name, describe("tweaks", name) if name == "none" else name)
