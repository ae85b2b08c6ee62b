"""Losses by hand."""

import keras
import numpy as np
import pytest

from keras_sparseflow.training import SparseModel, measure_flow
from keras_sparseflow.training.losses import SmoothedCrossEntropy, SquaredError, cross_entropy, hard_labels

LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]], "float32")
LABELS = np.array([0, 2], "int32")


def test_cross_entropy_is_the_mean_of_minus_log_softmax():
    log_softmax = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))
    np.testing.assert_allclose(cross_entropy()(LABELS, LOGITS), -log_softmax[[0, 1], LABELS].mean(), rtol=1e-6)


def test_squared_error_is_the_distance_from_the_one_hot_vector():
    by_hand = ((2 - 1) ** 2 + 0 + 1 + 0.25 + 0.25 + 0.25) / 2
    np.testing.assert_allclose(SquaredError()(LABELS, LOGITS), by_hand, rtol=1e-6)
    np.testing.assert_allclose(SquaredError()(LABELS[:, None], LOGITS), by_hand, rtol=1e-6)


def smoothed_by_hand(logits, labels, share):
    """Returns the cross-entropy with targets y (1 - a) + a / K."""
    log_softmax = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    classes = logits.shape[1]
    targets = np.eye(classes)[labels] * (1 - share) + share / classes
    return -(targets * log_softmax).sum(1).mean()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_smoothed_targets_are_mixed_with_all_classes(share):
    for labels in (LABELS, LABELS[:, None]):
        np.testing.assert_allclose(
            SmoothedCrossEntropy(share)(labels, LOGITS), smoothed_by_hand(LOGITS, LABELS, share), rtol=1e-6
        )


def test_smoothed_targets_are_shared_by_the_other_classes_as_in_the_authors_code():
    log_softmax = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))
    for share in (0.0, 0.1, 0.6, 1.0):
        true_dist = np.full((2, 3), share / (3 - 1))
        true_dist[[0, 1], LABELS] = 1 - share
        by_hand = (-true_dist * log_softmax).sum(-1).mean()
        for labels in (LABELS, LABELS[:, None]):
            np.testing.assert_allclose(SmoothedCrossEntropy(share, over="others")(labels, LOGITS), by_hand, rtol=1e-6)
    by_all, by_others = (float(SmoothedCrossEntropy(0.6, over=over)(LABELS, LOGITS)) for over in ("all", "others"))
    assert abs(by_all - by_others) > 0.05
    with hard_labels():
        np.testing.assert_allclose(
            SmoothedCrossEntropy(0.6, over="others")(LABELS, LOGITS), cross_entropy()(LABELS, LOGITS), rtol=1e-6
        )


def test_an_unknown_sharing_and_one_among_no_other_class_are_refused():
    with pytest.raises(ValueError, match="`over` must be one of all, others; received 'rest'"):
        SmoothedCrossEntropy(0.1, over="rest")
    with pytest.raises(ValueError, match="`over` must be 'all' with fewer than 2 classes; received 'others' and 1"):
        SmoothedCrossEntropy(0.1, over="others")(LABELS * 0, LOGITS[:, :1])


def test_hard_labels_are_those_of_cross_entropy_within_their_scope_alone():
    loss = SmoothedCrossEntropy()
    with hard_labels():
        hard = float(loss(LABELS, LOGITS))
    np.testing.assert_allclose(hard, cross_entropy()(LABELS, LOGITS), rtol=1e-6)
    assert float(loss(LABELS, LOGITS)) > hard + 0.01


def test_the_smoothing_loss_comes_back_from_its_config():
    loss = keras.losses.deserialize(keras.losses.serialize(SmoothedCrossEntropy(0.3, "others", name="mine")))
    assert (type(loss), loss.label_smoothing, loss.over) == (SmoothedCrossEntropy, 0.3, "others")
    assert loss.name == "mine"


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_label_smoothing_is_a_share(share):
    with pytest.raises(ValueError, match=r"`label_smoothing` must be in \[0, 1\]; received"):
        SmoothedCrossEntropy(share)


X = np.eye(2, 3, dtype="float32")
START = np.vstack([LOGITS, [[0, 0, 0]]]).astype("float32")


def test_a_sparse_model_trains_on_smoothed_labels_and_is_tested_on_hard_ones():
    inputs = keras.Input((3,))
    for model_class, of_tests in ((SparseModel, 0.0), (keras.Model, 0.3)):
        model = model_class(inputs, keras.layers.Dense(3, use_bias=False, name="out")(inputs))
        model.compile(keras.optimizers.SGD(0.0), SmoothedCrossEntropy(0.3))
        model.set_weights([START])
        history = model.fit(X, LABELS, validation_data=(X, LABELS), epochs=2, verbose=0).history
        trained, tested = (smoothed_by_hand(LOGITS, LABELS, share) for share in (0.3, of_tests))
        np.testing.assert_allclose(history["loss"], [trained] * 2, rtol=1e-6)
        np.testing.assert_allclose(history["val_loss"], [tested] * 2, rtol=1e-6)
        np.testing.assert_allclose(model.evaluate(X, LABELS, verbose=0), tested, rtol=1e-6)
        np.testing.assert_allclose(model.train_on_batch(X, LABELS), trained, rtol=1e-6)


def test_gradient_flow_is_that_of_the_loss_that_is_trained():
    inputs = keras.Input((3,))
    model = SparseModel(inputs, keras.layers.Dense(3, use_bias=False, name="out")(inputs))
    model.compile("sgd", SmoothedCrossEntropy(0.3))
    model.set_weights([START])
    softmax = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    by_hand = X.T @ (softmax - (np.eye(3)[LABELS] * 0.7 + 0.1)) / 2
    (row,) = (row for row in measure_flow(model, (X, LABELS), ["grad_norm_2"]) if row["layer"] == "total")
    np.testing.assert_allclose(row["value"], np.linalg.norm(by_hand), rtol=1e-5)
