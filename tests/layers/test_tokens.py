"""Embeddings of tokens and attention of heads, by hand, in NumPy, and against Keras' own layer of attention."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_sparseflow.layers.tokens import HeadAttention, TokenEmbedding
from tests.backend import gradients_of_variables


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_a_class_token_comes_first_and_each_place_has_its_embedding():
    layer, x = TokenEmbedding(seed=0), normal(2, 3, 4)
    layer.build(x.shape)
    token, places = normal(1, 4, seed=1), normal(4, 4, seed=2)
    layer.set_weights([token, places])
    found = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(found[:, 0], np.tile(token + places[:1], (2, 1)), rtol=1e-6)
    np.testing.assert_allclose(found[:, 1:], x + places[1:], rtol=1e-6)
    of_token, of_places = gradients_of_variables(lambda: ops.sum(layer(x)), layer.trainable_variables)
    assert (of_token == 2).all() and (of_places == 2).all(), "each of two images has both"


def test_embeddings_start_small_and_by_their_seed_and_the_token_at_zero():
    layers = [TokenEmbedding(seed=seed) for seed in (3, 3, 4)]
    for layer in layers:
        layer.build((None, 200, 50))
    token, places = (ops.convert_to_numpy(weight) for weight in layers[0].weights)
    assert not token.any() and places.std() == pytest.approx(0.02, rel=0.05)
    same, other = (ops.convert_to_numpy(layer.weights[1]) for layer in layers[1:])
    assert (same == places).all() and (other != places).mean() > 0.99


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_attention_is_a_mean_of_values_by_the_softmax_of_scaled_products(heads):
    query, key, value = (normal(2, 5, 6, seed=seed) for seed in range(3))
    found = ops.convert_to_numpy(HeadAttention(heads)([query, key, value]))
    size = 6 // heads
    for head in range(heads):
        q, k, v = (x[..., head * size : (head + 1) * size].astype("float64") for x in (query, key, value))
        shares = np.exp(q @ k.swapaxes(1, 2) / np.sqrt(size))
        shares /= shares.sum(-1, keepdims=True)
        np.testing.assert_allclose(found[..., head * size : (head + 1) * size], shares @ v, rtol=1e-4, atol=1e-6)


def test_with_projections_it_is_multi_head_attention_of_keras():
    """Keras' kernels have an axis for the heads."""
    stock, x = keras.layers.MultiHeadAttention(2, 3), normal(2, 5, 8)
    stock.build(x.shape, x.shape)
    weights = [normal(*weight.shape, seed=number) for number, weight in enumerate(stock.weights)]
    stock.set_weights(weights)
    *inner, kernel, bias = weights
    projected = [x @ inner[i].reshape(8, 6) + inner[i + 1].reshape(6) for i in (0, 2, 4)]
    ours = HeadAttention(2)(projected) @ kernel.reshape(6, 8) + bias
    np.testing.assert_allclose(ops.convert_to_numpy(ours), ops.convert_to_numpy(stock(x, x)), rtol=1e-4, atol=1e-5)


def test_both_are_loaded_from_a_file_as_they_were(tmp_path):
    inputs = keras.Input((5, 6))
    tokens = TokenEmbedding(seed=1)(inputs)
    model = keras.Model(inputs, HeadAttention(3)([tokens, tokens, tokens]))
    model.save(tmp_path / "m.keras")
    loaded, x = keras.models.load_model(tmp_path / "m.keras"), normal(2, 5, 6)
    np.testing.assert_array_equal(ops.convert_to_numpy(loaded(x)), ops.convert_to_numpy(model(x)))
    assert [layer.get_config() for layer in loaded.layers] == [layer.get_config() for layer in model.layers]
