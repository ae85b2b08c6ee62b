"""Bootstrap intervals of means over a few seeds."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from keras_sparseflow.analysis.frames.cells import hashable, require_columns
from keras_sparseflow.analysis.statistics.shift import LEVEL
from keras_sparseflow.checks import check_seed

_BATCH = 250
"""The number of resamples of all groups that are in memory at once."""


def bootstrap_mean(
    values: ArrayLike, level: float = LEVEL, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Returns the percentile bootstrap interval of a mean, `(low, high)`.

    For few values the interval is too narrow: it holds the true mean less often than the level says, and how much less
    depends on their distribution. Of three seeds, one resample in 27 is three times the smallest, so that the interval
    at level 0.95 goes from the smallest to the largest: it shows the spread, and no more.

    Args:
        values: a vector; values that are not finite are left out. Neither their order nor their scale matters.
        level: the interval's level, in (0, 1).
        resamples: how many samples are drawn with replacement.
        seed: of the draw; the same values and seed give the same interval.

    Returns:
        `(low, high)`, NaN both where fewer than two values are finite.

    Raises:
        ValueError: `values` is no vector, or `level` or `resamples` out of range.

    Example:
        >>> bootstrap_mean([0.5, 0.75, 1.0])
        (0.5, 1.0)

    References:
        Efron, 1979. Bootstrap methods: another look at the jackknife.
    """
    sample = np.asarray(values, dtype=float)
    if sample.ndim != 1:
        raise ValueError(f"`values` must be a vector; received the shape {sample.shape}.")
    sample = np.sort(sample[np.isfinite(sample)])
    low, high = _intervals(sample[np.newaxis], level, resamples, seed)
    return float(low[0]), float(high[0])


def bootstrap_by(
    frame: pd.DataFrame,
    by: Sequence[str],
    value: str,
    level: float = LEVEL,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Returns mean and bootstrap interval of each group, from which a curve with a band is drawn.

    The groups of one size are drawn together, so that hundreds take a fraction of a second.

    Args:
        frame: the values, a row each.
        by: the columns that name a group.
        value: the column to summarise; values that are not finite are left out.
        level: see `bootstrap_mean`, which gives the same interval for each group.
        resamples: how many samples are drawn with replacement.
        seed: of the draw.

    Returns:
        A DataFrame with the columns `by`, sorted by them, `mean`, `low`, `high`, `min`, `max`, `std` (of a
        sample, n - 1) and `n`. `low` and `high` are NaN for a single value; a group with none keeps its row.

    Raises:
        ValueError: a column is missing, or `level` or `resamples` out of range.

    Example:
        >>> scores = pd.DataFrame({"variant": ["NR", "NR", "BN"], "score": [0.25, 0.75, 0.5]})
        >>> bootstrap_by(scores, ["variant"], "score")[["variant", "mean", "n"]].values.tolist()
        [['BN', 0.5, 1], ['NR', 0.5, 2]]
    """
    by = list(by)
    require_columns(frame, [*by, value], "frame")
    rows = hashable(frame[by])
    rows["value"] = pd.to_numeric(frame[value]).astype(float)
    rows["value"] = rows["value"].where(np.isfinite(rows["value"]))
    groups = rows.groupby(by, dropna=False)
    table = groups["value"].agg(["mean", "min", "max", "std", "count"]).rename(columns={"count": "n"})
    number = groups.ngroup()
    low, high = np.full(len(table), np.nan), np.full(len(table), np.nan)
    found = rows["value"].notna()
    sizes = table["n"].to_numpy()
    for size in np.unique(sizes[sizes > 0]):
        members = np.flatnonzero(sizes == size)
        inside = found & number.isin(members)
        order = np.lexsort((rows.loc[inside, "value"], number[inside]))
        samples = rows.loc[inside, "value"].to_numpy()[order].reshape(len(members), size)
        low[members], high[members] = _intervals(samples, level, resamples, seed)
    table.insert(1, "low", low)
    table.insert(2, "high", high)
    return table.reset_index()


def _intervals(samples: np.ndarray, level: float, resamples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ends of each row's interval; `samples` has the shape (groups, size), each row sorted."""
    if not 0 < level < 1:
        raise ValueError(f"`level` must be in (0, 1); received {level}.")
    if resamples < 1:
        raise ValueError(f"`resamples` must be at least 1; received {resamples}.")
    groups, size = samples.shape
    if size < 2:
        return np.full(groups, np.nan), np.full(groups, np.nan)
    from scipy import stats

    found = stats.bootstrap(
        (samples,),
        np.mean,
        axis=1,
        confidence_level=level,
        n_resamples=resamples,
        batch=_BATCH,
        method="percentile",
        random_state=np.random.default_rng(check_seed(seed)),
    )
    low, high = np.clip(found.confidence_interval, samples[:, 0], samples[:, -1])  # no rounding beyond the values
    return low, high
