"""Shards: shares of a stored plan that leave nothing out, take nothing twice, and stay as they are."""

import io

import pytest
from rich.console import Console

from keras_sparseflow import records
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.shards import missing, share
from keras_sparseflow.studies.executors.stored_plan import Platform, StoredPlan, Task, keep_plan, read_plan
from keras_sparseflow.studies.prepare import as_stored, prepare
from keras_sparseflow.studies.printing import print_study
from keras_sparseflow.studies.run_study import run_study
from keras_sparseflow.studies.study import Study
from tests.plugins.packages import registered

PLAIN = Options(tensorboard=False)
BASE = {"epochs": 1, "image_size": 4, "train_size": 100, "batch_size": 50, "flow_epochs": 0}
HERE = Platform("CPU", 1, "", "", xla=False)


def study(**values):
    grids = [{"variant": ("NR", "BN", "SC_BN"), "hidden_layers": (3,)}]
    return Study(
        **{
            "name": "tiny",
            "title": "",
            "grids": grids,
            "base": BASE,
            "width_fractions": (0.5,),
            "seeds": (0,),
            **values,
        }
    )


def plan(*parts):
    tasks = (tuple(Task(flops, alone={name: None}) for name, flops in part.items()) for part in parts)
    return StoredPlan(HERE, tuple(tasks), ())


def shards(stored, count):
    return [{run_id for task in stored.shard(i, count) for run_id in task.run_ids} for i in range(count)]


@pytest.fixture
def trained(monkeypatch):
    """The runs that an executor "instant" finishes, a list for each of its calls."""
    calls = []

    def instant(prepared, data, progress):
        calls.append([spec.run_id for spec in prepared.specs])
        for spec in prepared.specs:
            folder = RunFolder(prepared.study_dir, spec.run_id)
            folder.start({"run_id": spec.run_id, "spec": spec.to_dict(), "plugins": []})
            folder.finish({"test_accuracy": 0.5, "diverged": False}, {"history": [], "flow": []})

    registered(monkeypatch, EXECUTORS, instant=instant)
    return calls


def test_operations_are_shared_and_every_run_is_in_one_shard():
    stored = plan({"a": 5, "b": 9, "c": 4, "d": 1})
    assert shards(stored, 2) == [{"b", "d"}, {"a", "c"}]
    for count in range(1, 7):
        found = shards(stored, count)
        assert sorted(run for shard in found for run in shard) == ["a", "b", "c", "d"], count


def test_what_a_study_grows_by_moves_nothing_to_another_shard():
    small, grown = plan({"a": 5, "b": 9, "c": 4}), plan({"a": 5, "b": 9, "c": 4}, {"z": 100, "y": 1})
    for before, after in zip(shards(small, 2), shards(grown, 2), strict=True):
        assert after - {"y", "z"} == before


def test_rounds_of_lottery_tickets_from_one_network_stay_together(tmp_path):
    grids = [{"hidden_layers": (1,), "distribution": ("uniform", "erk")}]
    tickets = study(
        grids=grids, comparison="densities", rounds=2, fraction=0.5, seeds=(0, 1), base={**BASE, "width": 8}
    )
    stored = prepare(tickets, runs_dir=tmp_path).plan.stored
    assert [len(task.run_ids) for task in stored.tasks] == [5, 5], "a dense round, and two of each distribution"


def test_each_shard_trains_its_share_by_the_plan_of_the_first(tmp_path, trained):
    for shard in ((1, 2), (0, 2)):
        folder = run_study(study(), runs_dir=tmp_path, executor="instant", options=PLAIN, shard=shard)
        assert missing(folder) == 6 - sum(map(len, trained))
        if shard == (1, 2):
            before = (folder / "plan.json").read_bytes()
    assert (folder / "plan.json").read_bytes() == before
    ids = records.read_study(folder)["run_ids"]
    assert (
        len(trained) == 2
        and sorted(run_id for call in trained for run_id in call) == sorted(ids)
        and len(records.read_results(folder)) == 6
    )


def test_a_plan_that_was_written_meanwhile_is_taken(tmp_path):
    late = prepare(study(), runs_dir=tmp_path, options=PLAIN)
    first = prepare(study(), runs_dir=tmp_path, options=Options(population_memory=10**9), executor="serial")
    keep_plan(first.study_dir, first.plan.stored, None, replan=False)
    taken = as_stored(late, "auto")
    assert taken.plan.stored == first.plan.stored != late.plan.stored
    assert len(taken.plan.alone) == 6 and not taken.plan.populations
    with pytest.raises(RuntimeError, match="Another process has changed .*type the command again"):
        keep_plan(late.study_dir, late.plan.stored, None, replan=False)
    assert read_plan(late.study_dir) == first.plan.stored


def test_the_parts_of_a_shard(tmp_path):
    prepared = prepare(study(), runs_dir=tmp_path)
    parts = [share(prepared, (i, 2)) for i in range(2)]
    assert sum(part.cost.networks for part in parts) == 6 == sum(len(part.specs) for part in parts)
    for part in parts:
        assert {spec for p in part.plan.populations for spec in p.specs} | {*part.plan.alone} == {*part.specs}


@pytest.mark.parametrize("shard", [(2, 2), (0, 0), (-1, 2)])
def test_what_is_no_shard_is_refused(tmp_path, shard):
    with pytest.raises(ValueError, match="`shard` must be i/n with i from 0 to n - 1, such as 0/4"):
        run_study(study(), runs_dir=tmp_path, shard=shard)


@pytest.mark.parametrize("name", ["repair", "replan"])
def test_what_changes_the_whole_study_is_refused_beside_one(tmp_path, name):
    with pytest.raises(ValueError, match=f"`{name}` changes the whole study.* shard 0/2"):
        run_study(study(), runs_dir=tmp_path, shard=(0, 2), **{name: True})
    assert not list(tmp_path.iterdir())


def test_a_dry_run_says_what_a_shard_would_train(tmp_path):
    console = Console(file=io.StringIO(), width=200)
    print_study(prepare(study(), runs_dir=tmp_path), console, shard=(0, 2))
    lines = console.file.getvalue().splitlines()
    (cut,) = [line for line in lines if line.startswith("Cut into")]
    assert cut.startswith("Cut into 3 tasks that can train apart; the largest has 33% of the operations.")
    (mine,) = [line for line in lines if line.startswith("Shard 0/2")]
    assert mine in (
        "Shard 0/2: 2 tasks of 4 networks, 67% of the operations.",
        "Shard 0/2: 1 task of 2 networks, 33% of",
    )


@pytest.mark.parametrize("runs_dir", ["s3://bucket/runs", "gs://bucket"])
def test_object_stores_are_refused(runs_dir):
    with pytest.raises(
        ValueError, match=r"file system that all machines share.*no rename and no locks; received '[sg][3s]:"
    ):
        prepare(study(), runs_dir=runs_dir)
