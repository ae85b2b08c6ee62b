"""The paper's claims about MLPs, each answered from a study's numbers alone, by a rule that is written down."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.claims.l2_effect import effect_of_l2
from keras_sparseflow.analysis.frames.cells import CELL, require_columns
from keras_sparseflow.analysis.frames.labels import reading_name
from keras_sparseflow.analysis.frames.readings import reading_of

NON_EWMA = ("adagrad", "sgd", "momentum")
"""Optimizers that keep no exponentially weighted moving average of squared gradients."""

EWMA = ("adam", "rmsprop")
"""Those that do, of the paper's."""

SUPPORTED, NOT_SUPPORTED, MIXED, NOT_TESTED = "supported", "not supported", "mixed", "not tested here"
"""What a study can say of a claim."""

_EGF = ("egf_2", "egf_1")


@dataclass(frozen=True)
class Claim:
    """One claim of the paper and what a study says of it.

    Args:
        claim: the claim, as a sentence of ours.
        verdict: "supported", "not supported", "mixed" or "not tested here".
        numbers: the numbers behind the verdict, in sentences; for "not tested here", what is missing.
        rule: how the verdict follows from the numbers.

    Example:
        >>> claim = Claim("BatchNorm helps.", "supported", numbers="p = 0.01 in 3 of 4 cells.", rule="p < 0.05 in most")
        >>> claim.verdict
        'supported'
    """

    claim: str
    verdict: str
    numbers: tuple[str, ...]
    rule: str


def claims(
    results: pd.DataFrame, comparison: pd.DataFrame, taus: pd.DataFrame | None = None, alpha: float = 0.05
) -> list[Claim]:
    """Returns the paper's four claims with their verdicts: `batchnorm_claim`, `l2_claim` and so on.

    A verdict is of this study alone: its data, widths, seeds and epochs.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        comparison: what `compare_arms` returns for them.
        taus: what `correlate_flow` returns for them, or None where no flow was measured.
        alpha: below this p-value a cell or an effect is significant.

    References:
        Tessera, Hooker and Rosman, 2021, sections 2.2 and 4.1.
    """
    return [
        batchnorm_claim(comparison, alpha),
        l2_claim(results, alpha),
        flow_claim(taus),
        activation_claim(comparison, alpha),
    ]


def batchnorm_claim(comparison: pd.DataFrame, alpha: float = 0.05) -> Claim:
    """Returns whether BatchNorm favours sparse networks under Adagrad, SGD and momentum (section 4.1.1).

    Supported: sparse beats dense in at least half of the cells with BatchNorm, and in a larger share of
    them than of those without. Not supported: in no larger share. Mixed: in a larger share, but less than
    half. Not tested: there are no cells of one of both kinds.
    """
    require_columns(comparison, [*CELL, "p_value"], "comparison")
    cells = _telling(comparison[comparison["optimizer"].isin(NON_EWMA)], alpha)
    normed = cells["variant"].map(lambda variant: "BN" in variant.split("_")).astype(bool)
    with_bn, without = (_won(cells[kind], alpha) for kind in (normed, ~normed))
    counts = {"with": with_bn, "without": without}
    numbers = [
        f"Sparse beats dense (p < {alpha:g}) in {count} {kind} BatchNorm."
        if count.cells
        else f"No cell {kind} BatchNorm under {_listed(NON_EWMA)}."
        for kind, count in counts.items()
    ]
    if not with_bn.cells or not without.cells:
        verdict = NOT_TESTED
    elif with_bn.share <= without.share:
        verdict = NOT_SUPPORTED
    else:
        verdict = SUPPORTED if with_bn.share >= 0.5 else MIXED
    return Claim(
        claim="With optimizers without a moving average of squared gradients (Adagrad, SGD, momentum), "
        "BatchNorm favours sparse networks.",
        verdict=verdict,
        numbers=tuple(numbers),
        rule="Supported where sparse beats dense in at least half of the cells with BatchNorm and in a larger share "
        "of them than of those without; not supported where the share is no larger; else mixed. Cells of too few "
        "pairs to be significant are left out.",
    )


def l2_claim(results: pd.DataFrame, alpha: float = 0.05) -> Claim:
    """Returns whether L2 raises EGF and lowers the accuracy of Adam and RMSprop (section 4.1.2).

    From `effect_of_l2`, for both optimizers and both arms. One of these bears the claim out where its
    mean EGF is larger with L2 and its accuracy is significantly lower. Supported: all bear it out. Not
    supported: none does. Mixed: some do. Not tested: no two runs of these optimizers differ by L2 alone, or
    EGF was not measured. The EGF is EGF_2, that of the paper's figures, or EGF_1 where that alone was measured.
    """
    measure = next((name for name in _EGF if name in results), None)
    rows = [] if measure is None else effect_of_l2(results, measure).to_dict("records")
    rows = [row for row in rows if row["optimizer"] in EWMA]
    named = reading_of(results)
    how = f" ({reading_name(named)})" if named else ""
    holds = [row["egf_ratio"] > 1 and row["p_lower"] < alpha for row in rows]
    numbers = [
        f"{row['optimizer']}, {row['arm']}: mean EGF{how} with L2 is {row['egf_ratio']:.4g} times that without; median "
        f"difference in accuracy {row['median_difference']:+.4f}, one-tailed p = {row['p_lower']:.3f} (H1: lower with "
        f"L2; {row['pairs']} pairs of runs)."
        for row in rows
    ] or [f"No two runs of {_listed(EWMA)} differ by L2 alone." if measure else "No EGF was measured."]
    verdict = _by_parts(holds)
    return Claim(
        claim="L2 raises the effective gradient flow, and lowers the accuracy of Adam and RMSprop.",
        verdict=verdict,
        numbers=tuple(numbers),
        rule="Each optimizer and arm bears it out where its mean EGF is larger with L2 than in the same runs without, "
        "and its accuracy lower (one-tailed signed-rank test). Supported where all do, not supported where none "
        "does, else mixed.",
    )


