"""The network of a spec: which weights are active, what it begins with, alone and in a population."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedDense, MaskedKernel
from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.masks import CollapseError
from keras_sparseflow.studies.refusals import check_masks
from keras_sparseflow.studies.run import network as network_module
from keras_sparseflow.studies.run.network import (
    active_weights,
    build_network,
    build_template,
    initial_kernels,
    size_of,
    variable_shapes,
)
from keras_sparseflow.studies.size import kernel_counts

MLP = {"matched_fraction": None, "hidden_layers": 3, "width": 12}
COLLAPSING = {**MLP, "score": "magnitude", "distribution": "global"}


def kernel(model, layer):
    return keras.ops.convert_to_numpy(model.get_layer(layer).kernel)


# --- how many weights are active --------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden_layers", [1, 2, 4])
def test_both_arms_have_the_same_active_weights_in_every_kernel(pair, data, hidden_layers):
    sparse, dense = (build_network(spec, data) for spec in pair(hidden_layers=hidden_layers))
    assert active_weights(sparse) == active_weights(dense) == [16 * 6, *[36] * (hidden_layers - 1), 18]
    assert sparse.get_layer("hidden_1").units == 20 and dense.get_layer("hidden_1").units == 6
    assert isinstance(sparse.get_layer("output"), MaskedDense)
    assert not any(isinstance(layer, MaskedKernel) for layer in dense.layers)


def test_both_arms_of_a_wide_resnet_have_the_same_active_weights_in_every_kernel(pair, data):
    """Half of 16, 32 and 64 channels, and the shortcuts between them."""
    arms = pair(width=1, fraction=0.5, model="wide_resnet", depth=10, variant="SC_BN")
    sparse, dense = (build_network(spec, data) for spec in arms)
    assert active_weights(sparse) == active_weights(dense)
    assert active_weights(dense)[:3] == [9 * 8, 9 * 8 * 8, 9 * 8 * 8] and active_weights(dense)[-1] == 32 * 3
    assert sparse.get_layer("stem").filters == 16 and dense.get_layer("stem").filters == 8


DENSITIES = [
    {"density": 0.2},
    {"density": 0.2, "distribution": "erk"},
    {"density": 0.2, "ends": "dense"},
    {"density": 0.2, "distribution": "global"},
    {"density": 0.2, "distribution": "global", "score": "snip", "score_samples": 4, "variant": "SC_BN"},
    {"density": 0.2, "distribution": "erk", "score": "grasp", "score_samples": 4},
    {"density": 0.2, "method": "set", "distribution": "er"},
    {"density": 0.2, "method": "magnitude"},
    {},
]


@pytest.mark.parametrize("values", DENSITIES, ids=str)
def test_what_is_counted_is_what_is_built(spec, data, values):
    chosen = spec(**MLP, **values)
    model = build_network(chosen, data)
    counted = {kernel.name: kernel.active for kernel in kernel_counts.counted_kernels(chosen, size_of(data))}
    built = dict(zip(counted, active_weights(model), strict=True))
    masked = [layer.name for layer in model.layers if isinstance(layer, MaskedKernel)]
    if chosen.sparsity.method == "magnitude":
        assert built == {"hidden_1": 16 * 12, "hidden_2": 144, "hidden_3": 144, "output": 36}, "dense until pruned"
    elif chosen.sparsity.distribution == "global":
        assert sum(built.values()) == sum(counted.values()) == round(0.2 * (16 * 12 + 288 + 36))
    else:
        assert built == counted
    if not values:
        assert masked == []
    elif values.get("ends") == "dense":
        assert masked == ["hidden_2", "hidden_3"] and built["hidden_1"] == 16 * 12 and built["output"] == 36
    else:
        assert masked == list(counted)


def test_a_network_that_is_not_what_is_counted_is_an_error(spec, data, monkeypatch):
    monkeypatch.setattr(network_module, "initial_densities", lambda spec, size: 0.5)
    with pytest.raises(RuntimeError, match="must have .*'hidden_1': 96.* active weights in its kernels; it has .*160"):
        build_network(spec(), data)


# --- a score that leaves a kernel empty -------------------------------------------------------------------------


def test_a_kernel_without_any_weight_is_refused_unless_it_is_allowed(spec, data):
    """Over all kernels the magnitudes of the first win, whose initial values are larger."""
    chosen = spec(**COLLAPSING, density=0.01)
    for build in (build_network, initial_kernels):
        with pytest.raises(CollapseError, match=f"Masks of {chosen.run_id}: .* without any active .*--allow_collapse"):
            build(chosen, data)
    counts = active_weights(build_network(chosen, data, allow_collapse=True))
    assert min(counts) == 0 and sum(counts) == round(0.01 * (16 * 12 + 288 + 36))
    _, masks = initial_kernels(chosen, data, allow_collapse=True)
    assert [int(mask.sum()) for mask in masks.values()] == counts


def test_the_lowest_density_of_each_score_is_tried_once_and_tickets_are_not(spec, data, monkeypatch):
    tried, initial = [], network_module.initial_network
    monkeypatch.setattr(
        network_module, "initial_network", lambda spec, *rest: tried.append(spec) or initial(spec, *rest)
    )
    networks = [spec(**COLLAPSING, density=density, seed=seed) for seed in (0, 1) for density in (0.9, 0.5)]
    networks += [spec(**COLLAPSING, density=0.01, method="lottery"), spec(**MLP, density=0.5), spec()]
    words = []
    check_masks(networks, data, words.append)
    assert tried == [networks[1]] and words == [f"Looking whether {tried[0].name} leaves a kernel without any weight."]
    with pytest.raises(CollapseError):
        check_masks([*networks, spec(**COLLAPSING, density=0.01)], data, words.append)


# --- what it begins with ----------------------------------------------------------------------------------------

FAN_INS = {"dense": (16, 200), "sparse": (16, 500), "active": (16 * 200 / 500, 200)}
"""Fan-ins of the hidden and the output kernel of 16 inputs, 3 outputs, and a pair of 200 and 500 units, by hand."""


@pytest.mark.parametrize("choice", FAN_INS)
def test_init_fan_in_sets_the_standard_deviation_of_both_arms(pair, data, choice):
    """He normal: sqrt(2 / fan-in)."""
    for spec in pair(width=500, fraction=0.4, init_fan_in=choice):
        model = build_network(spec, data)
        for name, fan_in in zip(("hidden_1", "output"), FAN_INS[choice], strict=True):
            values = kernel(model, name)
            np.testing.assert_allclose(values[values != 0].std(), np.sqrt(2 / fan_in), rtol=0.1)


@pytest.mark.parametrize("choice", FAN_INS)
def test_another_fan_in_scales_the_same_initial_values(pair, spec, data, choice):
    """A dense arm has the values of the dense network of its width, a sparse one those of its own, both scaled."""
    sparse, dense = (build_network(spec, data) for spec in pair(width=500, fraction=0.4, init_fan_in=choice))
    ordinary = [build_network(spec(matched_fraction=None, width=width), data) for width in (500, 200)]
    for arm, plain, own in zip((sparse, dense), ordinary, ((16, 500), (16, 200)), strict=True):
        for name, fan_in, assumed in zip(("hidden_1", "output"), own, FAN_INS[choice], strict=True):
            expected = kernel(plain, name) * np.sqrt(fan_in / assumed)
            mask = arm.get_layer(name).mask.numpy() if arm is sparse else np.full(expected.shape, True)
            np.testing.assert_allclose(kernel(arm, name), np.where(mask, expected, 0), rtol=1e-5)
            assert mask.sum() == {"hidden_1": 16 * 200, "output": 200 * 3}[name]


def test_initial_values_are_the_same_at_every_density(spec, data):
    dense, sparse = (build_network(spec(**MLP, density=density), data) for density in (1.0, 0.2))
    for layer in sparse.layers:
        if isinstance(layer, MaskedKernel):
            np.testing.assert_array_equal(layer.kernel, np.where(layer.mask, kernel(dense, layer.name), 0))


# --- in a population --------------------------------------------------------------------------------------------

STACKED = [
    {"init_fan_in": "dense"},
    {"init_fan_in": "active"},
    {"matched_fraction": None, "width_fraction": 0.3, "init_fan_in": "sparse"},
    {"score": "snip", "score_samples": 4},
    *({**MLP, **values} for values in DENSITIES if "method" not in values),
    {**MLP, "density": 0.2, "tweaks": "LRsI", "rescale_iterations": 2, "variant": "BN"},
]


@pytest.mark.parametrize("values", STACKED, ids=str)
def test_a_population_begins_with_the_values_and_masks_of_networks_alone(spec, data, values):
    """No network is built where each kernel draws its values for itself."""
    found, masks = initial_kernels(spec(**values), data)
    model = build_network(spec(**values), data)
    weights = {variable.path: variable.numpy() for variable in model.trainable_variables}
    kernels = list(kernels_of(model))
    assert {kernel.variable.path for kernel in kernels} <= set(found) <= set(weights)
    assert [kernel.variable.path for kernel in kernels if kernel.mask is not None] == list(masks)
    for path, array in found.items():
        assert np.array_equal(array, weights[path]) and array.dtype == np.float32, path
    for one in kernels:
        if one.mask is not None:
            assert np.array_equal(masks[one.variable.path], one.mask.numpy()), one.path
    for path in set(weights) - set(found):  # what every network has alike
        assert np.ptp(weights[path]) == 0 and weights[path][0] == path.endswith("gamma")


def test_a_template_is_the_network_at_the_width_of_its_stack(spec, data):
    chosen = spec(**MLP, variant="SC_BN", activation="prelu", norm_place="after", skip_span=1)
    template, model = build_template(chosen, data, 20), build_network(chosen, data)
    assert [layer.name for layer in template.layers] == [layer.name for layer in model.layers]
    kernels, _ = initial_kernels(chosen, data)
    shapes = variable_shapes(template, 20, kernels, 12)
    assert shapes == {variable.path: tuple(variable.shape) for variable in model.variables}


def test_what_is_going_to_be_restored_is_not_rescaled(spec, data):
    values, words = {**MLP, "density": 0.2}, []
    found, _ = initial_kernels(spec(**values, tweaks="LRsI"), data, initialise=False, say=words.append)
    expected, _ = initial_kernels(spec(**values), data)
    assert words == [] and all(np.array_equal(found[path], array) for path, array in expected.items())


def test_masks_that_have_no_room_name_their_network(spec, data, monkeypatch):
    def full(*given, **options):
        raise MemoryError("Unable to allocate 7.28 TiB")

    monkeypatch.setattr(network_module, "initial_network", full)
    scored = spec(matched_fraction=None, density=0.5, score="snip")
    with pytest.raises(
        MemoryError, match=f"no room for the masks of the network {scored.run_id}: Unable to .* takes less"
    ):
        network_module.check_collapse([scored], data)
