"""Densities: which runs of a density study belong together, and what their numbers come to.

A configuration is everything but density and seed. A table holds the configurations of one dataset and
architecture: a panel per optimizer, a line per variant (and activation, where several were trained), for each
method, which says how a network becomes sparse.
"""

from typing import Any

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.bootstrap import LEVEL
from keras_sparseflow.analysis.cells import describe, hashable, paper_rank, require_columns, spec_columns
from keras_sparseflow.analysis.pairs import mean_over_seeds

CONFIGURATION = (
    *("dataset", "model", "depth", "width", "learning_rate"),
    *("activation", "variant", "tweaks", "optimizer", "method"),
)
"""The columns that name a configuration of a density study; runs without the column `tweaks` have none."""

PLACE = ["table", "method", "panel", "line"]
"""The columns by which `arrange_densities` names a configuration."""

_ARCHITECTURE = ["dataset", "model", "depth", "width"]
_WITHIN = ("density", "seed")
_LINE = ("variant", "activation", "tweaks")
_METHOD_NAMES = {
    "random": "random masks",
    "magnitude_masks": "magnitude at initialisation",
    "snip": "SNIP",
    "grasp": "GraSP",
    "synflow": "SynFlow",
    "set": "SET",
    "rigl": "RigL",
    "magnitude": "magnitude pruning",
    "lottery": "lottery tickets",
}
"""Methods as a report names them, in its order."""

_MODELS = {
    "wide_resnet": "Wide ResNet-{depth:g}-{width:g}",
    "resnet": "ResNet-{depth:g}, width {width:g}",
    "vgg": "VGG-{depth:g}, width {width:g}",
    "mobilenet": "MobileNet, width {width:g}",
    "mlp": "multilayer perceptron of {hidden_layers:g} x {width:g} units",
}
"""Architectures as a report names them."""


def arrange_densities(results: pd.DataFrame) -> pd.DataFrame:
    """Returns the runs of a density study, sorted, with each run's place in tables and figures.

    The new columns are `table` (such as "cifar100, Wide ResNet-28-10, learning rate 0.1, relu"), `panel` (the
    optimizer, with the learning rate where several were taken) and `line` (variant, activation and
    tweaks, whichever vary); the method keeps its column. Other fields of the spec that vary within a
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
    results = _with_tweaks(results)
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
    varying = [column for column in _LINE if placed[column].nunique() > 1]
    placed["line"] = _joined(placed, varying or ["variant"])
    return placed


def mean_by_density(results: pd.DataFrame, value: str = "test_accuracy", level: float = LEVEL) -> pd.DataFrame:
    """Returns the mean over the seeds and how it spreads, per configuration and density.

    Diverged runs and missing values are no part of these numbers; `diverged` says how many runs of the
    group diverged.

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
    placed = arrange_densities(results)
    group = [*PLACE, "density"]
    return placed[group].drop_duplicates().merge(mean_over_seeds(placed, group, value, level), on=group)


def tabulate_densities(results: pd.DataFrame, value: str, measure: str | None) -> pd.DataFrame:
    """Returns `mean_by_density` with the mean flow in the column `flow`, which is NaN where `measure` is None."""
    table = mean_by_density(results, value)
    return table.assign(flow=np.nan if measure is None else mean_by_density(results, measure)["mean"])


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


def name_methods(results: pd.DataFrame) -> pd.DataFrame:
    """Returns runs of a density study with one name in `method` for how each becomes sparse.

    Static masks are named after their score, others after method and score; the distribution joins the name where
    several were taken, but for magnitude pruning, which has its own. Dense networks have neither: they are named after
    sparse ones of the same method, where there are some. The columns `score` and `distribution` are then
    no part of the spec, nor is `earlier_densities`, which differs between the rounds of one lottery ticket.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it; without a column
            `score` its methods are named already.

    Example:
        >>> frame = pd.DataFrame({"method": ["static", "rigl"], "score": ["snip", "random"], "distribution": "erk",
        ...                       "density": 0.1})
        >>> name_methods(frame)["method"].tolist()
        ['snip', 'rigl']
    """
    if "score" not in results:
        return results
    several = results.loc[results["method"] != "magnitude", "distribution"].nunique() > 1
    names = [
        _one_name(method, score) + (f" ({distribution})" if several and method != "magnitude" else "")
        for method, score, distribution in results[["method", "score", "distribution"]].itertuples(index=False)
    ]
    named = results.assign(method=_name_dense(results, pd.Series(names, index=results.index, dtype=object)))
    named = named.drop(columns=["score", "distribution", "earlier_densities"], errors="ignore")
    named.attrs = {**results.attrs, "spec_columns": [c for c in spec_columns(results) if c in named]}
    return named


