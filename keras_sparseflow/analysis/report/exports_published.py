"""Our results beside ToST's, ready for a paper, as Markdown and as LaTeX."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.formats import format_percent, format_signed
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.published.tost_accuracies import published_table
from keras_sparseflow.analysis.report.exports import slug
from keras_sparseflow.analysis.report.sheets import Entry, Sheet


def published_sheets(published: pd.DataFrame, study: Mapping[str, Any]) -> list[Sheet]:
    """Returns the sheet of our accuracies beside those of ToST's table; none where there are none.

    Args:
        published: as `beside_published_tost` returns it.
        study: what `study.json` says.
    """
    if published.empty:
        return []
    caption = f"Test accuracy in percent beside ToST, Table {published_table(study)}, and what tweaks add to it."
    header = ["mask", "tweaks", "density", "ours", "gain", "published", "gain"]
    rows = [
        [
            *map(Entry, [row["mask"], row["tweaks"], format_percent(row["density"])]),
            *_accuracy_and_gain(row["mean"], row["std"], row["gain"]),
            *_accuracy_and_gain(row["published"], row["published_std"], row["published_gain"]),
        ]
        for row in published.to_dict("records")
    ]
    return [Sheet("published", caption, header, rows, names=3)]


def _accuracy_and_gain(mean: float, std: float, gain: float) -> list[Entry]:
    return [Entry(_spread(mean, std)), Entry("" if pd.isna(gain) else format_signed(gain, 2))]


def sparsity_sheets(sparsities: pd.DataFrame) -> list[Sheet]:
    """Returns a sheet per mask and density: a row per group of residual blocks, ours and the published per activation.

    Args:
        sparsities: as `beside_published_sparsity` returns it.
    """
    groups = sparsities.groupby(["mask", "density"], sort=False)
    return [_sparsity_sheet(inside) for _, inside in groups]


def mask_name(mask: str) -> str:
    """Returns a mask of ToST's tables in words: `mask_name("lth")` is "lottery tickets"."""
    return {"dense": "dense", "lth": method_name("lottery")}.get(mask) or method_name(mask)


def _sparsity_sheet(rows: pd.DataFrame) -> Sheet:
    mask, density = mask_name(rows["mask"].iloc[0]), format_percent(rows["density"].iloc[0])
    activations = list(dict.fromkeys(rows["activation"]))
    at = {(row["group"], row["activation"]): row for row in rows.to_dict("records")}
    lines = [
        [Entry(str(group)), *(entry for name in activations for entry in _ours_and_published(at.get((group, name))))]
        for group in dict.fromkeys(rows["group"])
    ]
    caption = (
        f"Activation sparsity in percent in each group of residual blocks, {mask}, {density} density: "
        "mean \N{PLUS-MINUS SIGN} standard deviation over the seeds, beside ToST, Table 1."
    )
    return Sheet(
        slug("sparsities", f"{mask} {density}"),
        caption,
        ["group", *(["ours", "published"] * len(activations))],
        lines,
        groups=[(name, 2) for name in activations],
    )


def _ours_and_published(cell: dict[Any, Any] | None) -> list[Entry]:
    if cell is None:
        return [Entry(""), Entry("")]
    return [Entry(_spread(cell["mean"], cell["std"])), Entry(_spread(cell["published"], float("nan")))]


def _spread(mean: float, std: float) -> str:
    """Returns mean and standard deviation as they are printed; nothing for a missing mean."""
    spread = "" if pd.isna(std) else f" \N{PLUS-MINUS SIGN} {std:.2f}"
    return "" if pd.isna(mean) else f"{mean:.2f}{spread}"
