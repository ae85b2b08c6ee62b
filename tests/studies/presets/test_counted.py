"""The costs of presets that are counted beforehand are those that counting gives."""

import dataclasses

import pytest

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.prepare import size_of, study_costs
from keras_sparseflow.studies.presets import counted
from keras_sparseflow.studies.presets.preset_table import PRESETS
from keras_sparseflow.studies.size.cost import Cost, cost


def test_every_preset_of_known_size_is_counted():
    assert set(PRESETS.builtins) - set(counted.counted_costs()) == {"tost_3"}, "its images are a folder"


@pytest.mark.parametrize("name", ["demo", "table_4", "masks", "lottery", "scsdc_resnet", "tost_1"])
def test_counted_costs_are_true(name):
    ((_, found),) = study_costs([PRESETS.get(name)], None)
    assert counted.counted_costs()[name] == found, "run python -m keras_sparseflow.studies.presets.counted"


def test_networks_of_one_seed_stand_for_those_of_all():
    study = dataclasses.replace(PRESETS.get("demo"), seeds=(0, 1))
    ((_, found),) = study_costs([study], None)
    size = size_of(study, None)
    assert isinstance(size, DataSize) and found == cost(study.specs(size), size)


def test_a_changed_preset_is_counted_anew():
    small = PRESETS.get("demo").with_choices({"epochs": 3})
    ((_, found),) = counted.listed_costs([small], None)
    assert isinstance(found, Cost) and found.steps == counted.counted_costs()["demo"].steps // 10


def test_the_file_is_written_as_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(counted, "count", lambda: {"demo": Cost(1, 2, 3, 4, 5, 6)})
    counted.write(tmp_path / "counted.csv")
    assert (tmp_path / "counted.csv").read_text().splitlines()[1] == "demo,1,2,3,4,5,6"
