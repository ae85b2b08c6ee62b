"""Launchers in this process, as typed on a command line."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from absl import flags

from keras_sparseflow.launchers.flags import define_plugin_flag


@pytest.fixture
def launch(monkeypatch, capfd):
    """Runs a launcher by its name and arguments; returns what `subprocess.run` does.

    TensorFlow is here already, and is not set up anew.
    """
    monkeypatch.setenv("COLUMNS", "200")

    def run(name, *arguments):
        module = import_module(f"keras_sparseflow.launchers.{name}")
        for place in (module, import_module("keras_sparseflow.launchers.study_launcher")):
            for load in ("load_training_as_given", "load_training_quietly"):
                monkeypatch.setattr(place, load, lambda *given: None, raising=False)
        before, status = set(flags.FLAGS), 0
        capfd.readouterr()
        try:
            module.define_flags()
            define_plugin_flag()
            module.main(flags.FLAGS([f"launchers/{name}.py", *arguments]))
        except flags.Error as error:
            status, refusal = 1, str(error)
        except SystemExit as end:
            status, refusal = end.code, ""
        else:
            refusal = ""
        finally:
            for flag in set(flags.FLAGS) - before:
                delattr(flags.FLAGS, flag)
            flags.FLAGS.unparse_flags()
        printed = capfd.readouterr()
        return SimpleNamespace(returncode=status, stdout=printed.out, stderr=printed.err + refusal)

    return run
