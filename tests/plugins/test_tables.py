"""Named tables: built-ins, entry points and what is registered, each found, and each error saying whose it is."""

import re
from importlib import metadata

import pytest

from keras_sparseflow.plugins import Table
from tests.plugins.packages import installed


def table(**builtins):
    return Table("ripe fruit", "keras_sparseflow.fruit", builtins or {"apple": 1, "pi": "math:pi"})


@pytest.fixture(name="install")
def _install(monkeypatch):
    """Pretends that packages have these entry points of fruits: `install("basket 1.2", plum="a.b:c")`."""
    entries = []

    def install(package, summary="", **values):
        entries.extend(installed(package, "keras_sparseflow.fruit", values, summary))

    monkeypatch.setattr(
        metadata, "entry_points", lambda group: entries if group == "keras_sparseflow.fruit" else pytest.fail(group)
    )
    return install


def test_references_are_imported_when_asked_for():
    import math

    assert table().get("pi") is math.pi and table().get("apple") == 1


def test_names_keep_their_order_and_import_nothing():
    assert table(b="no_such_module:x", a=2).names() == ["b", "a"] == list(table(b="no_such_module:x", a=2))


def test_unknown_names_list_the_valid_ones_and_the_nearest():
    message = r"Unknown ripe fruit 'aple'; expected one of apple, pi\. Did you mean 'apple'\?"
    for ask in (table().get, table().plugin):
        with pytest.raises(ValueError, match=message):
            ask("aple")
    with pytest.raises(ValueError, match="Did you mean 'pi'"):
        table().get("PI")
    with pytest.raises(ValueError, match=r"expected one of apple, pi\.$"):
        table().get("zzz")
    with pytest.raises(ValueError, match="Did you mean 'L2'"):
        table(BN=1, L2=2).get("L3")


def test_registered_things_are_found_and_names_are_not_taken_over():
    fruits = table()
    assert fruits.register("pear", 5) == 5
    assert fruits.get("pear") == 5 and "pear" in fruits and "plum" not in fruits
    assert fruits.register("pear", 5) == 5, "the very same thing"
    for name, taken in (("apple", r"\(built in\)"), ("pear", rf"\(registered in {re.escape(__name__)}\)")):
        message = rf"The fruit '{name}' \(registered in .*test_tables\) can't be registered: The fruit '{name}' {taken}"
        with pytest.raises(ValueError, match=message):
            fruits.register(name, 6)
    assert fruits.get("pear") == 5 and fruits.get("apple") == 1


def test_what_was_registered_can_be_forgotten():
    fruits = table()
    fruits.register("pear", 5)
    assert fruits.get("pear") == 5
    fruits.unregister("pear")
    assert "pear" not in fruits and fruits.register("pear", 6) == fruits.get("pear") == 6
    with pytest.raises(ValueError, match=r"Unknown registered ripe fruit 'apple'; expected one of pear"):
        fruits.unregister("apple")


def test_a_cell_of_a_notebook_may_run_again():
    fruits = table()
    for number in (1, 2):
        exec(f"fruits.register('pear', {number})", {"__name__": "__main__", "fruits": fruits})
        assert fruits.get("pear") == number
    assert str(fruits.plugin("pear").origin) == "registered in __main__"
    assert re.fullmatch(r"__main__\.pear [0-9a-f]{8}", fruits.plugin("pear").identity)
    with pytest.raises(ValueError, match=r"\(registered in __main__\) exists already"):
        fruits.register("pear", 3)


@pytest.mark.parametrize("name", ["two words", "a,b", "", "a=b", "-a"])
def test_names_that_flags_can_not_hold_are_refused(name, install):
    install("basket 1.2", **{name: "math:e"})
    fruits = table()
    with pytest.raises(ValueError, match="the name of a ripe fruit must match"):
        fruits.register(name, 6)
    assert fruits.names() == ["apple", "pi"] and name not in fruits
    assert "must match" in fruits.plugins()[-1].problem


def test_patterns_narrow_the_names():
    parts = Table("part", "keras_sparseflow.part", {"A": 1}, pattern="[A-Z]+")
    parts.register("BC", 2)
    with pytest.raises(ValueError, match=r"must match \[A-Z\]\+"):
        parts.register("B_C", 2)


def test_entry_points_of_the_group_join_behind_the_built_ins_by_name(install):
    import math

    install("basket 1.2", plum="math:tau", e="math:e")
    fruits = table()
    assert fruits.names() == ["apple", "pi", "e", "plum"] and fruits.get("e") is math.e
    assert fruits.builtins == ["apple", "pi"]
    assert [fruits.plugin(name).identity for name in ("pi", "e")] == ["", "basket 1.2"]
    assert str(fruits.plugin("pi").origin) == "built in"


