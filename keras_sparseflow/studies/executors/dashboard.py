"""What TensorBoard's HParams dashboard shows of a study: hyperparameters from its specs, metrics from its events."""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_sparseflow.flow.measure_table import TOTAL
from keras_sparseflow.records import read_study
from keras_sparseflow.studies.spec.saved import saved_specs
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training.tensorboard.hparams import experiment
from keras_sparseflow.training.tensorboard.scalars import ScalarWriter, flow_tag, metric_tag

ALWAYS_SHOWN = (
    "optimizer",
    "variant",
    "activation",
    "learning_rate",
    "hidden_layers",
    "arm",
    "dense_width",
    "max_width",
    "model",
    "depth",
    "width",
    "method",
    "score",
    "distribution",
    "density",
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

    A field that may be none is text in every run, since a column holds values of one type.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> shown = hyperparameters(RunSpec(dense_width=20, max_width=68, image_size=8, flow_epochs=3))
        >>> shown["dense_width"], shown["image_size"], shown["train_size"], shown["flow_epochs"]
        (20, '8', 'none', 3)
        >>> "flow_cost" in shown
        False
    """
    return {field.name: _value(spec, field) for field in dataclasses.fields(spec) if _shows(spec, field)}


def write_experiment(study_dir: Path, specs: Sequence[RunSpec]) -> None:
    """Writes into `study_dir/events` which columns the dashboard has for a study, in place of what stood there.

    Args:
        study_dir: the study's folder, with its `study.json`.
        specs: of its runs; those that have been planned there before, and have begun, count too.
    """
    specs = [*specs, *_begun_before(study_dir, {spec.run_id for spec in specs}, type(specs[0]))]
    fields = [field for field in dataclasses.fields(specs[0]) if any(_shows(spec, field) for spec in specs)]
    summary = experiment(
        {field.name: [_value(spec, field) for spec in specs] for field in fields},
        _metric_columns(specs),
        {field.name: field.metadata["help"] for field in fields},
    )
    shutil.rmtree(study_dir / "events", ignore_errors=True)
    writer = ScalarWriter(str(study_dir / "events"))
    writer.write_summary(summary)
    writer.close()


def _metric_columns(specs: Sequence[RunSpec]) -> dict[str, str]:
    """Returns names of columns by the tags of the scalars in them."""
    flow = {
        (measure, reading)
        for spec in specs
        if spec.measurement.flow_epochs
        for measure in spec.measurement.flow.flow_measures
        for reading in spec.measurement.flow.flow_readings
    }
    return {metric_tag(name): shown for name, shown in METRICS.items()} | {
        flow_tag(reading, measure, TOTAL): f"{measure} ({reading})" for measure, reading in sorted(flow)
    }


def _begun_before(study_dir: Path, known: set[str], kind: type[RunSpec]) -> list[RunSpec]:
    """Returns the specs of other runs that the study lists and that have a folder."""
    return saved_specs(study_dir, [run_id for run_id in read_study(study_dir)["run_ids"] if run_id not in known], kind)


def _shows(spec: RunSpec, field: dataclasses.Field[Any]) -> bool:
    return field.name in ALWAYS_SHOWN or getattr(spec, field.name) != field.default


def _value(spec: RunSpec, field: dataclasses.Field[Any]) -> Any:
    """Returns a field as a number or as text, of one type whatever the spec."""
    value = getattr(spec, field.name)
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if "None" in str(field.type):
        return "none" if value is None else str(value)
    return value
