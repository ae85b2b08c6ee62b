"""What tweaks add to the training without them, in words."""

import pandas as pd

from keras_sparseflow.analysis.frames.formats import format_percent, format_signed
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.frames.pairs import lower_is_better
from keras_sparseflow.analysis.report.summary import plural

_MANY = 6
"""Of more tweaks than these, only the best and the last are named."""


def gain_sentences(means: pd.DataFrame, value: str) -> list[str]:
    """Returns by how much tweaks change the mean at the lowest density, a sentence per method.

    Args:
        means: the rows of one table, as `tabulate_densities` returns it; those without a `gain` say nothing.
        value: the column whose means these are.
    """
    if "gain" not in means:
        return []
    tweaked = means[means["gain"].notna()]
    several = means["method"].nunique() > 1
    return [_sentence(inside, str(method) if several else "", value) for method, inside in _lowest(tweaked)]


def _lowest(tweaked: pd.DataFrame) -> list[tuple[object, pd.DataFrame]]:
    groups = tweaked.groupby("method", sort=False)
    return [(method, inside[inside["density"] == inside["density"].min()]) for method, inside in groups]


def _sentence(rows: pd.DataFrame, method: str, value: str) -> str:
    falling = lower_is_better(value)
    ranked = rows.sort_values("gain", ascending=falling, kind="stable")
    better = int((ranked["gain"] < 0).sum() if falling else (ranked["gain"] > 0).sum())
    shown = ranked if len(ranked) <= _MANY else ranked.iloc[[0, -1]]
    optimizers = rows["panel"].nunique() > 1
    named = [
        f"{row['panel'] + ', ' if optimizers else ''}{row['line']} ({format_signed(row['gain'])})"
        for row in shown.to_dict("records")
    ]
    where = f"With {method_name(method)} at" if method else "At"
    return (
        f"{where} {format_percent(ranked['density'].iloc[0])} density, {better} of {plural(len(ranked), 'tweak')} "
        f"{'improves' if better == 1 else 'improve'} on the mean {value.replace('_', ' ')} without any: "
        f"{', '.join(named)}."
    )
