"""Specs as runs have saved them: read back, refused where plugins have changed, left out where their names have."""

import pytest

from keras_sparseflow.masks.score_table import SCORES
from keras_sparseflow.records import RunFolder, write_json
from keras_sparseflow.studies.spec.algorithms import ALGORITHMS
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.spec.saved import saved_spec, saved_specs
from tests.plugins.packages import install


def sparse(**values):
    return RunSpec.of(**{"width": 8, "density": 0.5, **values})


def test_a_saved_spec_of_another_version_is_refused(monkeypatch, tmp_path):
    install(monkeypatch, SCORES, "my-masks 1.2", mine="my_masks:score")
    file, mine = tmp_path / "spec.json", sparse(score="mine")
    write_json(file, {"spec": mine.to_dict(), "plugins": list(mine.plugins)})
    assert saved_spec(file) == mine
    install(monkeypatch, SCORES, "my-masks 2.0", mine="my_masks:score")
    with pytest.raises(ValueError, match=r"was written with the plugins my-masks 1\.2; here they are my-masks 2\.0"):
        saved_spec(file)
    write_json(file, {"spec": sparse().to_dict()})  # of which no plugins are recorded
    assert saved_spec(file) == sparse()


def test_saved_specs_whose_runs_are_named_otherwise_today_are_left_out(tmp_path, monkeypatch):
    specs = [sparse(), sparse(optimizer="adagrad"), sparse(model="resnet", depth=8, width=1)]
    for one in specs:
        RunFolder(tmp_path, one.run_id).start({"run_id": one.run_id, "spec": one.to_dict(), "plugins": []})
    names = [one.run_id for one in specs]
    assert saved_specs(tmp_path, [*names, "planned-only"]) == specs
    monkeypatch.setitem(ALGORITHMS, ("optimizer", "adagrad"), 99)
    assert saved_specs(tmp_path, names) == [specs[0], specs[2]]
