"""Packages of other people that are not there: their entry points stand in a table for one test."""

from tests.plugins.packages import installed


def install(monkeypatch, table, package, **values):
    """Lets a package such as "my-masks 1.2" have these references as entry points of a table."""
    from keras_sparseflow.plugins.entries import Plugin, origin_of

    kind = table.group.rpartition(".")[2]
    entries = installed(package, table.group, values)
    monkeypatch.setattr(table, "_installed", [Plugin(kind, e.name, e.value, origin_of(e)) for e in entries])
    monkeypatch.setattr(table, "_loaded", {})


def registered(monkeypatch, table, **items):
    """Registers things in a table for one test."""
    monkeypatch.setattr(table, "_registered", dict(table._registered))
    monkeypatch.setattr(table, "_loaded", dict(table._loaded))
    for name, item in items.items():
        table.register(name, item)
