"""Plans which networks train together as one program, and how they are stacked inside it."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from keras_sparseflow.studies.spec.run_spec import RunSpec

FREE_FIELDS = (
    *("width", "width_fraction", "density", "matched_fraction", "init_fan_in", "seed"),
    *("method", "distribution", "ends", "score", "score_samples"),
    *("learning_rate", "l2", "l2_form", "augment_pad", "augment_flip", "rescale_iterations", "variant", "tweaks"),
)
"""Fields in which the networks of one population may differ; `variant` outside `GRAPH_PARTS` only."""

GRAPH_PARTS = frozenset({"SC", "BN"})
"""Parts of a variant that change the graph, and so separate populations."""

MEMBERS_LIMIT = 64
"""Networks in one population; more of them train no faster (docs/performance.md), and finish later."""

STACK_OVERHEAD = 5e7
"""Floating-point operations that take as long as the overhead of one more stack in a step, measured."""

FLOPS_PER_WEIGHT = 6
"""Floating-point operations of a step per weight and image: two forward, four backward."""

FLOAT_BYTES = 4
MASK_BYTES = 5
"""Bytes per weight for its mask, a float of 0 or 1, and for a flag that tells it from padding."""

VARIABLES = 1
GRADIENTS = 3
"""Tensors like a weight's gradient that are held at once: before and after masking, and the step made of it."""

HIDDEN_TENSORS = 3
HIDDEN_TENSORS_WITH_BATCH_NORM = 6
"""Tensors of a hidden layer that are held at once for each image of a batch."""


@dataclass(frozen=True)
class Setting:
    """The sizes that decide stacks and memory of a population, besides its networks.

    Args:
        inputs: number of values of one image.
        classes: number of classes.
        slots: slot variables that the optimizer keeps for each weight.
        chains: number of stacks that run side by side.

    Example:
        >>> Setting(inputs=64, classes=10, slots=2, chains=2).slots
        2
    """

    inputs: int
    classes: int
    slots: int
    chains: int


@dataclass(frozen=True)
class PlannedStack:
    """Members of a population whose variables are stacked, each zero-padded to one width.

    Args:
        width: of every hidden layer, that of the widest member.
        members: positions in the population's specs.

    Example:
        >>> PlannedStack(width=400, members=(0, 2, 3)).width
        400
    """

    width: int
    members: tuple[int, ...]


@dataclass(frozen=True)
class PlannedPopulation:
    """Networks that train together as one compiled program.

    Args:
        specs: widest first, otherwise in the order given.
        stacks: widest first; they hold every network once that is left to train, and its passengers.
        first_epoch: epochs that its members have behind them.
        memory: estimated bytes at the peak of training.
        setting: setting for which stacks and memory were planned.
        passengers: those of the specs that train along only so that the shapes of stacks, and with them last bits of
            the others, stay as planned: they are finished, or have come to another epoch.

    Example:
        >>> specs = [RunSpec.of(width=68, matched_fraction=0.3), RunSpec.of(width=20)]
        >>> (planned,) = plan_populations(specs, input_shape=(8, 8, 1), classes=10, slots=lambda spec: 0, memory=10**9)
        >>> [stack.width for stack in planned.stacks], planned.first_epoch
        ([68, 20], 0)
    """

    specs: tuple[RunSpec, ...]
    stacks: tuple[PlannedStack, ...]
    first_epoch: int
    memory: int
    setting: Setting
    passengers: frozenset[RunSpec] = frozenset()

    @property
    def training(self) -> tuple[RunSpec, ...]:
        """The networks that are left to train."""
        return tuple(spec for spec in self.specs if spec not in self.passengers)

    def halves(self) -> tuple["PlannedPopulation", ...]:
        """Returns two populations, of the wider and the narrower half of what is left to train; pairs stay together.

        Only a single pair is parted. A single network leaves its passengers.

        Raises:
            ValueError: it has a single member, and no passengers.
        """
        specs = self.training
        if len(specs) == 1 and self.passengers:
            return (_population(specs, [0], self.first_epoch, self.setting),)
        if len(specs) == 1:
            raise ValueError(f"A population must have at least 2 networks to be halved; received 1, {specs[0].run_id}.")
        pairs = _pairs(specs)
        units = _widest_first(specs, pairs if len(pairs) > 1 else _alone(pairs[0]))
        cuts = [(_join(units[:place]), _join(units[place:])) for place in range(1, len(units))]
        wider, narrower = min(cuts, key=lambda cut: abs(len(cut[0]) - len(cut[1])))
        return (
            _population(specs, wider, self.first_epoch, self.setting),
            _population(specs, narrower, self.first_epoch, self.setting),
        )

    def left(self, epochs: Mapping[RunSpec, int]) -> list["PlannedPopulation"]:
        """Returns what is left to train as populations, networks with equally many epochs behind them together.

        Each keeps the stacks that were planned: the others are passengers of it.

        Args:
            epochs: number of epochs that each unfinished network has behind it.
        """
        left = []
        for first_epoch in dict.fromkeys(epochs[spec] for spec in self.specs if spec in epochs):
            passengers = frozenset(spec for spec in self.specs if epochs.get(spec) != first_epoch)
            stacks = tuple(s for s in self.stacks if any(self.specs[m] not in passengers for m in s.members))
            population = population_of_stacks(self.specs, stacks, first_epoch, self.setting)
            left.append(dataclasses.replace(population, passengers=passengers))
        return left


