"""Made-up results as the folder of a study, written with the real run store."""

import json

from keras_sparseflow import records
from keras_sparseflow.studies.spec.run_spec import LEAVES

LABELS = ("arm", "dense_width", "max_width")
"""Columns that a comparison gives to its members, and specs do not have."""


def write_folder(study_dir, study, results, **frames):
    """Writes the frames, each a table of rows by their run, as a study's folder; the result's fields stand last.

    Args:
        study_dir: the folder.
        study: what `study.json` says, besides runs and members.
        results: a row per run, as `keras_sparseflow.records` returns them.
        **frames: tables by name, with the column `run_id`; None for none. A run without history gets one that is level.
    """
    first_result = list(results.columns).index("test_accuracy")
    rows = [list(run.items()) for run in json.loads(results.to_json(orient="records", double_precision=15))]
    fields = [dict(values[:first_result]) for values in rows]
    members = [{name: own[name] for name in ("run_id", *LABELS) if name in own} for own in fields]
    runs = {"runs_planned": len(results), "run_ids": list(results["run_id"]), "members": members}
    study_dir.mkdir(parents=True, exist_ok=True)
    records.write_json(study_dir / "study.json", {**runs, **study})
    for values, own in zip(rows, fields, strict=True):
        run_id = own.pop("run_id")
        folder = records.RunFolder(study_dir, run_id)
        folder.start({"run_id": run_id, "spec": _parts({n: value for n, value in own.items() if n not in LABELS})})
        tables = {name: _rows_of(frame, run_id) for name, frame in frames.items()}
        result = dict(values[first_result:])
        tables["history"] = tables.get("history") or _level(result)
        folder.finish(result, {"flow": [], **tables})
    return study_dir


def _parts(fields):
    """Returns fields by the parts of a spec, as `RunSpec.to_dict` does; those that no spec has count as measured."""
    parts = {}
    for name, value in fields.items():
        first, *inner = LEAVES[name].path if name in LEAVES else ("measurement", name)
        place = parts.setdefault(first, {}) if inner else parts
        place[name] = value
    return parts


def _rows_of(frame, run_id):
    return [] if frame is None else frame[frame["run_id"] == run_id].drop(columns="run_id").to_dict("records")


def _level(result):
    """Returns a history whose every epoch is like the last one."""
    last = {name: result.get(name) for name in ("test_loss", "test_accuracy")}
    return [{"epoch": epoch, "loss": 1.0, "accuracy": 0.5, **last} for epoch in range(result.get("epochs_run") or 0)]
