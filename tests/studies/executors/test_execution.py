"""Networks of a study are computed by masked layers or by active weights alone, as the plan says, or refused."""

import pytest
from rich.console import Console

from keras_sparseflow.data import DataSize
from keras_sparseflow.layers.sparse.providers import BREAK_EVEN, provider
from keras_sparseflow.studies.executors.execution import (
    Execution,
    check_memory,
    execution_of,
    faster_alone,
    least_bytes,
)
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.study_plan import plan_study
from keras_sparseflow.studies.prepare import prepare
from keras_sparseflow.studies.printing import print_study
from keras_sparseflow.studies.run_study import run_network
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study
from keras_sparseflow.training.distributed import device
from tests.backend import untraced
from tests.studies.executing import assert_same_files, interrupted_after, train

SIZE = DataSize((32, 32, 3), 100, 50_000, 10_000)
WIDE = {"width": 3076, "matched_fraction": 0.1}


def execution(values, **options):
    return execution_of(RunSpec.of(**{**WIDE, **values}), SIZE, Options(**options))


def test_auto_is_sparse_below_the_density_of_the_provider():
    found = execution({})
    assert (found.name, found.by, found.max_density) == ("sparse", provider(), BREAK_EVEN[provider()])
    assert str(found) == f"sparse, by {provider()}"
    assert execution({"matched_fraction": None, "density": 1.0}).name == "dense"
    masked = {"matched_fraction": None, "density": 0.5}
    assert (
        str(execution(masked)) == f"masked: no large kernel of a product has a density of at most {found.max_density:g}"
    )
    assert execution(masked, execution="sparse").max_density == 1
    assert str(execution({}, execution="masked")) == "masked: --execution=masked"


def test_auto_stays_masked_on_a_gpu_where_nothing_was_measured(monkeypatch):
    reason = "masked: sparse layers were not measured on a GPU"
    assert str(execution({}, task_gpus=1)) == reason
    monkeypatch.setattr(device, "on_gpu", lambda: True)
    assert str(execution({})) == reason
    assert execution({}, execution="sparse").name == "sparse"
    assert not faster_alone(RunSpec.of(**WIDE), SIZE, Options())
    assert faster_alone(RunSpec.of(**WIDE), SIZE, Options(execution="sparse"))


@pytest.mark.parametrize(
    "values, options, reason",
    [
        ({"matched_fraction": None, "density": 0.05, "method": "magnitude"}, {}, "fewer and fewer weights"),
        ({"diagnostics": ("top_eigenvalue",)}, {}, "second derivatives"),
        ({"tweaks": "GSw"}, {}, "ghosts"),
        ({}, {"jit": True}, "XLA"),
        ({}, {"strategy": "mirrored", "devices": 2}, "shares batches"),
    ],
)
def test_what_has_no_sparse_kernels_is_masked_or_refused(values, options, reason):
    assert reason in execution(values, **options).reason
    with pytest.raises(ValueError, match=f"`execution` must be 'masked' or 'auto' for .*{reason}.*received 'sparse'"):
        execution(values, execution="sparse", **options)


def test_an_unknown_execution_is_refused():
    with pytest.raises(ValueError, match="execution.*'dense'.*auto, masked, sparse"):
        Options(execution="dense")