def plan_populations(
    specs: Sequence[RunSpec],
    *,
    input_shape: Sequence[int],
    classes: int,
    slots: Callable[[RunSpec], int],
    memory: int,
    chains: int = 2,
    first_epochs: Mapping[str, int] | None = None,
    members_limit: int = MEMBERS_LIMIT,
) -> list[PlannedPopulation]:
    """Returns the fewest populations, of about equal sizes, that hold every network.

    Networks of one population differ in `FREE_FIELDS` alone. The two arms of a matched pair stand in
    one population wherever both fit into one.

    Args:
        specs: of one dataset and its options.
        input_shape: of one image.
        classes: number of classes.
        slots: gives the number of slot variables per weight of a network's optimizer: 0 for sgd, 2 for adam.
        memory: bytes that a population may take.
        chains: number of stacks that run side by side: 2 on a CPU, 1 on a GPU.
        first_epochs: number of epochs that each `run_id` has behind it; 0 for ids that are missing.
        members_limit: networks that a population may have, at least 1.

    Returns:
        Populations in the order in which the first of their kind was given; of one kind, the widest first.

    Raises:
        MemoryError: a network needs more than `memory` even alone.
        ValueError: `chains` or `members_limit` is below 1.

    Example:
        >>> specs = [RunSpec.of(width=width, variant=variant) for variant in ("NR", "BN") for width in (20, 68)]
        >>> plan = plan_populations(specs, input_shape=(8, 8, 1), classes=10, slots=lambda spec: 0, memory=10**9)
        >>> [[spec.training.variant for spec in population.specs] for population in plan]
        [['NR', 'NR'], ['BN', 'BN']]
    """
    for name, value in (("chains", chains), ("members_limit", members_limit)):
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1; received {value}.")
    kinds: dict[tuple[int, tuple[object, ...]], list[RunSpec]] = {}
    for spec in specs:
        first_epoch = (first_epochs or {}).get(spec.run_id, 0)
        kinds.setdefault((first_epoch, _kind(spec)), []).append(spec)
    plan = []
    for (first_epoch, _), members in kinds.items():
        setting = Setting(math.prod(input_shape), classes, slots(members[0]), chains)
        _check_each_fits(members, setting, memory)
        plan += _split(members, first_epoch, setting, memory, members_limit)
    return plan


def plan_stacks(specs: Sequence[RunSpec], *, inputs: int, classes: int, chains: int) -> tuple[PlannedStack, ...]:
    """Returns how the networks of one population are stacked: widest first, each network once.

    Padding to a stack's width costs operations, another stack costs overhead: the widths are grouped
    so that the sum of both is least. Then, `chains` times at most, the costliest stack that can be
    halved is, while there are fewer stacks than chains or the longest chain gets shorter.

    Args:
        specs: networks that differ in `FREE_FIELDS` alone.
        inputs: number of values of one image.
        classes: number of classes.
        chains: number of stacks that run side by side.

    Example:
        >>> specs = [RunSpec.of(width=width) for width in (400, 40, 400, 380)]
        >>> plan_stacks(specs, inputs=396, classes=10, chains=1)
        (PlannedStack(width=400, members=(0, 2, 3)), PlannedStack(width=40, members=(1,)))
    """
    order = sorted(range(len(specs)), key=lambda member: -units_of(specs[member]))
    same_width = [list(same) for _, same in itertools.groupby(order, key=lambda member: units_of(specs[member]))]

    def cost(members: Sequence[int]) -> float:
        widest = specs[members[0]]
        weights = _weights(inputs, classes, widest.model.hidden_layers or 0, units_of(widest))
        return STACK_OVERHEAD + len(members) * FLOPS_PER_WEIGHT * weights * widest.training.batch_size

    # Networks of one stack are zero-padded to its widest member, so wide and narrow ones together waste operations, but
    # each further stack costs a fixed overhead. Sorted by width, the best stacks are runs of neighbours, which dynamic
    # programming finds exactly. They are then cut further where that gives every core something to do.
    stacks = _balance(_cheapest_partition(same_width, cost), cost, chains)
    return tuple(PlannedStack(units_of(specs[members[0]]), tuple(members)) for members in stacks)


