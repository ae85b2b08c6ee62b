"""Sparse layers in training: steps, changes of masks, slots, files."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.layers import MaskedDense, SparseDense, kernels_by, random_mask
from keras_sparseflow.layers.mask.slots import slots_of

pytestmark = pytest.mark.tensorflow("sparse layers")

SHAPE, ACTIVE = (12, 8), 29


def model_of(kind, optimizer, **arguments):
    inputs = keras.Input((12,))
    hidden = kind(
        8,
        density=0.3,
        mask_seed=1,
        activation="tanh",
        name="hidden",
        kernel_initializer=keras.initializers.HeNormal(3),
        **arguments.pop("layer", {}),
    )(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, kernel_initializer=keras.initializers.HeNormal(4))(hidden))
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), **arguments)
    return model


def data(examples=64):
    rng = np.random.default_rng(0)
    return rng.normal(size=(examples, 12)).astype("float32"), rng.integers(0, 3, examples)


def trained(kind, optimizer, epochs=2, **arguments):
    model = model_of(kind, optimizer, **arguments)
    losses = model.fit(*data(), epochs=epochs, batch_size=16, shuffle=False, verbose=0).history["loss"]
    return model, losses


OPTIMIZERS = {
    **{
        name: lambda name=name: getattr(keras.optimizers, name)(0.05)
        for name in ("SGD", "RMSprop", "Adam", "Adadelta", "Adagrad", "Adamax", "Nadam", "Ftrl", "Lion", "Lamb")
    },
    "AdamW": lambda: keras.optimizers.AdamW(0.05, weight_decay=0.1),
    "momentum, clipped": lambda: keras.optimizers.SGD(0.05, momentum=0.9, clipnorm=0.1),
    "clipped globally": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, global_clipnorm=0.1),
    "averages": lambda: keras.optimizers.SGD(0.05, use_ema=True, ema_overwrite_frequency=3),
    "accumulation": lambda: keras.optimizers.Adam(0.05, gradient_accumulation_steps=2),
}


@pytest.mark.untraced  # what follows compares traced steps, too
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_is_that_of_the_masked_layer(optimizer):
    (sparse, losses), (masked, expected) = (trained(kind, optimizer(), 1) for kind in (SparseDense, MaskedDense))
    assert np.allclose(losses, expected, rtol=1e-5)
    assert np.allclose(sparse.layers[1].kernel, masked.layers[1].kernel, atol=2e-5)
    assert all(slot.shape == (ACTIVE,) for slot in slots_of(sparse.optimizer, sparse.layers[1].values))


@pytest.mark.parametrize(
    "arguments",
    [
        {"layer": {"kernel_regularizer": keras.regularizers.L1L2(0.01, 0.1)}},
        {"layer": {"kernel_constraint": "non_neg"}},
        {"steps_per_execution": 3},
    ],
    ids=["penalties", "constraint", "steps per execution"],
)
def test_training_is_that_of_the_masked_layer_with(arguments):
    results = [trained(kind, keras.optimizers.SGD(0.05, 0.9), **{**arguments}) for kind in (SparseDense, MaskedDense)]
    assert np.allclose(results[0][1], results[1][1], rtol=1e-5)
    assert np.allclose(results[0][0].layers[1].kernel, results[1][0].layers[1].kernel, atol=2e-5)


def test_loss_scales_of_mixed_precision_train_the_values():
    model, losses = trained(SparseDense, "sgd", 4, layer={"dtype": "mixed_float16"})
    assert losses[-1] < losses[0] and model.layers[1].values.dtype == "float32"


def test_the_same_training_gives_the_same_bits():
    states = [trained(SparseDense, "adam")[0].get_weights() for _ in range(2)]
    assert all(np.array_equal(a, b) for a, b in zip(*states, strict=True))


def test_keras_does_not_compile_it_by_xla():
    assert model_of(SparseDense, "sgd").jit_compile is False
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        assert model_of(SparseDense, "sgd", jit_compile=True).jit_compile is False


def test_a_new_mask_moves_weights_and_slots():
    model, _ = trained(SparseDense, keras.optimizers.Adagrad(0.05))
    layer = model.layers[1]
    (slot,) = slots_of(model.optimizer, layer.values)
    before, kernel, sums = np.array(layer.mask), layer.values.dense(), layer.values.dense(slot)
    x = data()[0]
    with kernels_by("tensorflow"):
        by_tensorflow = tf.function(lambda: layer(x), autograph=False)
        by_tensorflow()
    after = random_mask(SHAPE, ACTIVE, seed=5)
    layer.set_mask(after, model.optimizer)
    assert np.array_equal(layer.mask, after) and np.array_equal(layer.values.dense(), np.where(after, kernel, 0))
    expected = np.where(before, sums, np.float32(0.1))[after]  # Adagrad's sums begin at 0.1
    assert np.array_equal(slot, expected)
    expected = np.tanh(x @ np.where(after, kernel, 0) + np.array(layer.bias))
    assert np.allclose(layer(x), expected, atol=1e-5) and np.allclose(by_tensorflow(), expected, atol=1e-5)
    model.fit(*data(), verbose=0)
    assert np.count_nonzero(layer.values.dense()) == ACTIVE, "traced functions follow the new places"


def test_a_mask_of_another_count_is_refused():
    layer = SparseDense(8, density=0.3, mask_seed=1)
    layer.build((None, 12))
    with pytest.raises(ValueError, match=r"must keep 29 weights active; received 28.*to_masked"):
        layer.set_mask(random_mask(SHAPE, 28, seed=0))


def test_weights_set_and_loaded_bring_their_places(tmp_path):
    model, _ = trained(SparseDense, "adam")
    model.layers[1].set_mask(random_mask(SHAPE, ACTIVE, seed=5), model.optimizer)
    expected = model.predict(data()[0], verbose=0)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "some.weights.h5")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(loaded.predict(data()[0], verbose=0), expected)
    assert [np.array(a).tolist() for a in loaded.optimizer.variables] == [
        np.array(a).tolist() for a in model.optimizer.variables
    ]
    clone = keras.models.clone_model(model)
    assert np.array_equal(clone.layers[1].mask, model.layers[1].mask), "the config holds the mask"
    for give in ("set", "load"):
        other = model_of(SparseDense, "adam")
        other.optimizer.build(other.trainable_variables)
        if give == "set":
            other.set_weights(model.get_weights())
        else:
            other.load_weights(tmp_path / "some.weights.h5")
        assert np.array_equal(other.predict(data()[0], verbose=0), expected)


def test_a_file_of_another_count_says_what_to_load(tmp_path):
    model_of(MaskedDense, "sgd").layers[1].save_own_variables(store := {})
    layer = SparseDense(8, density=0.3)
    layer.build((None, 12))
    with pytest.raises(ValueError, match="of 29 active weights; received 3.*Load weights of a masked model before"):
        layer.load_own_variables(store)


def test_it_works_within_functions_and_threads():
    layer = SparseDense(8, density=0.3, mask_seed=1)
    x = data()[0]
    expected = layer(x)

    @tf.function
    def repeated(x):
        total = tf.zeros((64, 8))
        for _ in tf.range(3):
            total += layer(x)
        return total

    assert np.allclose(repeated(tf.constant(x)), 3 * np.array(expected), atol=1e-5)
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(y, expected) for y in pool.map(layer, [x] * 8))
