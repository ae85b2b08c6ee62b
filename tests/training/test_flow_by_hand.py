"""Every flow measure, in training steps and in probes, against gradients written out by hand."""

import itertools

import keras
import numpy as np
import pytest

from keras_sparseflow.flow import measures
from keras_sparseflow.models import mlp
from keras_sparseflow.training import GradientFlow, SparseModel, measure_flow
from keras_sparseflow.training import recorder as recorder_module
from tests.training.by_hand import flow, gradients

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.normal(size=(12, 3, 3, 1)).astype("float32"), RNG.integers(0, 4, 12)
LEARNING_RATE = 0.1


def network(sparse, batch_norm, l2=0.0, model_class=SparseModel, jit_compile=False):
    model = mlp(
        (3, 3, 1), 4, [8, 8], active=[30, 20, 15] if sparse else None, batch_norm=batch_norm, l2=l2, seed=3,
        model_class=model_class,
    )  # fmt: skip
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(RNG.uniform(0.5, 1.5, 8))
            layer.beta.assign(RNG.normal(size=8))
            layer.moving_mean.assign(RNG.normal(size=8))
            layer.moving_variance.assign(RNG.uniform(0.5, 2, 8))
    model.compile(
        keras.optimizers.SGD(LEARNING_RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
    )
    return model


def state(model):
    """The network in float64 NumPy arrays, for the computation by hand."""

    def array(v):
        return keras.ops.convert_to_numpy(v).astype("float64")

    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    kernels = [array(layer.kernel) for layer in dense]
    masks = [
        array(layer.mask).astype(bool) if hasattr(layer, "mask") else np.ones(k.shape, bool)
        for layer, k in zip(dense, kernels, strict=True)
    ]
    if not norms:
        return kernels, masks, {}, []
    values = {"gammas": [array(n.gamma) for n in norms], "betas": [array(n.beta) for n in norms]}
    return kernels, masks, values, [(array(n.moving_mean), array(n.moving_variance)) for n in norms]


def check_rows(rows, expected, rtol=2e-4):
    names = {0: "hidden_1", 1: "hidden_2", 2: "output", "total": "total"}
    found = {(row["measure"], row["layer"]): row["value"] for row in rows}
    assert len(found) == len(rows) == len(expected) == 4 * 4
    for (measure, layer), value in expected.items():
        np.testing.assert_allclose(found[measure, names[layer]], value, rtol=rtol, err_msg=f"{measure} of {layer}")


CASES = pytest.mark.parametrize(("sparse", "batch_norm"), list(itertools.product([True, False], [True, False])))
TWO_CASES = pytest.mark.parametrize(("sparse", "batch_norm"), [(True, True), (False, False)])


@pytest.mark.parametrize(
    ("sparse", "batch_norm", "jit_compile"),
    [
        *(
            pytest.param(*case, False, marks=pytest.mark.untraced)
            for case in itertools.product([True, False], repeat=2)
        ),
        (True, True, True),
        (False, False, True),
    ],
)
def test_a_training_step_records_the_flow_of_its_gradients(sparse, batch_norm, jit_compile):
    model = network(sparse, batch_norm, jit_compile=jit_compile)
    kernels, masks, norm, _ = state(model)
    by_hand = gradients(IMAGES.reshape(12, 9).astype("float64"), LABELS, kernels, **norm)
    recorder = GradientFlow()
    model.fit(IMAGES, LABELS, batch_size=12, epochs=1, verbose=0, callbacks=[recorder])
    check_rows(recorder.rows, flow(by_hand, masks))
    for after, before, gradient, mask in zip(state(model)[0], kernels, by_hand, masks, strict=True):
        np.testing.assert_allclose(after, before - LEARNING_RATE * gradient * mask, rtol=1e-3, atol=1e-6)


@pytest.mark.untraced
@TWO_CASES
def test_large_kernels_are_measured_in_blocks_to_the_same_flow(sparse, batch_norm, monkeypatch):
    for module in (recorder_module, measures):
        monkeypatch.setattr(module, "BLOCK_ENTRIES", 20)
    model = network(sparse, batch_norm)
    kernels, masks, norm, _ = state(model)
    by_hand = gradients(IMAGES.reshape(12, 9).astype("float64"), LABELS, kernels, **norm)
    recorder = GradientFlow()
    model.fit(IMAGES, LABELS, batch_size=12, epochs=1, verbose=0, callbacks=[recorder])
    check_rows(recorder.rows, flow(by_hand, masks))


@TWO_CASES
def test_recorded_flow_is_the_mean_over_steps(sparse, batch_norm):
    model = network(sparse, batch_norm)
    start = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    expected = []
    for half in (slice(0, 6), slice(6, 12)):  # the same two steps, one at a time
        kernels, masks, norm, _ = state(model)
        by_hand = gradients(IMAGES[half].reshape(6, 9).astype("float64"), LABELS[half], kernels, **norm)
        expected.append(flow(by_hand, masks))
        model.fit(IMAGES[half], LABELS[half], batch_size=6, epochs=1, verbose=0)
    for variable, value in zip(model.variables, start, strict=True):
        variable.assign(value)
    recorder = GradientFlow()
    model.fit(IMAGES, LABELS, batch_size=6, epochs=1, shuffle=False, verbose=0, callbacks=[recorder])
    check_rows(recorder.rows, {key: (expected[0][key] + expected[1][key]) / 2 for key in expected[0]})


@pytest.mark.untraced
@TWO_CASES
@pytest.mark.parametrize("cost", ["total", "data"])
def test_cost_says_whether_the_l2_term_counts(sparse, batch_norm, cost):
    model = network(sparse, batch_norm, l2=0.5)
    kernels, masks, norm, _ = state(model)
    x = IMAGES.reshape(12, 9).astype("float64")
    by_hand = gradients(x, LABELS, kernels, **norm, l2=0.5 if cost == "total" else 0.0)
    recorder = GradientFlow(cost=cost)
    model.fit(IMAGES, LABELS, batch_size=12, epochs=1, verbose=0, callbacks=[recorder])
    check_rows(recorder.rows, flow(by_hand, masks))


@pytest.mark.untraced
@CASES
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("model_class", [keras.Model, SparseModel])
def test_a_probe_measures_any_model_and_changes_nothing(sparse, batch_norm, training, model_class):
    model = network(sparse, batch_norm, model_class=model_class)
    before = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    kernels, masks, norm, moving = state(model)
    x = IMAGES.reshape(12, 9).astype("float64")
    by_hand = gradients(x, LABELS, kernels, **norm, moving=None if training else moving or None)
    check_rows(measure_flow(model, (IMAGES, LABELS), training=training), flow(by_hand, masks))
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_a_probe_of_batches_measures_the_norm_of_their_mean_gradient():
    """Batches of unequal size weigh by their examples, so any batching gives the whole set's gradient."""
    import tensorflow as tf

    model = network(sparse=True, batch_norm=True)
    whole = measure_flow(model, (IMAGES, LABELS), training=False)
    parts = measure_flow(model, tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(5), training=False)
    np.testing.assert_allclose([r["value"] for r in parts], [r["value"] for r in whole], rtol=1e-5)


@pytest.mark.untraced
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_a_callback_with_data_probes_a_plain_keras_model_after_scheduled_epochs(sparse, training):
    model = network(sparse, batch_norm=True, model_class=keras.Model)
    recorder = GradientFlow(data=(IMAGES, LABELS), epochs=[1], **({} if training else {"training": False}))
    model.fit(IMAGES, LABELS, batch_size=4, epochs=2, verbose=0, callbacks=[recorder])
    kernels, masks, norm, moving = state(model)
    x = IMAGES.reshape(12, 9).astype("float64")
    by_hand = gradients(x, LABELS, kernels, **norm, moving=None if training else moving)
    assert {(row["epoch"], row["reading"]) for row in recorder.rows} == {(1, "end")}
    check_rows(recorder.rows, flow(by_hand, masks))


def test_both_readings_are_those_of_each_alone_and_change_no_training():
    losses, rows = [], []
    for options in ({}, {"data": (IMAGES, LABELS)}, {"data": (IMAGES, LABELS), "readings": ["end", "steps"]}):
        model, recorder = network(sparse=True, batch_norm=True), GradientFlow(**options)
        values = np.random.default_rng(7)
        for weight in model.weights:
            if weight.path.endswith(("gamma", "beta")):
                weight.assign(values.normal(size=weight.shape))
        history = model.fit(IMAGES, LABELS, batch_size=5, epochs=3, shuffle=False, verbose=0, callbacks=[recorder])
        losses.append(history.history["loss"])
        rows.append(sorted(recorder.rows, key=lambda row: (row["reading"] == "end", row["epoch"])))
        assert {f"flow/{row['reading']}/egf_2" for row in recorder.rows} == {
            name for name in history.history if name.endswith("egf_2")
        }
    steps, end, both = rows
    assert both == steps + end and {row["epoch"] for row in end} == {0, 1, 2}
    assert losses[0] == losses[1] == losses[2]


def test_the_raw_norm_of_a_sparse_network_counts_inactive_entries():
    model = network(sparse=True, batch_norm=False)
    rows = {(r["measure"], r["layer"]): r["value"] for r in measure_flow(model, (IMAGES, LABELS))}
    for layer in ("hidden_1", "hidden_2", "output"):
        assert rows["grad_norm_2", layer] > 1.05 * rows["egf_2", layer]


@pytest.mark.untraced
def test_the_loss_scale_of_mixed_float16_is_undone():
    """With a loss scale of 2^10 the recorded flow is that of the unscaled loss, within half precision."""
    plain, scaled = (network(sparse=True, batch_norm=False) for _ in range(2))
    scaled.compile(
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(LEARNING_RATE), initial_scale=2.0**10), scaled.loss
    )
    recorders = []
    for model in (plain, scaled):
        recorders.append(GradientFlow())
        model.fit(IMAGES, LABELS, batch_size=12, epochs=1, verbose=0, callbacks=[recorders[-1]])
    np.testing.assert_allclose(*[[row["value"] for row in r.rows] for r in recorders], rtol=1e-4)