def flow_claim(taus: pd.DataFrame | None) -> Claim:
    """Returns whether EGF correlates with performance better than raw gradient norms in sparse networks (section 2.2).

    Per dataset and target (test loss, test accuracy), the better of EGF_1 and EGF_2 is held against the
    better of the raw norms, by mean absolute tau. Supported: EGF is ahead in all. Not supported: in none.
    Mixed: in some. Not tested: one of the two kinds has no tau.
    """
    best = _best_taus(taus) if taus is not None else pd.DataFrame(columns=["egf", "raw"])
    named = "" if taus is None else reading_of(taus)
    how = f" ({reading_name(named)})" if named else ""
    ahead = (best["egf"] > best["raw"]).tolist()
    numbers = [
        f"{target.replace('_', ' ').capitalize()} on {dataset}: mean |tau| {row.egf:.3f} for the better EGF{how}, "
        f"{row.raw:.3f} for the better raw norm."
        for (dataset, target), row in zip(best.index, best.itertuples(index=False), strict=True)
    ] or ["No correlation of both EGF and a raw norm in sparse networks."]
    verdict = _by_parts(ahead)
    return Claim(
        claim="In sparse networks, EGF correlates with performance better than raw gradient norms do.",
        verdict=verdict,
        numbers=tuple(numbers),
        rule="Supported where, for every dataset and for both test loss and test accuracy, the better EGF has a larger "
        "mean |tau| than the better raw norm; not supported where for none; else mixed.",
    )


def activation_claim(comparison: pd.DataFrame, alpha: float = 0.05) -> Claim:
    """Returns whether Swish and PReLU favour sparse networks (section 4.1.3).

    Supported: sparse beats dense in more than half of the cells of each of the two. Not supported: of
    neither. Mixed: of one. Not tested: one of the two has no cell.
    """
    require_columns(comparison, [*CELL, "p_value"], "comparison")
    cells = _telling(comparison, alpha)
    won = {name: _won(cells[cells["activation"] == name.lower()], alpha) for name in ("Swish", "PReLU")}
    numbers = [
        f"{name}: sparse beats dense (p < {alpha:g}) in {count}." if count.cells else f"{name}: no cell."
        for name, count in won.items()
    ]
    tested = all(count.cells for count in won.values())
    verdict = _by_parts([count.share > 0.5 for count in won.values()]) if tested else NOT_TESTED
    return Claim(
        claim="Swish and PReLU favour sparse networks.",
        verdict=verdict,
        numbers=tuple(numbers),
        rule="Supported where sparse beats dense in more than half of the cells of each, not supported where of "
        "neither, else mixed. Cells of too few pairs to be significant are left out.",
    )


@dataclass(frozen=True)
class _Count:
    """In how many cells sparse beats dense."""

    won: int
    cells: int

    @property
    def share(self) -> float:
        return self.won / self.cells if self.cells else 0.0

    def __str__(self) -> str:
        return f"{self.won} of {self.cells} cell{'' if self.cells == 1 else 's'}"


def _telling(cells: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Returns the cells that can be significant: p of n pairs is never below 0.5 ** n."""
    pairs = cells["pairs"] if "pairs" in cells else pd.Series(np.inf, cells.index)
    return cells[cells["p_value"].notna() & (0.5**pairs < alpha)]


def _won(cells: pd.DataFrame, alpha: float) -> _Count:
    return _Count(int((cells["p_value"] < alpha).sum()), len(cells))


def _by_parts(holds: Sequence[bool]) -> str:
    """Returns the verdict of a claim of several parts: all hold, none does, some do, or there is none."""
    if not holds:
        return NOT_TESTED
    return SUPPORTED if all(holds) else MIXED if any(holds) else NOT_SUPPORTED


def _best_taus(taus: pd.DataFrame) -> pd.DataFrame:
    """Returns, per dataset and target, the largest mean |tau| in sparse networks of EGF and of raw norms."""
    require_columns(taus, ["dataset", "measure", "arm", "target", "mean_abs_tau"], "taus")
    sparse = taus[(taus["arm"] == "sparse") & taus["mean_abs_tau"].notna()]
    kinds = {"egf": _EGF, "raw": ("grad_norm_2", "grad_norm_1")}
    best = {
        kind: sparse[sparse["measure"].isin(measures)].groupby(["dataset", "target"])["mean_abs_tau"].max()
        for kind, measures in kinds.items()
    }
    return pd.DataFrame(best).dropna().astype(np.float64)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
