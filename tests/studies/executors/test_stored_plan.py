"""The plan in a study's folder: every process and every resume takes it, until it is told to make another."""

import dataclasses
import importlib.util
import json
import re
import shutil

import pytest

from keras_sparseflow import records
from keras_sparseflow.layers.sparse.providers import provider
from keras_sparseflow.records import RunFolder
from keras_sparseflow.records.checkpoint_clock import CheckpointClock
from keras_sparseflow.studies.executors import populations
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.executors.options import DEFAULT_OPTIONS, Options
from keras_sparseflow.studies.executors.stored_plan import FILE, Platform, planned_threads, platform_here, read_plan
from keras_sparseflow.studies.prepare import as_stored, prepare
from keras_sparseflow.studies.run_study import run_network, run_study
from keras_sparseflow.studies.study import Study
from keras_sparseflow.training.distributed import device
from tests.plugins.packages import registered
from tests.studies.executing import InterruptionError

PLAIN = Options(tensorboard=False)
BASE = {"epochs": 1, "image_size": 4, "train_size": 100, "batch_size": 50, "flow_epochs": 0}


def study(seeds=(0, 1), **grid):
    grid = {"variant": ("NR",), "hidden_layers": (1,), **grid}
    return Study(name="tiny", title="", grids=[grid], base=BASE, width_fractions=(0.5,), seeds=seeds)


def planned(tmp_path, what=None, **how):
    return prepare(what or study(), runs_dir=tmp_path, **how).plan


