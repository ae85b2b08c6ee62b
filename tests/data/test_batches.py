"""Batches: permutations, resumption, exact counts and shapes."""

import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.data import (
    ImageData,
    augment,
    batch_indices,
    load_images,
    ordered_batches,
    steps_per_epoch,
    training_batches,
    whole_batches,
)
from keras_sparseflow.data.batches import whole_order


@pytest.fixture(scope="module")
def numbered():
    """23 training images and 7 test images; every image and its label hold the image's own number."""
    train, test = np.arange(23), np.arange(7)
    images = [(numbers[:, None, None, None] * np.ones((1, 4, 3, 2))).astype(np.float32) for numbers in (train, test)]
    names = tuple(map(str, train))
    return ImageData(
        "numbered", images[0], train.astype(np.int32), images[1], test.astype(np.int32), names, (0.0, 0.0), (1.0, 1.0)
    )


def collect(batches):
    return [(images.numpy(), labels.numpy()) for images, labels in batches]


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_each_epoch_is_a_permutation_without_repeats(numbered):
    batches = collect(training_batches(numbered, 5, seed=0, epochs=8))
    assert len(batches) == 8 * 4
    epochs = np.stack([labels for _, labels in batches]).reshape(8, 20)
    assert all(len(set(epoch.tolist())) == 20 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 8
    # Three images are left out of each epoch, but not the same three.
    assert set(epochs.ravel().tolist()) == set(range(23))


def test_images_and_labels_stay_together(numbered):
    for images, labels in collect(training_batches(numbered, 5, seed=0, epochs=2)):
        np.testing.assert_array_equal(images, labels[:, None, None, None] * np.ones((1, 4, 3, 2)))


def test_batches_follow_batch_indices(numbered):
    labels = [labels for _, labels in collect(training_batches(numbered, 5, seed=9, epochs=3))]
    expected = np.concatenate([batch_indices(9, epoch, 23, 5) for epoch in range(3)])
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("augment_pad", [None, 0, 2])
def test_resumed_run_sees_the_batches_of_an_uninterrupted_one(numbered, augment_pad):
    options = {"seed": 4, "epochs": 5, "augment_pad": augment_pad}
    whole = collect(training_batches(numbered, 5, **options))
    assert_same(whole[3 * 4 :], collect(training_batches(numbered, 5, initial_epoch=3, **options)))
    assert_same(whole, collect(training_batches(numbered, 5, **options)))


def test_no_epochs_left_gives_no_batches(numbered):
    assert collect(training_batches(numbered, 5, seed=0, epochs=3, initial_epoch=3)) == []


def test_seed_changes_order(numbered):
    first, second = (collect(training_batches(numbered, 23, seed=seed, epochs=1)) for seed in (0, 1))
    assert not np.array_equal(first[0][1], second[0][1])


def test_augmentation_changes_images_by_step_and_not_the_order(numbered):
    plain = collect(training_batches(numbered, 5, seed=0, epochs=2))
    moved = collect(training_batches(numbered, 5, seed=0, epochs=2, augment_pad=2))
    for (_, labels), (_, moved_labels) in zip(plain, moved, strict=True):
        np.testing.assert_array_equal(labels, moved_labels)
    holes = [(images == 0).any(-1) & (labels > 0)[:, None, None] for images, labels in moved]
    assert len({hole.tobytes() for hole in holes}) == len(holes)


def test_augmentation_draws_differ_from_those_of_the_order(numbered):
    # With the bare (seed, step) the crops of step 3 would come from the numbers that order epoch 3.
    images, _ = collect(training_batches(numbered, 5, seed=0, epochs=1, augment_pad=2))[3]
    plain, _ = collect(training_batches(numbered, 5, seed=0, epochs=1))[3]
    assert not np.array_equal(images, augment(plain, (0, 3), pad=2))


def test_shapes_and_length_are_static(numbered):
    batches = training_batches(numbered, 5, seed=0, epochs=6, initial_epoch=1, augment_pad=1)
    images, labels = batches.element_spec
    assert images == tf.TensorSpec((5, 4, 3, 2), tf.float32)
    assert labels == tf.TensorSpec((5,), tf.int32)
    assert int(batches.cardinality()) == 5 * 4


def test_second_pass_repeats_the_first(numbered):
    batches = training_batches(numbered, 5, seed=0, epochs=2, augment_pad=1)
    assert_same(collect(batches), collect(batches))


def test_every_option_of_batch_indices_changes_them():
    def indices(seed=1, epoch=1, count=50, batch_size=5):
        return batch_indices(seed, epoch, count, batch_size).numpy().tolist()

    variants = [
        indices(),
        indices(seed=2),
        indices(epoch=2),
        indices(seed=2, epoch=2),
        indices(count=51),
        indices(batch_size=6),
    ]
    assert all(first != second for i, first in enumerate(variants) for second in variants[:i])


def test_batch_indices_are_uniform():
    orders = tf.function(lambda seed: batch_indices(seed, 0, 5, 5))
    first = np.concatenate([orders(seed) for seed in tf.range(3000)])
    for position in first.T:
        np.testing.assert_allclose(np.bincount(position, minlength=5) / 3000, 0.2, atol=0.03)


def test_compiled_batch_indices_are_the_same():
    def indices(seed, epoch):
        return batch_indices(seed, epoch, 1438, 128)

    compiled = tf.function(indices, jit_compile=True)
    for seed, epoch in [(0, 0), (7, 31), (2**40, 3)]:
        result = compiled(tf.constant(seed, tf.int64), tf.constant(epoch))
        assert result.shape == (11, 128)
        assert result.dtype == tf.int32
        np.testing.assert_array_equal(result, indices(seed, epoch))


def test_batch_indices_are_pinned():
    assert batch_indices(seed=1, epoch=2, count=7, batch_size=3).numpy().tolist() == [[5, 2, 6], [1, 3, 4]]


def test_ordered_batches_keep_order_and_remainder(numbered):
    batches = collect(ordered_batches(numbered.test_images, numbered.test_labels, 3))
    assert [len(labels) for _, labels in batches] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate([images for images, _ in batches]), numbered.test_images)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), np.arange(7))
    assert int(ordered_batches(numbered.test_images, numbered.test_labels, 3).cardinality()) == 3


