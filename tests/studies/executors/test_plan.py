"""Plans: which networks train together, how they are stacked, and what memory they are said to take."""

import itertools
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.comparisons import matched_pair
from keras_sparseflow.studies.executors import plan
from keras_sparseflow.studies.executors.plan import (
    PlannedStack,
    Setting,
    member_bytes,
    plan_populations,
    plan_stacks,
    units_of,
)
from keras_sparseflow.studies.presets.preset_table import PRESETS
from keras_sparseflow.studies.spec.run_spec import LEAVES, RunSpec
from keras_sparseflow.studies.study import Study

SMALL = {"hidden_layers": 1, "batch_size": 100, "epochs": 30}
"""6 inputs and 4 classes make 10 weights for each hidden unit; 100 images a step make 1,000 + 300 floats for it."""

SPARSE = {"width": 20, "matched_fraction": 0.5}


def slots(spec):
    return {"sgd": 0, "momentum": 1, "adam": 2}[spec.training.optimizer]


def spec(**values):
    return RunSpec.of(**{"width": 20, **SMALL, **values})


def pair(dense_width=20, **values):
    """Both arms of a pair whose sparse one is 20 wide; at that width the dense one is as wide."""
    return [member.spec for member in matched_pair(20, dense_width / 20, **SMALL, **values)]


def pairs(count, **values):
    return [spec for seed in range(count) for spec in pair(seed=seed, **values)]


def planned(specs, **options):
    defaults = {"input_shape": (3, 2, 1), "classes": 4, "slots": slots, "memory": 10**12, "chains": 1}
    return plan_populations(specs, **{**defaults, **options})


def sizes(populations):
    return [len(population.specs) for population in populations]


def widths_of(population):
    return [(len(stack.members), stack.width) for stack in population.stacks]


def arm(spec):
    return "dense" if spec.sparsity.is_dense else "sparse"


def has_whole_pairs(population):
    """Returns whether both arms of each pair are there; pairs must differ in their seeds alone."""
    return all(
        {arm(spec) for spec in population.specs if spec.seed == seed} == {"sparse", "dense"}
        for seed in {spec.seed for spec in population.specs}
    )


BYTES_20 = 200 * 21 + 100 * 4 * (
    6 + 3 * 20 + 4
)  # a weight, three like its gradient, two masks, one of floats; 70 floats an image
BYTES_10 = 100 * 21 + 100 * 4 * (6 + 3 * 10 + 4)


def test_planning_loads_no_tensorflow():
    code = "import sys, keras_sparseflow.studies.executors.plan; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras"} & {name.split(".")[0] for name in done.stdout.split()}


# --- which networks share a population --------------------------------------------------------------------------


def test_each_configuration_of_the_demo_is_a_population_of_30():
    specs = PRESETS.get("demo").specs(DataSize((8, 8, 1), 10, 1438, 359))
    populations = planned(specs, input_shape=(8, 8, 1), classes=10, chains=2)
    assert [(p.specs[0].training.optimizer, p.specs[0].training.variant) for p in populations] == [
        ("sgd", "NR"), ("sgd", "BN"), ("adam", "NR"), ("adam", "BN")
    ]  # fmt: skip
    for population in populations:
        assert len(set(population.specs)) == 30
        assert len({(s.training.optimizer, s.training.variant) for s in population.specs}) == 1
        assert widths_of(population) == [(15, 68), (15, 61)]


