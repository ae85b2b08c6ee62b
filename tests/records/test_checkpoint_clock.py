"""Half-finished runs are saved so often, but saving takes no more than a tenth of the time."""

import pytest

from keras_sparseflow.records import checkpoint_clock
from keras_sparseflow.records.checkpoint_clock import CheckpointClock


@pytest.fixture
def now(monkeypatch):
    """The time, in a list."""
    now = [100.0]
    monkeypatch.setattr(checkpoint_clock.time, "monotonic", lambda: now[0])
    return now


def save(clock, now, seconds):
    with clock.saving():
        now[0] += seconds


def due_after(clock, now):
    """Returns after how many seconds, in steps of a quarter, a checkpoint is due."""
    began = now[0]
    while not clock.due():
        now[0] += 0.25
    return now[0] - began


def test_a_checkpoint_is_due_until_it_is_saved(now):
    clock = CheckpointClock(20.0)
    due = []
    for now[0] in (110.0, 119.9, 120.0, 121.0):
        due.append(clock.due())
    assert due == [False, False, True, True]
    save(clock, now, 0.0)
    assert not clock.due() and due_after(clock, now) == 20.0


def test_the_interval_counts_from_the_end_of_saving(now):
    clock = CheckpointClock(20.0)
    save(clock, now, 2.0)
    assert due_after(clock, now) == 20.0


@pytest.mark.parametrize(("took", "interval"), [(2.0, 20.0), (2.25, 20.25), (10.0, 90.0)])
def test_saving_takes_no_more_than_a_tenth_of_the_time(now, took, interval):
    clock = CheckpointClock(20.0)
    save(clock, now, took)
    assert due_after(clock, now) == interval


def test_the_interval_is_that_of_the_last_saving_alone(now):
    clock = CheckpointClock(20.0)
    save(clock, now, 10.0)
    save(clock, now, 1.0)
    assert due_after(clock, now) == 20.0


def test_at_no_seconds_a_checkpoint_is_always_due_but_for_what_saving_takes(now):
    clock = CheckpointClock(0)
    assert clock.due()
    save(clock, now, 1.0)
    assert due_after(clock, now) == 9.0
