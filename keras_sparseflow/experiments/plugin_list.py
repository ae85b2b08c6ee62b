"""The list of everything that has a name: what the launchers print for --list_plugins."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_sparseflow.plugins import Plugin, list_plugins

_NOT_IMPORTED = "Those of other packages are not imported here: what goes wrong there is said where one is used."


def print_plugins(console: Console | None = None) -> None:
    """Prints every named thing: kind, name, origin and a line of help, or what is wrong with it. None is imported."""
    plugins = list_plugins()
    (console or Console()).print(plugin_table(plugins))


def plugin_table(plugins: Sequence[Plugin]) -> Table:
    """Returns named things as a table for the terminal, a row for each, a line between two kinds."""
    broken = sum(bool(plugin.problem) for plugin in plugins)
    others = sum(not plugin.origin.built_in for plugin in plugins)
    total = f"{len(plugins)} names, {others} of them not built in, {broken} broken. {_NOT_IMPORTED}"
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, show_edge=False, caption=total, caption_justify="left")
    for name in ("kind", "name", "origin", "help"):
        table.add_column(name, no_wrap=name in ("kind", "name"))
    for plugin, after in zip(plugins, [*plugins[1:], None], strict=True):
        what = Text(f"broken: {plugin.problem}", "red") if plugin.problem else Text(plugin.help)
        last = after is not None and after.kind != plugin.kind
        table.add_row(plugin.kind, Text(plugin.name), Text(str(plugin.origin)), what, end_section=last)
    return table
