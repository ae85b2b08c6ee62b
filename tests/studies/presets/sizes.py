"""Networks of presets, made once for all that ask."""

from keras_sparseflow.data import DataSize, data_size
from keras_sparseflow.studies.presets.preset_table import PRESETS

TINY_IMAGENET = DataSize((64, 64, 3), 200, 100_000, 10_000)


def size_of(name):
    """The size of a preset's dataset; images in a folder are those of Tiny-ImageNet."""
    dataset = PRESETS.get(name).value("dataset")
    return TINY_IMAGENET if dataset == "folder" else data_size(dataset)


def specs_of(name):
    """The networks of a preset."""
    study = PRESETS.get(name)
    return _specs(name, str((study.comparison, study.grids, study.base, study.seeds, study.rounds, study.fraction)))


_MADE = {}


def _specs(name, asked):
    if asked not in _MADE:  # as several figures draw the networks of one table
        _MADE[asked] = PRESETS.get(name).specs(size_of(name))
    return _MADE[asked]


def values_of(specs, *fields):
    """Every combination of values that these fields have."""
    return {tuple(spec.values[field] for field in fields) for spec in specs}
