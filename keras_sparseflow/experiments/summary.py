"""A finished run, and the plan of a study, on the terminal."""

from rich.console import Console
from rich.table import Table

from keras_sparseflow.experiments.executors import StudyPlan
from keras_sparseflow.experiments.plan import counted, plan_table
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


def print_plan(plan: StudyPlan, console: Console | None = None) -> None:
    """Prints which networks of a study would train together."""
    console = console or Console()
    if plan.populations:
        console.print(plan_table(plan.populations))
    if plan.alone:
        console.print(f"One after the other: {counted(len(plan.alone), 'network')}.", highlight=False)
    for what, reason in plan.reasons.items():
        console.print(f"Networks with {what} can't be stacked: {reason}.", soft_wrap=True, highlight=False)
    if plan.finished:
        console.print(f"Finished before: {counted(plan.finished, 'network')}.", highlight=False)
