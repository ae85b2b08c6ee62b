"""Plugins for one test: of packages that are not there, and registered."""

from email.message import Message
from importlib import metadata

from keras_sparseflow.plugins.entries import Plugin, origin_of


class Package(metadata.Distribution):
    """An installed package as far as its entry points ask: name, version and summary."""

    def __init__(self, name, version, summary):
        self._said = Message()
        for header, value in (("Name", name), ("Version", version), ("Summary", summary)):
            self._said[header] = value

    @property
    def metadata(self):
        return self._said

    def read_text(self, filename):
        return None

    def locate_file(self, path):
        raise NotImplementedError


def installed(package, group, values, summary=""):
    """Entry points of a package such as "basket 1.2": `values` are references by name."""
    distribution = Package(*package.split(), summary)
    entries = [metadata.EntryPoint(name, value, group) for name, value in values.items()]
    for entry in entries:
        vars(entry)["dist"] = distribution  # as `_for` does, which no two versions of Python have alike
    return entries


def install(monkeypatch, table, package, summary="", **values):
    """Lets a package such as "my-masks 1.2" have these references as entry points of a table."""
    kind = table.group.rpartition(".")[2]
    entries = installed(package, table.group, values, summary)
    monkeypatch.setattr(table, "_installed", [Plugin(kind, e.name, e.value, origin_of(e)) for e in entries])
    monkeypatch.setattr(table, "_loaded", {})


def registered(monkeypatch, table, **items):
    """Registers things in a table for one test."""
    monkeypatch.setattr(table, "_registered", dict(table._registered))
    monkeypatch.setattr(table, "_loaded", dict(table._loaded))
    for name, item in items.items():
        table.register(name, item)
