"""What a study asks of the machine: its networks as they are computed, padding and compilation included."""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.executors.plan import GRAPH_PARTS, MEMBERS_LIMIT, plan_stacks
from keras_sparseflow.studies.size.capacity import match_capacity
from keras_sparseflow.studies.spec.run_spec import RunSpec


@dataclass(frozen=True)
class Load:
    """What one network of a study asks of the machine.

    Args:
        spec: the network.
        width: of its hidden layers as they are computed, padding included.
        size: of its dataset.
    """

    spec: RunSpec
    width: int
    size: DataSize

    @property
    def weights(self) -> int:
        """Weights of the kernels that are computed with."""
        kernels = match_capacity(self.size.inputs, self.size.classes, self.spec.model.hidden_layers, self.width, self.width)
        return sum(kernel.active for kernel in kernels)

    @property
    def side(self) -> float:
        """Side of a square kernel of average size."""
        return math.sqrt(self.weights / (self.spec.model.hidden_layers + 1))


@dataclass(frozen=True)
class Workload:
    """What a study asks of the machine.

    Args:
        loads: of its networks.
        augmented: one network for each stream of augmented images; several may train on one stream.
        kernels_built: kernels in all graphs that are built and compiled.
    """

    loads: tuple[Load, ...]
    augmented: tuple[Load, ...]
    kernels_built: int


def serial_workload(specs: Iterable[RunSpec], size: DataSize) -> Workload:
    """Returns the workload of networks that are trained one after the other."""
    specs = list(specs)
    loads = tuple(Load(spec, spec.model.width, size) for spec in specs)
    augmented = tuple(load for load in loads if "DA" in load.spec.training.parts)
    return Workload(loads, augmented, sum(spec.model.hidden_layers + 1 for spec in specs))


def population_workload(specs: Iterable[RunSpec], size: DataSize, chains: int) -> Workload:
    """Returns the workload of networks that are trained together, stacked about as they will be.

    Each configuration is stacked as if it were alone. That is quick, and near to what `plan_populations` does.

    Args:
        specs: the networks.
        size: of their dataset.
        chains: how many stacks run side by side.
    """
    together: dict[tuple[object, ...], dict[tuple[object, ...], list[RunSpec]]] = {}
    for spec in specs:
        together.setdefault(graph_of(spec), {}).setdefault((spec.training.variant, spec.training.learning_rate), []).append(spec)
    loads: list[Load] = []
    streams: dict[tuple[object, ...], Load] = {}
    kernels = 0
    for graph, configurations in together.items():
        stacked = [_stacked(alike, size, chains) for alike in configurations.values()]
        members = [load for stacks in stacked for stack in stacks for load in stack]
        streams |= {(graph, load.spec.seed): load for load in members if "DA" in load.spec.training.parts}
        kernels += math.ceil(len(members) / MEMBERS_LIMIT) * len(stacked[0]) * (members[0].spec.model.hidden_layers + 1)
        loads += members
    return Workload(tuple(loads), tuple(streams.values()), kernels)


def graph_of(spec: RunSpec) -> tuple[object, ...]:
    """Returns what networks have in common that train together."""
    return (spec.training.optimizer, spec.model.activation, spec.model.hidden_layers, spec.training.batch_size, spec.training.parts & GRAPH_PARTS)


def _stacked(specs: list[RunSpec], size: DataSize, chains: int) -> list[list[Load]]:
    """Returns the loads of one configuration, stack by stack."""
    first = specs[0]
    shape = (size.inputs, size.classes, first.model.hidden_layers, first.training.batch_size, chains)
    stacks = _stacks(tuple(spec.model.width for spec in specs), *shape)
    return [[Load(specs[member], width, size) for member in members] for width, members in stacks]


@functools.cache
def _stacks(
    widths: tuple[int, ...], inputs: int, classes: int, hidden_layers: int, batch_size: int, chains: int
) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Returns width and members of each stack."""
    specs = [
        RunSpec(dense_width=width, max_width=width, hidden_layers=hidden_layers, batch_size=batch_size)
        for width in widths
    ]
    stacks = plan_stacks(specs, inputs=inputs, classes=classes, chains=chains)
    return tuple((stack.width, stack.members) for stack in stacks)
