"""Pairs of batches that share half of their examples."""

import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.training.tost.half_batches import half_new_pairs

X, Y = np.arange(30), np.arange(30) * 10


def taken(data, count, **options):
    pairs = half_new_pairs(data, **{"batch_size": 8, "seed": 0, **options})
    return [tuple(tuple(np.array(part) for part in batch) for batch in next(pairs)) for _ in range(count)]


@pytest.mark.parametrize(("batch_size", "kept"), [(8, 4), (7, 3)])
def test_pairs_of_arrays_share_half_and_no_example_is_in_a_batch_twice(batch_size, kept):
    pairs = taken((X, Y), 5, batch_size=batch_size)
    for (x, y), (other_x, other_y) in pairs:
        assert len(x) == len(other_x) == len({*x}) == len({*other_x}) == batch_size
        assert (y == 10 * x).all() and (other_y == 10 * other_x).all()
        assert list(other_x[:kept]) == list(x[:kept]) and not {*other_x[kept:]} & {*x}
    assert len({tuple(first[0]) for first, _ in pairs}) == 5


def test_the_seed_decides():
    one, again, other = (taken((X, Y), 2, seed=seed)[1][1][0] for seed in (0, 0, 1))
    assert list(one) == list(again) != list(other)


def test_a_dataset_is_taken_in_its_order_and_again_from_its_beginning():
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)  # 8, 8, 8 and 6
    pairs = taken(dataset, 3)
    assert [list(first[0]) for first, _ in pairs] == [[*range(8)], [*range(16, 24)], [*range(8)]]
    expected = [[0, 1, 2, 3, 12, 13, 14, 15], [16, 17, 18, 19, 26, 27, 28, 29], [0, 1, 2, 3, 12, 13, 14, 15]]
    assert [list(second[0]) for _, second in pairs] == expected
    assert all((second[1] == 10 * second[0]).all() for _, second in pairs)


def test_weights_and_structures_come_along():
    data = ({"a": X, "b": -X}, Y, X / 2)
    first, second = next(half_new_pairs(data, 8, 0))
    for batch in (first, second):
        assert (batch[0]["b"] == -batch[0]["a"]).all() and (batch[2] == batch[0]["a"] / 2).all()


def test_data_that_do_not_do_are_refused_at_once():
    for data, options, message in [
        ((X, Y), {"batch_size": 21}, "batches of 21 and 30 examples"),
        ((X, Y), {"batch_size": 1}, "batches of 1 and 30 examples"),
        ((X, Y[:3]), {}, r"one length; received \[3, 30\]"),
        (X, {}, "received ndarray"),
        (([1, 2, 3], [4, 5, 6]), {}, "must hold arrays"),
        (tf.data.Dataset.from_tensors((X, Y)), {}, "at least two batches.*a dataset of 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            half_new_pairs(data, **{"batch_size": 8, "seed": 0, **options})
