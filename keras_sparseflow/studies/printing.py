"""What the launchers print: a finished run, the plan of a study, and what studies cost."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from keras_sparseflow.records import RunFolder, read_json
from keras_sparseflow.studies.executors.executors import StudyPlan
from keras_sparseflow.studies.executors.plan import counted, plan_table
from keras_sparseflow.studies.study import Study
from keras_sparseflow.studies.size.estimate import Estimate
from keras_sparseflow.studies.size.units import duration, short

UNITS = {"seconds": "s"}

ACCURACY = "Times are estimated from a short calibration of this machine, as busy as it is now; expect a factor of two."


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


def print_study(study: Study, cost: str, seconds: float, console: Console | None = None) -> None:
    """Prints what a study is about, what it costs, and how long it would take.

    Args:
        study: the study.
        cost: in words, of all its networks.
        seconds: of those that are left to train.
        console: where to print it; None for standard output.
    """
    console = console or Console()
    lines = [f"{study.name}: {study.title}"]
    if study.reproduces:
        lines.append(f"Reproduces: {study.reproduces}.")
    lines += [f"Note: {note}" for note in study.notes]
    changed = [f"{row['choice']} {row['here']} (preset: {row['preset']})" for row in study.overrides()]
    if changed:
        lines.append(f"Changed: {'; '.join(changed)}.")
    lines += [f"Cost: {cost}", f"Estimated time for what is left: {duration(seconds)}. {ACCURACY}"]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def print_estimates(estimates: Sequence[Estimate], console: Console | None = None) -> None:
    """Prints a table of studies: what each is about, what it costs, and how long it would take."""
    console = console or Console()
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, show_edge=False, title="Presets")
    table.add_column("preset")
    for name in ("networks", "steps", "weights\nactive", "weights\nstored", "FLOP", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for estimate in estimates:
        table.add_row(*_cells(estimate))
    console.print(table)
    console.print(f"Sums over the networks of a study. {ACCURACY}", soft_wrap=True, highlight=False)


@contextmanager
def calibration_bar(console: Console | None = None) -> Iterator[Callable[[int, int], None]]:
    """Shows a bar while the machine is calibrated; gives what is called with measurements done, and of how many."""
    columns = (TextColumn("Calibrating"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn())
    console = console or Console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=1)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _cells(estimate: Estimate) -> list[RenderableType]:
    name = Text(f"{estimate.study.name}\n", "bold")
    name.append(estimate.study.title, "not bold")
    if estimate.cost is None or estimate.seconds is None:
        name.append(f" Not so changed: {estimate.refusal}", "not bold")
        return [name, *["-"] * 6]
    cost = estimate.cost
    numbers = (cost.steps, cost.active_weights, cost.stored_weights, cost.flops)
    return [name, str(cost.networks), *map(short, numbers), duration(estimate.seconds)]
