"""Augmentation against slices cut by NumPy from the same draws."""

import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.data import augment, augmentation_pad
from keras_sparseflow.data.augmentation import random_crops

SEED = (3, 17)
IMAGES = np.random.default_rng(0).normal(size=(64, 6, 5, 3)).astype(np.float32)


def numpy_twin(images, seed, pad):
    offsets, flips = (draw.numpy() for draw in random_crops(seed, len(images), pad))
    height, width = images.shape[1:3]
    result = []
    for image, (row, column), flip in zip(images, offsets, flips, strict=True):
        padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
        crop = padded[row : row + height, column : column + width]
        result.append(crop[:, ::-1] if flip else crop)
    return np.stack(result)


@pytest.mark.parametrize("pad", [0, 1, 4, 5])
def test_augment_equals_numpy_twin(pad):
    np.testing.assert_array_equal(augment(IMAGES, SEED, pad), numpy_twin(IMAGES, SEED, pad))


def test_no_pad_only_flips():
    images = augment(IMAGES, SEED, pad=0).numpy()
    kept = (images == IMAGES).all((1, 2, 3))
    flipped = (images == IMAGES[:, :, ::-1]).all((1, 2, 3))
    assert (kept ^ flipped).all()
    assert 10 < kept.sum() < 54


@pytest.mark.parametrize(
    ("side", "pad"), [(64, 8), (32, 4), (28, 4), (16, 2), (15, 2), (14, 2), (8, 1), (6, 1), (4, 1), (1, 1)]
)
def test_default_pad_is_an_eighth_of_the_side(side, pad):
    assert augmentation_pad(side, side) == pad
    images = np.ones((3, side, side, 1), np.float32)
    np.testing.assert_array_equal(augment(images, SEED), augment(images, SEED, pad=pad))


def test_default_pad_of_oblong_images_follows_their_shorter_side():
    images = np.random.default_rng(0).normal(size=(8, 32, 16, 1)).astype(np.float32)
    np.testing.assert_array_equal(augment(images, SEED), augment(images, SEED, pad=2))
    np.testing.assert_array_equal(augment(images[:, :16], SEED), augment(images[:, :16], SEED, pad=2))
    assert augmentation_pad(16, 32) == augmentation_pad(32, 16) == 2


def test_padding_is_zero():
    images = augment(np.ones((200, 4, 4, 1), np.float32), SEED, pad=4).numpy()
    assert set(np.unique(images)) == {0, 1}
    assert (images.sum((1, 2, 3)) == 0).any()  # shifted by all four pixels


def test_offsets_and_flips_are_uniform_and_independent():
    offsets, flips = (draw.numpy() for draw in random_crops(SEED, 20_000, pad=2))
    for column in offsets.T:
        np.testing.assert_allclose(np.bincount(column, minlength=5) / 20_000, 0.2, atol=0.015)
    np.testing.assert_allclose(flips.mean(), 0.5, atol=0.015)
    draws = np.stack([*offsets.T, flips])
    np.testing.assert_allclose(np.corrcoef(draws), np.eye(3), atol=0.03)


def test_seed_alone_decides():
    first = augment(IMAGES, SEED)
    tf.random.set_seed(1)
    np.testing.assert_array_equal(first, augment(IMAGES, np.array(SEED, np.int64)))
    for other in [(3, 18), (4, 17)]:
        assert not np.array_equal(first, augment(IMAGES, other))


def test_compiled_augment_gives_the_same_images_and_shape():
    compiled = tf.function(augment, jit_compile=True)
    images = compiled(tf.constant(IMAGES), tf.constant(SEED))
    assert images.shape == IMAGES.shape
    np.testing.assert_array_equal(images, augment(IMAGES, SEED))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtype_is_kept(dtype):
    assert augment(tf.cast(IMAGES, dtype), SEED).dtype == dtype


def test_negative_pad_is_refused():
    with pytest.raises(ValueError, match="`pad` must be a whole number of at least 0 and at most 5; received -1"):
        augment(IMAGES, SEED, pad=-1)


def test_without_flips_the_crops_are_the_same():
    offsets, _ = random_crops(SEED, len(IMAGES), 2)
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)))
    crops = np.stack([image[r : r + 6, c : c + 5] for image, (r, c) in zip(padded, offsets.numpy(), strict=True)])
    np.testing.assert_array_equal(augment(IMAGES, SEED, pad=2, flip=False), crops)
