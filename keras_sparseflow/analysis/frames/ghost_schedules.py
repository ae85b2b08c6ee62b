"""Schedules of ToST's ghosts: when they are gone, and how, as section 3.4 of the paper tells them apart."""

import pandas as pd

from keras_sparseflow.analysis.frames.formats import format_percent

FIRST_DECAY = 0.5
"""The share of the training after which the learning rate falls for the first time, and ghosts are gone."""

_NEAR_END = 0.75
"""The share of the training after which the learning rate has fallen for the last time."""

DEFAULT, STAYING, LATER, ABRUPT = "fading before the decay", "staying", "fading later", "removed at once"
"""The schedules: that of the paper, and those that its section 3.4 compares with it."""


def schedules_of(runs: pd.DataFrame) -> pd.Series:
    """Returns the schedule of each run's ghosts; None for one that the paper does not compare.

    Args:
        runs: with the columns `ghost_decay` and `ghost_until`.

    Example:
        >>> runs = pd.DataFrame({"ghost_decay": ["cosine", "abrupt", "abrupt"], "ghost_until": [0.5, 0.95, 0.5]})
        >>> schedules_of(runs).tolist()
        ['fading before the decay', 'removed at once', None]
    """
    until, decay = pd.to_numeric(runs["ghost_until"]).astype(float), runs["ghost_decay"]
    fades = ~decay.isin(("none", "abrupt"))
    names: list[str | None] = []
    for fading, how, end in zip(fades, decay, until, strict=True):
        if fading:
            names.append(DEFAULT if end <= FIRST_DECAY else LATER if end > FIRST_DECAY else None)
        elif how == "none":
            names.append(STAYING)
        else:
            names.append(ABRUPT if end >= _NEAR_END else None)
    return pd.Series(names, runs.index, dtype=object)


def schedule_words(decay: str, until: float) -> str:
    """Returns a schedule in words.

    Example:
        >>> schedule_words("cosine", 0.5), schedule_words("abrupt", 0.95), schedule_words("none", 0.5)
        ('cosine to 50%', 'abrupt at 95%', 'staying')
    """
    if decay == "none":
        return STAYING
    return f"{decay} {'at' if decay == 'abrupt' else 'to'} {format_percent(until)}"
