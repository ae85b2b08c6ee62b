"""The schedule of ghosts: values by hand, exact ends; resumed, compiled, in half precision, on replicas."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.layers.ghost import GhostSkip, GhostSwish, ghosts_of
from keras_sparseflow.training import GhostSchedule, SparseModel
from keras_sparseflow.twins import ghostify, strip_ghosts
from tests import processes
from tests.training.masked import LAYERS, X, Y, arrays, fit, inactive_values, network

STEPS = 12  # an epoch of `fit`


def twin_of(model_class=SparseModel, optimizer=None, **options):
    """The network of `masked.py` with ghosts on its activations and a skip over its convolution, compiled."""
    twin = ghostify(network(model_class), skips=["conv"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    twin.compile(optimizer or keras.optimizers.SGD(0.02), loss, **options)
    return twin


def strengths(model):
    """The ghosts' betas and alphas, each set with one entry where all agree."""
    ghosts = ghosts_of(model)
    betas = {float(keras.ops.convert_to_numpy(ghost.beta)) for ghost in ghosts if isinstance(ghost, GhostSwish)}
    return betas, {float(keras.ops.convert_to_numpy(ghost.alpha)) for ghost in ghosts if isinstance(ghost, GhostSkip)}


class Watch(keras.callbacks.Callback):
    """Keeps what each training step, and each validation, sees."""

    def __init__(self):
        super().__init__()
        self.steps, self.tests = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.steps.append(strengths(self.model))

    def on_test_begin(self, logs=None):
        self.tests.append(strengths(self.model))


def single(values):
    assert all(len(each) == 1 for pair in values for each in pair), "all ghosts agree"
    return [tuple(each.copy().pop() for each in pair) for pair in values]


@pytest.mark.parametrize(
    ("alpha", "by_hand"),
    [("cosine", [1, 0.5 + math.sqrt(0.5) / 2, 0.5, 0.5 - math.sqrt(0.5) / 2]), ("linear", [1, 0.75, 0.5, 0.25])],
)
def test_beta_grows_geometrically_and_alpha_falls(alpha, by_hand):
    schedule = GhostSchedule(3, beta=(2.0, 32.0), alpha=alpha)
    values = [schedule.values_at(progress) for progress in (0, 0.25, 0.5, 0.75)]
    np.testing.assert_allclose([beta for beta, _ in values], [2, 4, 8, 16])
    np.testing.assert_allclose([alpha for _, alpha in values], by_hand)
    assert schedule.values_at(1 - 1e-9)[0] == pytest.approx(32)
    assert schedule.values_at(1) == schedule.values_at(7) == (math.inf, 0)
    assert schedule.values_at(-1) == (2, 1)


@pytest.mark.parametrize("model_class", [keras.Model, pytest.param(SparseModel, marks=pytest.mark.untraced)])
def test_every_step_has_its_values_and_from_the_chosen_epoch_on_there_are_no_ghosts(model_class):
    model, watch, schedule = twin_of(model_class), Watch(), GhostSchedule(2)
    fit(model, schedule, watch, epochs=3, validation_data=(X[:8], Y[:8]))
    expected = [(50 ** (i / 24), (1 + math.cos(math.pi * i / 24)) / 2) for i in range(24)] + [(math.inf, 0)] * 12
    np.testing.assert_allclose(single(watch.steps), expected, rtol=1e-5)
    assert single(watch.tests)[1:] == [(math.inf, 0)] * 2, "validation after the last step with ghosts sees none"
    assert schedule.to_frame().columns.tolist() == ["epoch", "step", "beta", "alpha"]
    assert [(row["epoch"], row["step"]) for row in schedule.rows] == [(0, 12), (1, 24), (2, 36)]
    np.testing.assert_allclose(
        [(row["beta"], row["alpha"]) for row in schedule.rows], [(math.sqrt(50), 0.5), (math.inf, 0), (math.inf, 0)]
    )


@pytest.mark.untraced
def test_the_end_can_be_a_step_within_an_epoch():
    model, watch = twin_of(), Watch()
    fit(model, GhostSchedule(end_step=5, alpha="linear"), watch, epochs=1)
    np.testing.assert_allclose(
        [alpha for _, alpha in single(watch.steps)], [1, 0.8, 0.6, 0.4, 0.2] + [0] * 7, rtol=1e-6
    )


