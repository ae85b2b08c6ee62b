"""Names, in a report, of the ways in which networks become sparse and of the tweaks that they are trained with."""

import pandas as pd

from keras_sparseflow.analysis.frames.cells import spec_columns
from keras_sparseflow.analysis.frames.ghost_schedules import schedule_words

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


def name_methods(results: pd.DataFrame) -> pd.DataFrame:
    """Returns runs of a density study with one name in `method` for the way in which each becomes sparse.

    Static masks are named after their score, others after method and score; the distribution joins the name where
    several were taken, but for magnitude pruning, which has its own; the column `plain_method` has the name without it.
    Dense networks have neither score nor distribution: they are named after sparse ones of the same method, where
    there are some. The columns `score` and `distribution` are then no part of the spec, nor is `earlier_densities`,
    which differs between the rounds of one lottery ticket.

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
    plain = pd.Series(map(_one_name, results["method"], results["score"]), results.index, dtype=object)
    full = (plain + " (" + results["distribution"] + ")") if several else plain
    names = plain.where(results["method"] == "magnitude", full)
    named = results.assign(method=_name_dense(results, names), plain_method=_name_dense(results, plain))
    named = named.drop(columns=["score", "distribution", "earlier_densities"], errors="ignore")
    named.attrs = {**results.attrs, "spec_columns": [c for c in spec_columns(results) if c in named]}
    return named


def method_name(method: str) -> str:
    """Returns a method, by which networks become sparse, in words: `method_name("random")` is "random masks"."""
    name, _, distribution = method.partition(" (")
    known = [_METHOD_NAMES.get(part, part.replace("_", " ")) for part in name.split("_from_")]
    upper = {"er)": "ER)", "erk)": "ERK)"}.get(distribution, distribution)
    return " from ".join(known) + (f" ({upper}" if upper else "")


def name_tweaks(results: pd.DataFrame) -> pd.DataFrame:
    """Returns runs with the soft activation of GSw, or the schedule of ghosts, named in `tweaks`, where it has several.

    The columns `ghost_activation`, or `ghost_decay` and `ghost_until`, are then no part of the spec. Runs without GSw,
    or without ghosts, keep the name of their tweaks.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.

    Example:
        >>> frame = pd.DataFrame({"tweaks": ["none", "GSw", "GSw"], "ghost_activation": ["swish", "swish", "mish"]})
        >>> name_tweaks(frame)["tweaks"].tolist()
        ['none', 'GSw (swish)', 'GSw (mish)']
    """
    if "tweaks" not in results:
        return results
    words: list[tuple[list[str], pd.Series]] = []
    if "ghost_activation" in results:
        words.append((["ghost_activation"], results["ghost_activation"].where(_has(results, "GSw", "tost"))))
    if {"ghost_decay", "ghost_until"} <= set(results):
        schedules = map(schedule_words, results["ghost_decay"], pd.to_numeric(results["ghost_until"]))
        haunted = _has(results, "GSk", "GSw", "tost")
        words.append((["ghost_decay", "ghost_until"], pd.Series(list(schedules), results.index).where(haunted)))
    several = [(columns, said) for columns, said in words if said.nunique() > 1]
    if not several:
        return results
    details = pd.concat([said for _, said in several], axis="columns")
    inside = details.apply(lambda run: ", ".join(run.dropna()), axis="columns")
    names = results["tweaks"].where(inside == "", results["tweaks"] + " (" + inside + ")")
    named = results.assign(tweaks=names).drop(columns=[column for columns, _ in several for column in columns])
    named.attrs = {**results.attrs, "spec_columns": [c for c in spec_columns(results) if c in named]}
    return named


def _has(results: pd.DataFrame, *tweaks: str) -> pd.Series:
    """Returns which runs have one of some tweaks."""
    return results["tweaks"].fillna("none").map(lambda name: bool(set(tweaks) & set(name.split("_")))).astype(bool)


def method_rank(method: str) -> tuple[int, str]:
    """Returns the place of a method in a report's order."""
    return (list(_METHOD_NAMES).index(_kind(method)) if _kind(method) in _METHOD_NAMES else len(_METHOD_NAMES), method)


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
            names[dense & (results["method"] == method)] = min(sparse.unique(), key=method_rank)
    return names


def _kind(method: str) -> str:
    """Returns a method's name without its distribution and the score that it begins with."""
    return method.partition(" (")[0].partition("_from_")[0]