def groups(plan):
    return [[spec.run_id for spec in population.specs] for population in plan.populations]


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Starts a study, of which no network is trained; returns its folder."""
    for executor in ("auto", "serial"):
        monkeypatch.setitem(EXECUTORS._loaded, executor, lambda *given: None)

    def start(what=None, **how):
        return run_study(what or study(), runs_dir=tmp_path, options=how.pop("options", PLAIN), **how)

    return start


def finish(study_dir, *run_ids):
    for run_id in run_ids:
        folder = RunFolder(study_dir, run_id)
        folder.start({"run_id": run_id, "spec": {}})
        folder.finish({"test_accuracy": 0.5, "diverged": False}, {"history": [], "flow": []})


def test_the_first_start_writes_it_and_asking_does_not(tmp_path, started):
    asked = planned(tmp_path)
    assert not list(tmp_path.iterdir())
    study_dir = started()
    content = json.loads((study_dir / FILE).read_text())
    (population,) = asked.populations
    ((task,),) = content["parts"]
    (stored,) = task["populations"]
    assert stored["runs"] == [spec.run_id for spec in population.specs]
    assert [(s["width"], tuple(s["members"])) for s in stored["stacks"]] == [
        (stack.width, stack.members) for stack in population.stacks
    ]
    assert content["revisions"] == ["4 networks planned."] and content["format"] == 1
    assert Platform(**content["platform"]) == platform_here(DEFAULT_OPTIONS) and task["flops"] > 0
    assert read_plan(study_dir) == asked.stored


def test_how_networks_alone_are_computed_is_kept(tmp_path, started):
    study_dir = started(executor="serial")
    plan = read_plan(study_dir)
    assert {run_id: e.name for task in plan.tasks for run_id, e in task.alone.items()} == {
        spec.run_id: "dense" if spec.sparsity.is_dense else "masked" for spec in study().specs(prepare(study()).size)
    }
    assert len(plan.tasks) == 4 and all(len(task.alone) == 1 for task in plan.tasks)


def test_memory_that_is_free_later_changes_nothing_until_it_is_planned_anew(tmp_path, started, monkeypatch):
    study_dir = started()
    before = groups(planned(tmp_path))
    (whole,) = planned(tmp_path).populations
    monkeypatch.setattr(device, "population_memory", lambda: whole.memory - 1)
    assert groups(planned(tmp_path)) == before
    again = planned(tmp_path, replan=True)
    assert len(groups(again)) == 2 and {run_id for group in groups(again) for run_id in group} == {*before[0]}
    started(replan=True)
    assert groups(planned(tmp_path)) == groups(again)
    assert records.read_revisions(study_dir) == ["4 networks planned.", "4 networks planned anew by --replan."]


def test_finished_members_only_train_along_and_not_in_stacks_of_their_own(tmp_path, started):
    study_dir = started()
    (whole,) = planned(tmp_path).populations
    first, second = whole.stacks
    finish(study_dir, *(whole.specs[member].run_id for member in (*first.members, second.members[0])))
    (left,) = planned(tmp_path).populations
    assert left.specs == whole.specs and left.stacks == (second,) and left.memory < whole.memory
    assert left.training == tuple(whole.specs[member] for member in second.members[1:])
    assert read_plan(study_dir).tasks[0].populations[0].runs == tuple(spec.run_id for spec in whole.specs)


@pytest.fixture(scope="module")
def of_twelve():
    """A study of twelve networks that train together."""
    what = study(seeds=(0, 1, 2, 3, 4, 5), optimizer=("adam",), activation=("swish",))
    return dataclasses.replace(what, base={**BASE, "epochs": 4})


@pytest.fixture(scope="module")
def whole(of_twelve, tmp_path_factory):
    """Its folder after all have trained together, from beginning to end."""
    return run_study(of_twelve, runs_dir=tmp_path_factory.mktemp("whole"), options=PLAIN)


def test_who_is_finished_does_not_change_a_bit_of_the_others(of_twelve, whole, tmp_path):
    """Two of twelve networks are left: without the others their operations would have other shapes."""
    what = of_twelve
    (planned_whole,) = prepare(what, runs_dir=tmp_path / "none").plan.populations
    left = [planned_whole.specs[stack.members[1]].run_id for stack in planned_whole.stacks]
    shutil.copytree(whole, tmp_path / "part" / "tiny")
    for run_id in left:
        shutil.rmtree(tmp_path / "part" / "tiny" / run_id)
    part = run_study(what, runs_dir=tmp_path / "part", options=PLAIN)
    for run_id in left:
        for name in ("history.csv", "spec.json"):
            assert (part / run_id / name).read_bytes() == (whole / run_id / name).read_bytes()


def test_members_that_stand_at_different_epochs_go_on_to_the_same_bits(of_twelve, whole, tmp_path, monkeypatch):
    """The process ends between the checkpoint of one member and the next one's."""
    save, saves = RunFolder.save_checkpoint, []

    def until_killed(folder, *arguments):
        saves.append(folder)
        if len(saves) == 15:  # of the second epoch, the third of twelve
            raise InterruptionError
        save(folder, *arguments)

    with monkeypatch.context() as patch, pytest.raises(InterruptionError):
        patch.setattr(RunFolder, "save_checkpoint", until_killed)
        patch.setattr(CheckpointClock, "due", lambda clock: True)
        run_study(of_twelve, runs_dir=tmp_path / "part", options=PLAIN)
    left = prepare(of_twelve, runs_dir=tmp_path / "part").plan.populations
    assert {(population.first_epoch, len(population.training)) for population in left} == {(2, 2), (1, 10)}
    part = run_study(of_twelve, runs_dir=tmp_path / "part", options=PLAIN)
    for run_id in records.read_study(whole)["run_ids"]:
        assert (part / run_id / "history.csv").read_bytes() == (whole / run_id / "history.csv").read_bytes()


def test_a_grid_that_has_grown_gets_another_part(tmp_path, started):
    study_dir = started()
    before = read_plan(study_dir)
    started(study(seeds=(0, 1, 2)))
    after = read_plan(study_dir)
    assert after.parts[0] == before.parts[0] and [len(task.run_ids) for task in after.parts[1]] == [2]
    assert after.revisions == before.revisions, "nothing is planned anew"
    assert len(groups(planned(tmp_path, study(seeds=(0, 1, 2))))) == 2
    (fewer,) = groups(planned(tmp_path, study(seeds=(1,))))
    assert len(fewer) == 2 and set(fewer) < {*before.tasks[0].run_ids}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {"executor": "serial"},
            "plans 4 networks together .*; received --executor=serial, which trains none together",
        ),
        ({"options": Options(strategy="mirrored", devices=1)}, "--strategy=mirrored, under which none train together"),
        ({"options": Options(population_memory=5)}, "memory of 5 bytes, and a population that needs"),
    ],
)
def test_what_contradicts_it_is_refused(tmp_path, started, how, message):
    started()
    with pytest.raises(ValueError, match=f"{message}.* give --replan to plan anew"):
        planned(tmp_path, **how)


