"""Fingerprints change with code, defaults and enclosed values, and with nothing else."""

import functools
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from keras_sparseflow.masks.scores.simple import magnitude_scores
from keras_sparseflow.plugins.fingerprint import fingerprint

ENCLOSING = """
def make(value):
    def inner(x, power={power}):
        return {body}
    return inner
"""


def made(value=2, power=1, body="x * value"):
    """A function as a notebook's cell makes it, of which no source is kept."""
    scope = {"__name__": "__main__"}
    exec(ENCLOSING.format(power=power, body=body), scope)
    return scope["make"](value)


@dataclass
class Hooks:
    help: str
    penalty: Any = None


class Measure:
    factor = 2

    def __init__(self, per_layer):
        self.per_layer = per_layer

    def __call__(self, x):
        return self.per_layer(x)


def a_class(body, constant=1):
    scope = {"__name__": "__main__"}
    exec(f"class Layer:\n    constant = {constant}\n    def call(self, x):\n        return {body}", scope)
    return scope["Layer"]


@pytest.mark.parametrize("other", [{"value": 3}, {"power": 2}, {"body": "x + value"}, {"body": "x * value ** 2"}])
@pytest.mark.parametrize("wrap", [lambda f: f, functools.partial, Measure, functools.cache, lambda f: Hooks("h", f)])
def test_of_a_function_it_is_of_code_defaults_and_enclosed_values(other, wrap):
    assert fingerprint(wrap(made())) == fingerprint(wrap(made())) != fingerprint(wrap(made(**other)))


def test_of_a_class_it_is_of_methods_and_constants():
    assert fingerprint(a_class("x")) == fingerprint(a_class("x"))
    assert len({fingerprint(a_class(*found)) for found in (("x",), ("-x",), ("x", 2))}) == 3
    assert fingerprint(a_class("x")()) != fingerprint(a_class("-x")())
    assert fingerprint(a_class("x")().call) != fingerprint(a_class("-x")().call)


def test_source_counts_where_there_is_one_and_lambdas_of_one_line_are_told_apart(tmp_path, monkeypatch):
    one, two = (lambda x: x), (lambda x: -x)
    assert fingerprint(one) != fingerprint(two)
    (tmp_path / "a_score.py").write_text("def a_score(x):\n    return x  # as it came\n")
    monkeypatch.syspath_prepend(tmp_path)
    import a_score

    before = fingerprint(a_score.a_score)
    (tmp_path / "a_score.py").write_text("\n\ndef a_score(x):\n    return x  # as it came\n")
    import importlib

    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, "a_score")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert fingerprint(importlib.import_module("a_score").a_score) == before, "it has moved by two lines"
    monkeypatch.delitem(sys.modules, "a_score")


def test_of_a_reference_it_is_of_its_modules_file(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    found = set()
    for text in ("raise SystemExit", "raise SystemExit(1)"):
        (tmp_path / "never_imported.py").write_text(text)
        found |= {fingerprint("never_imported:score"), fingerprint("never_imported:other")}
    assert len(found) == 4
    assert fingerprint("no_such_module:x") == fingerprint("no_such_module:x") != fingerprint("not a reference")


def test_what_the_library_defines_counts_by_name():
    assert fingerprint(magnitude_scores) == fingerprint(magnitude_scores) != fingerprint(made())


def test_what_holds_itself_ends():
    def outer(depth):
        return outer(depth - 1) if depth else made

    items: list[Any] = [1]
    items.append(items)
    assert fingerprint(outer) and fingerprint(items) != fingerprint([1])


def test_every_process_finds_the_same():
    code = f"""
from keras_sparseflow.plugins.fingerprint import fingerprint
scope = {{"__name__": "__main__"}}
exec({ENCLOSING.format(power=1, body="x in {1, 2, 'a', 'b', value}")!r}, scope)
exec("def sets(x): return x in {{'a', 'b', 'c', 'd'}}", scope)
print(fingerprint([scope["make"](frozenset("xyz")), scope["sets"], object()]))
"""
    printed = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout
        for environment in ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"})
    }
    assert len(printed) == 1