LARGE = {"width": 140, "matched_fraction": 0.1, "hidden_layers": 2, "epochs": 2}
"""A network with a hidden kernel of 19,600 entries, a tenth of them active."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        {"variant": "L2_SC", "hidden_layers": 3, "optimizer": "adam"},
        {"variant": "BN", "method": "rigl", "move_frequency": 2},
    ],
)
def test_either_execution_leaves_the_same_files(spec, data, tmp_path, values):
    network = spec(**{**LARGE, **values})
    for execution in ("masked", "sparse"):
        train("serial", [network], tmp_path / execution, data, execution=execution)
    assert_same_files(network, tmp_path / "masked", tmp_path / "sparse")


@pytest.mark.slow
def test_a_run_goes_on_under_another_execution(spec, data, tmp_path):
    """There and back."""
    network = spec(**{**LARGE, "optimizer": "adagrad", "epochs": 3})
    with untraced():
        train("serial", [network], tmp_path / "whole", data, execution="masked")
        for epoch, execution in enumerate(("sparse", "masked")):
            with interrupted_after(epoch, 1):
                train("serial", [network], tmp_path / "resumed", data, execution=execution, checkpoint_seconds=0)
        train("serial", [network], tmp_path / "resumed", data, execution="sparse")
    assert_same_files(network, tmp_path / "whole", tmp_path / "resumed")


def test_the_plan_names_execution_and_provider(tmp_path):
    study = Study(name="s", title="", seeds=(0,), width_fractions=(0.1,), max_width=300)
    prepared = prepare(study, runs_dir=tmp_path, executor="serial")
    console = Console(width=200, record=True)
    print_study(prepared, console)
    text = console.export_text()
    assert f"Computed sparse, by {provider()}: 1 network." in text and "Computed dense: 1 network." in text
    assert {each.name for each in prepared.plan.executions.values()} == {"sparse", "dense"}
    assert set(prepared.plan.executions) == {each.run_id for each in prepared.plan.alone}


def test_large_sparse_networks_train_alone_and_small_ones_in_populations(tmp_path):
    def planned(width, **options):
        specs = [
            RunSpec.of(width=width, matched_fraction=0.1),
            RunSpec.of(width=width, matched_fraction=None, density=1.0),
        ]
        return specs, plan_study(specs, tmp_path, SIZE, options.pop("executor", "auto"), Options(**options))

    (sparse, _), plan = planned(3076)
    assert plan.alone == (sparse,) and plan.executions[sparse.run_id].name == "sparse"
    assert [len(population.specs) for population in plan.populations] == [1]
    assert not planned(300)[1].alone
    assert not planned(3076, execution="masked")[1].alone
    assert not planned(3076, executor="population")[1].alone


DIGITS = DataSize((8, 8, 1), 10, 100, 100)
SMALL_ONE = RunSpec.of(width=100, hidden_layers=1, density=0.1)  # 7,400 weights, 740 active


@pytest.mark.parametrize(("name", "expected"), [("dense", 8 * 7400), ("masked", 9 * 7400), ("sparse", 8 * 740 + 7400)])
def test_weights_gradients_and_masks_are_counted(name, expected):
    assert least_bytes(SMALL_ONE, Execution(name), DIGITS) == expected


def test_the_largest_network_is_refused_with_what_it_needs_and_what_there_is(monkeypatch):
    small = SMALL_ONE.but(width=10)
    executions = {spec.run_id: Execution("masked") for spec in (SMALL_ONE, small)}
    monkeypatch.setattr(device, "available_memory", lambda: 9 * 7400)
    check_memory([small, SMALL_ONE], executions, DIGITS)
    check_memory([], {}, DIGITS)
    monkeypatch.setattr(device, "available_memory", lambda: 9 * 7400 - 1)
    with pytest.raises(MemoryError, match=f"{SMALL_ONE.run_id} needs at least 66,600 bytes .* 66,599 are free"):
        check_memory([small, SMALL_ONE], executions, DIGITS)


@pytest.mark.parametrize("executor", ["serial", "population"])
def test_nothing_is_written_of_a_network_that_is_larger_than_the_memory(tmp_path, executor):
    with pytest.raises(MemoryError, match="needs"):
        run_network({"width": 10**7, "hidden_layers": 3}, runs_dir=tmp_path, executor=executor)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("study", ["../x", "a/../../x", "/x", "..", "."])
@pytest.mark.parametrize("repair", [False, True])
def test_no_folder_outside_of_the_runs_folder_is_made(tmp_path, study, repair):
    with pytest.raises(ValueError, match="`name` names a folder"):
        run_network({"width": 8}, study=study, runs_dir=tmp_path / "runs", repair=repair)
    assert not [*tmp_path.iterdir()]
