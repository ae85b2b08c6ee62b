"""Flow by layer with and without BatchNorm: whether it moves the gradients of sparse networks more."""

from typing import Any

import pandas as pd

from keras_sparseflow.analysis.claims.skew import ARMS, batchnorm_skew
from keras_sparseflow.analysis.frames.cells import describe
from keras_sparseflow.analysis.frames.formats import format_fixed
from keras_sparseflow.analysis.frames.labels import flow_name
from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.table import Shown, Table, table_of
from keras_sparseflow.analysis.report.words import number_range, slug
from keras_sparseflow.analysis.statistics.verdicts import OTHER_WAY, YES

_READ = (
    "The norm of each layer's gradient, mean over the measured epochs; “total” is the measure of the whole network. "
    "“change” is flow with BatchNorm over flow without it, run by run, “skew” the change in a sparse network over that "
    "in the dense one of equal capacity and seed. “yes” means that BatchNorm moves the sparse network farther, in the "
    "direction in which it moves both, “the other way” that it moves the dense one farther. p-values are two-sided and "
    "corrected by Holm's procedure over all rows. Runs that diverged, and layers without any gradient, are left "
    "out. The norms themselves are in the CSV file."
)
_TITLE = "Does BatchNorm move the gradients of sparse networks more?"


@section("batchnorm_by_layer", "flow", _TITLE, "flow by layer with and without BatchNorm")
def batchnorm_by_layer(numbers: StudyNumbers) -> Content | None:
    """Returns flow by layer with and without BatchNorm; nothing where a study has no such pairs, or no layers."""
    flow = numbers.source.flow
    if (
        not numbers.of_pairs
        or flow.empty
        or flow["layer"].nunique() < 2
        or set(flow["measure"]) != {numbers.source.measure}
    ):
        return None
    rows = batchnorm_skew(numbers.source.results, flow)
    if rows.empty:
        return None
    place = [
        column for column in ("dataset", "hidden_layers", "learning_rate", "activation") if rows[column].nunique() > 1
    ]
    groups = rows.groupby(place, sort=False) if place else [((), rows)]
    tables = [
        _table([describe(*one) for one in zip(place, values, strict=True)], part, numbers) for values, part in groups
    ]
    return Content([_said(rows), *tables], {"batchnorm_by_layer": rows.assign(reading=numbers.reading)}, before=_READ)


def _said(rows: pd.DataFrame) -> str:
    single = rows[rows["layer"] != "total"]
    counts = single["answer"].value_counts()
    farther, other = int(counts.get(YES, 0)), int(counts.get(OTHER_WAY, 0))
    return (
        f"Of {len(single)} layers under an optimizer each, BatchNorm moves the gradients of sparse networks farther in "
        f"{farther}, those of dense ones in {other}; in the others nothing is decided."
    )


def _table(where: list[str], rows: pd.DataFrame, numbers: StudyNumbers) -> Table:
    shown = [
        Shown("optimizer", "optimizer", text=True),
        Shown("layer", "layer", text=True),
        *(Shown(arm, f"change in {arm}", _times, note=_interval(arm)) for arm in ARMS),
        Shown("skew", "skew", _times, note=_interval("skew")),
        Shown("answer", "sparse moved more?", bold=_decided, text=True),
        Shown("reason", "why", text=True),
    ]
    name = flow_name(numbers.source.measure, numbers.reading)
    pairs = number_range(sorted(set(rows["pairs"])))
    label = ", ".join(where)
    caption = f"{name} by layer{f', {label}' if label else ''}: geometric means over {pairs} widths and seeds."
    return table_of(rows, shown, slug("batchnorm-by-layer", label), caption, "batchnorm_by_layer", label)


def _times(ratio: float) -> str:
    return f"\N{MULTIPLICATION SIGN} {format_fixed(ratio, 3)}"


def _interval(name: str) -> Any:
    def note(row: dict[Any, Any]) -> str:
        ends = row[f"{name}_low"], row[f"{name}_high"]
        return "" if pd.isna(ends[0]) else f"{_times(ends[0])} to {_times(ends[1])}"

    return note


def _decided(row: dict[Any, Any]) -> bool:
    return row["answer"] in (YES, OTHER_WAY)
