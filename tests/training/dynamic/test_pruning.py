"""Magnitude pruning: tfmot's masks step by step, what is zeroed, resuming, replicas, errors."""

import json

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedConv2D, MaskedDense
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.dynamic.pruning import MagnitudePruning
from keras_sparseflow.training.dynamic.tfmot import import_tfmot, tfmot_mask
from tests import processes

TFMOT = import_tfmot().sparsity.keras
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(48, 6, 6, 2)).astype("float32"), RNG.integers(0, 3, 48)
BATCH = 4  # 12 steps an epoch
EACH_CLASS = pytest.mark.parametrize("model_class", [keras.Model, SparseModel])


def constant(sparsity=0.5, begin_step=1, end_step=-1, frequency=1):
    return TFMOT.ConstantSparsity(sparsity, begin_step, end_step, frequency)


def decay(begin_step=2, end_step=20, frequency=3):
    return TFMOT.PolynomialDecay(0.1, 0.9, begin_step, end_step, frequency=frequency)


def network(model_class=SparseModel, density=1.0, optimizer=None):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 2))
    x = MaskedConv2D(5, 3, activation="relu", density=density, name="conv", mask_seed=0)(inputs)
    x = MaskedDense(12, activation="relu", density=density, name="hidden", mask_seed=1)(keras.layers.Flatten()(x))
    model = model_class(inputs, MaskedDense(3, density=density, name="output", mask_seed=2)(x))
    compiled(model, optimizer or keras.optimizers.SGD(0.02, momentum=0.9))
    return model


def compiled(model, optimizer, **options):
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), **options)


def fit(model, callbacks, epochs=2):
    model.fit(X, Y, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)


def masks(model):
    return {layer.name: np.array(layer.mask) for layer in model.layers if hasattr(layer, "mask")}


def kernels(model):
    return {layer.name: np.array(layer.kernel) for layer in model.layers if hasattr(layer, "mask")}


class Watch(keras.callbacks.Callback):
    """Keeps every mask of every step."""

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(masks(self.model))


def wrapped(layer, schedule, options):
    return TFMOT.prune_low_magnitude(layer, schedule or constant(), **options)


