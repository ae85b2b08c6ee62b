"""RigL: one update by hand, whose gradients written out in NumPy; what the step of an update does; replicas."""

import json

import keras
import numpy as np
import pytest

from keras_sparseflow.models import mlp
from keras_sparseflow.training import GradientFlow, SparseModel
from keras_sparseflow.training.dynamic.rigl import RigL
from tests import processes
from tests.training.by_hand import gradients
from tests.training.masked import Watch, arrays, fit, network

RNG = np.random.default_rng(1)
IMAGES, LABELS = RNG.normal(size=(24, 3, 3, 1)).astype("float32"), RNG.integers(0, 4, 24)
KERNELS = ("hidden_1", "hidden_2", "output")


def perceptron(l2=0.0, batch_norm=False, rate=0.1):
    model = mlp(
        (3, 3, 1), 4, [8, 8], active=[30, 20, 15], l2=l2, batch_norm=batch_norm, seed=3, model_class=SparseModel
    )
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    return model


def state(model):
    """Kernels and masks, in double precision."""
    layers = [model.get_layer(name) for name in KERNELS]
    return [np.array(layer.kernel, "float64") for layer in layers], [np.array(layer.mask) for layer in layers]


def by_hand(kernel, mask, gradient, share):
    """Algorithm 1 of Evci et al., with sets of indices and Python's sort."""
    kernel, gradient = np.abs(kernel).ravel(), np.abs(gradient).ravel()
    active = [int(i) for i in np.flatnonzero(mask)]
    count = int(share * len(active))
    dropped = set(sorted(active, key=lambda i: kernel[i])[:count])
    candidates = [i for i in range(kernel.size) if i not in set(active) - dropped]
    grown = set(sorted(candidates, key=lambda i: -gradient[i])[:count])
    after = set(active) - dropped | grown
    return np.isin(np.arange(mask.size), list(after)).reshape(mask.shape), dropped & grown, grown - dropped


