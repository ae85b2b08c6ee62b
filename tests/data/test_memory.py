"""The question whether a dataset fits, with memories of any size."""

import os

import pytest

from keras_sparseflow.data import memory


def test_available_memory_lies_between_zero_and_the_machines():
    assert 0 < memory.available_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_half_of_the_available_memory_is_the_limit(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2 * 4 * 10 * 5 * 5 * 3)
    memory.require_memory("tiny", 10, (5, 5, 3))
    with pytest.raises(MemoryError, match=r"'tiny' needs .*\(3300 bytes\).*11 images of 5x5x3.*\(6000 bytes\)"):
        memory.require_memory("tiny", 11, (5, 5, 3))