@pytest.mark.untraced
def test_what_comes_after_the_end_is_the_training_of_the_architecture():
    """Also weights that are inactive stay zero, with ghosts and after them."""
    model = twin_of()
    fit(model, GhostSchedule(1), epochs=1)
    assert not inactive_values(model).any()
    plain = strip_ghosts(model)
    assert [layer.name for layer in plain.layers if layer.weights] == list(LAYERS)
    plain.compile(keras.optimizers.SGD(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    start = arrays(plain, "kernel")
    fit(model, GhostSchedule(1), epochs=1)
    fit(plain, epochs=1)
    for name in LAYERS:
        assert np.array_equal(arrays(model, "kernel")[name], arrays(plain, "kernel")[name]), name
        assert not np.array_equal(arrays(plain, "kernel")[name], start[name])
    assert np.array_equal(model.predict(X, verbose=0), plain.predict(X, verbose=0))


def test_a_training_that_was_saved_midway_goes_on_with_the_schedule(tmp_path):
    whole, halves = twin_of(), twin_of()
    first, second, at_once = (GhostSchedule(2) for _ in range(3))
    fit(whole, at_once, epochs=3)
    fit(halves, first, epochs=1)
    halves.save(tmp_path / "midway.keras")
    loaded = keras.models.load_model(tmp_path / "midway.keras")
    assert strengths(loaded) == strengths(halves) != strengths(whole)
    fit(loaded, second, initial_epoch=1, epochs=3)
    assert first.rows + second.rows == at_once.rows
    for name in LAYERS:
        np.testing.assert_allclose(arrays(loaded, "kernel")[name], arrays(whole, "kernel")[name], atol=1e-6)


@pytest.mark.untraced
def test_several_calls_of_fit_go_on_with_the_optimizers_steps():
    model, schedule = twin_of(), GhostSchedule(2)
    for _ in range(2):
        fit(model, schedule, epochs=1)
    assert [row["step"] for row in schedule.rows] == [12, 24] and strengths(model) == ({math.inf}, {0.0})


@pytest.mark.untraced
def test_a_schedule_that_was_over_before_it_began_is_refused_and_can_begin_later():
    model = twin_of()
    fit(model, epochs=1)
    with pytest.raises(ValueError, match="over before epoch 0, .* 12 steps, but 3 ghosts .*first_step=12"):
        fit(model, GhostSchedule(1), epochs=1)
    watch = Watch()
    fit(model, GhostSchedule(1, first_step=12), watch, epochs=1)
    assert single(watch.steps)[0] == (1, 1) and strengths(model) == ({math.inf}, {0.0})


@pytest.mark.untraced
def test_a_step_is_all_batches_of_one_update_where_gradients_accumulate():
    model, watch = twin_of(optimizer=keras.optimizers.SGD(0.02, gradient_accumulation_steps=4)), Watch()
    fit(model, GhostSchedule(end_step=3, alpha="linear"), watch, epochs=1)
    np.testing.assert_allclose([alpha for _, alpha in single(watch.steps)], np.repeat([1, 2 / 3, 1 / 3], 4), rtol=1e-6)


@pytest.mark.parametrize("options", [{"jit_compile": True}, {"steps_per_execution": 5}], ids=str)
def test_it_works_compiled_and_with_several_steps_in_one_execution(options):
    model = twin_of(**options)
    fit(model, GhostSchedule(1), epochs=2)
    assert strengths(model) == ({math.inf}, {0.0})
    np.testing.assert_allclose(model.predict(X, verbose=0), strip_ghosts(model).predict(X, verbose=0), atol=1e-6)


@pytest.mark.untraced
def test_in_half_precision_the_epoch_counts_where_a_loss_scale_drops_steps():
    """A loss scale of 2 ** 30 overflows at first, and the optimizer does not count those steps."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.02), initial_scale=2.0**30)
        model = twin_of(keras.Model, optimizer)
        fit(model, schedule := GhostSchedule(1), epochs=1)
    finally:
        keras.config.set_dtype_policy("float32")
    assert schedule.rows[0]["step"] < STEPS and strengths(model) == ({math.inf}, {0.0})
    assert np.array_equal(model.predict(X, verbose=0), strip_ghosts(model).predict(X, verbose=0))


@pytest.mark.untraced
def test_activations_that_are_relu_from_the_start_stay_so():
    model = keras.Sequential([keras.Input((4,)), GhostSwish(math.inf), keras.layers.Dense(2), GhostSwish(3.0)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 4)), np.ones((4, 2)), batch_size=1, verbose=0, callbacks=[GhostSchedule(2)])
    assert [round(float(layer.beta), 4) for layer in ghosts_of(model)] == [math.inf, round(math.sqrt(50), 4)]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {}, "One of `end_epoch` and `end_step` must be given; received None and None"),
        ((1,), {"end_step": 2}, "One of .* received 1 and 2"),
        ((0,), {}, "`end_epoch` must be a whole number of at least 1; received 0"),
        ((), {"end_step": 0}, "`end_step` must be a whole number of at least 1; received 0"),
        ((1,), {"beta": (0, 50)}, r"`beta` must be a number above 0; received 0"),
        ((1,), {"beta": (1, math.inf)}, "`beta` must be a number above 0; received inf"),
        ((1,), {"alpha": "cosinus"}, "Unknown schedule of `alpha` 'cosinus'.*Did you mean 'cosine'"),
        ((1,), {"first_step": -1}, "`first_step` must be a whole number of at least 0; received -1"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        GhostSchedule(*arguments, **options)


def test_models_without_ghosts_and_epochs_of_unknown_length_are_refused():
    with pytest.raises(ValueError, match="needs ghosts; model .* has none"):
        fit(network(), GhostSchedule(1), epochs=1)
    endless = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4).filter(lambda x, y: True)
    with pytest.raises(ValueError, match="`end_epoch` needs epochs of known length"):
        twin_of().fit(endless, shuffle=False, verbose=0, callbacks=[GhostSchedule(1)])


REPLICAS = """
import json
import tensorflow as tf
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0],
                                           [tf.config.LogicalDeviceConfiguration()] * 2)
import numpy as np
from tests.training.tost.test_ghost_schedule import GhostSchedule, X, Y, ghosts_of, strip_ghosts, twin_of
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = twin_of(jit_compile=False)
found = []
for _ in range(2):
    model.fit(tf.data.Dataset.from_tensor_slices((X, Y)).batch(8), shuffle=False, verbose=0,
              callbacks=[GhostSchedule(2)])
    found.append([[float(copy) for copy in (g.beta if hasattr(g, "beta") else g.alpha).value.values]
                  for g in ghosts_of(model)])
alike = np.array_equal(strip_ghosts(model)(X), model(X))
print(json.dumps({"midway": found[0], "end": found[1], "alike": alike}))
"""


def test_replicas_have_the_same_ghosts():
    done = processes.run(REPLICAS)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    for copies in found["midway"]:
        assert copies[0] == copies[1] and copies[0] in (pytest.approx(math.sqrt(50)), pytest.approx(0.5))
    assert sorted(found["end"]) == [[0.0, 0.0], [math.inf] * 2, [math.inf] * 2] and found["alike"]
