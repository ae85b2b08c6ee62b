"""Masked layers: exact counts, the invariant of zero, and masks that survive."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import (
    MaskedConv1D,
    MaskedConv2D,
    MaskedConv3D,
    MaskedDense,
    MaskedDepthwiseConv2D,
    MaskedEinsumDense,
)
from keras_sparseflow.layers.mask.variables import KEEP_ZEROS
from keras_sparseflow.training import SparseModel
from tests.backend import BACKEND, EACH_MODEL_CLASS, MODEL_CLASS, not_on

CASES = {
    "dense": (MaskedDense, keras.layers.Dense, {"units": 5}, (7,)),
    "conv1d": (MaskedConv1D, keras.layers.Conv1D, {"filters": 4, "kernel_size": 3}, (9, 5)),
    "conv2d": (MaskedConv2D, keras.layers.Conv2D, {"filters": 4, "kernel_size": 3, "strides": 2}, (9, 9, 5)),
    "conv3d": (MaskedConv3D, keras.layers.Conv3D, {"filters": 2, "kernel_size": 2}, (4, 4, 4, 3)),
    "depthwise": (MaskedDepthwiseConv2D, keras.layers.DepthwiseConv2D, {"kernel_size": 3}, (9, 9, 5)),
    "einsum": (
        MaskedEinsumDense,
        keras.layers.EinsumDense,
        {"equation": "abc,cde->abde", "output_shape": (4, 2, 3), "bias_axes": "de"},
        (4, 5),
    ),
}
OF_A_PROPERTY = not_on("torch", "PyTorch's modules put an AttributeError of their own in place of a property's.")
EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def batch(shape, seed=0):
    return np.random.default_rng(seed).normal(size=(6, *shape)).astype("float32")


def stored(layer):
    return keras.ops.convert_to_numpy(layer.kernel)


def mask_of(layer):
    return keras.ops.convert_to_numpy(layer.mask)


@EACH
def test_count_is_exact_and_inactive_weights_are_zero(case):
    masked, _, arguments, shape = case
    layer = masked(**arguments, density=0.37, mask_seed=1)
    layer(batch(shape))
    assert layer.active_count == mask_of(layer).sum() == round(0.37 * mask_of(layer).size)
    assert layer.density == layer.active_count / mask_of(layer).size
    assert not stored(layer)[~mask_of(layer)].any() and stored(layer)[mask_of(layer)].all()
    assert not layer.mask.trainable and keras.backend.standardize_dtype(layer.mask.dtype) == "bool"


@EACH
def test_output_is_the_stock_layers_with_zeros_in_place(case):
    masked, stock, arguments, shape = case
    layer, twin = (
        masked(**arguments, density=0.5, mask_seed=0, activation="relu"),
        stock(**arguments, activation="relu"),
    )
    inputs = batch(shape)
    layer(inputs), twin(inputs)
    twin.set_weights([stored(layer), keras.ops.convert_to_numpy(layer.bias)])
    np.testing.assert_allclose(layer(inputs), twin(inputs), rtol=1e-6)


@EACH
def test_density_one_is_the_stock_layer(case):
    masked, stock, arguments, shape = case
    initializer = keras.initializers.GlorotUniform(seed=3)
    name = "depthwise_initializer" if masked is MaskedDepthwiseConv2D else "kernel_initializer"
    layer, twin = masked(**arguments, **{name: initializer}), stock(**arguments, **{name: initializer})
    inputs = batch(shape)
    np.testing.assert_array_equal(layer(inputs), twin(inputs))
    assert layer.density == 1


def test_mask_depends_on_mask_seed_and_not_on_the_global_seed():
    masks = []
    for global_seed, mask_seed in ((0, 5), (1, 5), (1, 6)):
        keras.utils.set_random_seed(global_seed)
        layer = MaskedDense(8, density=0.5, mask_seed=mask_seed)
        layer.build((None, 8))
        masks.append(mask_of(layer))
    assert np.array_equal(masks[0], masks[1]) and not np.array_equal(masks[1], masks[2])


def test_layers_without_mask_seed_differ():
    layers = [MaskedDense(16, density=0.5) for _ in range(2)]
    for layer in layers:
        layer.build((None, 16))
    assert not np.array_equal(*map(mask_of, layers))


@pytest.mark.parametrize("density", [90, -1, "half"])
def test_bad_density_is_refused_when_the_layer_is_made(density):
    with pytest.raises(ValueError, match=r"`density` must be in \[0, 1\]"):
        MaskedDense(3, density=density)


# --- changing the mask ------------------------------------------------------------------------------------------


def test_set_mask_zeroes_what_becomes_inactive_and_starts_new_weights_at_zero():
    layer = MaskedDense(2, density=0.5, mask_seed=0, use_bias=False)
    layer.build((None, 2))
    layer.set_mask([[1, 1], [0, 0]])
    layer.kernel.assign([[1.0, 2.0], [0.0, 0.0]])
    layer.set_mask(np.array([[True, False], [True, False]]))
    np.testing.assert_array_equal(stored(layer), [[1, 0], [0, 0]])
    assert layer.active_count == 2


def test_set_mask_refuses_another_shape_other_values_and_an_unbuilt_layer():
    layer = MaskedDense(2)
    with pytest.raises(AttributeError, match="`set_mask` needs the kernel.*built"):
        layer.set_mask(np.ones((2, 2)))
    layer.build((None, 2))
    with pytest.raises(ValueError, match=r"shape \(2, 2\); received \(4,\)"):
        layer.set_mask(np.ones(4))
    with pytest.raises(ValueError, match="received .*0.3"):
        layer.set_mask(np.full((2, 2), 0.3))
    assert layer.density == 1


@OF_A_PROPERTY
def test_active_count_of_an_unbuilt_layer_is_a_clear_error_and_density_is_what_was_asked_for():
    layer = MaskedDense(2, density=0.25)
    assert layer.density == 0.25
    with pytest.raises(AttributeError, match="`active_count` needs the kernel"):
        _ = layer.active_count


SLOTTED = {"momentum": 0, "adam": 0, "rmsprop": 0, "adagrad": 0.1, "ftrl": 0.1}
"""Initial value of each optimizer's slots other than averages and moments, which are zero."""


