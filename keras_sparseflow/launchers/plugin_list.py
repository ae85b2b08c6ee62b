"""The list of all named things, which launchers print for --list_plugins."""

import re
import sys
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_sparseflow.plugins import Plugin, list_plugins

_WIDEST = 10_000

_NOT_IMPORTED = "Those of other packages are not imported here: what goes wrong there is said where one is used."


def print_plugins(console: Console | None = None) -> None:
    """Prints every named thing: kind, name, origin and a line of help, or what is wrong with it. None is imported.

    A line for each: a terminal cuts off help that does not fit; another program, such as grep, is given all of it.
    """
    console = console or Console(width=None if sys.stdout.isatty() else _WIDEST)
    console.print(plugin_table(list_plugins()))


def plugin_table(plugins: Sequence[Plugin]) -> Table:
    """Returns named things as a table for the terminal, a row for each, a line between two kinds."""
    broken = sum(bool(plugin.problem) for plugin in plugins)
    others = sum(not plugin.origin.built_in for plugin in plugins)
    total = f"{len(plugins)} names, {others} of them not built in, {broken} broken. {_NOT_IMPORTED}"
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, show_edge=False, caption=total, caption_justify="left")
    for name in ("kind", "name", "origin", "help"):
        table.add_column(name, no_wrap=name != "help")  # what wraps gives way where all do not fit
    for plugin, after in zip(plugins, [*plugins[1:], None], strict=True):
        what = Text(f"broken: {plugin.problem}", "red") if plugin.problem else _said(plugin.help)
        last = after is not None and after.kind != plugin.kind
        table.add_row(plugin.kind, Text(plugin.name), Text(str(plugin.origin)), what, end_section=last)
    return table


def _said(help: str) -> Text:
    """Returns a line of help as a list shows it: what a function returns, without the word."""
    said = help.removeprefix("Returns ")
    if said != help and re.match(r"(a|[a-z]{2,})[ ,:]", said):  # a word, and no formula
        said = said[0].upper() + said[1:]
    return Text(said, no_wrap=True, overflow="ellipsis")
