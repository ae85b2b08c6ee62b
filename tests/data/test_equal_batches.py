"""`EqualBatches`: every image once, in batches of one size."""

import numpy as np
import pytest

from keras_sparseflow.data.equal_batches import EqualBatches

IMAGES = np.arange(11 * 4, dtype="float32").reshape(11, 2, 2, 1)
LABELS = np.arange(11, dtype="int32")


@pytest.mark.parametrize(
    ("at_most", "shape"),
    [(1, (11, 1)), (2, (6, 2)), (4, (3, 4)), (5, (3, 4)), (10, (2, 6)), (11, (1, 11)), (99, (1, 11))],
)
def test_batches_are_the_fewest_and_as_equal_as_they_can_be(at_most, shape):
    batches = EqualBatches.of(IMAGES, LABELS, at_most)
    assert batches.labels.shape == batches.counted.shape == batches.images.shape[:2] == shape
    assert batches.labels.dtype == "int32" and batches.counted.dtype == "float32"


@pytest.mark.parametrize("at_most", [1, 2, 3, 4, 7, 11])
def test_every_image_counts_once_and_with_its_label(at_most):
    images, labels, counted = (tensor.numpy() for tensor in EqualBatches.of(IMAGES, LABELS, at_most))
    assert np.isin(counted, (0, 1)).all()
    counted = counted.astype(bool)
    assert labels[counted].tolist() == LABELS.tolist() and np.array_equal(images[counted], IMAGES)
    assert np.isin(labels, LABELS).all(), "what fills up is an image of the set"