@pytest.mark.untraced
@pytest.mark.parametrize("name", SLOTTED)
@pytest.mark.parametrize(
    "how",
    [
        "the optimizer is passed",
        pytest.param("a SparseModel begins to fit", marks=pytest.mark.tensorflow("SparseModel")),
    ],
)
def test_weights_do_not_grow_again_after_the_mask_of_a_trained_layer_changes(how, name):
    """Slots of weights that become inactive return to what they began with, averages too."""
    layer = MaskedDense(6, density=0.5, mask_seed=0)
    inputs = keras.Input((8,))
    model = (SparseModel if how.startswith("a") else keras.Model)(inputs, layer(inputs))
    # On JAX a second `fit` with averages fails in Keras, for stock layers too.
    averages = {} if BACKEND == "jax" else {"use_ema": True, "ema_overwrite_frequency": 2}
    optimizer = OPTIMIZERS[name](**averages)
    model.compile(optimizer, "mse")
    x, y = batch((8,)), batch((6,), seed=1)
    model.fit(x, y, epochs=2, verbose=0)
    layer.set_mask(np.roll(mask_of(layer), 1), None if how.startswith("a") else optimizer)
    model.fit(x, y, epochs=2, verbose=0)
    inactive = ~mask_of(layer)
    assert not stored(layer)[inactive].any()
    slots = [v for v in optimizer.variables if tuple(v.shape) == layer.mask.shape]
    found = {float(value) for slot in slots for value in np.unique(keras.ops.convert_to_numpy(slot)[inactive])}
    first = float(np.float32(SLOTTED[name]))
    assert {first} <= found <= {first, 0.0}
    assert np.isfinite(stored(layer)).all()


def test_set_weights_goes_through_the_mask_that_comes_with_them_and_clones_keep_it():
    source, target = (MaskedDense(5, density=0.5, mask_seed=seed) for seed in (1, 2))
    for layer in (source, target):
        layer.build((None, 4))
    kernel, bias, mask = source.get_weights()
    target.set_weights([np.ones_like(kernel), bias, mask])
    assert np.array_equal(stored(target), mask.astype("float32"))
    clone = MaskedDense.from_config(target.get_config())
    clone.build((None, 4))
    assert np.array_equal(mask_of(clone), mask)