def member_bytes(spec: RunSpec, *, width: int, inputs: int, classes: int, slots: int) -> int:
    """Returns the estimated bytes that a network takes at the peak of training.

    Args:
        spec: the network.
        width: to which its hidden layers are padded.
        inputs: number of values of one image.
        classes: number of classes.
        slots: slot variables that its optimizer keeps for each weight.

    Example:
        >>> spec = RunSpec.of(width=20, hidden_layers=1, batch_size=100)
        >>> member_bytes(spec, width=20, inputs=6, classes=4, slots=2)  # 200 weights of 29 bytes, 100 x 70 floats
        33800
    """
    weight_bytes = FLOAT_BYTES * (VARIABLES + slots + GRADIENTS) + MASK_BYTES
    hidden_tensors = HIDDEN_TENSORS_WITH_BATCH_NORM if "BN" in spec.training.parts else HIDDEN_TENSORS
    hidden_layers = spec.model.hidden_layers or 0
    image_bytes = FLOAT_BYTES * (inputs + hidden_layers * width * hidden_tensors + classes)
    return _weights(inputs, classes, hidden_layers, width) * weight_bytes + spec.training.batch_size * image_bytes


def _kind(spec: RunSpec) -> tuple[object, ...]:
    """Returns what is the same in all networks of a population."""
    fixed = (value for name, value in spec.values.items() if name not in FREE_FIELDS)
    return (spec.training.parts & GRAPH_PARTS, *fixed)


@functools.cache
def _weights(inputs: int, classes: int, hidden_layers: int, width: int) -> int:
    widths = [inputs, *[width] * hidden_layers, classes]
    return sum(first * second for first, second in itertools.pairwise(widths))


def units_of(spec: RunSpec) -> int:
    """Returns how many units each hidden layer of a multilayer perceptron has."""
    return max(1, round(spec.model.width_fraction * (spec.model.width or 0)))


def _check_each_fits(specs: Sequence[RunSpec], setting: Setting, memory: int) -> None:
    """Refuses the network that needs the most memory, where that is too much."""
    alone = [_population(specs, [member], 0, setting) for member in range(len(specs))]
    largest = max(alone, key=lambda population: population.memory)
    if largest.memory > memory:
        spec = largest.specs[0]
        raise MemoryError(
            f"The network {spec.run_id} needs an estimated {largest.memory:,} bytes; {memory:,} are allowed. "
            f"Use `--population_memory_gb={math.ceil(largest.memory / 1e8) / 10}` or more, a smaller "
            "`--batch_size`, or `--executor=serial`."
        )


def _split(
    specs: Sequence[RunSpec], first_epoch: int, setting: Setting, memory: int, members_limit: int
) -> list[PlannedPopulation]:
    """Returns the fewest populations that fit, their sizes as equal as they can be."""

    def population(members: Sequence[int]) -> PlannedPopulation:
        return _population(specs, members, first_epoch, setting)

    def fits(members: Sequence[int]) -> bool:
        return len(members) <= members_limit and population(members).memory <= memory

    def cost(members: Sequence[int]) -> float:
        """Returns the cost of a population: a constant and the square of its size; infinite if it does not fit.

        The constant of one more population outweighs any difference in the sum of squares, which is least for equal
        sizes.
        """
        return len(specs) ** 2 + len(members) ** 2 if fits(members) else math.inf

    units = itertools.chain.from_iterable([pair] if fits(pair) else _alone(pair) for pair in _pairs(specs))
    return [population(members) for members in _cheapest_partition(_widest_first(specs, units), cost)]


