"""Losses and right answers of stacked networks are those of each network's batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_sparseflow.studies.spec.name_tables import LOSSES
from keras_sparseflow.training.losses import SmoothedCrossEntropy
from keras_sparseflow.training.population.stacked_loss import stacked_hits, stacked_losses

MEMBERS, BATCH, CLASSES = 3, 8, 4
RNG = np.random.default_rng(0)
OUTPUTS = tf.constant(RNG.normal(size=(MEMBERS, BATCH, CLASSES)), tf.float32)
LABELS = tf.constant(RNG.integers(0, CLASSES, (MEMBERS, BATCH)), tf.int32)
WEIGHTS = tf.constant([1.6] * 5 + [0.0] * 3)


class OfTheBatch(keras.losses.Loss):
    """A loss of a whole batch, which is no mean over examples."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        weights = 1.0 if sample_weight is None else ops.reshape(sample_weight, (-1, 1))
        return ops.sqrt(ops.sum(ops.square(weights * y_pred))) + ops.cast(ops.max(y_true), "float32")


OWN = {
    "smoothed": SmoothedCrossEntropy,
    "sum": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"),
    "of the batch": OfTheBatch,
}


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["all alike", "weighted"])
@pytest.mark.parametrize("name", [*LOSSES.names(), *OWN])
def test_a_loss_is_that_of_each_member_and_so_is_its_gradient(name, weights):
    loss = OWN[name]() if name in OWN else LOSSES.get(name)()
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(OUTPUTS)
        found = stacked_losses(loss, LABELS, OUTPUTS, 1.0 if weights is None else weights)
        expected = tf.stack([loss(LABELS[i], OUTPUTS[i], sample_weight=weights) for i in range(MEMBERS)])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(found, OUTPUTS), tape.gradient(expected, OUTPUTS), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["cross_entropy", "of the batch"])
def test_one_row_of_labels_is_that_of_all(name):
    loss = OWN[name]() if name in OWN else LOSSES.get(name)()
    every = stacked_losses(loss, tf.repeat(LABELS[:1], MEMBERS, axis=0), OUTPUTS)
    np.testing.assert_allclose(stacked_losses(loss, LABELS[:1], OUTPUTS), every, rtol=1e-6)


def test_hits_are_right_answers():
    expected = OUTPUTS.numpy().argmax(-1) == LABELS.numpy()
    assert np.array_equal(stacked_hits(LABELS, OUTPUTS), expected) and 0 < expected.mean() < 1
    assert np.array_equal(stacked_hits(LABELS[:1], OUTPUTS), OUTPUTS.numpy().argmax(-1) == LABELS.numpy()[:1])
