"""Down-sampling by area, against TensorFlow's and against means of blocks."""

import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.data.resizing import area_resize, target_shape


@pytest.mark.parametrize(
    ("height", "width", "size"), [(8, 8, 4), (28, 28, 9), (32, 32, 7), (10, 13, 6), (5, 9, 5), (4, 4, 1)]
)
def test_area_resize_equals_tensorflow(height, width, size):
    images = np.random.default_rng(0).random((3, height, width, 2), np.float32)
    expected = tf.image.resize(images, (size, size), "area")
    np.testing.assert_allclose(area_resize(images, size), expected, atol=1e-6)


def test_whole_factor_gives_exact_block_means():
    images = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3)).astype(np.uint8)
    expected = images.reshape(2, 3, 2, 3, 2, 3).mean((2, 4))
    np.testing.assert_array_equal(area_resize(images, 3), expected.astype(np.float32))


def test_same_size_keeps_values():
    images = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(area_resize(images, 4), images)
    assert area_resize(images, 4).dtype == np.float32


def test_target_shape_keeps_channels_and_unknown_sides():
    assert target_shape((28, 20, 3), None) == (28, 20, 3)
    assert target_shape((28, 20, 3), 20) == (20, 20, 3)
    assert target_shape((None, None, 1), 99) == (99, 99, 1)


@pytest.mark.parametrize("image_size", [21, 28])
def test_larger_image_is_refused(image_size):
    with pytest.raises(ValueError, match=rf"`image_size` must be in \[1, 20\].* 28x20 .*received {image_size}"):
        target_shape((28, 20, 3), image_size)


@pytest.mark.parametrize("image_size", [0, -4])
def test_size_below_one_is_refused(image_size):
    with pytest.raises(ValueError, match=f"`image_size` must be a whole number of at least 1; received {image_size}"):
        target_shape((28, 28, 1), image_size)
