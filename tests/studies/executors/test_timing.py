"""The time that a study would take: by earlier runs, and by steps that are trained."""

import json
import re
import shutil

import pytest

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.executors import timing
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.timing import EarlierRun, by_earlier_runs, earlier_runs, time_line, timed
from keras_sparseflow.studies.prepare import prepare
from keras_sparseflow.studies.run_study import run_study
from keras_sparseflow.studies.size.cost import cost
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study

OPTIONS = Options(tensorboard=False)
PAIRS = Study(
    name="tiny",
    title="",
    grids=[{"hidden_layers": (1,), "variant": ("NR", "BN")}],
    base={"image_size": 4, "train_size": 200, "batch_size": 32, "epochs": 4},
    width_fractions=(0.5,),
    seeds=(0,),
)
ALONE = Study(
    name="alone",
    title="",
    comparison="densities",
    grids=[{"hidden_layers": (1,), "density": (0.3, 1.0), "method": ("rigl", "lottery"), "tweaks": ("tost",)}],
    base={"width": 8, "image_size": 4, "train_size": 200, "epochs": 40, "rewind_step": 5,
          "move_frequency": 5, "diagnostics": ("top_eigenvalue",)},
    seeds=(0,),
)  # fmt: skip


@pytest.mark.parametrize(("study", "executor"), [(PAIRS, "auto"), (PAIRS, "serial"), (ALONE, "auto")])
def test_steps_are_trained_and_nothing_is_written(study, executor, tmp_path):
    prepared = prepare(study, runs_dir=tmp_path, executor=executor, options=OPTIONS)
    seconds = timed(prepared, executor)
    assert 0 < seconds < 3000 and not list(tmp_path.iterdir())


def test_twice_the_epochs_take_about_twice_as_long(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "_trained", lambda prepared, executor, specs: (1e-9, 2.0))
    alone = [prepare(s, runs_dir=tmp_path, executor="serial") for s in (PAIRS, PAIRS.with_choices({"epochs": 8}))]
    first, second = (timed(prepared, "serial") - 2.0 * 4 for prepared in alone)
    assert second == pytest.approx(2 * first, rel=0.2), "flow is measured in more epochs of the longer one"


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    return run_study(PAIRS, runs_dir=tmp_path_factory.mktemp("runs"), options=OPTIONS)


@pytest.fixture
def trained(trained_once, tmp_path):
    """A copy of the trained pairs."""
    return shutil.copytree(trained_once, tmp_path / trained_once.name)


def test_earlier_runs_of_this_machine_tell_the_time(trained, tmp_path):
    again = prepare(PAIRS.with_choices({"epochs": 8}, name="again"), runs_dir=tmp_path, options=OPTIONS)
    rows = earlier_runs(tmp_path)
    assert len(rows) == 4 and {row.architecture for row in rows} == {"mlp"}
    assert {row.steps for row in rows} == {4 * (200 // 32)}
    line = time_line(again, "auto", train=False)
    assert line.startswith("Time: about ") and line.endswith(", judged by 4 earlier runs on this machine.")
    wide = prepare(PAIRS.with_choices({}, name="wide", max_width=200), runs_dir=tmp_path, options=OPTIONS)
    assert re.fullmatch(
        r"Time: .* to .*, judged by 4 earlier runs on this machine, which are of another size; --estimate .*",
        time_line(wide, "auto", train=False),
    )
    assert time_line(prepare(PAIRS, runs_dir=tmp_path, options=OPTIONS), "auto", train=False) == "", "all is trained"
    study = json.loads((trained / "study.json").read_text())
    (trained / "study.json").write_text(json.dumps({**study, "machine": {"processor": "another"}}))
    assert earlier_runs(tmp_path) == [] and time_line(again, "auto", train=False) == ""


def test_the_truth_lies_between_as_many_seconds_a_step_and_as_many_an_operation():
    size = DataSize((4, 4, 1), 10, 200, 100)
    specs = [
        RunSpec.of(width=width, batch_size=50, epochs=5, optimizer=name) for width, name in ((8, "sgd"), (80, "adam"))
    ]
    small, large = (cost([spec], size).flops for spec in specs)
    rows = [EarlierRun("mlp", small, 20, seconds) for seconds in (1.0, 2.0, 9.0)] + [EarlierRun("vgg", large, 20, 1e6)]
    assert by_earlier_runs(specs[:1], size, rows) == pytest.approx((2.0, 2.0)), "the median of equal ones"
    assert by_earlier_runs(specs, size, rows) == pytest.approx((4.0, 2.0 + 2.0 * large / small))
    assert by_earlier_runs(specs[:1], size, [EarlierRun("mlp", large, 20, 3.0)]) == pytest.approx(
        (3 * small / large, 3.0)
    )


def test_other_architectures_tell_nothing(trained, tmp_path):
    base = {"model": "resnet", "depth": 8, "width": 1}
    resnets = Study(name="resnets", title="", comparison="densities", grids=[{"density": (0.3,)}], base=base)
    assert time_line(prepare(resnets, runs_dir=tmp_path, options=OPTIONS), "auto", train=False) == ""
