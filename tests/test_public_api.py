"""Public names: each stays as it is, is documented whole, and shows how it is used."""

import importlib.util
import re
from dataclasses import fields, is_dataclass
from inspect import getdoc, isclass, isfunction, signature
from pathlib import Path

import pytest

from keras_sparseflow.studies.executors.executors import EXECUTORS

ROOT = Path(__file__).parents[1]
DRAWS_EVERYTHING = {"write_report"}
"""Functions without an example: it would take seconds, and each page of a study shows their use."""


@pytest.fixture(scope="module")
def api():
    """The module that lists what is public."""
    spec = importlib.util.spec_from_file_location("make_api", ROOT / "docs" / "make_api.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def items(api):
    return {name: item for name, item in api.public_items().items() if isclass(item) or isfunction(item)}


def test_public_names_and_signatures_are_those_that_were_agreed(api):
    """A difference is a decision: `make api` writes it down, a changelog entry says why."""
    agreed = (ROOT / "tests" / "public_api.txt").read_text().splitlines()
    found = api.snapshot().splitlines()
    gone, new = set(agreed) - set(found), set(found) - set(agreed)
    assert agreed == found, f"run `make api` if this is meant; gone: {sorted(gone)}; new: {sorted(new)}"


def test_every_public_name_and_every_member_of_a_public_class_is_documented(api, items):
    for name, item in items.items():
        assert own_docstring(item), name
        if isclass(item):
            for member in api.own_members(item):
                assert getdoc(getattr(item, member)), f"{name}.{member}"


def test_every_public_name_shows_how_it_is_used(items):
    """Examples run as doctests. Exceptions need none, nor do executors, which `run_study` is given by name."""
    executors = [EXECUTORS.get(name) for name in EXECUTORS.names()]
    lacking = {
        name.rpartition(".")[2]
        for name, item in items.items()
        if ">>> " not in own_docstring(item) and not is_exception(item) and item not in executors
    }
    assert lacking == DRAWS_EVERYTHING, "write an example, or strike out who has one"


def own_docstring(item):
    """A docstring that is its own, not a base class's nor one that `dataclass` wrote."""
    text = vars(item).get("__doc__") if isclass(item) else item.__doc__
    return "" if text is None or text.startswith(f"{item.__name__}(") else text


def is_exception(item):
    return isclass(item) and issubclass(item, Exception)


def test_a_signature_is_written_down_without_annotations_and_with_its_defaults(api):
    def mask(
        shape: tuple[int, ...], *, keras_class: type = int, factory=own_docstring, density: float = 0.5
    ) -> None: ...

    assert api.lines("mask", mask) == ["mask(shape, *, keras_class=int, factory=..., density=0.5)"]


def test_members_of_a_class_are_written_down_apart_from_contracts_of_other_libraries(api):
    class Rows(dict):
        __module__ = "keras_sparseflow.made_up"

        def __init__(self, first: int = 0): ...

        def items(self): ...

        def total(self, start: float = 0.0) -> float: ...

        @property
        def width(self) -> int: ...

    assert api.lines("Rows", Rows) == ["Rows(first=0)", "Rows.total(self, start=0.0)", "Rows.width"]


def test_every_parameter_of_a_public_name_is_explained(items):
    """It is explained in its docstring, in a base class's, in one of a public name it names, or in a field's help."""
    documented = {name.rpartition(".")[2]: item for name, item in items.items()}
    unexplained = [
        f"{name}: {parameter}"
        for name, item in items.items()
        if not is_exception(item)
        for parameter in signature(item).parameters
        if not is_explained(parameter, item, documented)
    ]
    assert not unexplained


def is_explained(parameter, item, documented):
    if parameter in fields_with_help(item) or parameter in ("args", "kwargs"):
        return True
    bases = (
        [base for base in item.__mro__ if base.__module__.startswith("keras_sparseflow")] if isclass(item) else [item]
    )
    texts = [own_docstring(base) for base in bases]
    texts += [own_docstring(documented[word]) for word in re.findall(r"`(\w+)`", " ".join(texts)) if word in documented]
    return any(re.search(rf"^ +(?:\*\*)?{parameter}: |`{parameter}`", text, re.MULTILINE) for text in texts)


def fields_with_help(item):
    """Returns the fields of which launchers make flags."""
    return [field.name for field in fields(item) if "help" in field.metadata] if is_dataclass(item) else []
