"""What networks ask of the machine, padded and apart."""

import pytest
from keras_sparseflow.studies.size.workload import Load, population_workload, serial_workload

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.comparisons import match_capacity
from keras_sparseflow.studies.executors.plan import plan_populations
from keras_sparseflow.studies.study import Study

SIZE = DataSize((8, 8, 3), 10, 1000, 500)


@pytest.fixture
def specs():
    grids = [{"variant": ("NR", "DA", "BN", "DA_L2_BN"), "optimizer": ("sgd", "adam")}]
    return Study(name="s", title="", grids=grids, seeds=(0, 1, 2)).specs(SIZE.inputs, SIZE.classes)


def test_weights_are_those_of_the_padded_width(specs):
    sizes = match_capacity(192, 10, 4, 80, 80)
    load = Load(specs[0], 80, SIZE)
    assert load.weights == sum(kernel.active for kernel in sizes) == 192 * 80 + 3 * 80 * 80 + 80 * 10
    assert load.side == pytest.approx((load.weights / 5) ** 0.5)


def test_networks_alone_have_their_own_width_and_their_own_stream(specs):
    work = serial_workload(specs, SIZE)
    assert [(load.spec, load.width) for load in work.loads] == [(spec, spec.width) for spec in specs]
    assert [load.spec for load in work.augmented] == [spec for spec in specs if "DA" in spec.parts]
    assert work.kernels_built == 5 * len(specs)


def test_networks_together_share_streams_and_graphs(specs):
    work = population_workload(specs, SIZE, chains=2)
    assert sorted(load.spec.run_id for load in work.loads) == sorted(spec.run_id for spec in specs)
    assert all(load.width >= load.spec.width for load in work.loads)
    assert len(work.augmented) == 2 * 2 * 3, "of each optimizer, with BatchNorm and without, one a seed"
    assert 0 < work.kernels_built < serial_workload(specs, SIZE).kernels_built


def test_padding_is_near_to_that_of_the_plan(specs):
    plan = plan_populations(specs, input_shape=SIZE.input_shape, classes=10, slots=lambda spec: 0, memory=10**12)
    planned = sum(
        Load(population.specs[member], stack.width, SIZE).weights
        for population in plan
        for stack in population.stacks
        for member in stack.members
    )
    estimated = sum(load.weights for load in population_workload(specs, SIZE, chains=2).loads)
    assert estimated == pytest.approx(planned, rel=0.1)
