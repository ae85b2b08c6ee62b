"""Accuracies and activation sparsities beside those that ToST publishes."""

from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.formats import format_fixed, format_percent, format_signed
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.published.tost_accuracies import published_table
from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Shown, Table, table_of
from keras_sparseflow.analysis.report.words import slug

_ACCURACIES = (
    "Test accuracy in percent, and in points by how much the tweaks change it. Where this study was reduced, "
    "accuracies are of other networks or images than the published ones: the gains are what can be compared."
)
_SPARSITIES = (
    "The share of activations that are exactly zero, in percent, mean over a group of residual blocks at the last "
    "epoch that was measured. Published are lottery tickets of ResNet-18 at 10% density on CIFAR-100. Those of Swish "
    "and Mish are not comparable: the paper prints shares above zero without saying what it counts as zero, and soft "
    "activations are exactly zero almost nowhere."
)


@section("published", "paper", "Beside the published accuracies", "accuracies beside ToST's")
def published_accuracies(numbers: StudyNumbers) -> Content | None:
    """Returns accuracies beside the published ones; nothing where the study stands beside no table of them."""
    if numbers.of_pairs or numbers.published.empty:
        return None
    rows = numbers.published.assign(mask=numbers.published["mask"].map(_mask_name))
    shown = [
        Shown("mask", "mask", text=True),
        Shown("tweaks", "tweaks", text=True),
        Shown("density", "density", format_percent),
        Shown("mean", "accuracy", _percent, note=lambda row: _deviation(row["std"]), group="ours"),
        Shown("gain", "gain", lambda gain: format_signed(gain, 2), group="ours"),
        Shown("n", "seeds", "{:g}".format, group="ours"),
        Shown("published", "accuracy", _percent, note=lambda row: _deviation(row["published_std"]), group="published"),
        Shown("published_gain", "gain", lambda gain: format_signed(gain, 2), group="published"),
    ]
    caption = (
        f"Test accuracy in percent beside ToST, Table {published_table(numbers.source.study)}, and the gain of tweaks."
    )
    return Content(
        [table_of(rows, shown, "published-accuracies", caption, "published")],
        {"published": numbers.published},
        before=_ACCURACIES,
    )


@section("published_sparsity", "paper", "Beside the published activation sparsity", "activation sparsity beside ToST's")
def published_sparsities(numbers: StudyNumbers) -> Content | None:
    """Returns activation sparsities beside the published ones; nothing where none were measured."""
    if numbers.of_pairs or numbers.sparsities.empty:
        return None
    groups = numbers.sparsities.groupby(["mask", "density"], sort=False)
    return Content([_sparsity(inside) for _, inside in groups], {"sparsities": numbers.sparsities}, before=_SPARSITIES)


def _sparsity(rows: pd.DataFrame) -> Table:
    label = f"{_mask_name(rows['mask'].iloc[0])}, {format_percent(rows['density'].iloc[0])} density"
    activations = list(dict.fromkeys(rows["activation"]))
    lines = []
    for group, inside in rows.groupby("group", sort=False):
        at = {row["activation"]: row for row in inside.to_dict("records")}
        cells = [cell for name in activations for cell in _both(at.get(name))]
        lines.append([Cell(str(group)), *cells])
    columns = [Column("group", text=True)]
    columns += [Column(heading, group=name) for name in activations for heading in ("ours", "published")]
    caption = f"Activation sparsity in percent in each group of residual blocks, {label}, beside ToST, Table 1."
    return Table(slug("sparsities", label), caption, columns, lines, "sparsities", label)


def _both(row: dict[Any, Any] | None) -> list[Cell]:
    if row is None:
        return [Cell("", sort=float("nan"))] * 2
    ours = Cell(_percent(row["mean"]), _deviation(row["std"]), sort=row["mean"])
    return [ours, Cell(_percent(row["published"]), sort=row["published"])]


def _percent(value: float) -> str:
    return "" if pd.isna(value) else format_fixed(value, 2)


def _deviation(std: float) -> str:
    return "" if pd.isna(std) else f"\N{PLUS-MINUS SIGN} {std:.2f}"


def _mask_name(mask: str) -> str:
    """Returns a mask of ToST's tables in words: "lth" is "lottery tickets"."""
    return {"dense": "dense", "lth": method_name("lottery")}.get(mask) or method_name(mask)
