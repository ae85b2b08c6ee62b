"""One finished run on the terminal."""

from rich.console import Console
from rich.table import Table

from keras_sparseflow.records import RunFolder, read_json

UNITS = {"seconds": "s"}


def print_result(folder: RunFolder, console: Console | None = None) -> None:
    """Prints the result of a finished run as a table, and where its files are."""
    table = Table("result", "value", title=folder.run_id)
    for name, value in read_json(folder.path / "result.json").items():
        shown = "not a number" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
        table.add_row(name, f"{shown} {UNITS.get(name, '')}".rstrip())
    console = console or Console()
    console.print(table)
    console.print(f"Files: {folder.path}", soft_wrap=True)
