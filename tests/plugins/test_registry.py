"""One registry for every kind: what it holds, and how something is added to it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import keras_sparseflow
from keras_sparseflow.plugins import KINDS, Table, list_plugins, register, table
from tests.plugins.packages import registered

PACKAGE = Path(keras_sparseflow.__file__).parent


def test_every_kind_has_a_table_whose_group_is_named_after_it():
    for kind in KINDS:
        found = table(kind)
        assert isinstance(found, Table) and found.group == f"keras_sparseflow.{kind}"
    assert len({id(table(kind)) for kind in KINDS}) == len(KINDS)


def test_every_table_of_the_package_is_of_a_kind():
    """Each `NAME = Table(...)` at the top of a module."""
    tables = {
        f"keras_sparseflow.{'.'.join(path.relative_to(PACKAGE).with_suffix('').parts)}:{statement.targets[0].id}"
        for path in PACKAGE.rglob("*.py")
        if "plugins import" in path.read_text()
        for statement in ast.parse(path.read_text()).body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.value).startswith("Table(")
    }
    assert tables == set(KINDS.values())


def test_every_built_in_says_what_it_is_and_can_be_loaded():
    plugins = [plugin for plugin in list_plugins() if plugin.origin.built_in]
    assert len(plugins) > 100
    for plugin in plugins:
        assert plugin.help and "\n" not in plugin.help, plugin
        assert not plugin.problem and plugin.load() is not None
    said = {(plugin.kind, plugin.name): plugin.help for plugin in plugins}
    assert said["flow_measure", "egf_1"].startswith("Effective gradient flow: mean over layers of the 1-norm")
    assert said["optimizer", "adam"] == "keras.optimizers:Adam", "what is Keras' own says where it stands"


def test_listing_imports_no_plugin_nor_tensorflow(tmp_path):
    (tmp_path / "loud.py").write_text('raise SystemExit("imported")\n')
    info = tmp_path / "loud-3.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 3.1\nSummary: Makes noise.\n")
    (info / "entry_points.txt").write_text(
        "[keras_sparseflow.score]\nloud = loud:score\n[keras_sparseflow.tweak]\nLoud = loud:absent\n"
    )
    code = """
import sys
from keras_sparseflow.plugins import list_plugins
for plugin in list_plugins():
    if not plugin.origin.built_in:
        print(plugin.kind, plugin.name, plugin.origin, plugin.help, plugin.problem, sep="|")
assert not {"tensorflow", "keras", "loud"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{code}"],
        capture_output=True, text=True, check=False, cwd=PACKAGE.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "score|loud|loud 3.1|Makes noise|",
        "tweak|Loud|loud 3.1|Makes noise|",
    ]


def test_register_is_a_call_and_a_decorator(monkeypatch):
    registered(monkeypatch, table("score"))

    def ranks(problem):
        """Ranks."""

    assert keras_sparseflow.register is register
    assert register("score", "ranks-called", ranks) is ranks
    assert register("score", "ranks-decorated")(ranks) is ranks
    for name in ("ranks-called", "ranks-decorated"):
        plugin = table("score").plugin(name)
        assert table("score").get(name) is ranks and plugin.help == "Ranks"
        assert str(plugin.origin) == f"registered in {__name__}"
        assert plugin.identity == f"{__name__}.{name} {plugin.fingerprint}" and plugin.fingerprint
    with pytest.raises(ValueError, match=r"'nothing' .* can't be registered: expected something callable; .* NoneType"):
        register("score", "nothing", None)


def test_things_of_another_kind_are_refused_in_every_table():
    for kind in KINDS:
        with pytest.raises(ValueError, match=r"can't be registered: expected (a|an|something) \w+; received tuple"):
            register(kind, "Pair", (1, 2))


def test_unknown_kinds_list_the_known_ones_and_the_nearest():
    for ask in (lambda: table("scores"), lambda: register("scores", "mine", 1)):
        with pytest.raises(
            ValueError, match=r"Unknown kind .* 'scores'; expected one of score, .* Did you mean 'score'"
        ):
            ask()
