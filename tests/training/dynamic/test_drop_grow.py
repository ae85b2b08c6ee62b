"""The parts that RigL and SET share: one update by hand, when updates come, what stays, resuming, errors."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.dynamic.drop_grow import drop_and_grow, drop_share
from keras_sparseflow.training.dynamic.rigl import RigL
from keras_sparseflow.training.dynamic.set import SET
from tests.training.masked import LAYERS, Watch, arrays, fit, inactive_values, network

EACH = pytest.mark.parametrize("method", [RigL, SET])

WEIGHTS = np.array([[0.5, -0.1, 0.0], [2.0, 0.2, 0.0]])
MASK = np.array([[True, True, False], [True, True, False]])
GROWTH = np.array([[0.0, 3.0, 2.0], [9.0, 1.0, 4.0]])


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, MASK),
        (1, [[1, 0, 0], [1, 1, 1]]),  # -0.1 goes; 4 is the highest score of those not kept
        (2, [[1, 1, 0], [1, 0, 1]]),  # -0.1 and 0.2 go; 4 and 3 are the highest, so -0.1 stays after all
        (3, [[0, 1, 1], [1, 0, 1]]),
        (4, [[0, 1, 1], [1, 0, 1]]),  # all go, and 9, 4, 3, 2 are the highest
    ],
)
def test_small_weights_give_way_to_high_scores(count, expected):
    assert np.array_equal(drop_and_grow(WEIGHTS, MASK, GROWTH, count), np.array(expected, bool))


def test_among_equals_the_first_stay_and_the_first_grow():
    mask = np.array([True, True, True, False, False])
    after = drop_and_grow(np.array([1.0, 1.0, 1.0, 0.0, 0.0]), mask, np.array([9.0, 9.0, 0.0, 7.0, 7.0]), 1)
    assert after.tolist() == [True, True, False, True, False]


@settings(max_examples=50, deadline=None)
@given(st.data(), st.integers(1, 40))
def test_counts_stay_and_what_is_large_is_kept(data, size):
    few = st.sampled_from([0.0, 0.5, 1.0, 2.0])  # with many ties
    mask = data.draw(arrays_of.arrays(bool, size))
    weights = np.where(mask, data.draw(arrays_of.arrays(float, size, elements=few)), 0)
    growth = data.draw(arrays_of.arrays(float, size, elements=few))
    count = data.draw(st.integers(0, int(mask.sum())))
    after = drop_and_grow(weights, mask, growth, count)
    assert after.sum() == mask.sum()
    assert (after & ~mask).sum() <= count
    left = mask & ~after
    if left.any():
        assert weights[left].max() <= np.sort(weights[mask])[:count].max()
        assert growth[left].max() <= growth[after & ~mask].min()


def test_the_share_falls_by_a_cosine():
    np.testing.assert_allclose(
        [drop_share(t, 80) for t in (0, 20, 40, 60, 80)], 0.15 * (1 + np.cos(np.pi * np.arange(5) / 4))
    )


@pytest.mark.parametrize(
    ("options", "steps", "share"),
    [
        ({"frequency": 5}, [5, 10, 15], lambda t: 0.15 * (1 + np.cos(np.pi * t / 18))),  # 18 is 75% of 24
        ({"end_step": 12, "frequency": 4}, [4, 8], lambda t: 0.15 * (1 + np.cos(np.pi * t / 12))),
        (
            {"end_step": 9, "frequency": 4, "begin_step": 1, "drop_fraction": 0.5},
            [1, 5],
            lambda t: 0.25 * (1 + np.cos(np.pi * (t - 1) / 8)),
        ),
        ({"end_step": 20, "frequency": 9, "decay": "constant", "drop_fraction": 0.2}, [9, 18], lambda t: 0.2),
        ({"end_step": 9, "frequency": 3, "first_step": 12}, [3, 6], lambda t: 0.15 * (1 + np.cos(np.pi * t / 9))),
    ],
    ids=["three quarters", "not at the end", "begin", "constant", "first step"],
)
def test_masks_change_at_the_steps_of_the_schedule_alone(options, steps, share):
    """Every update's share of the weights is dropped; of these as many as `grown` says are others than before."""
    model, watch = network(), Watch()
    callback = SET(**options)  # RigL differs in what it grows alone
    fit(model, watch, callback)
    frame = callback.to_frame()
    assert frame["step"].drop_duplicates().tolist() == steps and len(frame) == len(LAYERS) * len(steps)
    np.testing.assert_allclose(frame["drop_fraction"], [share(t) for t in frame["step"]])
    for step, (before, after) in enumerate(zip(watch.masks, watch.masks[1:], strict=False), start=1):
        rows = frame[frame["step"] == step - options.get("first_step", 0)].set_index("layer")
        for name in LAYERS:
            grown = (after[name] & ~before[name]).sum()
            assert after[name].sum() == before[name].sum() == round(0.3 * after[name].size)
            assert grown == (rows["grown"][name] if len(rows) else 0)
            assert grown <= np.floor(share(step - options.get("first_step", 0)) * after[name].sum())
    assert frame["grown"].sum() > 0


OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adagrad": lambda: keras.optimizers.Adagrad(0.01),
}


@pytest.mark.parametrize(
    ("method", "optimizer", "precision", "seed", "jit"),
    [
        (RigL, "momentum", "float32", 0, False),
        (RigL, "adam", "mixed_bfloat16", 1, False),
        (RigL, "adagrad", "mixed_float16", 2, False),
        (RigL, "momentum", "float32", 3, True),
        (SET, "adam", "float32", 4, False),
    ],
)
def test_after_every_step_inactive_weights_and_slots_are_zero_and_counts_constant(
    method, optimizer, precision, seed, jit
):
    """New weights were inactive, so they and their slots start at zero."""
    found, counts = [], []

    class Check(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            found.append(np.count_nonzero(inactive_values(self.model)))
            counts.append([mask.sum() for mask in arrays(self.model, "mask").values()])

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        model = network(optimizer=OPTIMIZERS[optimizer](), seed=seed, jit_compile=jit)
        callback = method(frequency=3)
        fit(model, callback, Check(), epochs=1)
    finally:
        keras.config.set_dtype_policy(before)
    assert callback.to_frame()["grown"].sum() > 0
    assert found == [0] * 12
    assert counts == [[round(0.3 * size) for size in (90, 960, 36)]] * 12


@EACH
def test_a_training_that_is_resumed_goes_on_as_if_it_had_not_stopped(method, tmp_path):
    whole, model = network(), network()
    at_once, first, second = (method(frequency=5, seed=1) if method is SET else method(frequency=5) for _ in range(3))
    fit(whole, at_once)
    fit(model, first, keras.callbacks.LambdaCallback(on_epoch_end=stop(model)))
    model.save(tmp_path / "half.keras")
    resumed = keras.models.load_model(tmp_path / "half.keras")
    fit(resumed, second, initial_epoch=1)
    assert [row["step"] for row in first.rows + second.rows] == [5] * 3 + [10] * 3 + [15] * 3
    assert first.rows + second.rows == at_once.rows
    for name, mask in arrays(whole, "mask").items():
        assert np.array_equal(arrays(resumed, "mask")[name], mask)
        np.testing.assert_allclose(arrays(resumed, "kernel")[name], arrays(whole, "kernel")[name], rtol=1e-5, atol=1e-7)


def stop(model):
    def on_epoch_end(epoch, logs):
        model.stop_training = True

    return on_epoch_end


@pytest.mark.untraced
def test_only_the_layers_that_are_named_change():
    model = network()
    before = arrays(model, "mask")
    fit(model, RigL(frequency=4, layers=["hidden"]), epochs=1)
    changed = [name for name, mask in arrays(model, "mask").items() if not np.array_equal(mask, before[name])]
    assert changed == ["hidden"]


@pytest.mark.untraced
@EACH
def test_frozen_layers_keep_their_masks_and_may_not_be_named(method):
    model = network()
    model.get_layer("conv").trainable = False
    callback = method(end_step=4, frequency=2)
    fit(model, callback, epochs=1, steps_per_epoch=4)
    assert [row["layer"] for row in callback.rows] == ["hidden", "output"]
    with pytest.raises(ValueError, match=r"received \['conv'\], which are frozen"):
        fit(model, method(end_step=40, frequency=2, layers=["conv", "hidden"]))


def test_dense_layers_stay_dense():
    assert drop_and_grow(WEIGHTS, np.ones((2, 3), bool), GROWTH, 4).all()


@EACH
def test_a_training_that_diverges_goes_on_with_its_masks(method):
    model = network(optimizer=keras.optimizers.SGD(1e30))
    watch = Watch()
    fit(model, watch, method(end_step=24, frequency=8))
    assert not np.isfinite(watch.kernels[-1]["hidden"]).all()
    assert all(np.array_equal(watch.masks[16][name], watch.masks[15][name]) for name in LAYERS)


# --- errors ---------------------------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frequency": 0}, "`frequency` must be a whole number of at least 1; received 0"),
        ({"drop_fraction": 0}, r"`drop_fraction` must be a number above 0 and at most 1; received 0"),
        ({"drop_fraction": 30}, r"`drop_fraction` must be a number above 0 and at most 1; received 30"),
        ({"decay": "linear"}, "`decay` must be one of cosine, constant; received 'linear'"),
        ({"begin_step": -1}, "`begin_step` must be a whole number of at least 0; received -1"),
        ({"first_step": -1}, "`first_step` must be a whole number of at least 0; received -1"),
        ({"end_step": 100}, "`end_step` must be above 100, the step of the first update; received 100"),
        ({"end_step": 5, "begin_step": 5}, "`end_step` must be above 5, the step of the first update; received 5"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(method, options, message):
    with pytest.raises(ValueError, match=message):
        method(**options)


def test_further_bad_arguments():
    with pytest.raises(ValueError, match="`seed` must be an integer of at least 0; received -1"):
        SET(seed=-1)
    with pytest.raises(ValueError, match="`cost` must be one of total, data; received 'l2'"):
        RigL(cost="l2")


@pytest.mark.untraced
@EACH
@pytest.mark.parametrize(
    ("options", "compile_options", "message"),
    [
        ({"layers": ["hiden"]}, {}, "Unknown masked layer 'hiden'.*Did you mean 'hidden'"),
        ({}, {}, "`end_step` must be above 100, .* received 18, three quarters of the steps of `fit`"),
        ({"frequency": 2}, {"steps_per_execution": 2}, "`steps_per_execution` must be 1; received 2"),
    ],
    ids=["layers", "short", "steps_per_execution"],
)
def test_what_does_not_fit_is_refused_before_training(method, options, compile_options, message):
    model = network(**compile_options)
    with pytest.raises(ValueError, match=message):
        fit(model, method(**options))
    assert int(model.optimizer.iterations) == 0


@pytest.mark.untraced
def test_updates_that_are_over_before_training_are_refused():
    model = network()
    fit(model, epochs=1)
    with pytest.raises(ValueError, match="SET has nothing to do: its last step is 12.*pass first_step=12"):
        fit(model, SET(end_step=12, frequency=3), epochs=1)
    callback = SET(end_step=12, frequency=3, first_step=12)
    fit(model, callback, epochs=1)
    assert callback.rows


@pytest.mark.untraced
def test_data_of_unknown_length_need_an_end():
    import tensorflow as tf

    model = network(SparseModel)
    unknown = tf.data.Dataset.from_generator(
        lambda: iter([(np.zeros((4, 6, 6, 2), "float32"), np.zeros(4, "int32"))] * 6),
        output_signature=(tf.TensorSpec((4, 6, 6, 2)), tf.TensorSpec((4,), tf.int32)),
    )
    with pytest.raises(ValueError, match="how many batches they have: give `end_step`"):
        model.fit(unknown, shuffle=False, epochs=2, verbose=0, callbacks=[SET(frequency=2)])
    callback = SET(frequency=2, end_step=5)
    model.fit(unknown, shuffle=False, steps_per_epoch=6, verbose=0, callbacks=[callback])
    assert {row["step"] for row in callback.rows} == {2, 4}
