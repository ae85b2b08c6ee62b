"""Studies and single networks from the call to their record: what executors are given, and what is read back."""

import dataclasses
import os
from types import SimpleNamespace

import pytest

from keras_sparseflow import records
from keras_sparseflow.analysis.frames.pairs import pair_arms
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.comparisons import COMPARISONS, Comparison, Member
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.run_study import check_data, run_network, run_study
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study
from tests.backend import untraced
from tests.plugins.packages import registered

PLAIN = Options(tensorboard=False)
BASE = {"epochs": 1, "image_size": 4, "train_size": 100, "batch_size": 50, "flow_epochs": 1}


def study(*grids, **values):
    grids = grids or ({"variant": ("NR", "BN")},)
    grids = [{"hidden_layers": (1,), **grid} for grid in grids]
    return Study(
        **{
            "name": "tiny",
            "title": "Tiny",
            "grids": grids,
            "base": BASE,
            "width_fractions": (0.5,),
            "seeds": (0,),
            **values,
        }
    )


@pytest.fixture
def instant(monkeypatch):
    """An executor that finishes every run without training it; returns its name and what it was given."""
    seen = []

    def finish(prepared, data, progress):
        seen.append(SimpleNamespace(prepared=prepared, data=data))
        for spec in prepared.specs:
            folder = RunFolder(prepared.study_dir, spec.run_id)
            if not folder.finished:
                folder.start({"run_id": spec.run_id, "spec": spec.to_dict(), "plugins": list(spec.plugins)})
                folder.finish({"test_accuracy": 0.5, "diverged": False}, {"history": [], "flow": []})

    registered(monkeypatch, EXECUTORS, instant=finish)
    return SimpleNamespace(name="instant", seen=seen)


# --- what is trained once ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A trained study of two pairs that share their dense network, as it has no masks that a score could choose."""
    planned, runs_dir = study({"score": ("random", "magnitude")}), tmp_path_factory.mktemp("runs")
    with untraced():
        return run_study(planned, runs_dir=runs_dir, executor="serial", options=PLAIN)


def test_a_dense_network_of_two_pairs_is_trained_once_and_reported_in_both(shared):
    record = records.read_study(shared)
    assert record["runs_planned"] == record["cost"]["networks"] == len(list(shared.glob("*/result.json"))) == 3
    results = records.read_results(shared)
    assert results[["arm", "score"]].to_numpy().tolist() == [
        ["sparse", "random"], ["dense", "random"], ["sparse", "magnitude"], ["dense", "magnitude"],
    ]  # fmt: skip
    dense = results[results["arm"] == "dense"]
    assert dense["run_id"].nunique() == 1 and dense["test_accuracy"].nunique() == 1
    pairs = pair_arms(results)
    assert sorted(pairs["score"]) == ["magnitude", "random"] and pairs["dense"].nunique() == 1
    assert pairs[["sparse", "dense"]].notna().all(axis=None)


def test_arms_have_the_same_active_weights_and_columns_of_results_are_fields_and_labels(shared):
    results = records.read_results(shared)
    assert results["active_weights"].unique().tolist() == [16 * 10 + 10 * 10]
    columns = results.attrs["spec_columns"]
    assert {"arm", "dense_width", "max_width", "score", "epochs", "seed", "density"} <= set(columns)
    assert not {"run_id", "test_accuracy", "prune_from", "depth"} & set(columns)
    assert results["max_width"].unique().tolist() == [20] and results["dense_width"].unique().tolist() == [10]
    assert results["density"].unique().tolist() == [1.0], "the default of a field that does not apply"


# --- what executors are given -----------------------------------------------------------------------------------


def test_what_the_executor_gets_is_what_the_caller_gave(tmp_path, instant):
    options = Options(tensorboard=False, jit=True, population_memory=10**9, checkpoint_seconds=1.5)
    run_study(study(), runs_dir=tmp_path, executor="instant", options=options)
    network = run_network({"image_size": 4}, runs_dir=tmp_path, executor="instant", options=options)
    for given, name, count in zip(instant.seen, ("tiny", "networks-digits-4px"), (4, 1), strict=True):
        assert given.prepared.options == options and given.prepared.study_dir == tmp_path / name
        assert len(given.prepared.specs) == count
    assert instant.seen[0].data.train_images.shape == (100, 4, 4, 1)
    assert network.finished and instant.seen[1].prepared.specs[0].model.width == 16 + 4, (
        "inputs + 4 where none is given"
    )


def test_a_larger_grid_keeps_what_is_finished(tmp_path, instant, capsys):
    run_study(study(), runs_dir=tmp_path, executor="instant", options=PLAIN)
    folder = run_study(study({"variant": ("BN", "L2")}), runs_dir=tmp_path, executor="instant", options=PLAIN)
    assert len(list(folder.glob("*/result.json"))) == 6 and len(records.read_results(folder)) == 4
    assert "2 finished networks in" in capsys.readouterr().out, "those that are no longer planned"


