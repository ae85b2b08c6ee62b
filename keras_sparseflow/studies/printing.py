"""Printed summaries: a finished run, the plan of a study, the costs of studies."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from rich import filesize
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_sparseflow.records import RunFolder, read_json
from keras_sparseflow.records.integrity import without_digests
from keras_sparseflow.studies.executors.execution import counted_executions
from keras_sparseflow.studies.executors.plan import PlannedPopulation
from keras_sparseflow.studies.executors.shards import Shard
from keras_sparseflow.studies.prepare import Prepared
from keras_sparseflow.studies.size.cost import Cost, cost_line, counted, short
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study

UNITS = {"seconds": "s"}


def print_result(folder: RunFolder, console: Console | None = None) -> None:
    """Prints the result of a finished run as a table, and where its files are."""
    table = Table("result", "value", title=folder.run_id)
    for name, value in without_digests(read_json(folder.path / "result.json")).items():
        shown = "not a number" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
        table.add_row(name, f"{shown} {UNITS.get(name, '')}".rstrip())
    console = console or Console()
    console.print(table)
    console.print(f"Files: {folder.path}", soft_wrap=True)


def print_study(
    prepared: Prepared, console: Console | None = None, *, cut: bool = False, shard: Shard | None = None
) -> None:
    """Prints what a study is about, what it costs, and which of its networks would train together.

    Args:
        prepared: the study.
        console: console to print on; None for the terminal.
        cut: whether to say into which tasks the study can be cut.
        shard: shard whose share of the plan is printed too; None for none.
    """
    console, study, plan = console or Console(), prepared.study, prepared.plan
    wide = not console.is_terminal  # a file, or a program that reads it, breaks no lines
    lines = [f"{study.name}: {study.title}"]
    if study.reproduces:
        lines.append(f"Reproduces: {study.reproduces}.")
    lines += [f"Note: {note}" for note in study.notes]
    changed = [f"{row['choice']} {row['here']} (preset: {row['preset']})" for row in study.overrides()]
    if changed:
        lines.append(f"Changed: {'; '.join(changed)}.")
    lines.append(f"Cost: {cost_line(prepared.cost)}")
    for line in lines:
        console.print(line, soft_wrap=wide, highlight=False, markup=False)
    console.print(_network_table(study, prepared.specs))
    if plan.populations:
        console.print(_plan_table(plan.populations))
    if plan.alone:
        console.print(f"One after the other: {counted(len(plan.alone), 'network')}.", highlight=False)
    for execution, networks in counted_executions(plan.executions.values()):
        console.print(f"Computed {execution}: {counted(networks, 'network')}.", soft_wrap=wide, highlight=False)
    for what, reason in plan.reasons.items():
        console.print(f"Networks with {what} can't be stacked: {reason}.", soft_wrap=wide, highlight=False)
    for line in _cut(prepared, cut, shard):
        console.print(line, soft_wrap=wide, highlight=False)
    if plan.finished:
        console.print(f"Finished before: {counted(plan.finished, 'network')}.", highlight=False)


def _cut(prepared: Prepared, cut: bool, shard: Shard | None) -> list[str]:
    """Returns how the plan of a study is cut into tasks, and what one of its shards trains."""
    stored = prepared.plan.stored
    if stored is None:
        return []
    whole = sum(task.flops for task in stored.tasks)
    lines = []
    if cut or shard is not None:
        largest = max(task.flops for task in stored.tasks) / whole
        lines.append(
            f"Cut into {counted(len(stored.tasks), 'task')} that can train apart; the largest has {largest:.0%} of the "
            "operations."
        )
    if shard is not None:
        tasks = stored.shard(*shard)
        networks, flops = sum(len(task.run_ids) for task in tasks), sum(task.flops for task in tasks)
        lines.append(
            f"Shard {shard[0]}/{shard[1]}: {counted(len(tasks), 'task')} of {counted(networks, 'network')}, "
            f"{flops / whole:.0%} of the operations."
        )
    return lines


def print_presets(papers: Mapping[str, Sequence[tuple[Study, Cost | str]]], console: Console | None = None) -> None:
    """Prints presets by their paper, one line each: name, question, networks and floating-point operations.

    Args:
        papers: the studies of each paper with their cost, or why one can't be trained.
        console: console to print on; None for the terminal.
    """
    console = console or Console()
    lines, refused = [], {}
    for paper, costs in papers.items():
        names = max(len(study.name) for study, _ in costs) + 1
        titles = max(console.width - names - 15, 8)
        lines.append(Text(f"{paper:<{names + titles - 4}} networks   FLOP", "bold"))
        for study, cost in costs:
            if isinstance(cost, str):
                refused[study.name] = cost.partition(": ")[0].rstrip(".")  # all of it is said where it is to be trained
            numbers = ("-", "-") if isinstance(cost, str) else (str(cost.networks), short(cost.flops))
            title = study.title if len(study.title) <= titles else f"{study.title[: titles - 1]}\N{HORIZONTAL ELLIPSIS}"
            lines.append(Text(f"{study.name:<{names}}{title:<{titles}} {numbers[0]:>4} {numbers[1]:>6}"))
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
    for name, reason in refused.items():
        console.print(f"{name}: {reason}.", soft_wrap=True, highlight=False, markup=False)


_TOLD = (
    *("dataset", "model", "depth", "hidden_layers", "width", "max_width", "width_fractions", "density", "method"),
    *(
        "score",
        "distribution",
        "tweaks",
        "variant",
        "activation",
        "optimizer",
        "learning_rate",
        "schedule",
        "batch_size",
    ),
    *("epochs", "rounds", "fraction", "rewind_step", "seeds"),
)
"""The choices that are printed before a study is trained; its report has them all."""


def _network_table(study: Study, specs: Sequence[RunSpec]) -> Table:
    """Returns what a study's networks are, and how they are trained, a row for each choice."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    told = {row["choice"]: row["value"] for row in study.choices(specs)}
    for name in _TOLD:
        if name in told:
            value = told[name]
            words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            table.add_row(Text(name.replace("_", " "), "bold"), Text(words))
    return table


