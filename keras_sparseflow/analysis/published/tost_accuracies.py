"""The published accuracies and gains of Jaiswal et al. 2022 (ToST), to stand beside ours."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.published.tessera_tables import load_published

_CELL = ["mask", "tweaks", "density"]
_TICKET, _DENSE = "lth", "dense"
_NAMES = {"gsk": "GSk", "gsw": "GSw", "lrsi": "LRsI", "ls": "LS"}


def load_tost_accuracies() -> pd.DataFrame:
    """Returns tables 2 to 4, one row per published mean over three runs: `accuracy_percent` and its `std`.

    Where `tweak` is "tost" all tweaks are applied, where it is "none" the usual training.

    Example:
        >>> load_tost_accuracies().columns.tolist()
        ['table', 'dataset', 'architecture', 'mask', 'tweak', 'sparsity', 'accuracy_percent', 'std']
    """
    return load_published("tost_accuracy.csv")


def load_tost_others(quantity: str) -> pd.DataFrame:
    """Returns the published numbers of tables 1 and 5: `table`, `quantity`, `row`, `column`, `value` and `unit`.

    Args:
        quantity: "activation_sparsity", of table 1, or "accuracy_gain", of table 5.
    """
    rows = load_published("tost_other.csv")
    return rows[rows["quantity"] == quantity].reset_index(drop=True)


def beside_published_tost(results: pd.DataFrame, study: Mapping[str, Any]) -> pd.DataFrame:
    """Returns our accuracies beside those of the table of ToST that a study repeats, at full size or reduced.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        study: the content of `study.json`; its `published` names the `table`, and the `dataset` and `architecture` of
            the rows where the table has several.

    Returns:
        A row for each mask, tweaks and density that both have, all numbers in percent: `mean`, `std` and `n` (runs
        that did not diverge) of ours, `gain` over our training without tweaks, and the same published: `published`,
        `published_std`, `published_gain`. Table 5 has gains alone: of it the published accuracies are NaN. Empty where
        the study names no table of accuracies.

    Example:
        >>> runs = pd.DataFrame({"method": "static", "score": "snip", "tweaks": ["none", "tost"], "density": 0.1,
        ...                      "test_accuracy": [0.5, 0.75], "diverged": False})
        >>> rows_of = {"table": "2", "dataset": "cifar10", "architecture": "ResNet-32"}
        >>> rows = beside_published_tost(runs, {"published": rows_of})
        >>> rows[["tweaks", "mean", "gain", "published", "published_gain"]].round(2).to_numpy().tolist()
        [['none', 50.0, 0.0, 92.26, 0.0], ['tost', 75.0, 25.0, 92.83, 0.57]]
    """
    published = _table(study)
    ours = _ours(results) if len(published) else published
    if not len(ours):
        return pd.DataFrame(columns=[*_CELL, "mean", "std", "n", "gain", *_PUBLISHED])
    return ours.merge(published, on=_CELL, how="inner")[[*_CELL, "mean", "std", "n", "gain", *_PUBLISHED]]


_PUBLISHED = ["published", "published_std", "published_gain"]


def published_table(study: Mapping[str, Any]) -> str:
    """Returns the number of the table of ToST that a study repeats, or "" where it names none.

    Args:
        study: the content of `study.json`; files of earlier versions have no `published`, so that they name none.
    """
    return (study.get("published") or {}).get("table", "")


def masks_of(results: pd.DataFrame) -> pd.Series:
    """Returns the mask of each run as ToST names it: "dense", "lth" for lottery tickets, or the score of a mask.

    A study of lottery tickets alone has no column `score`.
    """
    scores = results.get("score", results["method"])
    names = [
        _DENSE if density == 1 else {"lottery": _TICKET, "static": score}.get(method, method)
        for method, score, density in zip(results["method"], scores, results["density"], strict=True)
    ]
    return pd.Series(names, index=results.index, dtype=object)


def _table(study: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the published rows that a study repeats."""
    if published_table(study) == "5":
        return _gains()
    rows = load_tost_accuracies()
    named = study.get("published") or {"table": ""}
    rows = rows[(rows[list(named)] == pd.Series(named)).all(axis="columns")]
    placed = rows.assign(
        tweaks=rows["tweak"].replace(_NAMES),
        density=(1 - rows["sparsity"]).round(6),
        published=rows["accuracy_percent"],
        published_std=rows["std"],
    )
    return placed.assign(published_gain=_gain(placed, "published"))[[*_CELL, *_PUBLISHED]]


def _gains() -> pd.DataFrame:
    """Returns the rows of table 5, of lottery tickets and dense networks, and those that its gains are over."""
    rows = load_tost_others("accuracy_gain")
    sparsity = rows["column"].str.removeprefix("sparsity=").astype(float)
    placed = rows.assign(
        mask=sparsity.map(lambda share: _TICKET if share else _DENSE),
        tweaks=rows["row"].replace(_NAMES),
        density=(1 - sparsity).round(6),
        published=float("nan"),
        published_std=float("nan"),
        published_gain=rows["value"],
    )
    plain = placed.drop_duplicates("density").assign(tweaks="none", published_gain=0.0)
    return pd.concat([plain, placed], ignore_index=True)[[*_CELL, *_PUBLISHED]]


def _ours(results: pd.DataFrame) -> pd.DataFrame:
    """Returns mean, deviation and gain of our finished runs by mask, tweaks and density."""
    finite = results[~results["diverged"].astype(bool)]
    placed = finite.assign(
        mask=masks_of(finite), density=finite["density"].round(6), percent=100 * finite["test_accuracy"]
    )
    groups = placed.groupby(_CELL, sort=False)["percent"]
    means = groups.agg(mean="mean", std="std", n="count").reset_index()
    return means.assign(gain=_gain(means, "mean"))


def _gain(rows: pd.DataFrame, column: str) -> pd.Series:
    """Returns each row's value minus that without tweaks at the same mask and density; NaN where there is none."""
    plain = rows[rows["tweaks"] == "none"].set_index(["mask", "density"])[column]
    places = pd.MultiIndex.from_frame(rows[["mask", "density"]])
    return rows[column] - pd.Series(plain.reindex(places).to_numpy(), index=rows.index)