@OF_A_PROPERTY
def test_the_kernel_of_an_unbuilt_layer_is_a_clear_error():
    with pytest.raises(AttributeError, match="`kernel` needs the kernel of layer"):
        _ = MaskedDense(3).kernel


# --- the invariant ----------------------------------------------------------------------------------------------

OPTIMIZERS = {
    "sgd": lambda **k: keras.optimizers.SGD(0.1, **k),
    "momentum": lambda **k: keras.optimizers.SGD(0.1, momentum=0.9, **k),
    "nesterov": lambda **k: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True, **k),
    "adam": lambda **k: keras.optimizers.Adam(0.01, **k),
    "amsgrad": lambda **k: keras.optimizers.Adam(0.01, amsgrad=True, **k),
    "adamw": lambda **k: keras.optimizers.AdamW(0.01, **k),
    "adagrad": lambda **k: keras.optimizers.Adagrad(0.1, **k),
    "rmsprop": lambda **k: keras.optimizers.RMSprop(0.01, **k),
    "centered_rmsprop": lambda **k: keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True, **k),
    "adadelta": lambda **k: keras.optimizers.Adadelta(1.0, **k),
    "lion": lambda **k: keras.optimizers.Lion(0.001, **k),
    "ftrl": lambda **k: keras.optimizers.Ftrl(0.1, **k),
    "nadam": lambda **k: keras.optimizers.Nadam(0.01, **k),
    "adamax": lambda **k: keras.optimizers.Adamax(0.01, **k),
    "lamb": lambda **k: keras.optimizers.Lamb(0.01, **k),
    "schedule_free_adamw": lambda **k: keras.optimizers.ScheduleFreeAdamW(0.01, **k),
    "muon": lambda **k: keras.optimizers.Muon(0.01, **k),
}
READS_MASKS = not_on("jax", "On JAX an optimizer's step cannot read a mask; see tests/test_backends.py.")
OPTIMIZER_OPTIONS = {
    "clipnorm": {"clipnorm": 0.1},
    "global_clipnorm": {"global_clipnorm": 0.1},
    "ema": {"use_ema": True, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 2},
    "weight_decay": {"weight_decay": 0.01},
}


def classifier(model_class=keras.Model, dtype=None, **dense_arguments):
    inputs = keras.Input((6, 6, 2))
    x = MaskedConv2D(5, 3, density=0.4, mask_seed=0, activation="relu", dtype=dtype)(inputs)
    x = keras.layers.BatchNormalization(dtype=dtype)(x)
    x = MaskedDepthwiseConv2D(2, density=0.5, mask_seed=1, dtype=dtype)(x)
    x = keras.layers.Flatten()(x)
    x = MaskedDense(11, density=0.3, mask_seed=2, activation="relu", dtype=dtype, **dense_arguments)(x)
    return model_class(inputs, MaskedDense(3, density=0.6, mask_seed=3, dtype=dtype)(x))


def check_invariant(model, steps=5, **compile_arguments):
    """Trains, then checks every masked kernel and every slot of it, and that active weights did move.

    Lion's steps have one length, so that an even number of them may lead a weight back to where it was.
    """
    layers = [layer for layer in model.layers if hasattr(layer, "mask")]
    before = [(stored(layer), mask_of(layer)) for layer in layers]
    optimizer = compile_arguments["optimizer"]
    optimizer.build(model.trainable_variables)
    slots = [(v, keras.ops.convert_to_numpy(v)) for v in optimizer.variables]
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), **compile_arguments)
    x, y = batch((6, 6, 2))[np.arange(8 * steps) % 6], np.arange(8 * steps) % 3
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    for layer, (kernel, mask) in zip(layers, before, strict=True):
        assert np.array_equal(mask_of(layer), mask)
        assert not stored(layer)[~mask].any(), f"{layer.name}: inactive weights moved"
        assert np.mean(stored(layer)[mask] != kernel[mask]) > 0.5, f"{layer.name}: active weights did not train"
        for slot, first in slots:
            if first.shape == mask.shape:
                inactive = keras.ops.convert_to_numpy(slot)[~mask]
                assert np.all(inactive == first[~mask]), f"{slot.path}: inactive entries moved"


