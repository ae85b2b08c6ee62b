"""Evidence: the runs of a study, of pairs or over densities, with the columns by which claims are judged."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.frames.cells import hashable, require_columns, spec_columns
from keras_sparseflow.analysis.frames.densities import MEASURING
from keras_sparseflow.analysis.frames.labels import reading_name
from keras_sparseflow.analysis.frames.method_names import name_methods
from keras_sparseflow.analysis.frames.readings import reading_of
from keras_sparseflow.flow.measure_table import TOTAL

SIZES = ("dataset", "model", "depth", "width", "hidden_layers", "dense_width", "density", "seed")
"""Columns whose values name a draw: pairs that agree in them share initial weights and masks, and count as one."""

_RUN = ("seed", "dense_width", "matched_fraction", "width", "width_fraction", "density", "earlier_densities")
"""Columns in which the runs of one configuration differ."""

_NAMED = ("optimizer", "variant", "arm", "learning_rate", "activation", "method", "tweaks", *SIZES)
"""Columns by which claims name cases; they are kept also where a study has a single value of them."""

_DEFAULTS: dict[str, Any] = {
    "model": "mlp", "activation": "relu", "method": "static", "density": 1.0, "tweaks": "none",
    "ghost_decay": "cosine", "ghost_until": 0.5,
}  # fmt: skip
"""Columns that claims ask for and not every study has, with the value that they have there."""

_SIDES = {"cifar10": 32, "cifar100": 32, "fashion_mnist": 28, "digits": 8}
"""The pixels of a side, by dataset, of images in their own size."""

_IMAGES = {"cifar10": 50_000, "cifar100": 50_000, "fashion_mnist": 60_000}
"""The number of all training images, by dataset."""


@dataclass(frozen=True)
class Evidence:
    """The runs of a study.

    Args:
        runs: one row per run and place in the study, with the columns of `spec`, `accuracy`, `egf`, `egf_spread` (how
            far the EGF is from the median of its configuration) and `top_eigenvalue` (its geometric mean along the
            training), each NaN where it was not measured; `coupled`: whether L2, where there is some, is a term of the
            loss; `plain_method`: the method without its distribution. Three columns hold "" where a run is as in the
            papers: `odd_padding` (how augmentation pads images), `other_size` (the size to which images were
            resized) and `fewer_images` (the number of training images).
        spec: the columns that tell runs apart.
        diverged: "worst" or "drop", see `pair_arms`.
        reading: the reading of the gradient flow, in words; "" where the results name none.
    """

    runs: pd.DataFrame
    spec: tuple[str, ...]
    diverged: str
    reading: str

    @property
    def configuration(self) -> list[str]:
        """The columns that tell configurations apart: runs of one differ in size and seed alone."""
        return [column for column in self.spec if column not in _RUN]

    def of(self, kept: pd.Series) -> "Evidence":
        """Returns the evidence of some of the runs."""
        return replace(self, runs=self.runs[kept])


def gather(results: pd.DataFrame, diagnostics: pd.DataFrame | None, value: str, diverged: str) -> Evidence:
    """Returns the evidence that a study has; see `judge_claims` for the arguments.

    A study over densities has the arms, too: its networks of density 1 are dense.

    Raises:
        ValueError: a column is missing.
    """
    require_columns(results, ["run_id", "variant", "optimizer", "seed", "diverged", value])
    if "arm" not in results:
        require_columns(results, ["density"])
        named = name_methods(results)
        results = named.assign(arm=np.where(named["density"] == 1, "dense", "sparse"))
    results = results.assign(**{name: value for name, value in _DEFAULTS.items() if name not in results})
    results = results.assign(
        tweaks=results["tweaks"].fillna("none"), plain_method=results.get("plain_method", results["method"])
    )
    spec = _told_apart(results)
    # Runs of one spec are one training that was looked at in several ways, of which some run has the eigenvalues.
    results = hashable(results)
    training = pd.Series(number(results, spec), results.index)
    eigenvalue = results["run_id"].map(_mean_eigenvalues(diagnostics)).astype(float)
    results = results.assign(top_eigenvalue=eigenvalue.groupby(training).transform("first"))
    runs = results[~training.duplicated()].reset_index(drop=True)
    runs.attrs = {}  # pandas copies them with each frame that is made from this one
    egf = next((_numbers(runs[name]) for name in ("egf_2", "egf_1") if name in runs), pd.Series(np.nan, runs.index))
    egf = egf.where(np.isfinite(egf) & ~runs["diverged"].astype(bool))
    runs = runs.assign(
        accuracy=_numbers(runs[value]),
        egf=egf,
        coupled=_coupled(runs),
        odd_padding=_odd_padding(runs),
        other_size=_changed(runs, "image_size", _SIDES, "{:g} pixels a side"),
        fewer_images=_fewer_images(runs),
    )
    reading = reading_of(results)
    found = Evidence(runs, tuple(spec), diverged, f"flow: {reading_name(reading)}" if reading else "")
    middle = runs["egf"].groupby(number(runs, found.configuration)).transform("median")
    return replace(found, runs=runs.assign(egf_spread=(runs["egf"] - middle).abs()))


def number(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Returns a number for each row, the same where rows agree in all columns: much faster than to group by them."""
    numbers = np.zeros(len(frame), dtype=np.int64)
    for column in columns:
        codes, values = pd.factorize(frame[column])  # -1 where there is no value
        numbers = pd.factorize(numbers * (len(values) + 1) + codes + 1)[0].astype(np.int64)
    return numbers


