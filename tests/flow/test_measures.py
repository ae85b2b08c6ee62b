"""Measures against hand computations and NumPy twins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from keras_sparseflow.flow import DEFAULT_MEASURES, MEASURES, FlowMeasure, egf, grad_norm, layer_values, measures
from keras_sparseflow.flow.measures import NormMeasure

GRADIENTS = [np.array([[3.0, -4.0], [12.0, 0.0]], "float32"), np.array([-2.0, 1.0], "float32")]
MASKS = [np.array([[True, True], [False, True]]), None]

BY_HAND = {
    "grad_norm_1": 3 + 4 + 12 + 2 + 1,
    "grad_norm_2": np.sqrt(9 + 16 + 144 + 4 + 1),
    "egf_1": ((3 + 4) + (2 + 1)) / 2,
    "egf_2": (np.sqrt(9 + 16) + np.sqrt(4 + 1)) / 2,
}


def test_every_default_measure_is_checked_by_hand():
    assert set(BY_HAND) == set(DEFAULT_MEASURES) == set(MEASURES.names())


@pytest.mark.parametrize("name", BY_HAND)
def test_measure_equals_the_hand_computation(name):
    np.testing.assert_allclose(MEASURES.get(name)(GRADIENTS, MASKS), BY_HAND[name], rtol=1e-6)


@pytest.mark.parametrize("p", [1, 2])
def test_functions_equal_the_named_measures(p):
    assert grad_norm(GRADIENTS, MASKS, p) == MEASURES.get(f"grad_norm_{p}")(GRADIENTS, MASKS)
    assert grad_norm(GRADIENTS, None, p) == grad_norm(GRADIENTS, MASKS, p)
    assert egf(GRADIENTS, MASKS, p) == MEASURES.get(f"egf_{p}")(GRADIENTS, MASKS)


@pytest.mark.parametrize("p", [1, 2])
def test_per_layer_values_are_the_layers_own_norms(p):
    raw = [float(MEASURES.get(f"grad_norm_{p}").per_layer(g, m)) for g, m in zip(GRADIENTS, MASKS, strict=True)]
    effective = [float(MEASURES.get(f"egf_{p}").per_layer(g, m)) for g, m in zip(GRADIENTS, MASKS, strict=True)]
    np.testing.assert_allclose(raw, [19, 3] if p == 1 else [13, np.sqrt(5)], rtol=1e-6)
    np.testing.assert_allclose(effective, [7, 3] if p == 1 else [5, np.sqrt(5)], rtol=1e-6)


def test_half_precision_gradients_do_not_overflow():
    gradient = np.full(1000, 300, "float16")  # the sum of squares, 9e7, is beyond float16
    np.testing.assert_allclose(grad_norm([gradient], p=2), 300 * np.sqrt(1000), rtol=1e-3)


@pytest.mark.parametrize("measure", [grad_norm, egf])
def test_p_other_than_1_and_2_is_refused(measure):
    with pytest.raises(ValueError, match="must be 1 or 2; received 3"):
        measure(GRADIENTS, MASKS, p=3)


def test_gradients_and_masks_must_pair_up():
    with pytest.raises(ValueError, match="zip"):
        egf(GRADIENTS, MASKS[:1])


@settings(deadline=None)  # JAX compiles operations at their first call
@given(
    st.lists(st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=3), min_size=1, max_size=4),
    st.integers(1, 2),
)
def test_dense_networks_have_egf_of_the_mean_norm(values, p):
    gradients = [np.array(v, "float32") for v in values]
    norms = [np.linalg.norm(g.astype("float64"), p) for g in gradients]
    full = [np.ones(3, bool)] * len(gradients)
    np.testing.assert_allclose(egf(gradients, full, p), np.mean(norms), rtol=1e-4, atol=1e-15)
    np.testing.assert_allclose(egf(gradients, [None] * len(gradients), p), np.mean(norms), rtol=1e-4, atol=1e-15)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 2))
def test_egf_ignores_inactive_entries_and_raw_norms_do_not(seed, p):
    rng = np.random.default_rng(seed)
    gradient, mask = rng.normal(size=20).astype("float32"), rng.random(20) < 0.5
    mask[0] = False
    louder = np.where(mask, gradient, gradient * 10 + 1)
    assert egf([louder], [mask], p) == egf([gradient], [mask], p)
    assert grad_norm([louder], None, p) != grad_norm([gradient], None, p)


def test_a_third_party_measure_takes_its_place():
    largest = FlowMeasure(lambda g, m: np.abs(g).max(), max, "max")
    assert largest(GRADIENTS, MASKS) == 12
    together = [largest, *map(MEASURES.get, BY_HAND)]
    in_blocks = layer_values(together, GRADIENTS[0], MASKS[0], in_blocks=True)
    np.testing.assert_allclose(in_blocks, layer_values(together, GRADIENTS[0], MASKS[0]), rtol=1e-6)


@pytest.mark.parametrize("shape", [(7, 5), (8, 5), (1, 5), (3, 3, 2, 5), (13,), (4, 200)])
@pytest.mark.parametrize("masked", [True, False])
def test_blocks_give_the_same_norms(shape, masked, monkeypatch):
    """Blocks of 20 entries: rows that divide into blocks, that do not, and a row longer than a block."""
    monkeypatch.setattr(measures, "BLOCK_ENTRIES", 20)
    rng = np.random.default_rng(0)
    gradient, mask = rng.normal(size=shape).astype("float32"), rng.random(shape) < 0.5
    norms = [MEASURES.get(name) for name in BY_HAND]
    expected = [
        (np.abs(np.where(mask | (not measure.masked) | (not masked), gradient, 0)) ** measure.p).sum()
        ** (1 / measure.p)
        for measure in norms
    ]
    for in_blocks in (True, False):
        found = layer_values(norms, gradient, mask if masked else None, in_blocks=in_blocks)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


# --- several networks at once -----------------------------------------------------------------------------------

NETWORKS, SHAPES = 3, [(4, 3), (2, 2, 3, 5), (5,)]


def largest_column_norm(gradient, mask):
    gradient = gradient if mask is None else ops.where(mask, gradient, 0.0)
    return ops.max(ops.sqrt(ops.sum(ops.square(gradient), axis=0)))


STACKED = {
    **{name: MEASURES.get(name) for name in BY_HAND},
    "custom": FlowMeasure(largest_column_norm, lambda values: ops.max(ops.stack(values)), "max column"),
    "sum of norms": NormMeasure(2, True, sum, "sum"),
}


@pytest.mark.parametrize("name", STACKED)
@pytest.mark.parametrize("present", [(), (1,), (0, 1, 2)], ids=["no masks", "one mask", "all masks"])
def test_measures_of_a_stack_are_those_of_its_networks_one_by_one(name, present):
    rng, measure = np.random.default_rng(0), STACKED[name]
    gradients = [rng.normal(size=(NETWORKS, *shape)).astype("float32") for shape in SHAPES]
    masks = [rng.random((NETWORKS, *shape)) < 0.5 if i in present else None for i, shape in enumerate(SHAPES)]
    expected = np.zeros((NETWORKS, len(SHAPES) + 1))
    for network in range(NETWORKS):
        own = [g[network] for g in gradients], [None if m is None else m[network] for m in masks]
        expected[network] = [*map(measure.per_layer, *own), measure(*own)]
    of_arrays = measure.of_stack(
        list(map(ops.convert_to_tensor, gradients)), [None if m is None else ops.convert_to_tensor(m) for m in masks]
    )
    np.testing.assert_allclose(of_arrays, expected, rtol=1e-5)
    assert len(np.unique(expected)) > len(SHAPES), "networks and layers differ"


def test_measures_of_a_stack_by_hand():
    gradients = [ops.convert_to_tensor([[[3.0, 4.0]], [[6.0, 8.0]]]), ops.convert_to_tensor([[1.0], [5.0]])]
    masks = [ops.convert_to_tensor([[[True, False]], [[True, True]]]), None]
    np.testing.assert_allclose(STACKED["egf_2"].of_stack(gradients, masks), [[3, 1, 2], [10, 5, 7.5]])
    np.testing.assert_allclose(
        STACKED["grad_norm_2"].of_stack(gradients, masks), [[5, 1, 26**0.5], [10, 5, 125**0.5]], rtol=1e-6
    )
    np.testing.assert_allclose(STACKED["custom"].of_stack(gradients, masks), [[3, 1, 3], [8, 5, 8]])