def test_a_comparison_of_another_package_is_trained_and_read_back_with_its_labels(tmp_path, instant, monkeypatch):
    def widths(study, size):
        for values in study.configurations():
            for width, size_label in ((5, "narrow"), (9, "wide")):
                yield Member(RunSpec.of(**{**values, "width": width}), {"size": size_label, "epochs": 7})

    registered(monkeypatch, COMPARISONS, widths=Comparison(help="widths", members=widths, derived=("width",)))
    folder = run_study(study({}, comparison="widths"), runs_dir=tmp_path, executor="instant", options=PLAIN)
    results = records.read_results(folder)
    assert results[["width", "size", "epochs"]].to_numpy().tolist() == [[5, "narrow", 7], [9, "wide", 7]]
    assert "size" in results.attrs["spec_columns"] and records.read_study(folder)["comparison"] == "widths"


def test_single_networks_join_one_folder_by_their_images(tmp_path, instant):
    def train(**values):
        return run_network({**BASE, "width": 6, **values}, runs_dir=tmp_path, executor="instant", options=PLAIN)

    folders = [train(variant="BN"), train(density=0.5), train(image_size=2), train(subset_seed=3)]
    assert [folder.path.parent.name for folder in folders] == [
        "networks-digits-4px-100", "networks-digits-4px-100", "networks-digits-2px-100", "networks-digits-4px-100-3",
    ]  # fmt: skip
    results = records.read_results(folders[0].path.parent)
    assert results["run_id"].tolist() == [folder.run_id for folder in folders[:2]], (
        "the record goes on naming the first"
    )
    assert results["density"].tolist() == [1.0, 0.5]
    assert train(variant="BN").path == folders[0].path
    named = run_network({**BASE, "width": 6}, study="mine", runs_dir=tmp_path, executor="instant", options=PLAIN)
    assert named.path.parent == tmp_path / "mine"


# --- what is refused --------------------------------------------------------------------------------------------


def test_wrong_options_leave_the_record_of_a_study_as_it_was(tmp_path, instant):
    record = run_study(study(), runs_dir=tmp_path, executor="instant", options=PLAIN) / "study.json"
    before = record.read_bytes()
    with pytest.raises(ValueError, match=r"`optimizer_options` must .*sgd.betta"):
        run_study(study(base={**BASE, "optimizer_options": ("sgd.betta=1",)}), runs_dir=tmp_path, executor="instant")
    assert record.read_bytes() == before


@pytest.mark.parametrize(
    ("grid", "values", "executor", "message"),
    [
        ({"activation": ("softmax",)}, {}, "population", "activation 'softmax' cannot be trained as a population"),
        ({"method": ("rigl",)}, {}, "instant", "`move_frequency` must be below 2, the steps in which rigl moves"),
        ({"score": ("snip",)}, {"score_samples": 11}, "instant", "`score_samples` must be at most 10, the training im"),
        (
            {"score": ("magnitude",), "distribution": ("global",), "density": (1.0, 0.005)},
            {}, "instant", "0.005 leaves",
        ),
        ({}, {"batch_size": 101}, "instant", r"`batch_size` must be in \[1, 100\]"),
        ({}, {"dataset": "digit"}, "instant", "Unknown dataset 'digit'"),
        ({}, {}, "sreial", "Unknown executor 'sreial'; expected one of auto, population, ray, serial.*'serial'"),
    ],
)  # fmt: skip
def test_what_can_not_be_trained_is_refused_before_a_record_is_written(
    tmp_path, instant, grid, values, executor, message
):
    comparison = "densities" if "density" in grid else "pairs"
    planned = study(grid, base={**BASE, **values}, comparison=comparison)
    with pytest.raises(ValueError, match=message):
        run_study(planned, runs_dir=tmp_path, executor=executor)
    assert not list(tmp_path.rglob("*.json")) and not instant.seen


def test_masks_that_empty_kernels_wait_for_leave_and_what_is_finished_is_not_tried_again(tmp_path, instant):
    grid = {"score": ("magnitude",), "distribution": ("global",), "density": (0.005,)}
    planned = study(grid, comparison="densities")
    with pytest.raises(ValueError, match="without any active weight.* --allow_collapse"):
        run_study(planned, runs_dir=tmp_path, executor="instant", options=PLAIN)
    leave = dataclasses.replace(PLAIN, allow_collapse=True)
    run_study(planned, runs_dir=tmp_path, executor="instant", options=leave)
    run_study(planned, runs_dir=tmp_path, executor="instant", options=PLAIN)
    assert len(instant.seen) == 2


def test_a_study_is_run_by_one_process_at_a_time(tmp_path, instant):
    with (
        records.study_lock(tmp_path / "tiny"),
        pytest.raises(RuntimeError, match=rf"Another process \(pid {os.getpid()}\) is running the study"),
    ):
        run_study(study(), runs_dir=tmp_path, executor="instant", options=PLAIN)
    assert not instant.seen


def test_data_of_every_study_is_checked():
    there = study(base={"dataset": "digits", "train_size": 50})
    check_data([there, there], data_dir=None)
    missing = dataclasses.replace(there, base={"dataset": "digit"})
    with pytest.raises(ValueError, match="digit"):
        check_data([there, missing], data_dir=None)