def _population(
    specs: Sequence[RunSpec], members: Iterable[int], first_epoch: int, setting: Setting
) -> PlannedPopulation:
    """Returns the population of the specs at the positions `members`."""
    chosen = tuple(specs[m] for m in sorted(members, key=lambda member: (-units_of(specs[member]), member)))
    stacks = plan_stacks(chosen, inputs=setting.inputs, classes=setting.classes, chains=setting.chains)
    return population_of_stacks(chosen, stacks, first_epoch, setting)


def stacks_with(stacks: Iterable[PlannedStack], members: Sequence[int]) -> tuple[PlannedStack, ...]:
    """Returns stacks of their old widths with some of their members, which are counted anew."""
    place = {member: new for new, member in enumerate(members)}
    kept = (PlannedStack(s.width, tuple(place[m] for m in s.members if m in place)) for s in stacks)
    return tuple(stack for stack in kept if stack.members)


def population_of_stacks(
    specs: tuple[RunSpec, ...], stacks: tuple[PlannedStack, ...], first_epoch: int, setting: Setting
) -> PlannedPopulation:
    """Returns a population whose stacks are planned, with the memory that it needs; see `PlannedPopulation`."""
    sizes = {"inputs": setting.inputs, "classes": setting.classes, "slots": setting.slots}
    memory = sum(
        member_bytes(specs[member], width=stack.width, **sizes) for stack in stacks for member in stack.members
    )
    return PlannedPopulation(specs, stacks, first_epoch, memory, setting)


def _pairs(specs: Sequence[RunSpec]) -> list[list[int]]:
    """Returns positions in the specs, together where specs are of equal capacity and differ in nothing but masks."""
    pairs: dict[tuple[object, ...], list[int]] = {}
    for member, spec in enumerate(specs):
        capacity = round((spec.sparsity.matched_fraction or 1.0) * units_of(spec))
        alike = (value for name, value in spec.values.items() if name not in _OF_PAIRS)
        pairs.setdefault((capacity, *alike), []).append(member)
    return list(pairs.values())


_OF_PAIRS = (
    *("width", "width_fraction", "density", "matched_fraction", "init_fan_in"),
    *("method", "distribution", "ends", "score", "score_samples"),
)
"""Fields in which the two arms of a matched pair differ."""


def _alone(members: Iterable[int]) -> list[list[int]]:
    return [[member] for member in members]


def _widest_first(specs: Sequence[RunSpec], units: Iterable[list[int]]) -> list[list[int]]:
    """Returns groups of positions by the widths in them, so that neighbours need few stacks."""
    return sorted(units, key=lambda unit: sorted((units_of(specs[m]) for m in unit), reverse=True), reverse=True)


def _join(units: Iterable[Sequence[int]]) -> list[int]:
    return list(itertools.chain.from_iterable(units))


def _cheapest_partition(units: Sequence[Sequence[int]], cost: Callable[[Sequence[int]], float]) -> list[list[int]]:
    """Returns neighbouring units joined into parts such that the sum of the parts' costs is least."""
    best: list[tuple[float, list[list[int]]]] = [(0.0, [])]
    for end in range(1, len(units) + 1):
        total, begin = min((best[begin][0] + cost(_join(units[begin:end])), begin) for begin in range(end))
        best.append((total, [*best[begin][1], _join(units[begin:end])]))
    return best[-1][1]


def _balance(parts: list[list[int]], cost: Callable[[Sequence[int]], float], chains: int) -> list[list[int]]:
    """Returns the parts, the costliest ones halved where a chain would stay empty or all would end sooner."""
    for _ in range(chains):
        costliest = max((part for part in parts if len(part) > 1), key=cost, default=None)
        if costliest is None:
            break
        place, middle = parts.index(costliest), math.ceil(len(costliest) / 2)
        finer = [*parts[:place], costliest[:middle], costliest[middle:], *parts[place + 1 :]]
        if len(parts) >= chains and _longest_chain(finer, cost, chains) >= _longest_chain(parts, cost, chains):
            break
        parts = finer
    return parts


def _longest_chain(parts: list[list[int]], cost: Callable[[Sequence[int]], float], chains: int) -> float:
    """Returns the cost of the longest chain, the parts dealt out from the costliest on, each to the shortest chain."""
    loads = [0.0] * chains
    for part_cost in sorted(map(cost, parts), reverse=True):
        loads[loads.index(min(loads))] += part_cost
    return max(loads)
