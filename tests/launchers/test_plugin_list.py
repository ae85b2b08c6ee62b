"""The output of --list_plugins."""

import io

import pytest
from rich.console import Console

from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.launchers.plugin_list import print_plugins
from keras_sparseflow.masks.score_table import SCORES
from keras_sparseflow.plugins import KINDS, list_plugins, table
from keras_sparseflow.studies.spec.combined import PARTS, Part
from tests.plugins.packages import install, registered


@pytest.fixture(autouse=True)
def _nothing_is_registered(monkeypatch):
    for kind in KINDS:
        monkeypatch.setattr(table(kind), "_registered", {})


def printed(width=300):
    output = io.StringIO()
    print_plugins(Console(file=output, width=width))
    return output.getvalue()


def row(kind, name, text):
    """The words of a row behind its kind and name."""
    found = [line.split(maxsplit=2) for line in text.splitlines()]
    return [words[2].strip() for words in found if words[:2] == [kind, name]]


def test_every_name_has_kind_origin_and_help():
    text = printed()
    (adam,) = row("optimizer", "adam", text)
    assert adam.split("  ") == ["built in", "keras.optimizers:Adam"]
    filled = {kind for kind in KINDS if table(kind).names()}
    assert {"callback"} == set(KINDS) - filled, "the package brings none"
    assert filled <= {line.split()[0] for line in text.splitlines() if line.strip()}
    assert "0 of them not built in, 0 broken" in text


def test_what_is_broken_is_listed_with_its_error_and_the_rest_goes_on(monkeypatch):
    masks = {"mine": "json:dumps", "gone": "no_such_module:x", "snip": "json:loads"}
    install(monkeypatch, SCORES, "my-masks 1.2", "Masks for all.", **masks)
    install(monkeypatch, MEASURES, "odd 0.1", **{"o[dd]": "json:dumps"})
    registered(monkeypatch, PARTS, ORTH=Part(help="keeps [units] apart"))
    text = printed()
    (mine,), (gone,) = row("score", "mine", text), row("score", "gone", text)
    assert mine.split("  ")[0] == gone.split("  ")[0] == "my-masks 1.2"
    assert mine.endswith("Masks for all") and gone.endswith("Masks for all"), "it shows when it is imported"
    snips = row("score", "snip", text)
    assert len(snips) == 2 and snips[0].startswith("built in") and snips[1].startswith("my-masks 1.2")
    assert all(
        "broken: built in (keras_sparseflow.masks.scores.snip:snip_scores) and my-masks 1.2 (json:" in s for s in snips
    )
    assert row("flow_measure", "o[dd]", text)[0].endswith(r"broken: the name of a flow measure must match \w[\w.+-]*")
    assert row("variant", "ORTH", text)[0].endswith("keeps [units] apart")
    assert row("score", "grasp", text) and "5 of them not built in, 3 broken" in text


def test_a_terminal_shows_a_line_for_each_and_a_file_all_of_it(capsys):
    lines = printed(width=100).splitlines()
    wide = {plugin.name: plugin.help for plugin in list_plugins()}["random"].removeprefix("Returns ")
    for width, ending in ((100, "…"), (300, wide[-20:])):
        (said,) = row("score", "random", printed(width))
        assert said.split("  ")[0] == "built in" and said.endswith(ending)
    assert len(lines) - len(list_plugins()) < len(KINDS) + 6 and max(map(len, lines)) == 100
    print_plugins()
    (said,) = row("score", "random", capsys.readouterr().out)
    assert said.endswith(wide[1:]) and not said.split("  ")[-1].strip().startswith("Returns")


def test_help_that_begins_with_a_formula_keeps_its_letters():
    text = printed()
    assert row("score", "snip", text)[0].split("  ")[-1].startswith("abs(w")
    assert row("score", "random", text)[0].split("  ")[-1].strip()[0].isupper()
