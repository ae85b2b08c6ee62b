import json
import shutil

import pytest

from keras_sparseflow.studies.run_study import run_study
from keras_sparseflow.studies.study import Study

BASE = {"image_size": 4, "train_size": 64, "batch_size": 32, "epochs": 1}
STUDY = Study(name="tiny", title="", grids=[{"hidden_layers": (1,)}], base=BASE, seeds=(0,), width_fractions=(0.5,))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run_study(STUDY, runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture
def study_dir(trained, tmp_path):
    """A copy of the trained study."""
    return shutil.copytree(trained, tmp_path / trained.name)


def test_a_whole_study_is_said_to_be_whole(study_dir, launch):
    done = launch("check", str(study_dir), "--arrays")
    assert done.returncode == 0
    assert done.stdout == "2 of 2 runs are whole, 0 damaged, 0 not finished.\n"


def test_a_damaged_run_is_named_and_trained_anew_alone(study_dir, launch, capfd):
    first, second = json.loads((study_dir / "study.json").read_text())["run_ids"]
    before = (study_dir / second / "result.json").stat().st_mtime_ns
    whole = (study_dir / first / "history.csv").read_bytes()
    (study_dir / first / "history.csv").write_bytes(whole[:-20])
    done = launch("check", str(study_dir))
    assert done.returncode == 1
    assert f"damaged: {first}" in done.stdout and "history.csv: expected the digest" in done.stdout
    assert "1 of 2 runs are whole, 1 damaged, 0 not finished." in done.stdout and "--repair" in done.stdout

    run_study(STUDY, runs_dir=study_dir.parent, repair=True)
    assert f"Trained anew: {first}." in capfd.readouterr().out
    assert (study_dir / first / "history.csv").read_bytes() == whole
    assert (study_dir / second / "result.json").stat().st_mtime_ns == before
    assert launch("check", str(study_dir)).returncode == 0


def test_a_run_of_another_spec_is_named(study_dir, launch, monkeypatch):
    from keras_sparseflow.launchers import check

    first, second = (study_dir / run_id for run_id in json.loads((study_dir / "study.json").read_text())["run_ids"])
    load = check.saved_spec
    monkeypatch.setattr(check, "saved_spec", lambda path: load(second / "spec.json"))
    done = launch("check", str(study_dir))
    assert f"expected the spec of {first.name}; found that of {second.name}" in done.stdout and done.returncode == 1


def test_one_folder_is_taken(launch):
    done = launch("check")
    assert done.returncode == 1 and "Name one study's folder" in done.stderr
