"""Flow on a dataset: of the loss of all of it, with batches of any size, in models of any kind."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow import (
    GradientFlow,
    MaskedDense,
    SparseModel,
    dense_gradients,
    flow_of_gradients,
    make_masks,
    measure_flow,
)

pytestmark = pytest.mark.untraced

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 6)).astype("float32"), np.arange(30) % 3
WEIGHTS = RNG.uniform(0.1, 2, 30).astype("float32")
SCE = keras.losses.SparseCategoricalCrossentropy


def network(model_class=keras.Model, **options):
    inputs = keras.Input((6,))
    hidden = MaskedDense(8, "relu", density=0.5, mask_seed=0, kernel_initializer=keras.initializers.HeNormal(0))
    head = MaskedDense(3, density=0.6, mask_seed=1, kernel_initializer=keras.initializers.HeNormal(1), **options)
    return model_class(inputs, head(hidden(inputs)))


def norm(model, data, **options):
    return measure_flow(model, data, measures=["grad_norm_2"], **options)[-1]["value"]


def batched(data, size):
    return tf.data.Dataset.from_tensor_slices(data).batch(size)


def norm_of(model, loss):
    """The norm of the gradient of a loss that is written out, of the kernels' effective values."""
    kernels = [layer.kernel for layer in model.layers if isinstance(layer, MaskedDense)]
    with dense_gradients(model), tf.GradientTape() as tape:
        value = loss()
        gradients = tape.gradient(value, kernels)
    return float(np.sqrt(sum(np.sum(np.square(gradient)) for gradient in gradients)))


# --- one dataset, many batchings --------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "reduction",
    [
        "sum_over_batch_size",
        "mean",
        "sum",
        pytest.param("mean_with_sample_weight", marks=pytest.mark.untraced(False)),
    ],
)
def test_it_is_the_gradient_of_the_loss_of_all_examples(reduction, weighted):
    model = network()
    model.compile("sgd", SCE(from_logits=True, reduction=reduction))
    weights = WEIGHTS if weighted else np.ones(30, "float32")
    data = (X, Y, WEIGHTS) if weighted else (X, Y)
    divisor = {"sum": 1, "mean_with_sample_weight": weights.sum()}.get(reduction, 30)

    def loss():
        losses = keras.losses.sparse_categorical_crossentropy(Y, model(X), from_logits=True)
        return tf.reduce_sum(weights * losses) / divisor

    expected = norm_of(model, loss)
    assert norm(model, data) == pytest.approx(expected, rel=1e-5)
    for size in (7, 30):
        assert norm(model, batched(data, size)) == pytest.approx(expected, rel=1e-5)
    assert norm(model, data, batch_size=4) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_padding_takes_no_part(reduction):
    tokens, labels = RNG.integers(1, 5, (12, 5)), RNG.integers(0, 3, (12, 5))
    for row in range(12):
        tokens[row, 1 + row % 4 :] = 0
    inputs = keras.Input((5,), dtype="int32")
    embedded = keras.layers.Embedding(5, 6, mask_zero=True)(inputs)
    model = keras.Model(inputs, MaskedDense(3, density=0.5, mask_seed=0)(embedded))
    model.compile("sgd", SCE(from_logits=True, reduction=reduction))
    valid = tokens != 0

    def loss():
        losses = keras.losses.sparse_categorical_crossentropy(labels, model(tokens), from_logits=True)
        return tf.reduce_sum(tf.where(valid, losses, 0)) / (1 if reduction == "sum" else valid.sum())

    expected = norm_of(model, loss)
    for size in (12, 5):
        assert norm(model, batched((tokens, labels), size)) == pytest.approx(expected, rel=1e-5)


