"""Densities: places of the runs of a density study in its tables and figures, and their means.

A configuration is everything but density and seed. A table holds the configurations of one dataset and
architecture: a panel per optimizer, a line per variant (and activation, where several were trained), for each
method, which says how a network becomes sparse.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.frames.cells import describe, hashable, paper_rank, require_columns, spec_columns
from keras_sparseflow.analysis.frames.method_names import method_name, method_rank
from keras_sparseflow.analysis.frames.pairs import mean_over_seeds
from keras_sparseflow.analysis.statistics.shift import LEVEL

_SIZE = ("hidden_layers", "depth", "width")
"""An mlp has hidden layers, other networks a depth."""

CONFIGURATION = (
    *("dataset", "model", *_SIZE, "learning_rate"),
    *("activation", "variant", "tweaks", "optimizer", "method"),
)
"""The columns that name a configuration of a density study; runs without the column `tweaks` have none."""

PLACE = ["table", "method", "panel", "line"]
"""The columns by which `arrange_densities` names a configuration."""

_ARCHITECTURE = ["dataset", "model", *_SIZE]
_WITHIN = ("density", "seed")
_TRAINING = [*PLACE, *_WITHIN]
_LINE = ("variant", "activation", "tweaks")
MEASURING = ("diagnostics", "diagnostic_epochs", "diagnostic_samples", "eigenvalue_iterations", "landscape_steps")
"""Fields of the spec that name other measurements: they change no training, so that no runs are told apart by them."""

_MODELS = {
    "wide_resnet": "Wide ResNet-{depth:g}-{width:g}",
    "resnet": "ResNet-{depth:g}, width {width:g}",
    "vgg": "VGG-{depth:g}, width {width:g}",
    "mobilenet": "MobileNet, width {width:g}",
    "vit": "Vision Transformer of {depth:g} blocks, width {width:g}",
    "mlp": "multilayer perceptron of {hidden_layers:g} x {width:g} units",
}
"""Architectures as a report names them."""


def arrange_densities(results: pd.DataFrame) -> pd.DataFrame:
    """Returns the runs of a density study, sorted, with each run's place in tables and figures.

    The new columns are `table` (such as "cifar100, Wide ResNet-28-10, learning rate 0.1, relu"), `panel` (the
    optimizer, with the learning rate where several were taken) and `line` (variant, activation and
    tweaks, as far as they vary); the method keeps its column. Other fields of the spec that vary within a
    configuration part the tables, so that runs that were trained differently are never averaged.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.

    Raises:
        ValueError: a column is missing, or a density is not in (0, 1].

    Example:
        >>> frame = pd.DataFrame({"dataset": "cifar100", "model": "wide_resnet", "depth": 28, "width": 10,
        ...                       "learning_rate": 0.1, "activation": "relu", "variant": ["SC_BN", "NR"],
        ...                       "optimizer": "momentum", "method": "random", "density": 0.1, "seed": 0})
        >>> arrange_densities(frame)[["table", "panel", "line"]].to_numpy().tolist()[0]
        ['cifar100, Wide ResNet-28-10, learning rate 0.1, relu', 'momentum', 'NR']
    """
    results = _completed(results)
    require_columns(results, [*CONFIGURATION, *_WITHIN])
    wrong = results.loc[~results["density"].between(0, 1, inclusive="right"), "density"]
    if len(wrong):
        raise ValueError(f"`results['density']` must be in (0, 1]; received {wrong.iloc[0]}.")
    others = _varying(results)
    own_rate, own_activation = (results[column].nunique() > 1 for column in ("learning_rate", "activation"))
    general = [c for c, inside in (("learning_rate", own_rate), ("activation", own_activation)) if not inside]
    placed = _sorted(results, others)
    architectures = [_architecture(row) for _, row in placed[_ARCHITECTURE].iterrows()]
    besides = _joined(hashable(placed), [*general, *others])
    placed["table"] = [", ".join(filter(None, names)) for names in zip(architectures, besides, strict=True)]
    placed["panel"] = _joined(placed, ["optimizer", *(["learning_rate"] if own_rate else [])])
    placed["line"] = _joined(placed, _line_columns(placed))
    return placed


def one_run_each(placed: pd.DataFrame) -> pd.DataFrame:
    """Returns the first run of each configuration, density and seed: others are the same training, measured otherwise.

    Args:
        placed: as `arrange_densities` returns it.
    """
    return placed.drop_duplicates(_TRAINING)


def rows_of_one_run_each(rows: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Returns the rows of the first run of each configuration, density and seed that has any, see `one_run_each`.

    Args:
        rows: anything measured, with its run's `run_id`, place, density and seed.
        by: columns of whose every value the first run is that which has rows of it.
    """
    first = rows.groupby([*_TRAINING, *by], sort=False)["run_id"].transform("first")
    return rows[rows["run_id"] == first]