def test_so_is_what_contradicts_networks_alone(tmp_path, started):
    study_dir = started(executor="serial")
    with pytest.raises(ValueError, match="--executor=population, and 4 networks alone"):
        planned(tmp_path, executor="population")
    assert len(planned(tmp_path).alone) == 4, "auto takes any plan"
    content = (study_dir / FILE).read_text()
    (study_dir / FILE).write_text(content.replace('"masked"', '"sparse"'))
    with pytest.raises(ValueError, match="--execution=masked, and 2 networks otherwise"):
        planned(tmp_path, options=Options(execution="masked"))


DAMAGE = [
    (lambda content: "{", "is corrupt: expected JSON"),
    (lambda content: "[]", "is corrupt: expected a JSON object"),
    (lambda content: "{}", "is of another program or version: expected `format` 1; found None"),
    (lambda content: json.dumps({**content, "format": 2}), "expected `format` 1; found 2"),
    (lambda content: json.dumps({**content, "parts": None}), r"is damaged \(TypeError"),
    (lambda content: json.dumps({"format": 1, "revisions": []}), r"is damaged \(KeyError: 'parts'\)"),
    (lambda content: json.dumps({**content, "parts": content["parts"] * 2}), "is planned twice"),
    (lambda content: re.sub(r'"members": \[\s*0', '"members": [ 9', json.dumps(content)), "do not hold every run once"),
    (
        lambda content: re.sub(r'"threads": \d+', '"threads": "many"', json.dumps(content)),
        "a number of threads; found 'm",
    ),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_a_damaged_or_foreign_one_is_named_and_can_be_made_anew(tmp_path, started, damage, message):
    study_dir = started()
    path = study_dir / FILE
    path.write_text(damage(json.loads(path.read_text())))
    with pytest.raises(ValueError, match=rf"plan\.json .*{message}.*Give --replan"):
        planned(tmp_path)
    started(replan=True)
    assert len(records.read_revisions(study_dir)) == 2 and groups(planned(tmp_path))


def test_threads_come_from_it_and_fewer_cores_are_refused(tmp_path, started, monkeypatch):
    study_dir = started()
    threads = device.threads()
    assert planned_threads([study_dir, tmp_path / "none"]) == threads
    monkeypatch.setattr(device, "cores", lambda: 0)
    with pytest.raises(RuntimeError, match=f"planned for {threads} threads; this process may use 0 cores.*--replan"):
        planned(tmp_path)


def test_threads_that_tensorflow_has_started_with_are_not_changed_silently(tmp_path, started, monkeypatch):
    import tensorflow as tf

    tf.config.list_logical_devices()  # now it has started
    study_dir = started()
    (study_dir / FILE).write_text(
        re.sub(r'"threads": \d+', f'"threads": {device.threads() + 1}', (study_dir / FILE).read_text())
    )
    monkeypatch.setattr(device, "cores", lambda: 99)
    with pytest.raises(RuntimeError, match=r"TensorFlow has started with .*set_intra_op_parallelism_threads\(\d+\)"):
        planned(tmp_path)


def test_kernels_that_are_not_installed_are_refused_before_anything_is_trained(tmp_path, started, monkeypatch):
    wide = dataclasses.replace(study(seeds=(0,), hidden_layers=(2,)), width_fractions=(0.1,), max_width=300)
    study_dir = started(wide, executor="serial")
    text = (study_dir / FILE).read_text()
    assert f'"by": "{provider()}"' in text
    (study_dir / FILE).write_text(text.replace(f'"by": "{provider()}"', '"by": "numba"'))
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *package: None if name == "numba" else find_spec(name, *package)
    )
    message = r"plan\.json plans 1 network .* by numba\. .*pip install 'keras_sparseflow\[fast\]'\. Or give --replan"
    with pytest.raises(ImportError, match=message) as refusal:
        planned(tmp_path, wide, executor="serial")
    assert "\n" not in str(refusal.value)
    assert planned(tmp_path, wide, executor="ray").alone, "it is trained elsewhere"
    anew = planned(tmp_path, wide, executor="serial", replan=True)
    assert {each.by for each in anew.executions.values()} == {"", "tensorflow"}
    finish(study_dir, *anew.executions)
    assert planned(tmp_path, wide, executor="serial").finished == 2


