"""The loss of the data: given, compiled, or the default, and what must be said."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_sparseflow.masks.scores.objective import objective_of
from tests.backend import ON_TENSORFLOW

layers = keras.layers
LOGITS, LABELS = np.array([[1.0, 0, 2], [0, 0, 1]], "float32"), np.array([2, 0])
CROSS_ENTROPY = np.mean(np.log(np.exp(LOGITS).sum(1)) - LOGITS[[0, 1], LABELS])


def model(**arguments):
    return keras.Sequential([keras.Input((2,)), layers.Dense(3, **arguments)], name="net")


def value(objective, y=LABELS, sample_weight=None):
    return float(objective.function(y, LOGITS, sample_weight))


def test_the_default_is_the_mean_cross_entropy_of_integer_labels_from_logits():
    objective = objective_of(model())
    assert value(objective) == pytest.approx(CROSS_ENTROPY) and not objective.takes_probabilities
    wide = [("float64", "float64")] if ON_TENSORFLOW else []  # Keras keeps it on TensorFlow alone
    for dtype, expected in (("bfloat16", "float32"), *wide):
        loss = objective.function(LABELS, keras.ops.cast(LOGITS, dtype), None)
        assert keras.backend.standardize_dtype(loss.dtype) == expected


def test_the_compiled_loss_is_taken_without_regularisation_and_a_given_one_before_it():
    network = model(kernel_regularizer="l2")
    network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"))
    objective = objective_of(network)
    assert value(objective) == pytest.approx(2 * CROSS_ENTROPY)
    given = objective_of(network, "mse")
    assert value(given, LOGITS + 1) == pytest.approx(1)
    assert value(given, LOGITS + 1, np.array([4.0, 0])) == pytest.approx(2)


@pytest.mark.parametrize(
    ("loss", "probabilities"),
    [
        ("sparse_categorical_crossentropy", True),
        (keras.losses.SparseCategoricalCrossentropy(), True),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), False),
        (keras.losses.BinaryCrossentropy(), True),
        (keras.losses.MeanSquaredError(), False),
        (lambda y, p: keras.ops.sum(p, axis=1), False),
    ],
)
def test_losses_of_probabilities_are_known_given_or_compiled(loss, probabilities):
    network = model()
    network.compile("sgd", loss)
    assert objective_of(network).takes_probabilities == probabilities
    assert objective_of(model(), loss).takes_probabilities == probabilities


def test_a_loss_must_be_given_where_the_default_would_be_wrong():
    with pytest.raises(ValueError, match="'net' ends in a softmax"):
        objective_of(model(activation="softmax"))
    with pytest.raises(ValueError, match="'net' ends in a softmax"):
        objective_of(keras.Sequential([keras.Input((2,)), layers.Dense(3), layers.Softmax()], name="net"))
    inputs = keras.Input((2,))
    with pytest.raises(ValueError, match="'two' has 2 outputs"):
        objective_of(keras.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(3)(inputs)], name="two"))


@pytest.mark.tensorflow("tf.distribute")
def test_within_a_strategy_a_loss_is_the_whole_batchs(monkeypatch):
    """Keras divides a loss by the replicas, as each of them has a share of the batch; scores are of whole batches."""
    network = model()
    network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    monkeypatch.setattr("tensorflow.distribute.get_strategy", lambda: SimpleNamespace(num_replicas_in_sync=4))
    assert float(network.loss(LABELS, LOGITS)) == pytest.approx(CROSS_ENTROPY / 4)
    for loss in (None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)):
        assert value(objective_of(network, loss)) == pytest.approx(CROSS_ENTROPY)