def line_heading(results: pd.DataFrame) -> str:
    """Returns the columns in which lines of `arrange_densities` differ, such as "variant" or "variant, tweaks".

    Args:
        results: one row per finished run of a density study.
    """
    return ", ".join(_line_columns(_completed(results)))


def mean_by_density(results: pd.DataFrame, value: str = "test_accuracy", level: float = LEVEL) -> pd.DataFrame:
    """Returns the mean over the seeds and its spread, per configuration and density.

    Runs that differ only in what was measured are one training, of which the first run counts. Diverged runs and
    missing values are no part of these numbers; `diverged` says how many runs of the group diverged.

    Args:
        results: one row per finished run of a density study.
        value: the column to summarise.
        level: the level of the bootstrap interval of the mean, in (0, 1).

    Returns:
        A DataFrame in the order of `arrange_densities`, with the columns `table`, `method`, `panel`, `line`,
        `density`, `mean`, `ci_low` and `ci_high` (see `bootstrap_mean`: of three seeds, their range), `min`,
        `max`, `std` (of a sample, n - 1), `n` and `diverged`. Intervals and `std` are NaN for a single run.

    Example:
        >>> frame = pd.DataFrame({"dataset": "cifar100", "model": "wide_resnet", "depth": 28, "width": 10,
        ...                       "learning_rate": 0.1, "activation": "relu", "variant": "NR", "optimizer": "sgd",
        ...                       "method": "random", "density": [0.1, 0.1, 1.0], "seed": [0, 1, 0],
        ...                       "test_accuracy": [0.5, 0.25, 0.75], "diverged": False})
        >>> mean_by_density(frame)[["density", "mean", "n"]].to_numpy().tolist()
        [[0.1, 0.375, 2.0], [1.0, 0.75, 1.0]]
    """
    placed = one_run_each(arrange_densities(results))
    group = [*PLACE, "density"]
    return placed[group].drop_duplicates().merge(mean_over_seeds(placed, group, value, level), on=group)


def tabulate_densities(results: pd.DataFrame, value: str, measure: str | None) -> pd.DataFrame:
    """Returns `mean_by_density` with the columns `flow`, the mean flow, NaN where `measure` is None, and `gain`.

    The gain is that of `gain_by_density`, NaN where there is none.
    """
    table = mean_by_density(results, value)
    table = table.assign(flow=np.nan if measure is None else mean_by_density(results, measure)["mean"])
    return table.merge(gain_by_density(results, value), on=[*PLACE, "density"], how="left")


def gain_by_density(results: pd.DataFrame, value: str = "test_accuracy") -> pd.DataFrame:
    """Returns the mean with tweaks minus the mean without any, at each density.

    Args:
        results: one row per finished run of a density study.
        value: the column whose means are compared; of a loss, a gain is negative.

    Returns:
        A DataFrame with the columns `table`, `method`, `panel`, `line`, `density` and `gain`: a row for each
        configuration with tweaks that was trained without them too.

    Example:
        >>> frame = pd.DataFrame({"dataset": "cifar100", "model": "wide_resnet", "depth": 28, "width": 10,
        ...                       "learning_rate": 0.1, "activation": "relu", "variant": "NR", "optimizer": "sgd",
        ...                       "method": "random", "density": 0.1, "seed": 0, "tweaks": ["none", "GSk"],
        ...                       "test_accuracy": [0.5, 0.75], "diverged": False})
        >>> gain_by_density(frame)[["line", "gain"]].to_numpy().tolist()
        [['GSk', 0.25]]
    """
    lines = arrange_densities(results)[[*PLACE, "variant", "activation", "tweaks"]].drop_duplicates()
    means = mean_by_density(results, value)[[*PLACE, "density", "mean"]].merge(lines, on=PLACE)
    training = ["table", "method", "panel", "variant", "activation", "density"]
    plain = means.loc[means["tweaks"] == "none", [*training, "mean"]]
    both = means[means["tweaks"] != "none"].merge(plain, on=training, suffixes=("", "_plain"))
    return both.assign(gain=both["mean"] - both["mean_plain"])[[*PLACE, "density", "gain"]]