def test_terms_of_a_loss_are_weighted_each_by_its_own():
    inputs = {"one": keras.Input((6,), name="one"), "other": keras.Input((6,), name="other")}
    hidden = MaskedDense(8, "relu", density=0.5, mask_seed=0)(keras.layers.Concatenate()(list(inputs.values())))
    outputs = [MaskedDense(3, density=0.5, mask_seed=1)(hidden), keras.layers.Dense(2, name="second")(hidden)]
    model = keras.Model(inputs, outputs)
    losses = [
        SCE(from_logits=True, reduction="mean_with_sample_weight"),
        keras.losses.MeanSquaredError(reduction="sum"),
    ]
    targets = RNG.normal(size=(30, 2)).astype("float32")
    data = ({"one": X, "other": X[::-1].copy()}, (Y, targets), (WEIGHTS, WEIGHTS))

    def loss():
        logits, values = model(data[0])
        first = keras.losses.sparse_categorical_crossentropy(Y, logits, from_logits=True)
        second = tf.reduce_mean((values - targets) ** 2, axis=1)
        return 0.5 * tf.reduce_sum(WEIGHTS * first) / WEIGHTS.sum() + 2.0 * tf.reduce_sum(WEIGHTS * second)

    model.compile("sgd", losses, loss_weights=[0.5, 2.0])
    with dense_gradients(model), tf.GradientTape() as tape:
        value = loss()
        kernels = [variable for variable in model.trainable_variables if variable.name == "kernel"]
        gradients = tape.gradient(value, kernels)
    expected = np.sqrt(sum(np.sum(np.square(gradient)) for gradient in gradients))
    for size in (30, 7):
        assert norm(model, batched(data, size)) == pytest.approx(expected, rel=1e-5)
    assert norm(model, data) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_regularisers_and_losses_of_layers_count_once_and_with_the_total_cost_alone(reduction):
    model = network(kernel_regularizer=keras.regularizers.L2(0.3), activity_regularizer=keras.regularizers.L2(0.2))
    model.compile("sgd", SCE(from_logits=True, reduction=reduction))
    head = model.layers[-1]

    def data_loss():
        losses = keras.losses.sparse_categorical_crossentropy(Y, model(X), from_logits=True)
        return tf.reduce_sum(losses) / (1 if reduction == "sum" else 30)

    def total():
        added = 0.2 * tf.reduce_sum(model(X) ** 2) / 30 + 0.3 * tf.reduce_sum(tf.square(head.kernel))
        return data_loss() + added

    for size in (30, 7):
        assert norm(model, batched((X, Y), size), cost="data") == pytest.approx(norm_of(model, data_loss), rel=1e-5)
        assert norm(model, batched((X, Y), size)) == pytest.approx(norm_of(model, total), rel=1e-5)


@pytest.mark.untraced(False)
def test_nothing_changes_not_even_metrics():
    inputs = keras.Input((6,))
    outputs = [keras.layers.Dense(3)(keras.layers.BatchNormalization()(inputs)), keras.layers.Dense(3)(inputs)]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", [SCE(from_logits=True)] * 2, metrics=[["accuracy"], ["accuracy"]])
    model.fit(X, [Y, Y], verbose=0)
    before = [np.array(v) for v in (*model.variables, *model.metrics_variables)]
    measure_flow(model, (X, [Y, Y]), training=True)
    after = [np.array(v) for v in (*model.variables, *model.metrics_variables)]
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


# --- models and data of every kind ------------------------------------------------------------------------------


def test_a_model_that_is_not_compiled_is_given_a_loss():
    model, compiled = network(), network()
    compiled.set_weights(model.get_weights())
    compiled.compile("sgd", SCE(from_logits=True))
    with pytest.raises(ValueError, match="`loss` must be given, because .* is not compiled"):
        measure_flow(model, (X, Y))
    assert norm(model, (X, Y), loss=SCE(from_logits=True)) == pytest.approx(norm(compiled, (X, Y)), rel=1e-6)


