"""Plans of a study: which networks can be stacked, what of the others can't be and why, and options."""

import keras
import pytest
from keras import ops

from keras_sparseflow.flow import MEASURES, FlowMeasure
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.studies.executors.plan import plan_populations
from keras_sparseflow.studies.spec.combined import PARTS, TWEAKS, Part
from keras_sparseflow.studies.spec.name_tables import MASK_SCHEDULES, OPTIMIZERS
from tests.plugins.packages import registered
from tests.studies.executing import plan

DENSITY = {"matched_fraction": None, "density": 0.5}

STACKED = [
    {},
    {"matched_fraction": None},
    DENSITY,
    {**DENSITY, "distribution": "erk"},
    {**DENSITY, "distribution": "global", "score": "snip", "ends": "dense", "hidden_layers": 3},
    {"score": "magnitude", "seed": 1},
    {"tweaks": "LRsI", "init_fan_in": "active"},
    {"variant": "DA_L2", "l2_form": "decoupled"},
]
"""Networks of one population."""

REASONS = {
    "tweak 'GSk'": ({"tweaks": "GSk", "hidden_layers": 3}, "ghosts change the graph of one network while it trains"),
    "tweak 'GSw'": ({"tweaks": "GSw"}, "ghosts change the graph of one network while it trains"),
    "method 'rigl'": ({**DENSITY, "method": "rigl"}, "a population's masks are fixed"),
    "method 'set'": ({"method": "set"}, "a population's masks are fixed"),
    "method 'magnitude'": ({**DENSITY, "method": "magnitude"}, "a population's masks are fixed"),
    "method 'lottery'": ({**DENSITY, "method": "lottery"}, "a population's masks are fixed"),
    "method 'drifting'": ({**DENSITY, "method": "drifting"}, "a population's masks are fixed"),
    "dropout": ({"dropout": 0.1}, "each network would drop others than it does alone"),
    "precision 'mixed_bfloat16'": ({"precision": "mixed_bfloat16"}, "a population's is float32"),
    "model 'wide_resnet'": ({"model": "wide_resnet", "depth": 10}, "only multilayer perceptrons can be stacked"),
    "variant part 'P'": ({"variant": "P"}, "what it does, it does to one network"),
    "tweak 'T'": ({"tweaks": "T"}, "what it does, it does to one network"),
    "optimizer 'clipped'": (
        {"optimizer": "clipped"},
        "its `global_clipnorm` is a norm over a whole tensor, which would hold several",
    ),
    "optimizer 'sgd' (sgd.clipnorm=1)": ({"optimizer_options": ("sgd.clipnorm=1",)}, "its `clipnorm` is a norm over"),
    "activation 'softmax'": ({"activation": "softmax"}, "the value of a unit depends on other units"),
    "activation 'mixing'": ({"activation": "mixing"}, "the value of a unit depends on other units"),
    "flow measure 'mean'": ({"flow_measures": ("egf_2", "mean")}, "its value depends on the size of a kernel, so the"),
}
"""Parts that can't be stacked, each with a network that has it and the reason."""


@pytest.fixture
def _plugins(monkeypatch):
    penalised = Part(help="", penalty=lambda kernel: ops.sum(kernel**4))
    registered(
        monkeypatch,
        OPTIMIZERS,
        clipped=lambda learning_rate: keras.optimizers.SGD(learning_rate, global_clipnorm=1.0),
    )
    registered(monkeypatch, ACTIVATIONS, mixing=keras.activations.softmax)
    registered(monkeypatch, MEASURES, mean=FlowMeasure(lambda g, m: ops.mean(ops.abs(g)), sum, "mean"))
    registered(monkeypatch, MASK_SCHEDULES, drifting=lambda spec, steps: [])
    registered(monkeypatch, PARTS, P=penalised)
    registered(monkeypatch, TWEAKS, T=penalised)


def test_perceptrons_with_fixed_masks_share_a_population(spec, data, tmp_path):
    by_layers = {}
    for values in STACKED:
        by_layers.setdefault(values.get("hidden_layers", 1), []).append(spec(**values))
    found = plan("population", [one for same in by_layers.values() for one in same], tmp_path, data)
    assert [set(population.specs) for population in found.populations] == [set(same) for same in by_layers.values()]
    assert (found.alone, found.reasons, found.finished) == ((), {}, 0)


@pytest.mark.usefixtures("_plugins")
def test_what_can_not_be_stacked_is_named_and_trained_alone(spec, data, tmp_path):
    stacked = [spec(), spec(matched_fraction=None)]
    others = [spec(**values) for values, _ in REASONS.values()]
    found = plan("auto", [*others, *stacked], tmp_path, data)
    assert list(found.alone) == others and [set(p.specs) for p in found.populations] == [set(stacked)]
    assert set(found.reasons) == set(REASONS)
    for what, (_, reason) in REASONS.items():
        assert found.reasons[what].startswith(reason), what


@pytest.mark.usefixtures("_plugins")
@pytest.mark.parametrize("what", ["tweak 'GSw'", "model 'wide_resnet'", "flow measure 'mean'"])
def test_population_refuses_it(spec, data, tmp_path, what):
    values, reason = REASONS[what]
    message = f"Networks with {what} cannot be trained as a population: {reason}"
    with pytest.raises(ValueError, match=rf"^{message}.* Use --executor=serial, or auto, for them\.$"):
        plan("population", [spec(), spec(**values)], tmp_path, data)


def test_a_dense_network_of_any_method_is_stacked(spec, data, tmp_path):
    dense = spec(matched_fraction=None, method="rigl")
    assert [p.specs for p in plan("population", [dense], tmp_path, data).populations] == [(dense,)]


# --- memory -----------------------------------------------------------------------------------------------------


def test_population_memory_splits_the_plan(spec, data, tmp_path):
    specs = [spec(seed=seed) for seed in range(4)]
    (together,) = plan("population", specs, tmp_path, data).populations
    split = plan("population", specs, tmp_path, data, population_memory=together.memory - 1)
    assert len(split.populations) == 2 and all(p.memory < together.memory for p in split.populations)


@pytest.mark.parametrize("executor", ["auto", "population"])
def test_a_network_too_large_for_population_memory_is_refused(spec, data, tmp_path, executor):
    with pytest.raises(MemoryError, match=r"estimated .* bytes; 1,000 are allowed.*--population_memory_gb"):
        plan(executor, [spec()], tmp_path, data, population_memory=1000)


def test_the_slots_of_the_optimizer_count(spec, data, tmp_path):
    memory = {}
    for optimizer in ("sgd", "adam"):
        specs = [spec(optimizer=optimizer)]
        memory[optimizer] = plan("auto", specs, tmp_path, data).populations[0].memory
    (adam,) = plan_populations(
        specs, input_shape=data.input_shape, classes=data.num_classes, slots=lambda spec: 2, memory=10**9
    )
    assert memory["adam"] == adam.memory > memory["sgd"]
