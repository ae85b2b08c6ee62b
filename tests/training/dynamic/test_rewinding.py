"""`RewindPoint` and `rewind` on any model: what is kept, and what a model is afterwards."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.training import RewindPoint, rewind, weights_of

IMAGES = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
LABELS = np.arange(12) % 3


def network(units=6, **options):
    hidden = MaskedDense(units, density=1.0, mask_seed=0, name="hidden")
    norm, output = keras.layers.BatchNormalization(name="norm"), keras.layers.Dense(3, name="output")
    model = keras.Sequential([keras.Input((4,)), hidden, norm, output])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, **options)
    return model


def fit(model, *callbacks, epochs=1):
    model.fit(IMAGES, LABELS, batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)


def test_a_state_is_that_after_the_step_and_a_model_goes_back_to_it_under_its_masks():
    keras.utils.set_random_seed(0)
    model, kept = network(), []
    initial = weights_of(model)
    points = [RewindPoint(0), RewindPoint(4, kept.append)]
    fit(model, *points, epochs=3)
    by_hand = network()
    rewind(by_hand, initial)
    for start in (0, 4, 8, 0):
        by_hand.train_on_batch(IMAGES[start : start + 4], LABELS[start : start + 4])
    assert all(np.array_equal(points[0].state[name], value) for name, value in initial.items())
    assert len(kept) == 1 and kept[0] is points[1].state and not any("mask" in name for name in kept[0])
    for name, value in weights_of(by_hand).items():
        np.testing.assert_allclose(kept[0][name], value, rtol=1e-4, atol=1e-6)
    mask = np.arange(24).reshape(4, 6) % 3 == 0
    model.get_layer("hidden").set_mask(mask)
    rewind(model, kept[0])
    after = weights_of(model)
    np.testing.assert_array_equal(after["hidden/kernel"], np.where(mask, kept[0]["hidden/kernel"], 0))
    assert all(np.array_equal(after[name], kept[0][name]) for name in after if name != "hidden/kernel")


def test_what_can_not_be_kept_or_taken_up_is_refused():
    with pytest.raises(ValueError, match="`step` must be at least 0; received -1"):
        RewindPoint(-1)
    model = network()
    fit(model)
    with pytest.raises(
        ValueError, match="`step` must be at least 3, the steps that the optimizer has done; received 2"
    ):
        fit(model, RewindPoint(2))
    with pytest.raises(ValueError, match="`steps_per_execution` must be 1; received 2"):
        fit(network(steps_per_execution=2), RewindPoint(2))
    before = weights_of(model)
    with pytest.raises(ValueError, match="received None: its step never came"):
        rewind(model, RewindPoint(99).state)
    other = weights_of(network(units=5))
    with pytest.raises(ValueError, match=r"expected 'hidden/bias' to have the shape \(6,\); received \(5,\)"):
        rewind(model, other)
    assert all(np.array_equal(value, before[name]) for name, value in weights_of(model).items())