MAY_DIFFER = [
    ("width", 10, {}),
    ("width_fraction", 0.5, {}),
    ("density", 0.5, {}),
    ("density", 0.5, {"density": 0.1}),
    ("matched_fraction", 0.5, {}),
    ("matched_fraction", 0.5, {"density": 0.1}),
    ("init_fan_in", "active", SPARSE),
    ("distribution", "erk", {"density": 0.5}),
    ("ends", "dense", {"density": 0.5}),
    ("ends", "dense_classifier", {"density": 0.5}),
    ("score", "snip", SPARSE),
    ("score_samples", 5, {**SPARSE, "score": "snip"}),
    ("seed", 5, {}),
    ("learning_rate", 0.1, {}),
    ("variant", "DA_L2", {}),
    ("l2", 0.1, {"variant": "L2"}),
    ("l2_form", "decoupled", {"variant": "L2"}),
    ("augment_pad", 2, {"variant": "DA"}),
    ("augment_flip", "never", {"variant": "DA"}),
    ("tweaks", "LRsI", {}),
    ("tweaks", "LRsI_LS", {"tweaks": "LS"}),
    ("rescale_iterations", 5, {"tweaks": "LRsI"}),
]
MAY_NOT_DIFFER = [
    ("dataset", "cifar10", {}),
    ("image_size", 8, {}),
    ("train_size", 100, {}),
    ("subset_seed", 1, {"train_size": 100}),
    ("validation_size", 100, {}),
    ("validation_seed", 1, {"validation_size": 100}),
    ("hidden_layers", 2, {}),
    ("activation", "tanh", {}),
    ("activation_options", ("prelu.slope=0.1",), {"activation": "prelu"}),
    ("norm_place", "after", {"variant": "BN"}),
    ("skip_span", 1, {"variant": "SC", "hidden_layers": 3}),
    ("skip_place", "after", {"variant": "SC", "hidden_layers": 3}),
    ("optimizer", "adam", {}),
    ("optimizer_options", ("sgd.nesterov=true",), {}),
    ("schedule", "cosine", {}),
    ("loss", "squared_error", {}),
    ("batch_size", 64, {}),
    ("epochs", 7, {}),
    ("precision", "mixed_bfloat16", {}),
    ("tweaks", "LS", {}),
    ("label_smoothing", 0.3, {"tweaks": "LS"}),
    ("smoothing_over", "others", {"tweaks": "LS"}),
    ("flow_epochs", 3, {}),
    ("flow_measures", ("egf_2",), {}),
    ("flow_tensors", "all", {}),
    ("flow_cost", "data", {}),
    ("flow_readings", ("end",), {}),
    ("flow_mode", "inference", {}),
    ("diagnostics", ("top_eigenvalue",), {}),
    ("diagnostic_epochs", 3, {"diagnostics": ("top_eigenvalue",)}),
    ("diagnostic_samples", 3, {"diagnostics": ("top_eigenvalue",)}),
    ("near_zero", 0.01, {"diagnostics": ("activation_sparsity",)}),
    ("eigenvalue_iterations", 3, {"diagnostics": ("top_eigenvalue",)}),
    ("landscape_steps", 3, {"diagnostics": ("loss_surface",)}),
]
NOT_STACKED = {
    "heads",
    "patch_size",
    *("model", "depth", "dropout", "method"),
    *("prune_from", "prune_until", "prune_frequency", "move_until", "move_frequency", "move_fraction"),
    *("earlier_densities", "rewind_step", "ghost_decay", "ghost_until", "ghost_activation"),
}
"""Fields of networks that no population trains."""


def test_every_field_stands_here():
    free = {name for name, *_ in MAY_DIFFER}
    assert free | {"method"} == set(plan.FREE_FIELDS)
    assert free | {name for name, *_ in MAY_NOT_DIFFER} | NOT_STACKED == set(LEAVES)


@pytest.mark.parametrize(("name", "value", "beside"), MAY_DIFFER, ids=str)
def test_networks_that_differ_in_a_free_field_share_a_population(name, value, beside):
    assert sizes(planned([spec(**beside), spec(**{**beside, name: value})])) == [2]


@pytest.mark.parametrize(("name", "value", "beside"), MAY_NOT_DIFFER, ids=str)
def test_networks_that_differ_in_another_field_do_not(name, value, beside):
    assert sizes(planned([spec(**beside), spec(**{**beside, name: value})])) == [1, 1]


def test_pairs_and_densities_share_a_population():
    specs = [*pair(dense_width=10), spec(density=0.1), spec(width=30, density=0.5, distribution="erk", score="snip")]
    (population,) = planned([*specs, spec(width=10, seed=1)])
    assert len(set(population.specs)) == 5


