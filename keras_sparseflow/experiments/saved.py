"""Specs as runs have saved them."""

from pathlib import Path

from keras_sparseflow.experiments.training_spec import SpecT
from keras_sparseflow.records import read_json


def saved_spec(file: Path, kind: type[SpecT]) -> SpecT:
    """Returns the spec in a run's `spec.json`.

    Args:
        file: its path.
        kind: of spec that the study's runs have.

    Raises:
        ValueError: it has a field that specs of this kind do not have, or was made with other versions of plugins.
    """
    saved = read_json(file)
    spec = kind.from_dict(saved["spec"])
    plugins = tuple(saved.get("plugins", ()))
    if spec.plugins != plugins:
        now, then = (", ".join(found) or "none" for found in (spec.plugins, plugins))
        raise ValueError(f"{file} was written with the plugins {then}; here they are {now}. Name another study.")
    return spec