@pytest.mark.parametrize("first", ["get", "plugin"])
def test_two_of_one_name_are_an_error_that_names_both_and_the_rest_goes_on(first, install):
    install("basket 1.2", apple="math:e", plum="math:tau", fig="math:inf")
    install("crate 0.1", plum="math:nan")
    fruits = table()
    taken = {
        "apple": r"built in and basket 1\.2 \(math:e\) have one name",
        "plum": r"basket 1\.2 \(math:tau\) and crate 0\.1 \(math:nan\) have one name",
    }
    for _ in range(2):  # not only the first time
        for name, both in taken.items():
            with pytest.raises(ValueError, match=rf"The ripe fruit '{name}' can't be used: {both}"):
                getattr(fruits, first)(name)
    assert fruits.get("fig") == float("inf")
    assert {p.name for p in fruits.plugins() if "have one name" in p.problem} == set(taken)
    with pytest.raises(ValueError, match=r"'plum'.*basket 1\.2.*exists already"):
        fruits.register("plum", 1)


def test_a_broken_one_is_named_with_its_package_and_error_and_the_rest_goes_on(install, tmp_path, monkeypatch):
    (tmp_path / "rotten_fruit.py").write_text("raise KeyError('worm')\n\ndef core(): pass\n")
    (tmp_path / "fallen_fruit.py").write_text("raise SystemExit('wind')\n\ndef core(): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    install(
        "basket 1.2",
        bad="rotten_fruit:core",
        fell="fallen_fruit:core",
        gone="no_such_module:x",
        odd="not a reference",
        e="math:e",
    )
    fruits = table()
    assert fruits.names() == ["apple", "pi", "bad", "e", "fell", "gone", "odd"]
    errors = {
        "bad": r"The fruit 'bad' \(basket 1\.2, rotten_fruit:core\) is broken: KeyError: 'worm'",
        "fell": r"The fruit 'fell' \(basket 1\.2, fallen_fruit:core\) is broken: SystemExit: wind",
        "gone": r"The fruit 'gone' \(basket 1\.2, no_such_module:x\) is broken: ModuleNotFoundError: No module named",
        "odd": r"The fruit 'odd' \(basket 1\.2, not a reference\) is broken: ValueError: invalid format: 'not a",
    }
    for name, message in errors.items():
        with pytest.raises(ValueError, match=message):
            fruits.get(name)
    found, broken = fruits.load_all()
    assert set(found) == {"apple", "pi", "e"} and broken.keys() == errors.keys()
    assert all(re.match(errors[name], message) for name, message in broken.items())


def test_things_of_another_type_are_refused_when_registered_and_when_imported(install):
    install("basket 1.2", stone="json:dumps", kind="fractions:Fraction", pi="math:pi")
    fruits = Table("ripe fruit", "keras_sparseflow.fruit", {"apple": [1]}, expects="numbers:Number")
    assert fruits.get("apple") == [1] and fruits.get("pi") > 3 and fruits.register("pear", 5) == 5
    errors = {
        "stone": r"The fruit 'stone' \(basket 1\.2, json:dumps\) is broken: expected a Number; received function\.",
        "kind": r"The fruit 'kind' \(basket 1\.2, .*\) is broken: expected a Number; received the class Fraction\.",
    }
    for name, message in errors.items():
        for _ in range(2):
            with pytest.raises(ValueError, match=message):
                fruits.get(name)
    with pytest.raises(ValueError, match=r"\(registered in .*\) can't be registered: expected a Number; received list"):
        fruits.register("plum", [5])
    assert "plum" not in fruits
    assert fruits.register("plum", "json:dumps") == "json:dumps", "what it is shows when it is imported"
    with pytest.raises(
        ValueError, match=r"'plum' \(registered in .*\) is broken: expected a Number; received function"
    ):
        fruits.get("plum")


def test_things_that_are_to_be_called_may_be_of_any_type():
    makers = Table("maker", "keras_sparseflow.maker", {}, expects="callable")
    assert makers.register("kind", dict) is dict and makers.register("function", len) is len
    with pytest.raises(ValueError, match="expected something callable; received int"):
        makers.register("number", 3)


def test_a_broken_built_in_raises_its_own_error():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        table(gone="no_such_module:x").get("gone")


def test_what_is_registered_as_a_reference_is_imported_when_asked_for():
    fruits = table()
    fruits.register("gone", "no_such_module:x")
    with pytest.raises(ValueError, match=r"registered in .*, no_such_module:x\) is broken: ModuleNotFoundError"):
        fruits.get("gone")