def test_variants_share_a_population_unless_the_graph_differs():
    variants = ["NR", "BN", "L2", "SC", "DA", "L2_BN", "SC_BN", "DA_L2", "DA_SC"]
    populations = planned([spec(variant=variant, hidden_layers=3) for variant in variants])
    assert [[s.training.variant for s in population.specs] for population in populations] == [
        ["NR", "L2", "DA", "DA_L2"], ["BN", "L2_BN"], ["SC", "DA_SC"], ["SC_BN"]
    ]  # fmt: skip


def test_networks_that_have_come_to_different_epochs_are_apart():
    specs = pairs(2)
    begun = {specs[1].run_id: 12, specs[3].run_id: 12, specs[2].run_id: 0}
    populations = planned(specs, first_epochs=begun)
    assert [(p.first_epoch, p.specs) for p in populations] == [(0, (specs[0], specs[2])), (12, (specs[1], specs[3]))]


def test_members_are_widest_first_and_otherwise_in_the_order_given():
    networks = [spec(width=5), spec(**SPARSE), spec(width=9, seed=1), spec(density=0.1), spec(width=9)]
    (population,) = planned(networks)
    assert population.specs == tuple(networks[index] for index in (1, 3, 2, 4, 0))


def test_no_network_needs_no_population():
    assert planned([]) == []


# --- how many populations ---------------------------------------------------------------------------------------


def test_a_population_has_as_many_members_as_the_limit_allows():
    assert plan.MEMBERS_LIMIT == 64
    assert sizes(planned(pairs(32))) == [64]
    assert sorted(sizes(planned(pairs(33)))) == [32, 34]
    assert sizes(planned(pairs(4), members_limit=8)) == [8]
    assert sizes(planned(pairs(6), members_limit=11)) == [6, 6]


def test_a_population_takes_as_much_memory_as_is_allowed():
    (population,) = planned(pairs(6), memory=12 * BYTES_20)
    assert population.memory == 12 * BYTES_20
    populations = planned(pairs(6), memory=12 * BYTES_20 - 1)
    assert sizes(populations) == [6, 6] and {p.memory for p in populations} == {6 * BYTES_20}


def test_the_optimizer_s_slots_take_memory():
    assert sizes(planned(pairs(1, optimizer="momentum"), memory=2 * (BYTES_20 + 200 * 4))) == [2]
    assert sizes(planned(pairs(1, optimizer="adam"), memory=2 * (BYTES_20 + 200 * 4))) == [1, 1]


def test_members_take_memory_at_the_width_of_their_stack():
    specs = dense(20, 10)
    (population,) = planned(specs, memory=2 * BYTES_20)
    assert widths_of(population) == [(2, 20)] and population.memory == 2 * BYTES_20
    (population,) = planned(specs, memory=2 * BYTES_20, chains=2)
    assert widths_of(population) == [(1, 20), (1, 10)] and population.memory == BYTES_20 + BYTES_10


def test_fewer_populations_count_more_than_equal_sizes():
    """Two wide networks fill a population; in equal halves the narrow ones beside them would be padded."""
    specs = dense(40, 10, 40, 10, 40, 10, 40, 10, 10, 10)
    wide, narrow = specs[:8:2], [*specs[1:8:2], *specs[8:]]
    assert (len(wide), len(narrow)) == (4, 6)
    bytes_40 = 400 * 21 + 100 * 4 * (6 + 3 * 40 + 4)
    populations = planned(specs, memory=4 * bytes_40)
    assert [p.specs for p in populations] == [tuple(wide), tuple(narrow)]
    assert [p.memory for p in populations] == [4 * bytes_40, 6 * BYTES_10]


@pytest.mark.parametrize(("limit", "expected"), [(3, [2, 2, 2]), (4, [2, 4]), (5, [2, 4])])
def test_pairs_stay_together_before_sizes_are_balanced(limit, expected):
    populations = planned(pairs(3), members_limit=limit)
    assert sorted(sizes(populations)) == expected
    assert all(map(has_whole_pairs, populations))


