"""The stored plan of a study, `plan.json`: the networks that train together, decided once for every process and resume.

Networks of one stack share their operations, and the shapes of these decide last bits. So every process that trains a
study, now or later, here or on another machine, takes the plan that lies in its folder.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from keras_sparseflow.records import read_json, write_json
from keras_sparseflow.records.files import PLAN_REMEDY
from keras_sparseflow.records.provenance import versions
from keras_sparseflow.studies.executors.execution import Execution
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.plan import (
    PlannedPopulation,
    PlannedStack,
    Setting,
    population_of_stacks,
    stacks_with,
)
from keras_sparseflow.studies.size.cost import counted
from keras_sparseflow.studies.spec.run_spec import RunSpec

FILE = "plan.json"
FORMAT = 1


@dataclass(frozen=True)
class Platform:
    """The parts of a machine, and the way of training on it, that decide last bits.

    Args:
        device: "CPU" or "GPU".
        threads: TensorFlow's threads within an operation on a CPU; None on a GPU.
        instructions: the processor's kind and vector instructions.
        tensorflow: the version.
        xla: whether XLA compiles the training.

    Example:
        >>> here = Platform("CPU", 1, "x86_64 avx2", "2.21.0", xla=False)
        >>> here.unlike(dataclasses.replace(here, tensorflow="2.22.0"))
        'tensorflow 2.21.0 (here 2.22.0)'
    """

    device: str
    threads: int | None
    instructions: str
    tensorflow: str
    xla: bool

    def unlike(self, here: "Platform") -> str:
        """Returns in words what differs here; "" where nothing does."""
        both = zip(dataclasses.asdict(self).items(), dataclasses.asdict(here).values(), strict=True)
        return ", ".join(f"{name} {planned} (here {found})" for (name, planned), found in both if planned != found)


def platform_here(options: Options) -> Platform:
    """Returns what decides last bits in this process."""
    from keras_sparseflow.training.distributed import device

    on_gpu = device.on_gpu()
    threads = None if on_gpu else device.threads()
    # Under a strategy it compiles nothing, see `compiles`.
    xla = options.strategy == "none" and (device.default_jit() if options.jit is None else options.jit)
    return Platform("GPU" if on_gpu else "CPU", threads, device.instructions(), versions()["tensorflow"], xla)


def planned_platform(executor: str, options: Options) -> Platform:
    """Returns what decides last bits where an executor trains.

    Args:
        executor: a name in `EXECUTORS`.
        options: options of the execution.
    """
    from keras_sparseflow.training.distributed.device import CPU_CHAINS

    here = platform_here(options)
    if executor != "ray":
        return here
    if options.task_gpus:
        return replace(here, device="GPU", threads=None, xla=options.jit is not False)
    threads = here.threads if options.task_cpus is None else max(1, options.task_cpus // CPU_CHAINS)
    return replace(here, device="CPU", threads=threads or 1, xla=options.jit is True)


@dataclass(frozen=True)
class StoredPopulation:
    """A planned population by the ids of its runs.

    Args:
        runs: widest first.
        stacks: hold the position of every run once.
        setting: the sizes that its memory follows from.
    """

    runs: tuple[str, ...]
    stacks: tuple[PlannedStack, ...]
    setting: Setting

    @classmethod
    def of(cls, population: PlannedPopulation) -> "StoredPopulation":
        """Returns a population as it is stored."""
        return cls(tuple(spec.run_id for spec in population.specs), population.stacks, population.setting)

    def planned(self, specs: Mapping[str, RunSpec]) -> PlannedPopulation:
        """Returns the population of those of its runs that `specs` holds by id."""
        members = [member for member, run_id in enumerate(self.runs) if run_id in specs]
        chosen = tuple(specs[self.runs[member]] for member in members)
        return population_of_stacks(chosen, stacks_with(self.stacks, members), 0, self.setting)

    def without(self, runs: Collection[str]) -> "StoredPopulation":
        """Returns the population of its other runs, which stay in stacks of their old widths."""
        members = [member for member, run_id in enumerate(self.runs) if run_id not in runs]
        return StoredPopulation(
            tuple(self.runs[member] for member in members), stacks_with(self.stacks, members), self.setting
        )


@dataclass(frozen=True)
class Task:
    """The smallest share of a study: a population, a network alone, or all rounds of lottery tickets from one network.

    Args:
        flops: floating-point operations of its runs from their start.
        populations: one, or those it was halved into.
        alone: execution of each network that trains alone, by the run's id, in their order.
    """

    flops: int
    populations: tuple[StoredPopulation, ...] = ()
    alone: Mapping[str, Execution] = field(default_factory=dict)

    @property
    def run_ids(self) -> list[str]:
        return [*(run_id for population in self.populations for run_id in population.runs), *self.alone]


@dataclass(frozen=True)
class StoredPlan:
    """The plan of a study as `plan.json` holds it.

    Args:
        platform: platform on which it was made.
        parts: tasks that were planned at one time; a study that grows gets another part.
        revisions: history of the plan, a sentence for each time that networks were planned again.
    """

    platform: Platform
    parts: tuple[tuple[Task, ...], ...]
    revisions: tuple[str, ...]

    @property
    def tasks(self) -> list[Task]:
        return [task for part in self.parts for task in part]

    def shard(self, shard: int, shards: int) -> list[Task]:
        """Returns the tasks of one of several shares with about equally many operations.

        A part that is added later moves no task of an earlier one to another share.

        Args:
            shard: from 0 to `shards` - 1.
            shards: number of shards.
        """
        loads, chosen = [0] * shards, []
        for part in self.parts:
            for task in sorted(part, key=lambda task: -task.flops):  # the next largest to the least loaded
                place = loads.index(min(loads))
                loads[place] += task.flops
                if place == shard:
                    chosen.append(task)
        return chosen


def read_plan(study_dir: Path) -> StoredPlan | None:
    """Returns the plan in a study's folder; None where there is none.

    Raises:
        ValueError: the file is damaged, or of another program.
    """
    path = study_dir / FILE
    if not path.is_file():
        return None
    content = read_json(path, PLAN_REMEDY)
    if content.get("format") != FORMAT:
        raise ValueError(
            f"{path} is of another program or version: expected `format` {FORMAT}; found {content.get('format')!r}. "
            f"{PLAN_REMEDY}"
        )
    try:
        return _plan_of(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({type(error).__name__}: {error}). {PLAN_REMEDY}") from error


def first_revisions(study_dir: Path, left: int, *, replan: bool) -> tuple[str, ...]:
    """Returns the revisions of a plan that is made anew, after those of the one that it replaces.

    Args:
        study_dir: the study's folder.
        left: number of networks that are planned.
        replan: whether a plan may be there that it replaces.
    """
    if not replan or not (study_dir / FILE).is_file():
        return (f"{counted(left, 'network')} planned.",)
    try:
        before = read_plan(study_dir)
    except ValueError:
        before = None
    earlier = ("A plan that can't be read any more.",) if before is None else before.revisions
    return (*earlier, f"{counted(left, 'network')} planned anew by --replan.")


def keep_plan(study_dir: Path, plan: StoredPlan, before: StoredPlan | None, *, replan: bool) -> None:
    """Writes a plan into a study's folder, unless it lies there.

    Args:
        study_dir: the study's folder.
        plan: the plan.
        before: the one that it goes on with, None for none.
        replan: whether it takes the place of any other.

    Raises:
        RuntimeError: another process has changed the plan since.
    """
    if plan == before:
        return
    with _changing(study_dir):
        if not replan and read_plan(study_dir) != before:
            raise RuntimeError(f"Another process has changed {study_dir / FILE} meanwhile; type the command again.")
        _write(study_dir, plan)


def keep_halves(study_dir: Path, population: PlannedPopulation, halves: Sequence[PlannedPopulation]) -> str:
    """Stores a population's halves in its place, as a new revision; returns the revision's number in words, or "".

    Args:
        study_dir: the study's folder, which may hold no plan.
        population: the unfinished part of a planned population; its other members stay as they are.
        halves: the halves of it.
    """
    with _changing(study_dir):
        plan = read_plan(study_dir)
        if plan is None:
            return ""
        runs = {spec.run_id for spec in population.training}

        def halved(stored: StoredPopulation) -> list[StoredPopulation]:
            if not runs & {*stored.runs}:
                return [stored]
            rest = stored.without(runs)
            return [*([rest] if rest.runs else []), *map(StoredPopulation.of, halves)]

        parts = tuple(
            tuple(
                dataclasses.replace(task, populations=tuple(new for old in task.populations for new in halved(old)))
                for task in part
            )
            for part in plan.parts
        )
        why = f"A population of {counted(len(runs), 'network')} ran out of memory and was halved."
        _write(study_dir, StoredPlan(plan.platform, parts, (*plan.revisions, why)))
        return f"revision {len(plan.revisions) + 1} of the plan"


def planned_threads(study_dirs: Sequence[Path]) -> int | None:
    """Returns the threads that the plans of studies were made for; None where none says so.

    Raises:
        ValueError: plans are of different numbers, and TensorFlow takes one for the whole process.
    """
    plans = {study_dir: read_plan(study_dir) for study_dir in study_dirs}
    found = {path: plan.platform.threads for path, plan in plans.items() if plan and plan.platform.threads}
    if len({*found.values()}) > 1:
        named = ", ".join(f"{path} for {threads}" for path, threads in found.items())
        raise ValueError(f"These studies are planned for different numbers of threads: {named}. Train one at a time.")
    return next(iter(found.values()), None)


def _changing(study_dir: Path) -> FileLock:
    """Returns a lock to be held while the plan is changed."""
    study_dir.mkdir(parents=True, exist_ok=True)
    return FileLock(study_dir / ".plan", timeout=60)


def _write(study_dir: Path, plan: StoredPlan) -> None:
    write_json(study_dir / FILE, {"format": FORMAT, **dataclasses.asdict(plan)})


def _plan_of(content: Mapping[str, Any]) -> StoredPlan:
    """Returns the plan in the content of a file; raises KeyError, TypeError or ValueError where it is none."""
    parts = tuple(tuple(_task_of(task) for task in part) for part in content["parts"])
    platform = Platform(**content["platform"])
    if platform.threads is not None and not (isinstance(platform.threads, int) and platform.threads > 0):
        raise ValueError(f"expected a number of threads; found {platform.threads!r}")
    plan = StoredPlan(platform, parts, tuple(map(str, content["revisions"])))
    twice = [run_id for run_id, times in Counter(i for task in plan.tasks for i in task.run_ids).items() if times > 1]
    if twice:
        raise ValueError(f"{twice[0]} is planned twice")
    return plan


def _task_of(content: Mapping[str, Any]) -> Task:
    populations = tuple(_population_of(each) for each in content["populations"])
    return Task(int(content["flops"]), populations, {i: Execution(**each) for i, each in content["alone"].items()})


def _population_of(content: Mapping[str, Any]) -> StoredPopulation:
    stacks = tuple(PlannedStack(int(stack["width"]), tuple(stack["members"])) for stack in content["stacks"])
    if sorted(member for stack in stacks for member in stack.members) != [*range(len(content["runs"]))]:
        raise ValueError(f"the stacks of {content['runs'][0]} do not hold every run once")
    return StoredPopulation(tuple(content["runs"]), stacks, Setting(**content["setting"]))