@pytest.mark.untraced
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_one_update_is_that_by_hand(l2):
    """Three steps of descent, then an update on the fourth batch: nothing moves but the masks and what they remove."""
    model = perceptron(l2)
    before = []

    class Before(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 3:
                before.extend(state(self.model))

    callback = RigL(end_step=5, frequency=4, drop_fraction=0.5)
    model.fit(IMAGES, LABELS, batch_size=6, epochs=1, shuffle=False, verbose=0, callbacks=[Before(), callback])
    kernels, masks = before
    dense = gradients(IMAGES[18:].reshape(6, 9).astype("float64"), LABELS[18:], kernels)
    share = 0.25 * (1 + np.cos(np.pi * 4 / 5))
    assert [row["step"] for row in callback.rows] == [4] * 3 and callback.rows[0]["drop_fraction"] == pytest.approx(
        share
    )
    returned = 0
    for i, (now, mask) in enumerate(zip(*state(model), strict=True)):
        expected, stayed, new = by_hand(kernels[i], masks[i], dense[i], share)
        assert np.array_equal(mask, expected)
        assert np.array_equal(now, np.where(expected, kernels[i], 0))
        assert callback.rows[i]["grown"] == len(new)
        returned += len(stayed)
    assert callback.to_frame()["grown"].sum() > 0


@pytest.mark.untraced
def test_dropped_weights_whose_gradient_is_large_stay_with_their_values_and_slots():
    """All but nothing is kept, so many of the dropped weights are among the largest gradients."""
    model, watch = perceptron(), []

    class Slots(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            slot = next(v for v in self.model.optimizer.variables if "hidden_1" in v.path and v.shape == (9, 8))
            watch.append((*(each[0] for each in state(self.model)), np.array(slot)))

    callback = RigL(end_step=5, frequency=3, drop_fraction=1.0, decay="constant")
    model.fit(IMAGES, LABELS, batch_size=6, epochs=1, shuffle=False, verbose=0, callbacks=[callback, Slots()])
    (kernel, mask, slot), (kernel_after, mask_after, slot_after) = watch[1:3]
    stayed = mask & mask_after
    assert 0 < stayed.sum() < mask.sum()
    assert np.array_equal(kernel_after[stayed], kernel[stayed]) and np.array_equal(slot_after[stayed], slot[stayed])
    assert not kernel_after[~stayed].any() and not slot_after[~stayed].any()
    assert watch[3][2][mask_after & ~mask].any()  # the next step gives new weights a slot


@pytest.mark.untraced
def test_the_regularizer_says_which_dropped_weights_stay_only_if_it_is_asked():
    """Its gradient would bring back the dropped weights: at inactive weights it is zero."""
    grown = {}
    for cost in ("data", "total"):
        model = perceptron(l2=100.0, rate=0.0)
        callback = RigL(end_step=3, frequency=1, drop_fraction=0.5, cost=cost)
        model.fit(IMAGES, LABELS, batch_size=24, epochs=1, verbose=0, callbacks=[callback])
        grown[cost] = callback.to_frame()["grown"].sum()
    assert grown["data"] > 0 == grown["total"]


def test_the_step_of_an_update_replaces_one_of_the_optimizer():
    """Metrics, normalisation and the counter see the batch; nothing trainable moves, momentum included."""
    model = perceptron(batch_norm=True)
    seen = []

    class Everything(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append({v.path: np.array(v) for v in (*self.model.variables, *self.model.optimizer.variables)})
            seen[-1]["loss"] = logs["loss"]

    callback = RigL(end_step=4, frequency=3, drop_fraction=0.5)
    model.fit(IMAGES, LABELS, batch_size=6, epochs=1, shuffle=False, verbose=0, callbacks=[callback, Everything()])
    before, after = seen[1:3]
    weights = {v.path for v in model.trainable_variables}
    counter = next(path for path in before if path.endswith("iteration"))
    assert after[counter] == before[counter] + 1 == 3
    for path in weights:
        kept = after[path] != 0
        assert np.array_equal(after[path][kept], before[path][kept]), path
    gone = [path for path in weights if (before[path][after[path] == 0] != 0).any()]
    assert gone and all(path.endswith("kernel") for path in gone)
    moving = [path for path in before if "moving_mean" in path]
    assert moving and all((after[path] != before[path]).all() for path in moving)
    assert after["loss"] != before["loss"]


def test_flow_is_measured_in_every_step_whatever_the_order_of_callbacks():
    flows = []
    for order in (1, -1):
        flow, callback = GradientFlow(), RigL(end_step=9, frequency=4)
        model, history = network(), keras.callbacks.History()
        fit(model, *[flow, callback, history][::order], epochs=1)
        assert callback.rows
        flows.append([row["value"] for row in flow.rows])
    assert np.isfinite(flows).all() and flows[0] == flows[1]


@pytest.mark.untraced
def test_two_updates_may_be_due_at_once():
    model, watch = network(), Watch()
    first, second = RigL(end_step=9, frequency=4, layers=["conv"]), RigL(end_step=9, frequency=4, layers=["hidden"])
    fit(model, watch, first, second, epochs=1)
    assert len(first.rows) == len(second.rows) == 2
    assert int(model.optimizer.iterations) == 12


@pytest.mark.untraced
def test_an_interrupted_update_leaves_training_as_it_was():
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            raise KeyboardInterrupt

    model = network()
    with pytest.raises(KeyboardInterrupt):
        fit(model, RigL(end_step=9, frequency=1), Interrupt())
    before = arrays(model, "mask")
    fit(model, epochs=1)
    assert all(np.array_equal(mask, before[name]) for name, mask in arrays(model, "mask").items())


def test_a_stock_model_is_told_what_to_do():
    with pytest.raises(
        ValueError, match="which a SparseModel has; received a Functional. Make the model a SparseModel"
    ):
        fit(network(keras.Model), RigL(frequency=2))


def test_an_optimizer_that_accumulates_gradients_is_refused():
    model = network(optimizer=keras.optimizers.SGD(0.02, gradient_accumulation_steps=3))
    with pytest.raises(ValueError, match="`gradient_accumulation_steps` must be None; received 3"):
        fit(model, RigL(frequency=2))


# --- replicas -------------------------------------------------------------------------------------------------------

REPLICAS = """
import contextlib, json
import tensorflow as tf
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0],
                                           [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, numpy as np
from keras_sparseflow import SparseModel
from keras_sparseflow.training.dynamic.rigl import RigL
from keras_sparseflow.training.dynamic.set import SET
from tests.training.masked import X, Y, network
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])  # one a process: another would use its keys again
found = {}
methods = {"RigL": [RigL(frequency=2), RigL(frequency=2)], "SET": [SET(frequency=2), SET(frequency=2)]}
for name, callbacks in methods.items():
    for strategy, callback in zip((None, mirrored), callbacks):
        with strategy.scope() if strategy else contextlib.nullcontext():
            model = network(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
        data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
        model.fit(data, shuffle=False, verbose=0, callbacks=[callback])
        copies = [[np.array(v.value.values[i] if strategy else v.value).astype(float).tolist() for v in model.variables]
                  for i in range(2 if strategy else 1)]
        slots = [keras.ops.convert_to_numpy(v).astype(float).tolist() for v in model.optimizer.variables]
        found.setdefault(name, []).append({"copies": copies, "slots": slots, "rows": callback.rows})
print(json.dumps(found))
"""


@pytest.mark.slow
def test_replicas_agree_with_one_device_and_with_each_other():
    """The masks are those of the whole batch's gradient. Both methods in one process, for a process is dear."""
    done = processes.run(REPLICAS)
    assert done.returncode == 0, done.stderr[-3000:]
    for name, (alone, two) in json.loads(done.stdout.splitlines()[-1]).items():
        assert (
            alone["rows"] == two["rows"] and len(alone["rows"]) == 3 and any(row["grown"] for row in alone["rows"])
        ), name
        assert two["copies"][0] == two["copies"][1]
        for ours, expected in zip(two["copies"][0] + two["slots"], alone["copies"][0] + alone["slots"], strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-5, err_msg=name)
            assert np.array_equal(np.array(ours) == 0, np.array(expected) == 0), name