def test_arms_stay_together_when_they_are_given_apart():
    specs = sorted(pairs(4, dense_width=10), key=arm)
    populations = planned(specs, members_limit=4)
    assert sizes(populations) == [4, 4] and all(map(has_whole_pairs, populations))


def test_a_pair_that_is_too_large_is_parted():
    """The arms of a pair are padded to one width here; those of another pair are not their partners."""
    assert sizes(planned(pairs(3), members_limit=1)) == [1] * 6
    populations = planned(pairs(2, dense_width=10), memory=2 * BYTES_20 - 1)
    assert [[(arm(s), s.seed) for s in p.specs] for p in populations] == [
        [("sparse", 0)], [("sparse", 1)], [("dense", 0), ("dense", 1)]
    ]  # fmt: skip


def test_a_network_that_is_too_large_alone_is_refused_with_what_it_needs_and_what_helps():
    specs = dense(10, 20, 5)
    with pytest.raises(MemoryError) as caught:
        planned(specs, memory=BYTES_20 - 1)
    assert str(caught.value) == (
        f"The network {specs[1].run_id} needs an estimated 32,200 bytes; 32,199 are allowed. Use "
        "`--population_memory_gb=0.1` or more, a smaller `--batch_size`, or `--executor=serial`."
    )
    assert planned(specs, memory=BYTES_20)[0].specs == (specs[1],)


def test_the_memory_asked_for_is_enough():
    large = [spec(batch_size=10**6)]
    needed = 200 * 21 + 10**6 * 280
    with pytest.raises(
        MemoryError, match=r"estimated 280,004,200 bytes.*`--population_memory_gb=0\.3` or more, a smaller"
    ):
        planned(large, memory=needed - 1)
    assert sizes(planned(large, memory=int(0.3e9))) == [1]


@pytest.mark.parametrize("name", ["chains", "members_limit"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1; received 0"):
        planned(pairs(1), **{name: 0})


networks = st.builds(
    spec,
    width=st.integers(1, 20),
    density=st.sampled_from([0.5, 1.0]),
    seed=st.integers(0, 3),
    variant=st.sampled_from(["NR", "L2", "BN"]),
    optimizer=st.sampled_from(["sgd", "adam"]),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(networks, unique=True), st.integers(1, 8), st.integers(1, 3), st.integers(60_000, 400_000))
def test_every_network_is_planned_once_and_within_the_limits(specs, limit, chains, memory):
    populations = planned(specs, members_limit=limit, chains=chains, memory=memory)
    assert sorted(s.run_id for p in populations for s in p.specs) == sorted(s.run_id for s in specs)
    for population in populations:
        assert len(population.specs) <= limit and population.memory <= memory
        assert population.setting == Setting(6, 4, slots(population.specs[0]), chains)
        check_stacks(population)


def check_stacks(population):
    """The stacks hold every member once, are as wide as their widest, and make up the memory."""
    own_width = [units_of(spec) for spec in population.specs]
    assert own_width == sorted(own_width, reverse=True)
    assert sorted(m for stack in population.stacks for m in stack.members) == list(range(len(own_width)))
    stack_widths = [stack.width for stack in population.stacks]
    assert stack_widths == sorted(stack_widths, reverse=True)
    assert stack_widths == [max(own_width[m] for m in stack.members) for stack in population.stacks]
    assert population.memory == sum(
        member_bytes(population.specs[m], width=stack.width, inputs=6, classes=4, slots=population.setting.slots)
        for stack in population.stacks
        for m in stack.members
    )


# --- stacks -----------------------------------------------------------------------------------------------------


def dense(*widths, **values):
    return [spec(width=width, seed=seed, **values) for seed, width in enumerate(widths)]


def stack_cost(width, members):
    """Returns the cost of networks with 100 inputs, three hidden layers and 10 classes, in batches of 64."""
    weights = 100 * width + 2 * width * width + width * 10
    return 5e7 + members * 6 * weights * 64


def all_groupings(items):
    if not items:
        yield []
        return
    first, *rest = items
    for size in range(len(rest) + 1):
        for others in itertools.combinations(rest, size):
            left = list(rest)
            for other in others:
                left.remove(other)
            for grouping in all_groupings(left):
                yield [[first, *others], *grouping]


def test_all_groupings_are_those_of_bell():
    assert [sum(1 for _ in all_groupings(list(range(n)))) for n in range(6)] == [1, 1, 2, 5, 15, 52]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([10, 100, 300, 500, 650, 700, 1000]), min_size=1, max_size=6))
