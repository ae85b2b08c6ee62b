"""Agreement of our p-values with the published ones: counts of significant cells, and rank correlations."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.frames.cells import require_columns
from keras_sparseflow.analysis.statistics.correlation import kendall_tau


@dataclass(frozen=True)
class Agreement:
    """Our p-values against the published ones, over the cells that have both; `agreement` says what is significant.

    Args:
        cells: their number.
        both: cells that are significant here and in the paper.
        only_ours: cells that are significant here alone.
        only_published: cells that are significant in the paper alone.
        neither: cells that are significant in neither.
        kendall_tau: tau-b of the one-tailed p-values of both, in [-1, 1]; NaN below three cells, or where all
            p-values of one side are equal.
        spearman_rho: Spearman's rank correlation of the same p-values; NaN under the same conditions.
        assumed: number of cells whose published p-value is of a variant that the paper does not name.
        alpha: the level of significance.

    Example:
        >>> made = agreement(
        ...     pd.DataFrame({"p_value": [0.01, 0.2, 1], "p_holm": [0.04, 0.8, 0.8], "published_p": [0.02, 0.01, 1]})
        ... )
        >>> made.both, made.only_ours, made.only_published, made.neither
        (1, 0, 1, 1)
    """

    cells: int
    both: int
    only_ours: int
    only_published: int
    neither: int
    kendall_tau: float
    spearman_rho: float
    assumed: int
    alpha: float

    @property
    def same_side(self) -> int:
        """The number of cells that are significant in both, or in neither."""
        return self.both + self.neither


def agreement(comparison: pd.DataFrame, alpha: float = 0.05) -> Agreement:
    """Returns the agreement of our p-values with the published ones.

    A cell is significant here where its two-sided p-value after Holm's correction is below `alpha` and sparse networks
    rank above dense ones; in the paper, where the published p-value is, which is one-tailed and not corrected. The
    published ones are rounded to three decimals; one that is printed as 0.050 counts as not significant.

    Args:
        comparison: a row per cell with the one-tailed `p_value`, the corrected `p_holm` and `published_p`, as
            `with_published` returns it; cells in which `p_value` or `published_p` is NaN take no part.
        alpha: the level, in (0, 1).

    Raises:
        ValueError: a column is missing, or `alpha` out of range.

    Example:
        >>> made = agreement(
        ...     pd.DataFrame({"p_value": [0.01, 0.2, 1], "p_holm": [0.04, 0.8, 0.8], "published_p": [0.02, 0.01, 1]})
        ... )
        >>> made.cells, made.same_side, made.only_published
        (3, 2, 1)
    """
    from scipy import stats

    if not 0 < alpha < 1:
        raise ValueError(f"`alpha` must be in (0, 1); received {alpha}.")
    require_columns(comparison, ["p_value", "p_holm", "published_p"], "comparison")
    cells = comparison[comparison["p_value"].notna() & comparison["published_p"].notna()]
    ours, theirs = cells["p_value"].to_numpy(dtype=float), cells["published_p"].to_numpy(dtype=float)
    sparse_ahead = ours < 0.5
    low, low_there = (cells["p_holm"].to_numpy(dtype=float) < alpha) & sparse_ahead, theirs < alpha
    tau = kendall_tau(ours, theirs)
    return Agreement(
        cells=len(cells),
        both=int((low & low_there).sum()),
        only_ours=int((low & ~low_there).sum()),
        only_published=int((~low & low_there).sum()),
        neither=int((~low & ~low_there).sum()),
        kendall_tau=tau,
        spearman_rho=float(stats.spearmanr(ours, theirs).statistic) if np.isfinite(tau) else np.nan,
        assumed=int(cells["published_assumed"].sum()) if "published_assumed" in cells else 0,
        alpha=alpha,
    )


def agreement_sentences(found: Agreement) -> list[str]:
    """Returns an agreement in words; nothing where the paper has none of the cells.

    Args:
        found: as `agreement` returns it.

    Example:
        >>> made = agreement(
        ...     pd.DataFrame({"p_value": [0.01, 0.2], "p_holm": [0.04, 0.4], "published_p": [0.02, 0.01]})
        ... )
        >>> print(agreement_sentences(made)[0])
        Ours and the paper agree about significance (p < 0.05) in 1 of 2 cells that it has.
    """
    if not found.cells:
        return []
    cells = "cell" if found.cells == 1 else "cells"
    first = f"Ours and the paper agree about significance (p < {found.alpha:g}) in {found.same_side} of {found.cells} "
    first += f"{cells} that it has"
    if np.isfinite(found.kendall_tau):
        first += (
            f"; rank correlation of the one-tailed p-values {found.spearman_rho:.2f} (Spearman's rho; "
            f"Kendall's tau-b {found.kendall_tau:.2f})"
        )
    said = [
        f"{first}.",
        "A cell counts as significant here where the two-sided p, corrected by Holm's procedure, is below "
        f"{found.alpha:g} and sparse ranks above dense; in the paper where its one-tailed p, not corrected, is.",
        f"Significant in both: {found.both}; here alone: {found.only_ours}; in the paper alone: "
        f"{found.only_published}; in neither: {found.neither}.",
    ]
    if found.assumed:
        said.append(
            f"For {found.assumed} of the {found.cells} {cells} the paper does not say which variant was trained; "
            "ours is an assumption."
        )
    return said
