"""Printed summaries: a finished run, the plan of a study, the costs of studies."""

from collections.abc import Sequence

from rich import filesize
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from keras_sparseflow.records import RunFolder, read_json
from keras_sparseflow.studies.executors.execution import counted_executions
from keras_sparseflow.studies.executors.plan import PlannedPopulation
from keras_sparseflow.studies.executors.prepared import Prepared
from keras_sparseflow.studies.size.cost import Cost, cost_line, counted, short
from keras_sparseflow.studies.study import Study

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


def print_study(prepared: Prepared, console: Console | None = None) -> None:
    """Prints what a study is about, what it costs, and which of its networks would train together."""
    console, study, plan = console or Console(), prepared.study, prepared.plan
    lines = [f"{study.name}: {study.title}"]
    if study.reproduces:
        lines.append(f"Reproduces: {study.reproduces}.")
    lines += [f"Note: {note}" for note in study.notes]
    changed = [f"{row['choice']} {row['here']} (preset: {row['preset']})" for row in study.overrides()]
    if changed:
        lines.append(f"Changed: {'; '.join(changed)}.")
    lines.append(f"Cost: {cost_line(prepared.cost)}")
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    if plan.populations:
        console.print(_plan_table(plan.populations))
    if plan.alone:
        console.print(f"One after the other: {counted(len(plan.alone), 'network')}.", highlight=False)
    for execution, networks in counted_executions(plan.executions.values()):
        console.print(f"Computed {execution}: {counted(networks, 'network')}.", soft_wrap=True, highlight=False)
    for what, reason in plan.reasons.items():
        console.print(f"Networks with {what} can't be stacked: {reason}.", soft_wrap=True, highlight=False)
    if plan.finished:
        console.print(f"Finished before: {counted(plan.finished, 'network')}.", highlight=False)


def print_costs(costs: Sequence[tuple[Study, Cost | str]], console: Console | None = None) -> None:
    """Prints a table of studies: what each is about, and what it costs, or why it can't be trained."""
    console = console or Console()
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, show_edge=False, title="Presets")
    table.add_column("preset")
    for name in ("networks", "steps", "weights\nactive", "weights\nstored", "FLOP"):
        table.add_column(name, justify="right", no_wrap=True)
    for study, cost in costs:
        table.add_row(*_cells(study, cost))
    console.print(table)
    console.print("Sums over the networks of a study.", soft_wrap=True, highlight=False)


def _plan_table(plan: Sequence[PlannedPopulation]) -> Table:
    """Returns a plan as a table, a row for each population."""
    networks = sum(len(population.specs) for population in plan)
    table = Table(
        box=SIMPLE_HEAD,
        collapse_padding=True,
        show_edge=False,
        title="Networks that train together",
        caption=f"{counted(networks, 'network')} in {counted(len(plan), 'population')}",
    )
    for name in ("", "networks"):
        table.add_column(name, justify="right")
    for name in ("optimizer", "hidden\nlayers", "variant", "activation", "stacks", "epochs\nleft", "memory"):
        table.add_column(name, no_wrap=name not in ("variant", "stacks"))
    for number, population in enumerate(plan, start=1):
        first = population.specs[0]
        left = first.training.epochs - population.first_epoch
        table.add_row(
            str(number),
            str(len(population.specs)),
            first.training.optimizer,
            str(first.model.hidden_layers),
            ", ".join(dict.fromkeys(spec.training.variant for spec in population.specs)),
            first.model.activation,
            ", ".join(f"{len(stack.members)} x {stack.width}" for stack in population.stacks),
            f"{left} of {first.training.epochs}" if population.first_epoch else str(left),
            filesize.decimal(population.memory),
        )
    return table


def _cells(study: Study, cost: Cost | str) -> list[RenderableType]:
    name = Text(f"{study.name}\n", "bold")
    name.append(study.title, "not bold")
    if isinstance(cost, str):
        name.append(f" Not so changed: {cost}", "not bold")
        return [name, *["-"] * 5]
    numbers = (cost.steps, cost.active_weights, cost.stored_weights, cost.flops)
    return [name, str(cost.networks), *map(short, numbers)]