def parts_of(names: pd.Series) -> pd.Series:
    """Returns the parts that each combined name joins: those of "L2_BN" are L2 and BN, "NR" and "none" have none."""
    parts = {name: frozenset(str(name).split("_")) - {"NR", "none"} for name in names.unique()}
    return names.map(parts)


def variants(has: Sequence[str] = (), lacks: Sequence[str] = ()) -> Callable[[pd.DataFrame], pd.Series]:
    """Returns a function that says which runs have some parts of a variant, and lack others."""

    def kept(runs: pd.DataFrame) -> pd.Series:
        parts = parts_of(runs["variant"])
        return parts.map(lambda own: own.issuperset(has) and own.isdisjoint(lacks)).astype(bool)

    return kept


def _told_apart(results: pd.DataFrame) -> list[str]:
    """Returns the columns of the spec that vary, and those by which claims name cases."""
    columns = [column for column in spec_columns(results) if column not in MEASURING]
    varying = hashable(results[columns]).nunique(dropna=False) > 1
    named = [column for column in _NAMED if column in results]
    return list(dict.fromkeys([*varying.index[varying], *named]))


def _coupled(runs: pd.DataFrame) -> pd.Series:
    form = runs["l2_form"].fillna("auto") if "l2_form" in runs else pd.Series("auto", runs.index)
    return (form == "loss") | ((form == "auto") & (runs["optimizer"] != "adamw"))


def _odd_padding(runs: pd.DataFrame) -> str:
    """Returns each padding of augmentation that is not an eighth of the images' side, in words; "" where all are."""
    if "augment_pad" not in runs:
        return ""
    padded = runs[runs["augment_pad"].notna() & variants(has=("DA",))(runs)]
    size = padded["image_size"] if "image_size" in padded else pd.Series(np.nan, padded.index)
    sides = pd.to_numeric(size).fillna(padded["dataset"].map(_SIDES)).dropna()
    pads = sorted(set(zip(padded.loc[sides.index, "augment_pad"], sides, strict=True)))
    return ", ".join(f"{pad:g} pixels of {side:g}" for pad, side in pads if pad != max(1, round(side / 8)))


def _fewer_images(runs: pd.DataFrame) -> pd.Series:
    """Returns how many training images runs have, in words, if not all: some are left out or held out."""
    fewer = _changed(runs, "train_size", _IMAGES, "{:.0f}")
    if "validation_size" not in runs:
        return fewer
    held = _numbers(runs["validation_size"])
    return fewer.where((fewer != "") | held.isna(), "all but " + held.map("{:.0f}".format))


def _changed(runs: pd.DataFrame, column: str, whole: dict[str, int], words: str) -> pd.Series:
    """Returns a number of the spec in words; "" where it is none, or that of the whole dataset."""
    if column not in runs:
        return pd.Series("", runs.index)
    number, own = _numbers(runs[column]), runs["dataset"].map(whole)
    return number.map(words.format).where(number.notna() & (number != own), "")


def _mean_eigenvalues(diagnostics: pd.DataFrame | None) -> dict[str, float]:
    """Returns the geometric mean over the epochs of each run's top eigenvalue, where all are positive."""
    if diagnostics is None or diagnostics.empty:
        return {}
    top = diagnostics[(diagnostics["measure"] == "top_eigenvalue") & (diagnostics["layer"] == TOTAL)]
    values = _numbers(top["value"])
    logs = np.log(values.where(values > 0))
    means = logs.groupby(top["run_id"]).agg(lambda run: run.mean(skipna=False))
    return dict(np.exp(means).items())


def _numbers(column: Iterable[object]) -> pd.Series:
    return pd.to_numeric(pd.Series(column)).astype(float)