def test_whole_batches_hold_every_training_image_once_in_one_random_order(numbered):
    batches = collect(whole_batches(numbered, 5))
    full, rest = divmod(len(numbered.train_labels), 5)
    assert [len(labels) for _, labels in batches] == [*[5] * full, rest] and rest
    order = np.concatenate([labels for _, labels in batches])
    assert sorted(order) == list(range(len(order))) and list(order) != sorted(order)
    np.testing.assert_array_equal(np.concatenate([images for images, _ in batches]), numbered.train_images[order])
    assert_same(batches, collect(whole_batches(numbered, 5)))


def test_the_order_of_whole_batches_is_pinned():
    assert whole_order(7).tolist() == [2, 4, 3, 6, 5, 0, 1] and whole_order(7).dtype == np.int32


@pytest.mark.parametrize("augment_pad", [None, 1])
def test_no_pipeline_has_a_tuner_for_whose_sleep_the_end_of_a_training_waits(numbered, augment_pad):
    pipelines = [
        training_batches(numbered, 4, epochs=1, seed=0, augment_pad=augment_pad),
        ordered_batches(numbered.test_images, numbered.test_labels, 4),
        whole_batches(numbered, 4),
    ]
    assert [batches.options().autotune.enabled for batches in pipelines] == [False] * 3


def test_batch_larger_than_test_set_gives_one_batch(numbered):
    batches = collect(ordered_batches(numbered.test_images, numbered.test_labels, 100))
    assert [len(labels) for _, labels in batches] == [7]


def test_digits_make_eleven_steps():
    assert steps_per_epoch(load_images("digits"), 128) == 11


@pytest.mark.parametrize("batch_size", [0, -1, 24])
def test_batch_size_out_of_range_is_refused(numbered, batch_size):
    message = rf"`batch_size` must be in \[1, 23\].*received {batch_size}"
    with pytest.raises(ValueError, match=message):
        steps_per_epoch(numbered, batch_size)
    with pytest.raises(ValueError, match=message):
        training_batches(numbered, batch_size, seed=0, epochs=1)


def test_batch_size_of_ordered_batches_is_checked(numbered):
    with pytest.raises(ValueError, match="`batch_size` must be 1 or more; received 0"):
        ordered_batches(numbered.test_images, numbered.test_labels, 0)


def test_any_images_make_ordered_batches(numbered):
    batches = collect(ordered_batches(numbered.train_images, numbered.train_labels, 10))
    assert [len(labels) for _, labels in batches] == [10, 10, 3]
    np.testing.assert_array_equal(np.concatenate([images for images, _ in batches]), numbered.train_images)
    with pytest.raises(ValueError, match="`labels` must be one per image, 23; received 22"):
        ordered_batches(numbered.train_images, numbered.train_labels[1:], 10)


@pytest.mark.parametrize("initial_epoch", [-1, 4])
def test_initial_epoch_out_of_range_is_refused(numbered, initial_epoch):
    with pytest.raises(ValueError, match=rf"`initial_epoch` must be in \[0, 3\].*received {initial_epoch}"):
        training_batches(numbered, 5, seed=0, epochs=3, initial_epoch=initial_epoch)
