"""Named tables."""

from importlib import metadata

import pytest

from keras_sparseflow.plugins import Table


def table(**builtins):
    return Table("fruit", "keras_sparseflow.test_fruits", builtins or {"apple": 1, "pi": "math:pi"})


def test_references_are_imported_when_asked_for():
    import math

    assert table().get("pi") is math.pi and table().get("apple") == 1


def test_names_keep_their_order_and_import_nothing():
    assert table(b="no_such_module:x", a=2).names() == ["b", "a"]


def test_unknown_names_list_the_valid_ones_and_the_nearest():
    with pytest.raises(ValueError, match=r"Unknown fruit 'aple'; expected one of apple, pi\. Did you mean 'apple'\?"):
        table().get("aple")
    with pytest.raises(ValueError, match=r"expected one of apple, pi\.$"):
        table().get("zzz")


def test_registered_things_are_found_and_names_are_not_taken_over():
    fruits = table()
    fruits.register("pear", 5)
    assert fruits.get("pear") == 5 and "pear" in fruits and "plum" not in fruits
    with pytest.raises(ValueError, match="'apple' exists already"):
        fruits.register("apple", 6)


def test_entry_points_of_the_group_join(monkeypatch):
    entries = [metadata.EntryPoint("e", "math:e", "keras_sparseflow.test_fruits")]
    monkeypatch.setattr(metadata, "entry_points", lambda group: entries if group.endswith("test_fruits") else [])
    import math

    assert table().names() == ["apple", "pi", "e"] and table().get("e") is math.e


def test_an_entry_point_can_not_take_over_a_built_in(monkeypatch):
    entries = [metadata.EntryPoint("apple", "math:e", "keras_sparseflow.test_fruits")]
    monkeypatch.setattr(metadata, "entry_points", lambda group: entries)
    fruits = table()
    for _ in range(2):  # not only the first time
        with pytest.raises(ValueError, match="'math:e'.*'apple'.*exists already"):
            fruits.names()
