"""Batches of any data, and as many examples of each class."""

import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.masks.scores.examples import as_batches, samples_per_class


def test_arrays_come_in_batches_in_their_order():
    x, y = np.arange(10).reshape(5, 2), np.arange(5)
    batches = as_batches((x, y), 2)
    assert [len(batch[1]) for batch in batches] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate([batch[0] for batch in batches]), x)
    np.testing.assert_array_equal(np.concatenate([batch[1] for batch in batches]), y)


def test_structures_of_arrays_are_cut_alike():
    batches = as_batches(({"a": np.arange(4), "b": np.ones((4, 2))}, np.arange(4), np.ones(4)), 3)
    assert batches[1][0]["a"].tolist() == [3] and batches[1][0]["b"].shape == (1, 2) and len(batches[1]) == 3


def test_a_dataset_is_read_once_so_that_each_pass_sees_the_same():
    data = tf.data.Dataset.range(20).map(lambda number: (number, number)).shuffle(20).batch(4).take(2)
    batches = as_batches(data)
    assert len(batches) == 2 and all(len(x) == 4 for x, _ in batches)
    assert isinstance(batches, list)


def test_other_data_are_refused():
    with pytest.raises(ValueError, match="received ndarray"):
        as_batches(np.ones((3, 2)))
    with pytest.raises(ValueError, match="must hold arrays; received ndarray, int, int"):
        as_batches((np.ones((2, 2)), [0, 1]))
    with pytest.raises(ValueError, match=r"of one length; received \[3, 4\]"):
        as_batches((np.ones((3, 2)), np.ones(4)))
    with pytest.raises(ValueError, match="at least one example; received none"):
        as_batches((np.ones((0, 2)), np.ones(0)))
    with pytest.raises(ValueError, match="repeats for ever"):
        as_batches(tf.data.Dataset.range(3).repeat())
    with pytest.raises(ValueError, match="`batch_size` must be at least 1; received 0"):
        as_batches((np.ones(3), np.ones(3)), 0)


def test_each_class_has_as_many_samples_each_with_its_image():
    labels = np.random.default_rng(0).integers(0, 5, 200)
    images, drawn = samples_per_class(np.arange(200), labels, samples=10, seed=1)
    assert np.bincount(drawn).tolist() == [10] * 5 and len(set(images.tolist())) == 50
    np.testing.assert_array_equal(labels[images], drawn)
    again, other = (samples_per_class(np.arange(200), labels, seed=seed)[0] for seed in (1, 2))
    np.testing.assert_array_equal(images, again)
    assert not np.array_equal(images, other)
    assert (np.diff(drawn) < 0).any(), "classes are mixed"


def test_too_few_examples_and_other_labels_are_refused():
    with pytest.raises(ValueError, match="class 1 has 1; received 2"):
        samples_per_class(np.ones(4), np.array([0, 0, 0, 1]), samples=2)
    with pytest.raises(ValueError, match=r"must be integers of shape \(2,\).*shape \(2, 3\)"):
        samples_per_class(np.ones(2), np.eye(3)[:2])
