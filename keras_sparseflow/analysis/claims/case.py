"""Cases: the paired values by which one half-sentence of a claim is judged, under one optimizer in one arm, say."""

from dataclasses import dataclass

import numpy as np

from keras_sparseflow.analysis.frames.formats import format_fixed, format_number, format_signed
from keras_sparseflow.analysis.statistics.signed_rank import SignedRankTest, wilcoxon_signed_rank

HIGHER, LOWER = 1, -1
"""Which way a claim says that the first side differs from the second."""


@dataclass(frozen=True)
class Scale:
    """The way in which values and their differences are printed.

    Args:
        decimals: of values and differences; None for four significant digits, where the unit is arbitrary.
        ratio: whether values are logarithms, so that differences are ratios.
    """

    decimals: int | None = 4
    ratio: bool = False

    def value(self, value: float) -> str:
        """Returns a value as it is printed."""
        if self.ratio or self.decimals is None:
            return format_number(np.exp(value) if self.ratio else value)
        return format_fixed(value, self.decimals)

    def difference(self, difference: float) -> str:
        """Returns a difference as it is printed, with its sign, or a ratio, such as "x 1.10"."""
        if self.ratio:
            return f"\N{MULTIPLICATION SIGN} {format_fixed(np.exp(difference), 3)}"
        if self.decimals is None:
            return ("+" if difference > 0 else "") + format_number(difference)
        return format_signed(round(difference, self.decimals) + 0.0, self.decimals)  # + 0.0: no minus before a zero


@dataclass(frozen=True)
class Case:
    """Paired values of two sides.

    Args:
        name: of the case, such as "adam, sparse networks".
        first: values of the first side.
        second: values of the second, in the same order.
        claimed: `HIGHER` or `LOWER`, as the claim says that the first side is.
        scale: of the values.
        sides: names of both sides; none where the first side is compared with zero.
        note: numbers besides those of the pairs.
    """

    name: str
    first: np.ndarray
    second: np.ndarray
    claimed: int
    scale: Scale
    sides: tuple[str, ...] = ()
    note: str = ""

    def test(self) -> SignedRankTest:
        """Returns the signed-rank test whose differences are positive where they are as claimed."""
        return wilcoxon_signed_rank(self.claimed * self.first, self.claimed * self.second)

    def show(self, difference: float) -> str:
        """Returns a difference of the test as the first side minus the second."""
        return self.scale.difference(self.claimed * difference)

    def numbers(self, test: SignedRankTest) -> str:
        """Returns the means of both sides, and the typical difference with its interval."""
        means = (np.mean(side) if np.isfinite(side).all() else np.median(side) for side in (self.first, self.second))
        said = [f"{name} {self.scale.value(float(mean))}" for name, mean in zip(self.sides, means, strict=False)]
        ends = [self.show(end) for end in (test.low, test.high)[:: self.claimed]]
        interval = "" if np.isnan(test.low) else f" [{ends[0]}, {ends[1]}]"
        difference = f"difference {self.show(test.difference)}{interval}"
        return "; ".join(filter(None, [", ".join(said), difference, self.note]))
