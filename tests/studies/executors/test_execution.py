"""How networks of a study are computed: by masked layers or by active weights alone, and how the plan says so."""

import pytest
from rich.console import Console

from keras_sparseflow.data import DataSize
from keras_sparseflow.layers.sparse.providers import BREAK_EVEN, provider
from keras_sparseflow.studies.executors.execution import execution_of
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.study_plan import plan_study
from keras_sparseflow.studies.prepare import prepare
from keras_sparseflow.studies.printing import print_study
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study
from tests.studies.executing import assert_same_files, interrupted_after, train, untraced

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