def _plan_table(plan: Sequence[PlannedPopulation]) -> Table:
    """Returns a plan as a table, a row for each population, without what all of them share with the study."""
    networks = sum(len(population.training) for population in plan)
    columns = {name: [tell(population) for population in plan] for name, tell in _POPULATION.items()}
    if not any(population.first_epoch for population in plan):
        columns.pop("epochs left")
    for name in ("hidden layers", "activation"):
        if len({*columns[name]}) == 1:
            columns.pop(name)
    table = Table(
        box=SIMPLE_HEAD,
        collapse_padding=True,
        show_edge=False,
        title="Networks that train together",
        caption=f"{counted(networks, 'network')} in {counted(len(plan), 'population')}",
    )
    table.add_column("", justify="right")
    for name in columns:
        head = name if name == "networks x width" else name.replace(" ", "\n")
        right, whole = name in ("networks", "memory"), name not in ("variant", "networks x width")
        table.add_column(head, justify="right" if right else "left", no_wrap=whole)
    for number, values in enumerate(zip(*columns.values(), strict=True), start=1):
        table.add_row(str(number), *values)
    return table


def _widths(population: PlannedPopulation) -> str:
    """Returns how many networks a population computes at each width, those in stacks of one width together."""
    widths: Counter[int] = Counter()
    for stack in population.stacks:
        widths[stack.width] += len(stack.members)
    return ", ".join(f"{networks}x{width}" for width, networks in widths.items())


def _epochs_left(population: PlannedPopulation) -> str:
    epochs = population.specs[0].training.epochs
    return f"{epochs - population.first_epoch} of {epochs}" if population.first_epoch else str(epochs)


_POPULATION: dict[str, Callable[[PlannedPopulation], str]] = {
    "networks": lambda population: str(len(population.training)),
    "optimizer": lambda population: population.specs[0].training.optimizer,
    "hidden layers": lambda population: str(population.specs[0].model.hidden_layers),
    "variant": lambda population: ", ".join(dict.fromkeys(spec.training.variant for spec in population.specs)),
    "activation": lambda population: population.specs[0].model.activation,
    "networks x width": _widths,
    "epochs left": _epochs_left,
    "memory": lambda population: filesize.decimal(population.memory),
}
"""Columns of a plan, each with what tells its value."""