def test_no_other_stacks_cost_less(widths):
    stacks = plan_stacks(dense(*widths, batch_size=64, hidden_layers=3), inputs=100, classes=10, chains=1)
    least = min(sum(stack_cost(max(part), len(part)) for part in parts) for parts in all_groupings(widths))
    assert sum(stack_cost(stack.width, len(stack.members)) for stack in stacks) == least


def test_a_stack_of_their_own_is_for_networks_that_padding_would_cost_more():
    """10 weights for each hidden unit, 100 images: 6,000 operations a unit and member; a stack costs 5e7."""
    for padded, apart, together in [(1, 8_334, 8_333), (2, 4_167, 4_166)]:
        assert len(plan_stacks(dense(1 + apart, *[1] * padded), inputs=6, classes=4, chains=1)) == 2
        assert len(plan_stacks(dense(1 + together, *[1] * padded), inputs=6, classes=4, chains=1)) == 1


def test_positions_in_a_stack_are_those_of_the_specs_given():
    assert plan_stacks(dense(10, 90_000, 20, 90_000), inputs=6, classes=4, chains=1) == (
        PlannedStack(90_000, (1, 3)), PlannedStack(20, (2, 0))
    )  # fmt: skip


@pytest.mark.parametrize(
    ("chains", "expected"),
    [(1, [(18, 196), (6, 137), (6, 59)]), (2, [(9, 196), (9, 196), (6, 137), (6, 59)])],
)
def test_the_costliest_stack_is_halved_where_the_chains_end_sooner(chains, expected):
    """30 networks on 192 inputs, 15 of width 196, 3 each of 176, 137, 98, 59 and 20.

    At width 196 a member takes 5.95e7 operations, at 137 3.22e7, at 98 1.87e7, at 59 0.86e7: these stacks cost
    16.15e8, and 21 x 196 with 9 x 98 would cost 16.17e8. One chain of two has 11.7e8 before the stack of 18 is
    halved, and 9.3e8 after: 9 x 196 and 6 x 137, which halving the other 9 x 196 would not lower.
    """
    specs = Study(name="s", title="", base={"batch_size": 64}).specs(DataSize((8, 8, 3), 10, 100, 100))
    stacks = plan_stacks(specs, inputs=192, classes=10, chains=chains)
    assert [(len(stack.members), stack.width) for stack in stacks] == expected


@pytest.mark.parametrize(
    ("members", "chains", "expected"),
    [
        (8, 1, [8]),
        (8, 2, [4, 4]),
        (7, 2, [4, 3]),
        (8, 4, [2, 2, 2, 2]),
        (1, 2, [1]),
        (2, 4, [1, 1]),
        (8, 3, [2, 2, 4]),
    ],
)
def test_no_chain_is_left_empty_while_a_stack_can_be_halved(members, chains, expected):
    stacks = plan_stacks(dense(*[20] * members), inputs=6, classes=4, chains=chains)
    assert [len(stack.members) for stack in stacks] == expected


def test_a_half_is_as_wide_as_its_own_widest_member():
    assert plan_stacks(dense(20, 20, 10, 8), inputs=6, classes=4, chains=2) == (
        PlannedStack(20, (0, 1)),
        PlannedStack(10, (2, 3)),
    )


def test_a_costly_network_alone_in_its_stack_is_no_reason_to_halve_others():
    stacks = plan_stacks(dense(10**6, 20, 20, 20, 20), inputs=6, classes=4, chains=2)
    assert [len(stack.members) for stack in stacks] == [1, 4]