def by_tfmot(start, case, rate):
    """Trains the same network in tf-keras under tfmot's own wrappers and callback.

    Returns, for each step, the kernels before it and the masks after it; and the kernels in the end.
    """
    import tf_keras

    layers = [
        tf_keras.layers.Conv2D(5, 3, activation="relu", name="conv"),
        tf_keras.layers.Dense(12, activation="relu", name="hidden"),
        tf_keras.layers.Dense(3, name="output"),
    ]
    layers = [wrapped(each, *case[each.name]) if each.name in case else each for each in layers]
    conv, hidden, output = layers
    model = tf_keras.Sequential([tf_keras.Input((6, 6, 2)), conv, tf_keras.layers.Flatten(), hidden, output])
    plain = [getattr(each, "layer", each) for each in layers]
    for layer in plain:
        twin = start.get_layer(layer.name)
        layer.kernel.assign(np.array(twin.kernel))
        layer.bias.assign(np.array(twin.bias))
    before, after = [], []

    class Watched(tf_keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            before.append({layer.name: layer.kernel.numpy() for layer in plain})

        def on_train_batch_end(self, batch, logs=None):
            wrappers = [each for each in layers if each not in plain]
            after.append({each.layer.name: each.pruning_vars[0][1].numpy() != 0 for each in wrappers})

    model.compile(
        tf_keras.optimizers.SGD(rate, momentum=0.9), tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    callbacks = [TFMOT.UpdatePruningStep(), Watched()]
    model.fit(X, Y, batch_size=BATCH, epochs=2, shuffle=False, verbose=0, callbacks=callbacks)
    return before, after, {layer.name: layer.kernel.numpy() for layer in plain}


ALL = ("conv", "hidden", "output")
CASES = {
    "one schedule": dict.fromkeys(ALL, (decay(), {})),
    "a schedule each": {
        "conv": (constant(0.5, 3, frequency=4), {}),
        "hidden": (constant(0.7, 2, end_step=9, frequency=3), {}),
        "output": (constant(0.5, 0, frequency=10), {}),
    },
    "blocks, and a layer left alone": {
        "hidden": (decay(), {"block_size": (3, 2)}),
        "output": (decay(5, 15, 2), {"block_size": (5, 2), "block_pooling_type": "MAX"}),
    },
    "m zeros in every n": {
        "conv": (None, {"sparsity_m_by_n": (1, 2)}),
        "hidden": (None, {"sparsity_m_by_n": (3, 4)}),
        "output": (constant(0.5, 3), {}),
    },
}
TF_KERAS = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@TF_KERAS
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_masks_are_those_of_prune_low_magnitude_at_every_step(case):
    """Side by side from the same weights, at a rate at which no removed weight returns in tfmot."""
    model, watch = network(optimizer=keras.optimizers.SGD(0.002, momentum=0.9)), Watch()
    _, expected, expected_kernels = by_tfmot(model, case, 0.002)
    pruning = [MagnitudePruning(schedule, layers=[name], **options) for name, (schedule, options) in case.items()]
    fit(model, [*pruning, watch])
    assert len(watch.seen) == len(expected) == 24
    for step, (ours, theirs) in enumerate(zip(watch.seen, expected, strict=True), start=1):
        for name, mask in ours.items():
            assert np.array_equal(mask, theirs.get(name, np.ones_like(mask))), f"{name} at step {step}"
    assert all(watch.seen[-1][name].all() == (name not in case) for name in ALL)
    for name, kernel in kernels(model).items():
        np.testing.assert_allclose(kernel, expected_kernels[name], rtol=1e-3, atol=1e-5)


@TF_KERAS
def test_the_mask_of_the_same_weights_is_the_same_whatever_they_went_through():
    """At a rate at which weights do return in tfmot."""
    case = {
        "conv": (constant(0.5, 3, frequency=4), {}),
        "hidden": (decay(), {"block_size": (3, 2)}),
        "output": (decay(), {}),
    }
    before, after, _ = by_tfmot(network(), case, 0.1)
    updates, returned = 0, False
    for step, weights in enumerate(before, start=1):
        for name, (schedule, options) in case.items():
            mask = after[step - 1][name]
            if schedule(step)[0]:
                updates += 1
                assert np.array_equal(tfmot_mask(weights[name], step, schedule, **options), mask)
            returned |= step > 1 and bool((mask & ~after[step - 2][name]).any())
    assert updates == 6 + 7 + 7 and returned


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("model_class", "optimizer", "step"),
    [
        (keras.Model, "SGD", 1),
        (keras.Model, "Adam", 4),
        (keras.Model, "Adagrad", 1),
        (SparseModel, "SGD", 4),
        (SparseModel, "Adam", 1),
        (SparseModel, "Adagrad", 4),
    ],
)
def test_removed_weights_and_their_slots_are_zero_and_stay_so(model_class, optimizer, step):
    options = {"momentum": 0.9} if optimizer == "SGD" else {}
    model = network(model_class, optimizer=getattr(keras.optimizers, optimizer)(0.05, **options))
    fit(model, [MagnitudePruning(constant(0.8, step, end_step=step))], epochs=1)
    for layer in (model.get_layer(name) for name in ALL):
        inactive = ~np.array(layer.mask)
        assert layer.active_count == round(0.2 * inactive.size)
        of_layer = [v for v in model.optimizer.variables if v.shape == layer.mask.shape]
        assert len(of_layer) >= 1
        for variable in (layer.kernel, *of_layer):
            first = 0.1 if optimizer == "Adagrad" and variable is not layer.kernel else 0.0  # what Keras begins with
            assert np.all(np.array(variable)[inactive] == np.float32(first)), variable.path


@pytest.mark.untraced
@EACH_CLASS
def test_removed_weights_are_zero_in_the_very_step(model_class):
    model = network(model_class)
    history = []

    class Kernels(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            history.append([np.count_nonzero(kernel) / kernel.size for kernel in kernels(self.model).values()])

    fit(model, [MagnitudePruning(constant(0.5, 3, end_step=3)), Kernels()], epochs=1)
    np.testing.assert_allclose(history[:2], 1)
    np.testing.assert_allclose(history[2:], 0.5, atol=0.02)


def test_rows_say_what_was_asked_for_and_what_came():
    pruning = MagnitudePruning(constant(0.7, 3, end_step=9, frequency=3), layers=["hidden", "output"])
    fit(network(), [pruning])
    frame = pruning.to_frame()
    assert list(frame["step"]) == [3, 3, 6, 6, 9, 9] and list(frame["layer"]) == ["hidden", "output"] * 3
    np.testing.assert_allclose(frame["sparsity"], 0.7)
    np.testing.assert_allclose(frame["density"], [round(0.3 * 960) / 960, round(0.3 * 36) / 36] * 3)


def test_the_schedule_may_begin_late_in_a_training():
    early, late = (Watch() for _ in range(2))
    pruning = MagnitudePruning(sparsity_m_by_n=(2, 4), first_step=12)
    fit(network(), [pruning, late])
    fit(network(), [MagnitudePruning(constant(0.5, 13, end_step=13)), early])
    changed = [next(i for i, seen in enumerate(w.seen) if not seen["hidden"].all()) for w in (early, late)]
    assert changed == [12, 12] and {row["step"] for row in pruning.rows} == {1}


@pytest.mark.untraced
def test_weights_that_a_mask_removed_before_do_not_return():
    for sparsity, expected in ((0.2, 0.5), (0.8, 0.2)):
        model = network(density=0.5)
        before = masks(model)
        fit(model, [MagnitudePruning(constant(sparsity))], epochs=1)
        for name, mask in masks(model).items():
            assert not mask[~before[name]].any()
            assert mask.sum() == round(expected * mask.size)


def test_a_training_that_is_resumed_goes_on_with_the_schedule(tmp_path):
    whole, model = network(), network()
    fit(whole, [MagnitudePruning(decay())], epochs=2)
    first, second = (MagnitudePruning(decay()) for _ in range(2))
    fit(model, [first], epochs=1)
    model.save(tmp_path / "half.keras")
    resumed = keras.models.load_model(tmp_path / "half.keras")
    fit(resumed, [second], epochs=1)
    assert [row["step"] for row in first.rows + second.rows] == [step for step in range(2, 21, 3) for _ in ALL]
    for name, mask in masks(whole).items():
        assert np.array_equal(masks(resumed)[name], mask)
        np.testing.assert_allclose(kernels(resumed)[name], kernels(whole)[name], rtol=1e-5, atol=1e-7)


@pytest.mark.untraced
def test_steps_are_the_optimizers_when_it_accumulates_gradients():
    pruning, watch = MagnitudePruning(constant(0.5, 2, frequency=2)), Watch()
    optimizer = keras.optimizers.SGD(0.02, gradient_accumulation_steps=3)
    fit(network(optimizer=optimizer), [pruning, watch], epochs=1)
    assert sorted({row["step"] for row in pruning.rows}) == [2, 4]
    assert [seen["hidden"].all() for seen in watch.seen] == [True] * 3 + [False] * 9


@pytest.mark.untraced
def test_nested_and_subclassed_models_are_pruned():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.block = keras.Sequential([keras.layers.Flatten(), MaskedDense(4, name="inner")])
            self.head = MaskedDense(3, name="head")

        def call(self, inputs):
            return self.head(self.block(inputs))

    model = Subclassed()
    compiled(model, "sgd")
    pruning = MagnitudePruning(constant(0.75, 1, end_step=1))
    with pytest.raises(ValueError, match="needs the kernels of model 'subclassed.*'.*call the model on a batch first"):
        fit(model, [pruning])
    model(X)
    fit(model, [pruning])
    assert {row["layer"]: row["density"] for row in pruning.rows} == {"sequential/inner": 0.25, "head": 0.25}


def test_a_schedule_of_ones_own_is_followed():
    class OwnSchedule(TFMOT.PruningSchedule):
        def __call__(self, step):
            import tensorflow as tf

            return tf.equal(step % 5, 0), 0.02 * tf.cast(step, tf.float32)

        def get_config(self):
            return {}

    pruning = MagnitudePruning(OwnSchedule(), layers=["hidden"])
    fit(network(), [pruning])
    assert [row["step"] for row in pruning.rows] == [5, 10, 15, 20]
    np.testing.assert_allclose([row["density"] for row in pruning.rows], [0.9, 0.8, 0.7, 0.6], atol=1e-3)


# --- replicas -------------------------------------------------------------------------------------------------------

REPLICAS = """
import contextlib, json
import tensorflow as tf
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0],
                                           [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, numpy as np
from keras_sparseflow import MaskedConv2D, MaskedDense
from keras_sparseflow.training.dynamic.pruning import MagnitudePruning
from keras_sparseflow.training.dynamic.tfmot import import_tfmot
rng = np.random.default_rng(0)
x, y = rng.normal(size=(48, 6, 6, 2)).astype("float32"), rng.integers(0, 3, 48)
schedules = import_tfmot().sparsity.keras
found = []
for replicas in (0, 2):
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)]) if replicas else None
    with strategy.scope() if strategy else contextlib.nullcontext():
        keras.utils.set_random_seed(0)
        inputs = keras.Input((6, 6, 2))
        hidden = keras.layers.Flatten()(MaskedConv2D(5, 3, activation="relu")(inputs))
        model = keras.Model(inputs, MaskedDense(3, name="dense")(hidden))
        model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                      jit_compile=False)
    pruning = [MagnitudePruning(schedules.PolynomialDecay(0.1, 0.8, 2, 8, frequency=3)),
               MagnitudePruning(schedules.ConstantSparsity(0.9, 9), layers=["dense"], block_size=(4, 1)),
               MagnitudePruning(sparsity_m_by_n=(1, 2), first_step=3)]
    model.fit(tf.data.Dataset.from_tensor_slices((x, y)).batch(8), epochs=2, verbose=0,
              shuffle=False, callbacks=pruning)
    copies = [[np.array(v.value.values[i] if strategy else v.value) for v in model.variables]
              for i in range(max(replicas, 1))]
    rows = [row for each in pruning for row in each.rows]
    slots = [np.array(keras.ops.convert_to_numpy(v)) for v in model.optimizer.variables[2:]]
    found.append({"copies": [[v.astype(float).tolist() for v in copy] for copy in copies],
                  "slots": [slot.tolist() for slot in slots], "rows": [[r["step"], r["density"]] for r in rows]})
print(json.dumps(found))
"""


@pytest.mark.slow
def test_replicas_agree_with_one_device_and_with_each_other():
    """The model is a stock one; RigL and SET need a `SparseModel`, and have their own test on replicas."""
    done = processes.run(REPLICAS)
    assert done.returncode == 0, done.stderr[-3000:]
    alone, two = json.loads(done.stdout.splitlines()[-1])
    assert alone["rows"] == two["rows"] and len(alone["rows"]) == 2 * 3 + 1 + 2
    assert two["copies"][0] == two["copies"][1]
    for ours, expected in zip(two["copies"][0] + two["slots"], alone["copies"][0] + alone["slots"], strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)
        assert np.array_equal(np.array(ours) == 0, np.array(expected) == 0)


# --- errors ---------------------------------------------------------------------------------------------------------


def named(value):
    """A schedule by its class: every worker must collect the same names."""
    return type(value).__name__ if hasattr(value, "get_config") else str(value)


@pytest.mark.parametrize(
    ("schedule", "options", "error", "message"),
    [
        (None, {}, TypeError, "`schedule` must be a `PruningSchedule`.*received None"),
        (0.9, {}, TypeError, "`schedule` must be a `PruningSchedule`.*received 0.9"),
        (TFMOT.PolynomialDecay(0.9, 0.5, 1, 2), {}, ValueError, "`initial_sparsity` 0.9 and `final_sparsity` 0.5"),
        (constant(), {"block_size": (2,)}, ValueError, "`block_size` must be two whole numbers.*received \\(2,\\)"),
        (constant(), {"block_size": (0, 2)}, ValueError, "`block_size` must be .*received \\(0, 2\\)"),
        (constant(), {"block_pooling_type": "SUM"}, ValueError, "must be 'AVG' or 'MAX'; received 'SUM'"),
        (None, {"sparsity_m_by_n": (4, 2)}, ValueError, "0 < m < n.*received \\(4, 2\\)"),
        (None, {"sparsity_m_by_n": (2, 4), "block_size": (2, 2)}, ValueError, "neither `schedule` nor `block_size`"),
        (constant(), {"sparsity_m_by_n": (2, 4)}, ValueError, "neither `schedule` nor `block_size`"),
        (constant(), {"first_step": -1}, ValueError, "`first_step` must be a whole number of at least 0; received -1"),
    ],
    ids=named,
)
def test_bad_arguments_are_refused(schedule, options, error, message):
    with pytest.raises(error, match=message):
        MagnitudePruning(schedule, **options)


@pytest.mark.parametrize(
    ("schedule", "options", "message"),
    [
        (constant(), {"layers": ["hiden"]}, "Unknown masked layer 'hiden'.*Did you mean 'hidden'"),
        (constant(), {"block_size": (2, 2)}, r"cannot prune layer 'conv'.*\(3, 3, 2, 5\).*leave it out by `layers`"),
        (constant(), {"block_size": (80, 12), "layers": ["hidden"]}, "cannot prune layer 'hidden'.*rank 2"),
    ],
    ids=named,
)
def test_what_does_not_fit_the_model_is_refused_before_training(schedule, options, message):
    model = network()
    with pytest.raises(ValueError, match=message):
        fit(model, [MagnitudePruning(schedule, **options)])
    assert int(model.optimizer.iterations) == 0


def test_a_model_without_masked_layers_is_told_what_to_do():
    model = keras.Sequential([keras.Input((6, 6, 2)), keras.layers.Flatten(), keras.layers.Dense(3)])
    compiled(model, "sgd")
    with pytest.raises(ValueError, match="needs masked layers; model .* has none. Make it of `MaskedDense`"):
        fit(model, [MagnitudePruning(constant())])


def test_several_steps_in_one_execution_are_refused():
    model = network()
    compiled(model, "sgd", steps_per_execution=4)
    with pytest.raises(ValueError, match="`steps_per_execution` must be 1; received 4"):
        fit(model, [MagnitudePruning(constant())])


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("schedule", "options"), [(constant(0.5, 3, end_step=12), {}), (None, {"sparsity_m_by_n": (2, 4)})]
)
def test_a_schedule_that_was_over_before_it_pruned_anything_is_refused(schedule, options):
    model = network()
    fit(model, [], epochs=1)
    with pytest.raises(ValueError, match="the optimizer has done 12 steps, and nothing is pruned.*first_step=12"):
        fit(model, [MagnitudePruning(schedule, **options)])
    pruning = MagnitudePruning(schedule, **options, first_step=12)
    fit(model, [pruning], epochs=1)
    assert pruning.rows
    fit(model, [MagnitudePruning(schedule, **options)], epochs=1)  # pruned by now: a training that is resumed
