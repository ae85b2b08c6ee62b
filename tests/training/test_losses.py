"""Losses by hand."""

import numpy as np

from keras_sparseflow.training.losses import SquaredError, cross_entropy

LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]], "float32")
LABELS = np.array([0, 2], "int32")


def test_cross_entropy_is_the_mean_of_minus_log_softmax():
    log_softmax = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))
    np.testing.assert_allclose(cross_entropy()(LABELS, LOGITS), -log_softmax[[0, 1], LABELS].mean(), rtol=1e-6)


def test_squared_error_is_the_distance_from_the_one_hot_vector():
    by_hand = ((2 - 1) ** 2 + 0 + 1 + 0.25 + 0.25 + 0.25) / 2
    np.testing.assert_allclose(SquaredError()(LABELS, LOGITS), by_hand, rtol=1e-6)
    np.testing.assert_allclose(SquaredError()(LABELS[:, None], LOGITS), by_hand, rtol=1e-6)
