"""Accuracies and activation sparsities beside those that ToST publishes."""

from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.formats import format_fixed, format_percent, format_signed
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.published.tost_accuracies import published_table
from keras_sparseflow.analysis.published.tost_ghosts import SECTION
from keras_sparseflow.analysis.published.tost_sparsities import EXACT, NEAR_ZERO
from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Shown, Table, table_of
from keras_sparseflow.analysis.report.words import slug

_ACCURACIES = (
    "Test accuracy in percent, and in points by how much the tweaks change it. Where this study was reduced, "
    "accuracies are of other networks or images than the published ones: the gains are what can be compared."
)
_SPARSITIES = (
    "The share of activations that are zero, in percent, mean over a group of residual blocks at the last epoch that "
    "was measured. Published are lottery tickets of ResNet-18 at 10% density on CIFAR-100. "
)
_EXACTLY = (
    "Ours are exactly zero on training images, published ones at most 0.01 in size on test images: those of Swish and "
    "Mish are not comparable, which are exactly zero almost nowhere. Measure with --near_zero=0.01 to count alike."
)
_NEARLY = (
    "Ours are at most {size} in size on test images{alike}. The authors look at one activation at a time, which the "
    "paper does not name: so the lowest and the highest of a group stand beside its mean. Exact zeros, on training "
    "images, stand beside these."
)
_GHOSTS = (
    "Points of test accuracy by which another schedule of ghosts changes it: each run beside that of the same mask, "
    "tweak and seed whose ghosts fade until the first decay of the learning rate. Published are lottery tickets of 95% "
    "sparsity; of ghosts that stay the paper says that they are slightly better, without a number."
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
    blocks = [_sparsity(inside) for _, inside in groups]
    return Content(blocks, {"sparsities": numbers.sparsities}, before=_SPARSITIES + _counted(numbers))


@section(
    "published_ghosts", "paper", "Beside the published cost of other schedules", "schedules of ghosts beside ToST's"
)
def published_ghosts(numbers: StudyNumbers) -> Content | None:
    """Returns what other schedules of ghosts cost beside what the paper says; nothing where the study has none."""
    if numbers.of_pairs or numbers.ghosts.empty:
        return None
    rows = numbers.ghosts.assign(mask=numbers.ghosts["mask"].map(_mask_name))
    shown = [
        Shown("mask", "mask", text=True),
        Shown("density", "density", format_percent),
        Shown("tweaks", "tweak", text=True),
        Shown("schedule", "ghosts", text=True),
        Shown("mean", "change", _points, note=lambda row: _deviation(row["std"]), group="ours"),
        Shown("n", "pairs", "{:g}".format, group="ours"),
        Shown("published", "change", _points, note=lambda row: row["bound"] and "or more", group="published"),
    ]
    caption = f"Change of test accuracy in points by other schedules of ghosts, beside ToST, section {SECTION}."
    return Content(
        [table_of(rows, shown, "published-ghosts", caption, "ghosts")], {"ghosts": numbers.ghosts}, before=_GHOSTS
    )


def _counted(numbers: StudyNumbers) -> str:
    """Returns what counts as zero in a study, and whether that is as in the paper."""
    if NEAR_ZERO not in set(numbers.sparsities["measure"]):
        return _EXACTLY
    sizes = sorted(pd.to_numeric(numbers.source.results["near_zero"]).dropna().unique())
    alike = ", as the authors' code counts" if sizes == [0.01] else "; the authors' code counts up to 0.01"
    return _NEARLY.format(size=" or ".join(f"{size:g}" for size in sizes), alike=alike)


def _sparsity(rows: pd.DataFrame) -> Table:
    label = f"{_mask_name(rows['mask'].iloc[0])}, {format_percent(rows['density'].iloc[0])} density"
    activations, nearly = list(dict.fromkeys(rows["activation"])), NEAR_ZERO in set(rows["measure"])
    lines = []
    for group, inside in rows.groupby("group", sort=False):
        at = {(row["activation"], row["measure"]): row for row in inside.to_dict("records")}
        cells = [cell for name in activations for cell in _beside(name, at, nearly)]
        lines.append([Cell(str(group)), *cells])
    headings = ("ours", "lowest to highest", "exact zeros", "published") if nearly else ("ours", "published")
    columns = [Column("group", text=True)]
    columns += [Column(heading, group=name) for name in activations for heading in headings]
    caption = f"Activation sparsity in percent in each group of residual blocks, {label}, beside ToST, Table 1."
    return Table(slug("sparsities", label), caption, columns, lines, "sparsities", label)


def _beside(name: str, at: dict[tuple[str, str], dict[Any, Any]], nearly: bool) -> list[Cell]:
    """Returns the cells of an activation in a group: ours, counted as the authors do if that was measured, and theirs.

    Args:
        name: of the activation.
        at: rows by activation and measure.
        nearly: whether activations near zero were measured.
    """
    exact, near = at.get((name, EXACT)), at.get((name, NEAR_ZERO))
    ours = near if nearly else exact
    cells = [_mean(ours)]
    if nearly:
        across = "" if near is None else f"{_percent(near['lowest'])} to {_percent(near['highest'])}"
        cells += [Cell(across, sort=float("nan") if near is None else near["lowest"]), _mean(exact)]
    published = float("nan") if ours is None else ours["published"]
    return [*cells, Cell(_percent(published), sort=published)]


def _mean(row: dict[Any, Any] | None) -> Cell:
    if row is None:
        return Cell("", sort=float("nan"))
    return Cell(_percent(row["mean"]), _deviation(row["std"]), sort=row["mean"])


def _points(value: float) -> str:
    return "" if pd.isna(value) else format_signed(value, 2)


def _percent(value: float) -> str:
    return "" if pd.isna(value) else format_fixed(value, 2)


def _deviation(std: float) -> str:
    return "" if pd.isna(std) else f"\N{PLUS-MINUS SIGN} {std:.2f}"


def _mask_name(mask: str) -> str:
    """Returns a mask of ToST's tables in words: "lth" is "lottery tickets"."""
    return {"dense": "dense", "lth": method_name("lottery")}.get(mask) or method_name(mask)
