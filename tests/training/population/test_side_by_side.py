"""`side_by_side`: tf.functions traced here, run in threads, all ended before an error is told."""

import threading
import time

import pytest
import tensorflow as tf

from keras_sparseflow.training.population.side_by_side import side_by_side


def test_results_are_arrays_in_the_order_of_the_functions():
    functions = [tf.function(lambda x, y, k=k: (k * x, [y])) for k in range(5)]
    found = side_by_side(functions, tf.constant(3.0), tf.constant([1, 2]))
    assert [float(first) for first, _ in found] == [0, 3, 6, 9, 12]
    assert all(rest[0].tolist() == [1, 2] for _, rest in found)


def test_functions_are_traced_in_the_calling_thread_and_once():
    threads = []

    def traced(x):
        threads.append(threading.current_thread())
        return x + 1

    function = tf.function(traced)
    assert [int(side_by_side([function], tf.constant(x))[0]) for x in range(3)] == [1, 2, 3]
    assert threads == [threading.current_thread()]


def test_each_may_have_an_argument_of_its_own_and_results_may_stay_tensors():
    functions = [tf.function(lambda own, x: [part + x for part in own]) for _ in range(2)]
    own = [[tf.constant(1.0), tf.zeros(0)], [tf.constant(2.0), tf.ones(3)]]
    first, second = side_by_side(functions, tf.constant(10.0), own=own, fetched=False)
    assert all(isinstance(part, tf.Tensor) for part in (*first, *second))
    assert float(first[0]) == 11 and len(first[1]) == 0 and second[1].numpy().tolist() == [11, 11, 11]


def test_they_run_at_the_same_time():
    """Each waits for the other, so one after the other they would never end."""
    both = threading.Barrier(2, timeout=30)

    class Meeting:
        def get_concrete_function(self, x):
            return lambda x: (both.wait(), x)[1]

    assert [int(value) for value in side_by_side([Meeting(), Meeting()], tf.constant(1))] == [1, 1]


def test_what_is_done_meanwhile_is_done_while_they_run():
    event = threading.Event()
    waits = tf.function(lambda: tf.numpy_function(lambda: event.wait(30), [], tf.bool))
    assert [bool(value) for value in side_by_side([waits], meanwhile=event.set)] == [True]


def test_an_error_of_the_device_is_raised_when_all_have_ended():
    ended = []

    def slow(x):
        time.sleep(0.2)
        ended.append(True)
        return x

    fails = tf.function(lambda x: tf.reshape(tf.range(x), (2, 2)), autograph=False)
    works = tf.function(lambda x: tf.numpy_function(slow, [x], tf.int32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="reshape"):
        side_by_side([fails, works], tf.constant(1))
    assert ended == [True]