def test_at_most_as_many_stacks_are_halved_as_there_are_chains():
    """A sixth halving would let five chains end sooner still: of two of the members at width 20 million."""
    specs = dense(*[20 * 10**6] * 8, *[17 * 10**6] * 2, *[16 * 10**6] * 4)
    assert [len(s.members) for s in plan_stacks(specs, inputs=6, classes=4, chains=1)] == [8, 2, 4]
    assert [len(s.members) for s in plan_stacks(specs, inputs=6, classes=4, chains=5)] == [1, 1, 2, 2, 2, 2, 2, 2]


# --- memory -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "width", "slots", "expected"),
    [
        ({}, 20, 0, 200 * (4 * 4 + 5) + 100 * 4 * (6 + 1 * 20 * 3 + 4)),
        ({}, 20, 2, 200 * (6 * 4 + 5) + 100 * 4 * (6 + 1 * 20 * 3 + 4)),
        ({}, 30, 0, 300 * (4 * 4 + 5) + 100 * 4 * (6 + 1 * 30 * 3 + 4)),
        ({"hidden_layers": 2}, 20, 0, 600 * (4 * 4 + 5) + 100 * 4 * (6 + 2 * 20 * 3 + 4)),
        ({"variant": "L2_BN"}, 20, 0, 200 * (4 * 4 + 5) + 100 * 4 * (6 + 1 * 20 * 6 + 4)),
        ({"batch_size": 7}, 20, 0, 200 * (4 * 4 + 5) + 7 * 4 * (6 + 1 * 20 * 3 + 4)),
        ({"flow_readings": ("steps",)}, 20, 0, 200 * (4 * 4 + 5) + 100 * 4 * (6 + 1 * 20 * 3 + 4)),
    ],
    ids=str,
)
def test_bytes_of_a_member_by_hand(values, width, slots, expected):
    assert member_bytes(spec(**values), width=width, inputs=6, classes=4, slots=slots) == expected


# --- halves -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "expected"), [(4, [4, 4]), (3, [2, 4]), (2, [2, 2])])
def test_halves_keep_pairs_together(count, expected):
    (population,) = planned(pairs(count, dense_width=10, optimizer="adam"), chains=2)
    halves = population.halves()
    assert sorted(sizes(halves)) == expected and all(map(has_whole_pairs, halves))
    assert {s for half in halves for s in half.specs} == set(population.specs)


def test_halves_are_planned_anew():
    """Together all are padded to one width; the narrower half is padded to its own."""
    specs = dense(20, 20, 10, 10)
    (population,) = planned(specs, first_epochs={s.run_id: 12 for s in specs})
    assert widths_of(population) == [(4, 20)] and population.memory == 4 * BYTES_20
    wider, narrower = population.halves()
    assert wider == planned(specs[:2], first_epochs={s.run_id: 12 for s in specs})[0]
    assert narrower == planned(specs[2:], first_epochs={s.run_id: 12 for s in specs})[0]
    assert (wider.first_epoch, narrower.memory, widths_of(narrower)) == (12, 2 * BYTES_10, [(2, 10)])


def test_a_single_pair_is_parted():
    (population,) = planned(pairs(1, dense_width=10))
    assert [list(map(arm, half.specs)) for half in population.halves()] == [["sparse"], ["dense"]]


def test_a_single_network_has_no_halves():
    (population,) = planned([spec()])
    with pytest.raises(ValueError, match=f"at least 2 networks to be halved; received 1, {spec().run_id}"):
        population.halves()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=2, max_size=20), st.integers(0, 10), st.integers(1, 2))
def test_halving_ends_with_every_network_alone(widths, paired, chains):
    specs = dense(*widths)
    specs += [s.but(density=0.5) for s in specs[:paired]]
    (population,) = planned(specs, chains=chains)
    waiting, alone = [population], []
    while waiting:
        halves = waiting.pop().halves()
        assert abs(len(halves[0].specs) - len(halves[1].specs)) <= 2
        for half in halves:
            check_stacks(half)
            (waiting if len(half.specs) > 1 else alone).append(half)
    assert sorted(p.specs[0].run_id for p in alone) == sorted(s.run_id for s in specs)