# A step of a `SparseModel` differs in its gradients alone, so one optimizer of each kind of slot will do there.
UNDER = [*((name, keras.Model) for name in OPTIMIZERS), *((name, MODEL_CLASS) for name in ("adam", "ftrl", "muon"))]


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("name", "model_class"),
    [pytest.param(*each, marks=READS_MASKS if each[0] == "muon" else ()) for each in dict.fromkeys(UNDER)],
)
def test_inactive_entries_stay_zero_under_every_optimizer(name, model_class):
    check_invariant(classifier(model_class), optimizer=OPTIMIZERS[name]())


def several(**k):
    """Muon for some kernels and Adagrad, whose slots do not begin at zero, for others."""
    adagrad = keras.optimizers.Adagrad(0.1, **k)
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(adagrad, {".*dense.*": OPTIMIZERS["muon"](**k)})
    )


@READS_MASKS
@pytest.mark.untraced
@EACH_MODEL_CLASS
def test_inactive_entries_stay_zero_under_several_optimizers(model_class):
    check_invariant(classifier(model_class), optimizer=several())


def test_every_optimizer_that_keras_ships_is_tried_or_refused():
    shipped = {each for each in vars(keras.optimizers).values() if isinstance(each, type)}
    no_steps_of_their_own = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"}
    shipped = {each for each in shipped if each.__name__ not in {*no_steps_of_their_own, "Adafactor"}}
    # On PyTorch Keras makes optimizers of classes that it does not ship by name.
    assert shipped == {getattr(keras.optimizers, type(make()).__name__) for make in OPTIMIZERS.values()}
    assert shipped - KEEP_ZEROS == {keras.optimizers.Muon} and shipped >= KEEP_ZEROS


