"""SET: one update by hand, what is drawn from what, plain models and accumulated gradients."""

import keras
import numpy as np
import pytest

from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.dynamic.set import SET
from tests.training.masked import LAYERS, Watch, arrays, fit, inactive_values, network


@pytest.mark.parametrize("model_class", [keras.Model, SparseModel])
def test_one_update_is_that_by_hand(model_class):
    """The smallest weights go, and as many are drawn from the inactive and the dropped ones."""
    model, watch = network(model_class), Watch()
    fit(model, watch, SET(end_step=9, seed=5, frequency=4, drop_fraction=0.5), epochs=1)
    share = 0.25 * (1 + np.cos(np.pi * 4 / 9))
    for number, name in enumerate(LAYERS):
        kernel, mask = watch.kernels[3][name], watch.masks[3][name]
        count = int(share * mask.sum())
        dropped = sorted(np.flatnonzero(mask), key=lambda i: abs(kernel.flat[i]))[:count]
        kept = mask.copy()
        kept.flat[dropped] = False
        drawn = np.random.default_rng([5, 4, number]).random(mask.shape)
        others = sorted(np.flatnonzero(~kept), key=lambda i: -drawn.flat[i])[:count]
        expected = kept.copy()
        expected.flat[others] = True
        assert np.array_equal(watch.masks[4][name], expected)
        assert (expected & ~mask).any()
    assert not inactive_values(model).any()


def test_new_weights_start_at_zero_and_move_with_the_very_step():
    for rate in (0.0, 0.02):
        model, watch = network(optimizer=keras.optimizers.SGD(rate, momentum=0.9)), Watch()
        fit(model, watch, SET(end_step=9, frequency=4), epochs=1, steps_per_epoch=4)
        new = watch.masks[4]["hidden"] & ~watch.masks[3]["hidden"]
        assert new.any() and watch.kernels[4]["hidden"][new].any() == bool(rate)


def test_what_is_drawn_depends_on_the_seed_and_not_on_which_layers_are_named():
    """At the first update, before the weights differ."""
    drawn = []
    for seed, layers in ((0, None), (0, ["output"]), (1, ["output"])):
        model = network()
        callback = SET(end_step=5, seed=seed, frequency=4, decay="constant", layers=layers)
        fit(model, callback, epochs=1, steps_per_epoch=4)
        drawn.append(arrays(model, "mask")["output"])
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[1], drawn[2])


def test_steps_are_the_optimizers_when_it_accumulates_gradients():
    """Also where an epoch's batches do not fill the last of them: 12 batches are two and a half steps of five."""
    model, watch = network(optimizer=keras.optimizers.SGD(0.02, gradient_accumulation_steps=5)), Watch()
    callback = SET(frequency=1, end_step=5)
    fit(model, watch, callback)
    assert [row["step"] for row in callback.rows[::3]] == [1, 2, 3, 4]
    changed = [
        not all(np.array_equal(before[name], after[name]) for name in LAYERS)
        for before, after in zip(watch.masks, watch.masks[1:], strict=False)
    ]
    assert [batch for batch, changes in enumerate(changed) if changes] == [0, 5, 10, 15]
