"""Comparisons run by run: runs of one side beside those of the other that agree with them in all else."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.claims.case import Case, Scale
from keras_sparseflow.analysis.claims.evidence import SIZES, Evidence, number, parts_of, variants
from keras_sparseflow.analysis.frames.cells import describe
from keras_sparseflow.analysis.frames.formats import format_percent
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.frames.pairs import ARMS, match_sides

FIELDS = {
    "BN": ("norm_place",),
    "SC": ("skip_span", "skip_place"),
    "L2": ("l2", "l2_form"),
    "DA": ("augment_pad", "augment_flip"),
}
"""Columns that mean nothing without a part of a variant, so that runs with and without it may differ in them."""

TWEAK_FIELDS = (
    *("ghost_decay", "ghost_until", "ghost_activation"),
    *("label_smoothing", "smoothing_over", "rescale_iterations"),
)
"""Columns that mean nothing without a tweak."""


@dataclass(frozen=True)
class Sides:
    """Two groups of runs that are compared.

    Args:
        names: of both groups.
        label: returns the name of each run's group; None for runs of neither.
        free: columns in which runs of a pair may differ.
        rest: returns the part of those columns in which runs of a pair must agree.
    """

    names: tuple[str, str]
    label: Callable[[pd.DataFrame], pd.Series]
    free: tuple[str, ...]
    rest: Callable[[pd.DataFrame], Any] = field(default=lambda runs: "")


def part(name: str, has: Sequence[str] = (), lacks: Sequence[str] = ()) -> Sides:
    """Returns runs with a part of the variant, and without it.

    Args:
        name: of the part, such as "L2".
        has: parts that both sides have; decoupled L2 is no L2 here.
        lacks: parts that neither has.
    """
    names = (f"with {name}", "without")

    def label(runs: pd.DataFrame) -> pd.Series:
        kept = variants(has, lacks)(runs)
        kept &= runs["coupled"] if name == "L2" else True
        return parts_of(runs["variant"]).map(lambda own: names[name not in own]).where(kept)

    def rest(runs: pd.DataFrame) -> pd.Series:
        return parts_of(runs["variant"]).map(lambda own: "_".join(sorted(own - {name})))

    return Sides(names, label, ("variant", *FIELDS.get(name, ())), rest)


def values(
    column: str, first: str, second: str, free: Sequence[str] = (), names: tuple[str, str] | None = None
) -> Sides:
    """Returns runs with one value in a column, and runs with another.

    Args:
        column: such as "activation".
        first: its value on the first side.
        second: its value on the second side.
        free: other columns in which runs of a pair may differ.
        names: of both sides; default, the values.
    """
    names = names or (first, second)
    named = dict(zip((first, second), names, strict=True))
    return Sides(names, lambda runs: runs[column].map(named), (column, *free))


SPARSE_AND_DENSE = values("arm", *ARMS)


class Measured(Protocol):
    """A quantity of runs, or of pairs of runs."""

    @property
    def column(self) -> str: ...
    @property
    def scale(self) -> Scale: ...
    def table(self, evidence: Evidence) -> pd.DataFrame: ...
    def policy(self, evidence: Evidence) -> str: ...


@dataclass(frozen=True)
class Quantity:
    """A column of the evidence; diverged runs have no value of it, unless it is the accuracy and they are the worst."""

    column: str
    scale: Scale = Scale()

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """Returns the runs."""
        return evidence.runs

    def policy(self, evidence: Evidence) -> str:
        """Returns what becomes of diverged runs: "worst" or "drop", see `pair_arms`."""
        return evidence.diverged if self.column == "accuracy" else "drop"


ACCURACY = Quantity("accuracy")
EGF = Quantity("egf", Scale(ratio=True))
EGF_SPREAD = Quantity("egf_spread", Scale(decimals=None))
EIGENVALUE = Quantity("top_eigenvalue", Scale(ratio=True))


@dataclass(frozen=True)
class Comparison:
    """A comparison of two sides in each of several cases.

    Args:
        sides: the two.
        of: the quantity that is compared, or the difference of another comparison.
        claimed: `HIGHER` or `LOWER`, as the claim says that the first side is.
        optimizers: the optimizers whose runs take part; all where none is named.
        where: returns, for each run, whether it takes part.
        by: the columns that tell cases apart, the first of which always names them. Pairs of a case that are of one
            draw (`SIZES`) count once, with their mean: runs of several variants that share initial weights and masks
            are not independent.
    """

    sides: Sides
    of: Measured
    claimed: int
    optimizers: tuple[str, ...] = ()
    where: Callable[[pd.DataFrame], pd.Series] | None = None
    by: tuple[str, ...] = ("optimizer", "arm")

    def __call__(self, evidence: Evidence) -> list[Case]:
        """Returns the cases that have a pair."""
        pairs = self.pairs(evidence)
        if pairs.empty:
            return []
        by = [column for column in self.by if column in pairs]
        name, note = case_names(pairs, by), evidence.reading if self.of.column.startswith("egf") else ""
        return [
            Case(name(pair), first, second, self.claimed, self.of.scale, self.sides.names, note)
            for pair, first, second in by_case(pairs, by)
        ]

    def pairs(self, evidence: Evidence) -> pd.DataFrame:
        """Returns the complete pairs: the columns in which both runs agree, and the values `first` and `second`."""
        runs = self.of.table(evidence)
        if self.optimizers:
            runs = runs[runs["optimizer"].isin(self.optimizers)]
        if self.where is not None:
            runs = runs[self.where(runs).astype(bool)]
        side, names = self.sides.label(runs), list(self.sides.names)
        if not set(names) <= set(side):
            return pd.DataFrame(columns=[*evidence.spec, "first", "second"])
        agreed = [column for column in evidence.spec if column in runs and column not in self.sides.free]
        runs = runs.assign(side=side, rest=self.sides.rest(runs))[side.isin(names)]
        runs["pair"] = number(runs, [*agreed, "rest"])
        # As an accuracy, for `match_sides` takes 0 for the worst of those; others are left out where a run diverged.
        values = runs[["pair", "side", "diverged"]].assign(accuracy=runs[self.of.column])
        first, second = (values[values["side"] == name] for name in names)
        second = second.drop_duplicates("pair")
        # Several runs of the first side, such as those of two lambdas, may each have the same partner.
        matched = [
            match_sides(
                pd.concat([one, second]), "side", self.sides.names, ["pair"], "accuracy", self.of.policy(evidence)
            )
            for _, one in first.groupby(first.groupby("pair").cumcount())
        ]
        pairs = pd.concat(matched).rename(columns=dict(zip(names, ("first", "second"), strict=True)))
        pairs = pairs.loc[pairs["state"] == "complete", ["pair", "first", "second"]]
        place = runs.drop_duplicates("pair").set_index("pair")[agreed]
        pairs = (
            place.reindex(pairs["pair"])
            .reset_index(drop=True)
            .assign(first=pairs["first"].to_numpy(dtype=float), second=pairs["second"].to_numpy(dtype=float))
        )
        if not self.of.scale.ratio:
            return pairs
        pairs = pairs[(pairs[["first", "second"]] > 0).all(axis=1)]
        return pairs.assign(first=np.log(pairs["first"]), second=np.log(pairs["second"]))


@dataclass(frozen=True)
class Difference:
    """The difference of a comparison as a quantity of its pairs, such as the lead of sparse networks."""

    inner: Comparison
    column: str = "lead"

    @property
    def scale(self) -> Scale:
        """The scale of the comparison."""
        return self.inner.of.scale

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """Returns the pairs with their difference."""
        pairs = self.inner.pairs(evidence)
        return pairs.assign(lead=pairs["first"] - pairs["second"], diverged=False, coupled=True)

    def policy(self, evidence: Evidence) -> str:
        """Returns "drop": the comparison has dealt with diverged runs already."""
        return "drop"


def by_case(pairs: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[pd.Series, np.ndarray, np.ndarray]]:
    """Yields the first pair of each case, and the values of both sides: for each draw, the mean over its pairs."""
    draw = number(pairs, [*by, *(column for column in SIZES if column in pairs and column not in by)])
    means = pairs[["first", "second"]].astype(float).groupby(draw, sort=False).mean()
    firsts = pairs.groupby(draw, sort=False).head(1).reset_index(drop=True)
    for _, inside in firsts.groupby(number(firsts, by), sort=False):
        case = means.to_numpy()[inside.index]
        yield inside.iloc[0], case[:, 0], case[:, 1]


def case_names(pairs: pd.DataFrame, by: Sequence[str]) -> Callable[[pd.Series], str]:
    """Returns a function that names the case of a pair by the columns that vary, and by the first one and the arm."""
    named = [column for column in by if column in (by[0], "arm") or pairs[column].nunique() > 1]
    return lambda pair: ", ".join(_WORDS[c](pair[c]) if c in _WORDS else describe(c, pair[c]) for c in named)


_WORDS: dict[str, Callable[[Any], str]] = {
    "arm": lambda arm: f"{arm} networks",
    "method": method_name,
    "density": lambda density: f"density {format_percent(density)}",
}
