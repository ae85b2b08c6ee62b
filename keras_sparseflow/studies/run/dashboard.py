"""TensorBoard's HParams dashboard of a study: hyperparameters from its specs, metrics from its events."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_sparseflow.flow.measure_table import TOTAL
from keras_sparseflow.records import read_study
from keras_sparseflow.records.files import written_or_named
from keras_sparseflow.studies.spec.fields import Leaf
from keras_sparseflow.studies.spec.run_spec import LEAVES, RunSpec
from keras_sparseflow.studies.spec.saved import saved_specs
from keras_sparseflow.training.tensorboard.hparams import experiment
from keras_sparseflow.training.tensorboard.layout import pinned
from keras_sparseflow.training.tensorboard.scalars import ScalarWriter, flow_tag, metric_tag

ALWAYS_SHOWN = (
    "optimizer",
    "variant",
    "activation",
    "learning_rate",
    "model",
    "hidden_layers",
    "depth",
    "width",
    "method",
    "score",
    "distribution",
    "density",
    "matched_fraction",
    "tweaks",
    "seed",
    "dataset",
    "image_size",
    "train_size",
    "batch_size",
    "epochs",
    "l2",
)
"""Fields of a spec that every run shows; the others it shows where they differ from their default."""

METRICS = {"test_accuracy": "test accuracy", "test_loss": "test loss", "loss": "train loss"}
"""Columns by the metric of the history that they show."""


def hyperparameters(spec: RunSpec) -> dict[str, float | str]:
    """Returns the fields of a run that the dashboard shows: numbers, and all else as a flag would spell it.

    A field that may be none is text in every run, since a column holds values of one type. So is an integer, of which
    TensorBoard would show decimals.

    Example:
        >>> shown = hyperparameters(RunSpec.of(width=68, image_size=8, flow_epochs=3))
        >>> shown["optimizer"], shown["image_size"], shown["train_size"], shown["flow_epochs"]
        ('sgd', '8', 'none', '3')
        >>> "flow_cost" in shown
        False
    """
    return {name: _value(spec, leaf) for name, leaf in LEAVES.items() if _shows(spec, leaf)}


def write_experiment(study_dir: Path, specs: Sequence[RunSpec]) -> None:
    """Writes into `study_dir/events` which columns the dashboard has for a study, in place of what stood there.

    Args:
        study_dir: the study's folder, with its `study.json`.
        specs: of its runs; those that have been planned there before, and have begun, count too.
    """
    known = {spec.run_id for spec in specs}
    before = [run_id for run_id in read_study(study_dir)["run_ids"] if run_id not in known]
    specs = [*specs, *saved_specs(study_dir, before)]
    leaves = {name: leaf for name, leaf in LEAVES.items() if any(_shows(spec, leaf) for spec in specs)}
    summary = experiment(
        {name: [_value(spec, leaf) for spec in specs] for name, leaf in leaves.items()},
        _metric_columns(specs),
        {name: leaf.help for name, leaf in leaves.items()},
    )
    shutil.rmtree(study_dir / "events", ignore_errors=True)
    writer = ScalarWriter(str(study_dir / "events"))
    with written_or_named(study_dir / "events"):
        writer.write_summary(summary)
        writer.write_summary(pinned(_metric_columns(specs)))
        writer.close()


def _metric_columns(specs: Sequence[RunSpec]) -> dict[str, str]:
    """Returns names of columns by the tags of the scalars in them."""
    measured = [spec.measurement.flow for spec in specs if spec.measurement.flow is not None]
    flow = {(measure, reading) for each in measured for measure in each.flow_measures for reading in each.flow_readings}
    held = any(spec.data.validation_size is not None for spec in specs)
    metrics = {**METRICS, **({"validation_accuracy": "validation accuracy"} if held else {})}
    return {metric_tag(name): shown for name, shown in metrics.items()} | {
        flow_tag(reading, measure, TOTAL): f"{measure} ({reading})" for measure, reading in sorted(flow)
    }


def _shows(spec: RunSpec, leaf: Leaf) -> bool:
    return leaf.name in ALWAYS_SHOWN or leaf.of(spec) not in (None, leaf.default)


def _value(spec: RunSpec, leaf: Leaf) -> Any:
    """Returns a field as a number or as text, of one type in every spec."""
    value = leaf.of(spec)
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if "None" in str(leaf.item.type) or leaf.conditions or type(value) is int:
        return "none" if value is None else str(value)
    return value
