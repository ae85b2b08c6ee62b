"""Specs as runs have saved them."""

from collections.abc import Iterable
from pathlib import Path

from keras_sparseflow.records import read_json
from keras_sparseflow.studies.spec.run_spec import RunSpec


def saved_spec(file: Path) -> RunSpec:
    """Returns the spec in a run's `spec.json`.

    Args:
        file: its path.

    Raises:
        ValueError: it has a field that specs do not have, or was made with other versions of plugins.
    """
    saved = read_json(file)
    spec = RunSpec.from_dict(saved["spec"])
    plugins = tuple(saved.get("plugins", ()))
    if spec.plugins != plugins:
        now, then = (", ".join(found) or "none" for found in (spec.plugins, plugins))
        raise ValueError(f"{file} was written with the plugins {then}; here they are {now}. Name another study.")
    return spec


def saved_specs(study_dir: Path, run_ids: Iterable[str]) -> list[RunSpec]:
    """Returns the specs of those runs that have begun.

    One whose name is another today, because a default or an algorithm has changed since, is left out: a run of its spec
    would come to something else.

    Args:
        study_dir: the study's folder.
        run_ids: names of its runs.

    Raises:
        ValueError: see `saved_spec`.
    """
    files = {run_id: study_dir / run_id / "spec.json" for run_id in run_ids}
    specs = {run_id: saved_spec(file) for run_id, file in files.items() if file.is_file()}
    return [spec for run_id, spec in specs.items() if spec.run_id == run_id]
