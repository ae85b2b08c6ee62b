"""Launchers in this process, as typed on a command line."""

import sys
from importlib import import_module
from types import SimpleNamespace

import pytest
from absl import flags

from keras_sparseflow.launchers import command


@pytest.fixture
def launch(monkeypatch, capfd):
    """Runs a launcher by its name and arguments; returns what `subprocess.run` does.

    TensorFlow is here already, and is not set up anew.
    """
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(command.app, "run", lambda main, flags_parser: main(flags_parser(sys.argv)))

    def run(name, *arguments):
        module = import_module(f"keras_sparseflow.launchers.{name}")
        for place in (module, import_module("keras_sparseflow.launchers.study_launcher")):
            for load in ("load_training_as_given", "load_training_quietly"):
                monkeypatch.setattr(place, load, lambda *given: None, raising=False)
        monkeypatch.setattr(sys, "argv", [f"launchers/{name}.py", *arguments])
        before, status = set(flags.FLAGS), 0
        capfd.readouterr()
        try:
            module.run()
        except SystemExit as end:
            status = end.code
        finally:
            for flag in set(flags.FLAGS) - before:
                delattr(flags.FLAGS, flag)
            flags.FLAGS.unparse_flags()
        printed = capfd.readouterr()
        return SimpleNamespace(returncode=status, stdout=printed.out, stderr=printed.err)

    return run