class Noise(keras.optimizers.SGD):
    """Stands for an optimizer of somebody else: it moves every weight."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient + 1.0, variable, learning_rate)


@pytest.mark.tensorflow("a loop with tf.GradientTape")
@pytest.mark.parametrize("make", [OPTIMIZERS["muon"], lambda: Noise(0.1)], ids=["muon", "somebody's own"])
def test_the_mask_holds_in_a_loop_of_ones_own_too(make):
    import tensorflow as tf

    layer = MaskedDense(3, density=0.4, mask_seed=0)
    layer.build((None, 7))
    optimizer, x = make(), batch((7,))
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x) ** 2)
        optimizer.apply(tape.gradient(loss, [v.value for v in layer.trainable_variables]), layer.trainable_variables)
        assert np.array_equal(stored(layer) != 0, mask_of(layer))


@EACH_MODEL_CLASS
@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (keras.optimizers.Adafactor, "received Adafactor, which divides by products"),
        (lambda: keras.optimizers.Muon(use_ema=True), r"received Muon, .* its averages \(`use_ema`\)"),
        (lambda: Noise(0.1, use_ema=True), r"received Noise, .* its averages"),
    ],
    ids=["adafactor", "muon with averages", "somebody's own with averages"],
)
@not_on("jax", "Where a first step fails on JAX, Keras leaves variables without values.")
@not_on("torch", "A step is taken there before an optimizer looks at constraints.")
def test_an_optimizer_that_cannot_keep_a_mask_is_refused_before_the_first_step(optimizer, message, model_class):
    model = classifier(model_class)
    before = [stored(layer) for layer in model.layers if hasattr(layer, "mask")]
    model.compile(optimizer(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match=message):
        model.fit(batch((6, 6, 2)), np.arange(6) % 3, verbose=0)
    after = [stored(layer) for layer in model.layers if hasattr(layer, "mask")]
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


class Halving(keras.optimizers.SGD):
    """Stands for an optimizer of somebody else that says of itself what those of Keras are known for."""

    keeps_zeros = True

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient / 2, variable, learning_rate)


@READS_MASKS
@pytest.mark.untraced
def test_an_optimizer_of_ones_own_may_say_that_it_keeps_zeros():
    check_invariant(classifier(), optimizer=Halving(0.1, use_ema=True))  # refused of any that may move zeros


@READS_MASKS
@not_on("torch", "A step is taken there before an optimizer looks at constraints.")
def test_a_subclass_must_say_so_itself():
    class Moving(Halving):
        pass

    with pytest.raises(ValueError, match="received Moving, .* its averages"):
        check_invariant(classifier(), optimizer=Moving(0.1, use_ema=True))


@pytest.mark.parametrize(
    "option",  # in a graph averages and accumulation are branches
    [
        pytest.param(option, marks=() if option in ("ema", "accumulation") else pytest.mark.untraced)
        for option in OPTIMIZER_OPTIONS
    ],
)
def test_inactive_entries_stay_zero_under_every_optimizer_option(option):
    check_invariant(classifier(), optimizer=OPTIMIZERS["adam"](**OPTIMIZER_OPTIONS[option]))


@EACH_MODEL_CLASS
@pytest.mark.parametrize(
    "precision",  # in a graph a loss scale is a branch
    [pytest.param("mixed_bfloat16", marks=pytest.mark.untraced), "mixed_float16"],
)
def test_inactive_entries_stay_zero_in_mixed_precision(precision, model_class):
    model = classifier(model_class, dtype=precision)
    optimizer = keras.optimizers.Adam(0.01)
    if precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**10)
    check_invariant(model, optimizer=optimizer)


@EACH_MODEL_CLASS
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"jit_compile": True},
        pytest.param({"steps_per_execution": 3}, marks=not_on("torch", "Keras takes one step at a time there.")),
        {"run_eagerly": True},
    ],
)
def test_inactive_entries_stay_zero_however_the_step_is_compiled(arguments, model_class):
    check_invariant(classifier(model_class), optimizer=keras.optimizers.SGD(0.1, momentum=0.9), **arguments)


@pytest.mark.untraced
@EACH_MODEL_CLASS
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_regularizer": keras.regularizers.L1L2(0.01, 0.01)},
        {"kernel_regularizer": keras.regularizers.OrthogonalRegularizer(0.1)},
        {"kernel_constraint": keras.constraints.MaxNorm(0.5)},
        {"kernel_constraint": lambda kernel: kernel + 0.01},
    ],
)
def test_inactive_entries_stay_zero_with_regularizers_and_constraints(arguments, model_class):
    check_invariant(classifier(model_class, **arguments), optimizer=keras.optimizers.Adam(0.01))


@pytest.mark.untraced
def test_infinite_gradients_of_a_diverging_run_leave_inactive_entries_zero():
    layer = MaskedDense(4, density=0.5, mask_seed=0)
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.SGD(1e30, momentum=0.9), "mse")
    model.fit(1e10 * batch((4,)), batch((4,)), epochs=5, verbose=0)
    assert not np.isfinite(stored(layer)).all() and not stored(layer)[~mask_of(layer)].any()


@pytest.mark.untraced
def test_a_weight_that_is_zero_by_chance_still_trains():
    """Masks are never inferred from zero weights."""
    layer = MaskedDense(3, density=0.5, mask_seed=0, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile("sgd", "mse")
    model.fit(batch((4,)), batch((3,)), epochs=1, verbose=0)
    assert np.array_equal(stored(layer) != 0, mask_of(layer))


# --- surviving --------------------------------------------------------------------------------------------------


def trained_with_set_mask(case):
    """A trained one-layer model whose mask is not the one its seed gives."""
    masked, _, arguments, shape = case
    model = keras.Sequential(
        [keras.Input(shape), masked(**arguments, density=0.5, mask_seed=4), keras.layers.Flatten()]
    )
    layer = model.layers[0]
    layer.set_mask(np.roll(mask_of(layer), 1))
    model.compile("adam", "mse")
    model.fit(batch(shape), np.zeros(model(batch(shape)).shape), epochs=1, verbose=0)
    return model, batch(shape)


@pytest.mark.untraced
@EACH
def test_mask_survives_a_keras_file(case, tmp_path):
    model, inputs = trained_with_set_mask(case)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(mask_of(loaded.layers[0]), mask_of(model.layers[0]))
    np.testing.assert_array_equal(loaded.predict(inputs, verbose=0), model.predict(inputs, verbose=0))


@pytest.mark.untraced
@EACH
def test_mask_survives_a_weights_file(case, tmp_path):
    model, inputs = trained_with_set_mask(case)
    masked, _, arguments, shape = case
    other = keras.Sequential(
        [keras.Input(shape), masked(**arguments, density=0.1, mask_seed=9), keras.layers.Flatten()]
    )
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    assert np.array_equal(mask_of(other.layers[0]), mask_of(model.layers[0]))
    np.testing.assert_array_equal(other.predict(inputs, verbose=0), model.predict(inputs, verbose=0))
    again = keras.models.clone_model(other)
    assert np.array_equal(mask_of(again.layers[0]), mask_of(model.layers[0])), "the loaded mask joins the config"


@pytest.mark.untraced
@EACH
def test_mask_survives_clone_model_and_from_config(case):
    model, _ = trained_with_set_mask(case)
    clone = keras.models.clone_model(model)
    again = type(model.layers[0]).from_config(model.layers[0].get_config())
    again.build(model.input_shape)
    for layer in (clone.layers[0], again):
        assert np.array_equal(mask_of(layer), mask_of(model.layers[0]))


def test_random_mask_survives_clone_model_without_an_explicit_seed_and_without_being_stored():
    model = keras.Sequential([keras.Input((8,)), MaskedDense(8, density=0.5)])
    clone = keras.models.clone_model(model)
    assert np.array_equal(mask_of(clone.layers[0]), mask_of(model.layers[0]))
    assert "mask" not in model.layers[0].get_config()


def test_every_argument_of_the_stock_layer_is_kept():
    arguments = {"units": 3, "activation": "tanh", "use_bias": False, "kernel_constraint": "non_neg", "name": "kept"}
    config = MaskedDense(**arguments, density=0.5, mask_seed=1).get_config()
    stock = keras.layers.Dense(**arguments).get_config()
    assert {name: config[name] for name in stock} == stock
    assert (config["density"], config["mask_seed"]) == (0.5, 1)


def test_lora_stays_within_the_mask_and_merges_into_the_saved_kernel(tmp_path):
    layer = MaskedDense(6, density=0.5, mask_seed=0)
    layer.build((None, 6))
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(np.ones(layer.lora_kernel_b.shape))
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    assert not kernel[~mask_of(layer)].any() and kernel[mask_of(layer)].all()
    model = keras.Sequential([keras.Input((6,)), layer])
    model.save(tmp_path / "lora.keras")
    loaded = keras.models.load_model(tmp_path / "lora.keras")
    np.testing.assert_allclose(loaded(np.eye(6, dtype="float32")), model(np.eye(6, dtype="float32")), rtol=1e-6)
    assert np.array_equal(mask_of(loaded.layers[0]), mask_of(layer))


@pytest.mark.untraced
def test_masks_of_nested_shared_and_frozen_layers_hold_and_survive(tmp_path):
    shared = MaskedDense(4, density=0.5, mask_seed=0, name="shared")
    inner = [MaskedDense(4, density=0.5, mask_seed=seed) for seed in (1, 3)]
    block = keras.Sequential([keras.Input((4,)), *inner], name="block")
    frozen = MaskedDense(4, density=0.5, mask_seed=2, name="frozen", trainable=False)
    inputs = keras.Input((3, 4))
    x = keras.layers.TimeDistributed(block)(inputs)
    model = MODEL_CLASS(inputs, shared(frozen(shared(x))))
    before = stored(frozen)
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.fit(batch((3, 4)), batch((3, 4), seed=1), epochs=3, verbose=0)
    for layer in (shared, *inner, frozen):
        assert not stored(layer)[~mask_of(layer)].any()
    assert np.array_equal(stored(frozen), before)
    model.save(tmp_path / "nested.keras")
    loaded = keras.models.load_model(tmp_path / "nested.keras")
    np.testing.assert_array_equal(loaded.predict(batch((3, 4)), verbose=0), model.predict(batch((3, 4)), verbose=0))


def test_loading_sets_inactive_weights_of_a_tampered_file_to_zero(tmp_path):
    import h5py

    model = keras.Sequential([keras.Input((4,)), MaskedDense(4, density=0.5, mask_seed=0, use_bias=False)])
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5", "r+") as file:
        file["layers/masked_dense/vars/0"][...] = 1.0
    model.load_weights(tmp_path / "m.weights.h5")
    assert np.array_equal(stored(model.layers[0]), mask_of(model.layers[0]))