class OwnLoss:
    """A model whose `compute_loss` is of the kind that Keras had before `training` was an argument."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return tf.reduce_mean((y_pred - tf.one_hot(y, 3)) ** 2) + sum(self.losses)


@pytest.mark.parametrize("base", [keras.Model, SparseModel])
def test_a_loss_of_the_models_own_is_measured_and_scores_ask_for_one(base):
    model = network(type("Own", (OwnLoss, base), {}), kernel_regularizer=keras.regularizers.L2(0.1))
    model.compile("sgd")
    expected = norm_of(model, lambda: model.compute_loss(X, Y, model(X)))
    assert norm(model, batched((X, Y), 10)) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="`cost` must be 'total': Own has a `compute_loss` of its own"):
        measure_flow(model, (X, Y), cost="data")
    with pytest.raises(ValueError, match="`loss` must be given: Own has a `compute_loss` of its own"):
        make_masks(model, 0.5, score="snip", data=(X, Y))
    assert make_masks(model, 0.5, score="snip", data=(X, Y), loss=SCE(from_logits=True))
    model.fit(X, Y, verbose=0, callbacks=[GradientFlow(data=(X, Y))])


class OwnStep(SparseModel):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


def test_a_step_of_the_models_own_that_records_nothing_is_an_error_and_a_probe_says_which_loss_it_takes():
    model = network(OwnStep)
    model.compile("adam", SCE(from_logits=True))
    with pytest.raises(ValueError, match="The training steps of OwnStep record no gradient flow"):
        model.fit(X, Y, verbose=0, callbacks=[GradientFlow()])
    with pytest.warns(UserWarning, match="OwnStep has a `train_step` of its own, .* the compiled one"):
        measure_flow(model, (X, Y))
    assert norm(model, (X, Y), loss=SCE(from_logits=True)) > 0


def test_a_step_cannot_tell_the_datas_loss_from_activity_regularisers():
    model = network(SparseModel, activity_regularizer="l2")
    model.compile("sgd", SCE(from_logits=True))
    with pytest.raises(ValueError, match="`cost` must be 'total': layers of .* add losses"):
        model.fit(X, Y, verbose=0, callbacks=[GradientFlow(cost="data")])


@pytest.mark.parametrize(
    ("epochs", "message"),
    [
        ([5], r"in \[0, 1\], the epochs of this training; received 5"),
        ([-1], "a sequence of integers, at least 0; received"),
        (["0"], "a sequence of integers, at least 0; received"),
        ("01", "a sequence of integers, at least 0; received"),
        (1, "a sequence of integers, at least 0; received 1"),
        ([0.5], "a sequence of integers, at least 0; received"),
    ],
)
def test_epochs_that_never_come_are_refused(epochs, message):
    model = network()
    model.compile("sgd", SCE(from_logits=True))
    with pytest.raises(ValueError, match=f"`epochs` must be {message}"):
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[GradientFlow(data=(X, Y), epochs=epochs)])


def test_several_fits_that_make_one_training_say_how_many_epochs_there_are():
    model, flow = network(), GradientFlow(data=(X, Y), epochs=[0, 2], total_epochs=3)
    model.compile("sgd", SCE(from_logits=True))
    for first, last in ((0, 1), (1, 3)):
        model.fit(X, Y, initial_epoch=first, epochs=last, verbose=0, callbacks=[flow])
    assert {row["epoch"] for row in flow.rows} == {0, 2}


def test_data_without_end_or_of_another_kind_are_refused():
    model = network()
    model.compile("sgd", SCE(from_logits=True))
    with pytest.raises(ValueError, match="`data` must end"):
        measure_flow(model, batched((X, Y), 8).repeat())
    with pytest.raises(ValueError, match="`data` must be arrays .* received list"):
        measure_flow(model, [X, Y])
    with pytest.raises(ValueError, match="at least one example"):
        measure_flow(model, batched((X, Y), 8).take(0))
    with pytest.raises(ValueError, match="`batch_size` must be at least 1; received 0"):
        measure_flow(model, (X, Y), batch_size=0)


# --- loops of one's own -----------------------------------------------------------------------------------------


def test_gradients_of_a_loop_of_ones_own_have_the_flow_of_a_probe():
    model = network()
    model.compile("sgd", SCE(from_logits=True))
    with dense_gradients(model), tf.GradientTape() as tape:
        loss = model.compute_loss(X, Y, model(X))
        gradients = tape.gradient(loss, model.trainable_variables)
    rows, probed = flow_of_gradients(model, gradients, epoch=3, reading="end"), measure_flow(model, (X, Y), epoch=3)
    assert [row.keys() for row in rows] == [row.keys() for row in probed]
    for row, other in zip(rows, probed, strict=True):
        assert row["value"] == pytest.approx(other["value"], rel=1e-5)
        assert row | {"value": 0} == other | {"value": 0}
    assert {row["reading"] for row in flow_of_gradients(model, gradients)} == {"steps"}
    with pytest.raises(ValueError, match="`readings` must list at least one of steps, end; received .'start'."):
        flow_of_gradients(model, gradients, reading="start")
    with pytest.raises(ValueError, match="must hold 4, one for each trainable variable .* received 3"):
        flow_of_gradients(model, gradients[:3])
