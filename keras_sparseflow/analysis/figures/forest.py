"""The effects of a study at a glance: a row for each, on its interval, marked by its verdict."""

from typing import Any

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.figures.drawing import scales
from keras_sparseflow.analysis.figures.drawing.colours import BLUE, GREY, INK, VERMILION
from keras_sparseflow.analysis.figures.drawing.facets import Facets, NotApplicableError
from keras_sparseflow.analysis.figures.drawing.marks import draw_crosses, draw_intervals, draw_points
from keras_sparseflow.analysis.figures.gallery import figure
from keras_sparseflow.analysis.frames.cells import require_columns

VERDICTS: dict[str, dict[str, Any]] = {
    "yes": {"color": BLUE, "marker": "o"},
    "the other way": {"color": VERMILION, "marker": "s"},
    "no difference seen": {"color": GREY, "marker": "D", "markersize": 4.5},
    "too few pairs to tell": {"color": GREY, "marker": "^"},
    "not testable here": {"color": GREY, "marker": "x"},
}
"""The look of a verdict, told apart by marker too."""

_BROAD = 7.4  # inches: a page's, at letters as large as its own
_NARROW = 4.4  # inches: a telephone's, at letters that can be read


@figure(
    "answer",
    "effects",
    "Effects at a glance",
    "A row for each comparison, its mark at the effect, on the effect's interval; colour and shape say the verdict of "
    "the corrected test. In parentheses the number of pairs; a ring is the published effect.",
    over="study",
)
def effects(effects: pd.DataFrame, x_label: str = "sparse minus dense, test accuracy") -> Facets:
    """Returns effects beneath each other, each on its interval, about a line at zero.

    The figure is as broad as a page; one for narrow windows, which a page shows there in its place, is its `narrow`.

    Args:
        effects: a row for each, from above, with the columns `label`, what is compared; `effect`, and `low` and `high`,
            the ends of its interval, NaN where there is none; `verdict`, one of `VERDICTS`; and, where they are known,
            `published`, the published effect, and `pairs`, of how many it is.
        x_label: what an effect is.

    Raises:
        NotApplicableError: there is no row.
        ValueError: a column is missing, or a verdict is unknown.

    Example:
        >>> frame = pd.DataFrame({"label": ["adam, BN", "sgd, BN"], "effect": [0.02, -0.01], "low": [0.01, -0.02],
        ...                       "high": [0.03, 0.005], "verdict": ["yes", "no difference seen"], "pairs": 15})
        >>> [label.get_text() for label in effects(frame).axes[0].get_yticklabels()]
        ['adam, BN (15)', 'sgd, BN (15)']
    """
    require_columns(effects, ["label", "effect", "low", "high", "verdict"], "effects")
    if effects.empty:
        raise NotApplicableError("`effects` must hold at least one effect; received none.")
    unknown = sorted(set(effects["verdict"]) - set(VERDICTS))
    if unknown:
        raise ValueError(f"`effects['verdict']` must be one of {', '.join(VERDICTS)}; received {unknown[0]!r}.")
    rows = effects.reset_index(drop=True).assign(
        place=np.arange(len(effects), dtype=float), mean=effects["effect"].array
    )
    drawn = _drawn(rows, x_label, _BROAD)
    drawn.narrow = _drawn(rows, x_label, _NARROW)
    return drawn


def _drawn(rows: pd.DataFrame, x_label: str, breadth: float) -> Facets:
    published = rows["published"].astype(float) if "published" in rows else pd.Series(dtype=float)
    around = pd.concat([rows["low"], rows["high"], published, pd.Series([0.0])]).astype(float)
    drawn = Facets(
        [""], [""], [("", "")],
        scales.of_values(rows["mean"].astype(float), around, log=False), scales.rows(_labels(rows)), (x_label, ""),
        height=0.2 * len(rows) + 0.1, broadest=breadth, width=breadth, title=lambda *_: "",
    )  # fmt: skip
    (axes,) = drawn.panels.values()
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    for verdict, style in VERDICTS.items():
        inside = rows[rows["verdict"] == verdict]
        shown = inside[np.isfinite(inside["mean"].astype(float))]
        draw_intervals(axes, shown, shown["place"], verdict, style)
        draw_crosses(axes, inside.loc[~inside.index.isin(shown.index), "place"], style["color"], verdict, edge="left")
    ring = {"marker": "o", "fillstyle": "none", "color": INK, "markersize": 8, "markeredgewidth": 1.1}
    published = published[published.notna()]
    draw_points(axes, published, rows.loc[published.index, "place"], "published", ring, key=True)
    return drawn.finish([*VERDICTS, "published"])


def _labels(rows: pd.DataFrame) -> list[str]:
    if "pairs" not in rows:
        return list(rows["label"].astype(str))
    return [f"{label} ({pairs:g})" for label, pairs in zip(rows["label"], rows["pairs"], strict=True)]
