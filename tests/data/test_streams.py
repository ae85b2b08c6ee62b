"""`BatchStreams`: what a population gathers by itself is what `training_batches` hands to one network."""

import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.data import ImageData, training_batches, whole_batches
from keras_sparseflow.data.streams import BatchStreams, Stream

EPOCHS, BATCH = 3, 5
STREAMS = [Stream(0), Stream(7), Stream(0, augment_pad=1), Stream(7, augment_pad=0), Stream(3, augment_pad=2)]


@pytest.fixture(scope="module")
def noise():
    """23 training images of noise: no two crops of them are alike."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(23, 4, 3, 2)).astype("float32")
    labels = np.arange(23, dtype="int32")
    names = tuple(map(str, labels))
    return ImageData("noise", images, labels, images[:2], labels[:2], names, (0.0, 0.0), (1.0, 1.0))


def expected(data, stream):
    batches = training_batches(data, BATCH, seed=stream.seed, epochs=EPOCHS, augment_pad=stream.augment_pad)
    return [(images.numpy(), labels.numpy()) for images, labels in batches]


@pytest.mark.parametrize("streams", [STREAMS, STREAMS[:2], STREAMS[2:3]], ids=["mixed", "plain", "augmented"])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_every_stream_is_that_of_training_batches_in_every_epoch(noise, streams, compiled):
    batches = BatchStreams(noise, BATCH, streams)
    batch = tf.function(batches.batch, autograph=False) if compiled else batches.batch
    wanted = [expected(noise, stream) for stream in streams]
    for epoch in range(EPOCHS):
        indices = batches.indices(epoch)
        assert indices.shape == (4, len(streams), BATCH) and indices.dtype == tf.int32
        for step in range(batches.steps):
            number = epoch * batches.steps + step
            images, labels = batch(indices[step], tf.constant(number, tf.int64))
            assert images.shape == (len(streams), BATCH, 4, 3, 2) and labels.shape == (len(streams), BATCH)
            for position in range(len(streams)):
                np.testing.assert_array_equal(images[position], wanted[position][number][0])
                np.testing.assert_array_equal(labels[position], wanted[position][number][1])


def test_streams_of_one_seed_see_one_order_and_other_seeds_another(noise):
    indices = BatchStreams(noise, BATCH, STREAMS).indices(1).numpy()
    assert np.array_equal(indices[:, 0], indices[:, 2]) and np.array_equal(indices[:, 1], indices[:, 3])
    assert not np.array_equal(indices[:, 0], indices[:, 1]) and not np.array_equal(indices[:, 0], indices[:, 4])


def test_what_is_gathered_in_the_whole_order_are_whole_batches(noise):
    batches = BatchStreams(noise, BATCH, STREAMS)
    order = batches.whole_order()
    for number, wanted in enumerate(whole_batches(noise, BATCH)):
        found = batches.plain(order[number * BATCH : (number + 1) * BATCH])
        for part, expected in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(part, expected)


def test_steps_are_the_full_batches_and_a_batch_larger_than_the_data_is_refused(noise):
    assert BatchStreams(noise, BATCH, STREAMS).steps == 4
    with pytest.raises(ValueError, match=r"`batch_size` must be in \[1, 23\].*received 24"):
        BatchStreams(noise, 24, STREAMS)
