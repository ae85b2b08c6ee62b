"""Do our p-values and the published ones say the same?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.frames.cells import require_columns
from keras_sparseflow.analysis.statistics.correlation import FEWEST_POINTS, kendall_tau


@dataclass(frozen=True)
class Agreement:
    """Our p-values against the published ones, over the cells that have both.

    Args:
        cells: their number.
        both: cells that are significant here and in the paper.
        only_ours: significant here alone.
        only_published: significant in the paper alone.
        neither: significant in neither.
        kendall_tau: tau-b of the two columns of p-values, in [-1, 1]; NaN below three cells, or where all
            p-values of one side are equal.
        spearman_rho: Spearman's rank correlation of the same; NaN likewise.
        assumed: those of the cells whose published number is for a variant that was not published.
        alpha: what counts as significant: a p-value below it.

    Example:
        >>> made = agreement(pd.DataFrame({"p_value": [0.01, 0.2, 0.9], "published_p": [0.02, 0.01, 1.0]}))
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
        """In how many cells ours and the published p-value lie on the same side of `alpha`."""
        return self.both + self.neither


def agreement(comparison: pd.DataFrame, alpha: float = 0.05) -> Agreement:
    """Returns how far our p-values agree with the published ones.

    The published ones are rounded to three decimals; one that is printed as 0.050 counts as not significant.

    Args:
        comparison: a row per cell with `p_value` and `published_p`, as `with_published` returns it; cells in
            which one of them is NaN take no part.
        alpha: the level, in (0, 1).

    Raises:
        ValueError: a column is missing, or `alpha` out of range.

    Example:
        >>> made = agreement(pd.DataFrame({"p_value": [0.01, 0.2, 0.9], "published_p": [0.02, 0.01, 1.0]}))
        >>> made.cells, made.same_side, made.only_published
        (3, 2, 1)
    """
    if not 0 < alpha < 1:
        raise ValueError(f"`alpha` must be in (0, 1); received {alpha}.")
    require_columns(comparison, ["p_value", "published_p"], "comparison")
    cells = comparison[comparison["p_value"].notna() & comparison["published_p"].notna()]
    ours, theirs = cells["p_value"].to_numpy(dtype=float), cells["published_p"].to_numpy(dtype=float)
    low, low_there = ours < alpha, theirs < alpha
    return Agreement(
        cells=len(cells),
        both=int((low & low_there).sum()),
        only_ours=int((low & ~low_there).sum()),
        only_published=int((~low & low_there).sum()),
        neither=int((~low & ~low_there).sum()),
        kendall_tau=kendall_tau(ours, theirs),
        spearman_rho=_spearman_rho(ours, theirs),
        assumed=int(cells["published_assumed"].sum()) if "published_assumed" in cells else 0,
        alpha=alpha,
    )


def agreement_sentences(found: Agreement) -> list[str]:
    """Returns an agreement in words; nothing where the paper has none of the cells.

    Args:
        found: as `agreement` returns it.

    Example:
        >>> made = agreement(pd.DataFrame({"p_value": [0.01, 0.2], "published_p": [0.02, 0.01]}))
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
            f"; rank correlation of the p-values {found.spearman_rho:.2f} (Spearman's rho; "
            f"Kendall's tau-b {found.kendall_tau:.2f})"
        )
    said = [
        f"{first}.",
        f"Significant in both: {found.both}; here alone: {found.only_ours}; in the paper alone: "
        f"{found.only_published}; in neither: {found.neither}.",
    ]
    if found.assumed:
        said.append(
            f"For {found.assumed} of the {found.cells} {cells} the paper does not say which variant was trained; "
            "ours is an assumption."
        )
    return said


def _spearman_rho(ours: np.ndarray, theirs: np.ndarray) -> float:
    ranks = pd.DataFrame({"ours": ours, "theirs": theirs}).rank()
    if len(ranks) < FEWEST_POINTS or (ranks.nunique() == 1).any():
        return np.nan
    return float(np.corrcoef(ranks.to_numpy().T)[0, 1])