def changed_platform(study_dir, **values):
    """Writes other values into the platform of a stored plan."""
    content = json.loads((study_dir / FILE).read_text())
    content["platform"] |= values
    (study_dir / FILE).write_text(json.dumps(content))


def test_another_platform_is_told(tmp_path, started, capsys):
    study_dir = started()
    changed_platform(study_dir, tensorflow="2.0", device="GPU", threads=None, xla=True)
    started()
    here = platform_here(DEFAULT_OPTIONS)
    unlike = f"device GPU (here CPU), threads None (here {here.threads}), tensorflow 2.0 (here {here.tensorflow})"
    assert f"{unlike}, xla True (here False)." in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("executor", ["auto", "ray"])
def test_xla_comes_from_it_and_another_choice_is_refused(tmp_path, started, capsys, executor):
    study_dir = started(options=Options(jit=True))
    assert read_plan(study_dir).platform.xla

    def options(given=DEFAULT_OPTIONS, **how):
        return prepare(study(), runs_dir=tmp_path, executor=executor, options=given, **how).options

    assert options().jit is True and options(Options(jit=True)).jit is True
    with pytest.raises(
        ValueError, match=r"plan\.json plans networks for --jit=true, .*received --jit=false\. .*--replan"
    ):
        options(Options(jit=False))
    with pytest.raises(ValueError, match=r"received --jit=false, by --deterministic or itself\. "):
        options(Options(jit=False, deterministic=True))
    assert options(Options(jit=False), replan=True).jit is False and options(replan=True).jit is None
    capsys.readouterr()
    started()
    assert "Last bits may differ" not in capsys.readouterr().out, "XLA compiles as planned"


def test_xla_is_asked_of_what_is_left_to_train_alone(tmp_path, started):
    study_dir = started()
    finish(study_dir, *(spec.run_id for spec in study().specs(prepare(study()).size)))
    assert planned(tmp_path, options=Options(jit=True)).finished == 4


def test_a_shard_that_was_prepared_before_the_plan_takes_its_xla(tmp_path, started):
    early = prepare(study(), runs_dir=tmp_path, options=PLAIN)
    started(options=Options(jit=True))
    assert early.options.jit is None and as_stored(early, "auto").options.jit is True


def test_single_networks_have_none(tmp_path, monkeypatch):
    registered(monkeypatch, EXECUTORS, dry=lambda *given: None)
    folder = run_network({**BASE, "width": 6}, runs_dir=tmp_path, executor="dry", options=PLAIN)
    assert not (folder.path.parent / FILE).exists()


def test_a_population_without_room_is_halved_in_it(tmp_path, monkeypatch, capsys):
    class Full(populations._PopulationRun):
        def train(self):
            if len(self._specs) > 2:
                raise MemoryError
            super().train()

    monkeypatch.setattr(populations, "_PopulationRun", Full)
    study_dir = run_study(study(), runs_dir=tmp_path, options=PLAIN)
    assert len(records.read_results(study_dir)) == 4
    (task,) = read_plan(study_dir).tasks
    assert [len(population.runs) for population in task.populations] == [2, 2]
    assert records.read_revisions(study_dir)[1:] == ["A population of 4 networks ran out of memory and was halved."]
    assert "Going on with half as many networks at once. This is revision 2 of the plan." in capsys.readouterr().out
