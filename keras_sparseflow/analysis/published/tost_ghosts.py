"""The published cost of other schedules of ghosts (Jaiswal et al. 2022, ToST, section 3.4), to stand beside ours."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.ghost_schedules import ABRUPT, DEFAULT, LATER, STAYING, schedules_of
from keras_sparseflow.analysis.published.tessera_tables import load_published
from keras_sparseflow.analysis.published.tost_accuracies import masks_of, published_table

SECTION = "3.4"
"""The section, as the `published` of a study names it in place of a table."""

_NAMES = {"gsk": "GSk", "gsw": "GSw"}
_ORDER = (STAYING, LATER, ABRUPT)
_COLUMNS = ["mask", "density", "tweaks", "schedule", "mean", "std", "n", "published", "bound"]


def load_tost_ghosts() -> pd.DataFrame:
    """Returns the numbers of section 3.4, one row per tweak and schedule: `change`, in points of accuracy.

    Where `bound` is "below", the paper says only that accuracy falls by more than that.

    Example:
        >>> load_tost_ghosts()["change"].tolist()
        [-0.917, -0.429, -1.2, -1.2]
    """
    return load_published("tost_ghosts.csv")


def beside_published_ghosts(results: pd.DataFrame, study: Mapping[str, Any]) -> pd.DataFrame:
    """Returns how other schedules of ghosts change our accuracies, beside what section 3.4 says.

    Each run is compared with that of the same mask, density, tweak and seed whose ghosts fade until the first decay of
    the learning rate.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        study: the content of `study.json`; its `published` must name section 3.4 as its table.

    Returns:
        A row for each `mask`, `density`, `tweaks` and `schedule`, in points of accuracy: `mean`, `std` and `n` (pairs
        of which neither run diverged) of ours, and `published` with its `bound`, which are of 95% sparse lottery
        tickets; NaN and "" where the paper has no number. Empty where the study names another table.

    Example:
        >>> runs = pd.DataFrame({"method": "lottery", "score": "random", "density": 0.05, "tweaks": "GSk", "seed": 0,
        ...                      "ghost_decay": ["cosine", "abrupt"], "ghost_until": [0.5, 0.95], "diverged": False,
        ...                      "test_accuracy": [0.75, 0.5]})
        >>> table = beside_published_ghosts(runs, {"published": {"table": "3.4"}})
        >>> table[["schedule", "mean", "published"]].to_numpy().tolist()
        [['removed at once', -25.0, -1.2]]
    """
    if published_table(study) != SECTION or not {"ghost_decay", "ghost_until"} <= set(results):
        return pd.DataFrame(columns=_COLUMNS)
    ours = _changes(results)
    published = load_tost_ghosts()
    published = published.assign(
        tweaks=published["tweak"].map(_NAMES),
        density=(1 - published["sparsity"]).round(6),
        published=published["change"],
        bound=published["bound"].fillna(""),
    )
    by = ["tweaks", "density", "schedule"]
    beside = ours.merge(published[[*by, "published", "bound"]], on=by, how="left").fillna({"bound": ""})
    rank = {name: place for place, name in enumerate(_ORDER)}
    order = beside.assign(place=beside["schedule"].map(rank)).sort_values(["mask", "density", "tweaks", "place"])
    return beside.loc[order.index, _COLUMNS].reset_index(drop=True)


def _changes(results: pd.DataFrame) -> pd.DataFrame:
    """Returns mean, deviation and number of the differences between a schedule and the default one."""
    runs = results[results["tweaks"].isin(_NAMES.values()) & ~results["diverged"].astype(bool)]
    runs = runs.assign(
        mask=masks_of(runs),
        density=runs["density"].round(6),
        schedule=schedules_of(runs),
        percent=100 * runs["test_accuracy"],
    )
    key = ["mask", "density", "tweaks", "seed"]
    accuracy = runs.groupby([*key, "schedule"])["percent"].mean().unstack("schedule")
    if DEFAULT not in accuracy:
        return pd.DataFrame(columns=["mask", "density", "tweaks", "schedule", "mean", "std", "n"])
    changes = accuracy.drop(columns=DEFAULT).sub(accuracy[DEFAULT], axis="index")
    rows = changes.reset_index().melt(key, var_name="schedule", value_name="change").dropna(subset="change")
    groups = rows.groupby(["mask", "density", "tweaks", "schedule"])["change"]
    return groups.agg(mean="mean", std="std", n="count").reset_index()