def dense_levels(means: pd.DataFrame) -> pd.DataFrame:
    """Returns the row of density 1 of each table, method, panel and line for which a dense network was trained.

    A dense network has no mask: where one was trained beside another method only, that one's is taken.

    Args:
        means: as `mean_by_density` returns it.
    """
    dense = means[(means["density"] == 1) & (means["n"] > 0)]
    training = ["table", "panel", "line"]
    wanted = means[PLACE].drop_duplicates()
    own = wanted.merge(dense, on=PLACE, how="inner")
    without = wanted.merge(own[PLACE], on=PLACE, how="left", indicator=True)
    without = without.loc[without["_merge"] == "left_only", PLACE]
    borrowed = without.merge(dense.drop(columns="method").drop_duplicates(training), on=training, how="inner")
    return pd.concat([own, borrowed], ignore_index=True)


def configuration_name(place: Any, several_methods: bool) -> str:
    """Returns a configuration in words, such as "momentum, SC_BN, random masks", of a row with its place."""
    return ", ".join([place["panel"], place["line"], *([method_name(place["method"])] if several_methods else [])])


def _line_columns(results: pd.DataFrame) -> list[str]:
    return [column for column in _LINE if results[column].nunique() > 1] or ["variant"]


def _completed(results: pd.DataFrame) -> pd.DataFrame:
    """Returns the runs with the columns that not every study has: tweaks of ToST, and both ways to count layers."""
    given = {name: results.get(name, np.nan) for name in _SIZE}
    completed = results.assign(tweaks=results["tweaks"].fillna("none") if "tweaks" in results else "none", **given)
    if "spec_columns" in results.attrs:  # else a number of layers would be taken for a measure
        completed.attrs["spec_columns"] = [*dict.fromkeys([*results.attrs["spec_columns"], "tweaks", *_SIZE])]
    return completed


def _varying(results: pd.DataFrame) -> list[str]:
    """Returns the columns of the spec besides the named ones that vary within a configuration."""
    named = {*CONFIGURATION, *_WITHIN, *MEASURING}
    others = [column for column in spec_columns(results) if column not in named]
    if results.empty or not others:
        return []
    groups = hashable(results[[*CONFIGURATION, *others]]).groupby(list(CONFIGURATION), dropna=False)
    return [column for column in others if (groups[column].nunique(dropna=False) > 1).any()]


def _sorted(results: pd.DataFrame, others: list[str]) -> pd.DataFrame:
    ranks = hashable(results[[*_ARCHITECTURE, *others, "method", "optimizer", "learning_rate"]])
    ranks = ranks.assign(**{c: results[c] for c in (*_LINE, "density", "seed")})
    for column in ("optimizer", *_LINE):
        ranks[column] = ranks[column].map(paper_rank(column))
    ranks["method"] = ranks["method"].map(method_rank)
    return results.loc[ranks.sort_values(list(ranks.columns), kind="stable").index].copy()


def _architecture(row: pd.Series) -> str:
    if row["model"] in _MODELS:
        return f"{row['dataset']}, {_MODELS[row['model']].format(**row[[*_SIZE]])}"
    size = [f"{number:g}" for number in (row["depth"], row["width"]) if not pd.isna(number)]
    return f"{row['dataset']}, {'-'.join([str(row['model']).replace('_', ' '), *size])}"


def _joined(placed: pd.DataFrame, columns: list[str]) -> list[str]:
    rows = placed[columns].to_dict("records")
    return [", ".join(describe(column, row[column]) for column in columns) for row in rows]
