"""Sparse layers against masked ones of the same weights: outputs, gradients, and what they refuse."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.layers import (
    MaskedConv2D,
    MaskedDense,
    MaskedEinsumDense,
    SparseConv2D,
    SparseDense,
    SparseEinsumDense,
    kernels_by,
)
from keras_sparseflow.layers.sparse.providers import provider

pytestmark = pytest.mark.tensorflow("sparse layers")

EINSUM_OUT = {"equation": "abcd,cde->abe", "output_shape": (None, 5), "bias_axes": "e"}
EINSUM_IN = {"equation": "abc,cde->abde", "output_shape": (None, 2, 5), "bias_axes": "de"}
EINSUM_FREE = {"equation": "abc,cde->abde", "output_shape": (7, 2, 5), "bias_axes": "be"}
CASES = {
    "dense": (SparseDense, MaskedDense, {"units": 37, "activation": "relu"}, (40,)),
    "deep dense": (SparseDense, MaskedDense, {"units": 5, "use_bias": False}, (3, 4, 9)),
    "conv": (SparseConv2D, MaskedConv2D, {"filters": 7, "kernel_size": 1, "strides": (2, 3)}, (9, 9, 8)),
    "einsum in": (SparseEinsumDense, MaskedEinsumDense, EINSUM_IN, (7, 12)),
    "einsum out": (SparseEinsumDense, MaskedEinsumDense, EINSUM_OUT, (7, 3, 12)),
    "einsum bias of units": (SparseEinsumDense, MaskedEinsumDense, {**EINSUM_IN, "bias_axes": "d"}, (7, 12)),
    "einsum bias of a free axis": (SparseEinsumDense, MaskedEinsumDense, EINSUM_FREE, (7, 12)),
}
EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
BY = pytest.mark.parametrize("by", ["numba", "tensorflow"])


def pair(case, density=0.3):
    """Returns a sparse and a masked layer of the same weights and places, and inputs of an odd number of examples."""
    sparse, masked, arguments, shape = case
    layers = []
    for kind in (sparse, masked):
        layer = kind(**arguments, density=density, mask_seed=1, kernel_initializer=keras.initializers.HeNormal(3))
        layer.build((None, *shape))
        if layer.bias is not None:
            layer.bias.assign(np.random.default_rng(1).normal(size=layer.bias.shape))
        layers.append(layer)
    return *layers, tf.constant(np.random.default_rng(0).normal(size=(133, *shape)), tf.float32)


def computed(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(tf.sin(y))
    others = [] if layer.bias is None else [layer.bias.value]
    return y, *tape.gradient(loss, [x, layer.stored_kernel.value, *others])


@EACH
@BY
def test_outputs_and_gradients_are_those_of_the_masked_layer(case, by):
    sparse, masked, x = pair(case)
    with kernels_by(by):
        for compute in (computed, tf.function(computed)):
            y, dx, dv, *biases = compute(sparse, x)
            expected = computed(masked, x)
            assert np.allclose(y, expected[0], atol=1e-5) and np.allclose(dx, expected[1], atol=1e-5)
            assert np.allclose(dv, sparse.values.of_dense(expected[2]), atol=1e-4)
            assert all(np.allclose(db, other, atol=1e-4) for db, other in zip(biases, expected[3:], strict=True))
            assert y.shape == expected[0].shape


@EACH
def test_the_same_seed_gives_the_same_mask_and_only_active_weights_are_stored(case):
    sparse, masked, _ = pair(case)
    assert np.array_equal(sparse.mask, masked.mask) and sparse.density == masked.density
    assert np.array_equal(sparse.kernel, masked.kernel)
    assert sparse.values.shape == sparse.indices.shape == (masked.active_count,)
    assert sparse.values.trainable and not sparse.indices.trainable and sparse.indices.dtype == "int32"
    assert sparse.count_params() - 2 * masked.active_count == masked.count_params() - 2 * np.array(masked.mask).size


@BY
@pytest.mark.parametrize("density", [0.0, 1.0])
def test_all_and_none_of_the_weights_may_be_active(by, density):
    sparse, masked, x = pair(CASES["dense"], density)
    with kernels_by(by):
        y, dx, *_ = computed(sparse, x)
    expected = computed(masked, x)
    assert np.allclose(y, expected[0], atol=1e-5) and np.allclose(dx, expected[1], atol=1e-4)


@BY
@pytest.mark.parametrize("examples", [0, 1, 3, 128, 129])
def test_any_number_of_examples_is_computed(by, examples):
    sparse, masked, x = pair(CASES["dense"])
    with kernels_by(by):
        y, dx, dv, db = computed(sparse, tf.repeat(x[:1], examples, axis=0))
    assert y.shape == (examples, 37) and dx.shape == (examples, 40)
    if examples:
        expected = computed(masked, x[:1])
        assert np.allclose(y, np.repeat(expected[0], examples, 0), atol=1e-5)
        assert np.allclose(dv, examples * sparse.values.of_dense(expected[2]), rtol=1e-4, atol=1e-4)
        assert np.allclose(db, examples * expected[3], rtol=1e-4, atol=1e-4)
    else:
        assert not np.any(dv) and not np.any(db)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@BY
def test_values_that_are_not_finite_reach_the_outputs(by, value):
    sparse, _, x = pair(CASES["deep dense"])
    broken = np.array(x)
    broken[5, 0, 0, 0] = value
    with kernels_by(by):
        y = np.array(sparse(broken))
    reached = sparse.values.dense()[0] != 0
    assert np.array_equal(~np.isfinite(y[5, 0, 0]), reached) and np.isfinite(np.delete(y, 5, 0)).all()


@BY
def test_a_product_of_several_threads_has_the_same_bits_each_time(by):
    layer = SparseDense(788, density=0.05, mask_seed=0)
    x = tf.constant(np.random.default_rng(0).normal(size=(128, 788)), tf.float32)
    layer.build(x.shape)
    with kernels_by(by):
        first, *others = [computed(layer, x) for _ in range(20)]
    assert all(np.array_equal(a, b) for other in others for a, b in zip(first, other, strict=True))


def test_numba_gives_the_same_bits_with_any_number_of_threads(monkeypatch):
    from keras_sparseflow.layers.sparse import numba_kernels

    sparse, _, x = pair(CASES["dense"])
    with kernels_by("numba"):
        results = [computed(sparse, x)]  # so little that one thread does it
    monkeypatch.setattr(numba_kernels, "_LITTLE", 0)
    for threads in (1, 2, 5):
        with ThreadPoolExecutor(threads) as pool, kernels_by("numba"):
            monkeypatch.setattr(numba_kernels, "_threads", lambda threads=threads: threads)
            monkeypatch.setattr(numba_kernels, "_pool", lambda pool=pool: pool)
            results.append(computed(sparse, x))
    assert all(np.array_equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@BY
def test_sums_are_taken_in_float32_under_mixed_precision(policy, by):
    """A float16 sum of 4096 ones and more stays at 2048; the gradient of the values stays float32."""
    layer = SparseDense(1, dtype=policy, kernel_initializer="ones", density=1.0)
    x = tf.ones((2, 4096), layer.compute_dtype)
    with kernels_by(by):
        y, dx, dv, db = computed(layer, x)
    assert y.dtype == layer.compute_dtype and dx.dtype == layer.compute_dtype
    assert dv.dtype == db.dtype == tf.float32
    assert np.array_equal(np.array(y, "float32"), [[4096.0], [4096.0]])


REFUSED = {
    "a constraint": (SparseDense, {"units": 2, "kernel_constraint": "max_norm"}, "MaxNorm looks at the whole kernel"),
    "a regularizer": (SparseDense, {"units": 2, "kernel_regularizer": "orthogonal_regularizer"}, "Orthogonal"),
    "LoRA": (SparseDense, {"units": 2, "lora_rank": 1}, "LoRA adds a dense product"),
    "float64": (SparseDense, {"units": 2, "dtype": "float64"}, "of float64, not float32"),
    "size": (SparseConv2D, {"filters": 2, "kernel_size": 3}, "covers 3 x 3 positions"),
    "groups": (SparseConv2D, {"filters": 2, "kernel_size": 1, "groups": 2}, "in 2 groups"),
    "first": (SparseConv2D, {"filters": 2, "kernel_size": 1, "data_format": "channels_first"}, "come first"),
    "equation": (SparseEinsumDense, {"equation": "ab,cb->ac", "output_shape": 3}, "no product with a matrix"),
}


@pytest.mark.parametrize("kind, arguments, why", REFUSED.values(), ids=REFUSED)
def test_what_needs_the_whole_kernel_is_refused(kind, arguments, why):
    with pytest.raises(ValueError, match=f"{kind.__name__} .* cannot be sparse: .*{why}"):
        kind(**arguments, density=0.5)


def test_lora_and_quantization_are_refused_later_too():
    sparse, _, _ = pair(CASES["dense"])
    with pytest.raises(ValueError, match="cannot have LoRA"):
        sparse.enable_lora(2)
    with pytest.raises(ValueError, match="cannot be quantized"):
        sparse.quantize("int8")


def test_an_unknown_provider_names_the_known_ones():
    with pytest.raises(ValueError, match="provider.*numba.*tensorflow"), kernels_by("cuda"):
        pass


def test_without_numba_tensorflow_computes_and_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert provider() == "tensorflow"
    with pytest.raises(ImportError, match=r"extra `fast`: pip install 'keras_sparseflow\[fast\]'"), kernels_by("numba"):
        pass


def test_what_is_exported_serves_any_number_of_examples_and_the_values_of_then(tmp_path):
    model = keras.Sequential([keras.Input((12,)), SparseDense(30, density=0.4, mask_seed=0)])
    x = np.random.default_rng(0).normal(size=(5, 12)).astype("float32")
    model.layers[0].bias.assign(np.arange(30))
    for name in ("first", "second"):
        model.export(tmp_path / name, verbose=False)
        served = tf.saved_model.load(tmp_path / name)
        for examples in (0, 1, 5):
            expected = x[:examples] @ model.layers[0].values.dense() + np.arange(30)
            assert np.allclose(served.serve(x[:examples]), expected, atol=1e-5)
        model.layers[0].values.assign(model.layers[0].values * 2)