def method_name(method: str) -> str:
    """Returns how networks become sparse in words: `method_name("random")` is "random masks"."""
    name, _, distribution = method.partition(" (")
    known = [_METHOD_NAMES.get(part, part.replace("_", " ")) for part in name.split("_from_")]
    upper = {"er)": "ER)", "erk)": "ERK)"}.get(distribution, distribution)
    return " from ".join(known) + (f" ({upper}" if upper else "")


def configuration_name(place: Any, several_methods: bool) -> str:
    """Returns a configuration in words, such as "momentum, SC_BN, random masks", of a row with its place."""
    return ", ".join([place["panel"], place["line"], *([method_name(place["method"])] if several_methods else [])])


def _with_tweaks(results: pd.DataFrame) -> pd.DataFrame:
    """Returns the runs with the tweaks of ToST that they were trained with; older ones had none."""
    return results.assign(tweaks=results["tweaks"].fillna("none") if "tweaks" in results else "none")


def _varying(results: pd.DataFrame) -> list[str]:
    """Returns the columns of the spec besides the named ones that vary within a configuration."""
    others = [c for c in spec_columns(results) if c not in CONFIGURATION and c not in _WITHIN]
    if results.empty or not others:
        return []
    groups = hashable(results[[*CONFIGURATION, *others]]).groupby(list(CONFIGURATION), dropna=False)
    return [column for column in others if (groups[column].nunique(dropna=False) > 1).any()]


def _sorted(results: pd.DataFrame, others: list[str]) -> pd.DataFrame:
    ranks = hashable(results[[*_ARCHITECTURE, *others, "method", "optimizer", "learning_rate"]])
    ranks = ranks.assign(**{c: results[c] for c in (*_LINE, "density", "seed")})
    for column in ("optimizer", *_LINE):
        ranks[column] = ranks[column].map(paper_rank(column))
    ranks["method"] = ranks["method"].map(_rank)
    return results.loc[ranks.sort_values(list(ranks.columns), kind="stable").index].copy()


def _architecture(row: pd.Series) -> str:
    depth, width = row["depth"], row["width"]
    if row["model"] in _MODELS:
        model = _MODELS[row["model"]].format(depth=depth, hidden_layers=depth - 1, width=width)
        return f"{row['dataset']}, {model}"
    size = [f"{number:g}" for number in (depth, width) if not pd.isna(number)]
    return f"{row['dataset']}, {'-'.join([str(row['model']).replace('_', ' '), *size])}"


def _joined(placed: pd.DataFrame, columns: list[str]) -> list[str]:
    rows = placed[columns].to_dict("records")
    return [", ".join(describe(column, row[column]) for column in columns) for row in rows]


def _one_name(method: str, score: str) -> str:
    if method == "static":
        return "magnitude_masks" if score == "magnitude" else score
    return method if score == "random" else f"{method}_from_{score}"


def _name_dense(results: pd.DataFrame, names: pd.Series) -> pd.Series:
    """Returns the names, dense networks named after the first of sparse ones, of the same method if there is one."""
    dense = results["density"] == 1
    for method in results.loc[dense, "method"].unique():
        own = names[~dense & (results["method"] == method)]
        sparse = own if len(own) else names[~dense]
        if len(sparse):
            names[dense & (results["method"] == method)] = min(sparse.unique(), key=_rank)
    return names


def _rank(method: str) -> tuple[int, str]:
    """Returns the place of a method in a report's order."""
    return (list(_METHOD_NAMES).index(_kind(method)) if _kind(method) in _METHOD_NAMES else len(_METHOD_NAMES), method)


def _kind(method: str) -> str:
    """Returns a method's name without its distribution and the score that it begins with."""
    return method.partition(" (")[0].partition("_from_")[0]
