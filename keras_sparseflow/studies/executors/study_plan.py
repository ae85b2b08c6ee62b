"""The plan of a study: which of its networks train together, and which alone."""

import functools
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from keras_sparseflow.data import DataSize
from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.plugins import Table
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.executors.execution import Execution, execution_of, faster_alone
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.plan import PlannedPopulation, plan_populations
from keras_sparseflow.studies.executors.stored_plan import (
    FILE,
    StoredPlan,
    StoredPopulation,
    Task,
    first_revisions,
    planned_platform,
    read_plan,
)
from keras_sparseflow.studies.size.cost import cost, counted
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training.population import stackable

STILL_METHODS = (None, "static")
"""Methods under which masks stay as they are from the first step on."""

STACKING = ("auto", "population", "ray")
"""Executors that train populations."""


@dataclass(frozen=True)
class StudyPlan:
    """The runs of a study that are left to train, together or alone.

    Args:
        populations: trained as one program each.
        alone: trained one after the other.
        reasons: why, for each optimizer, activation, measure or part that can't be stacked.
        finished: number of runs that are finished already.
        executions: execution of each run that trains alone, by the run's id.
        stored: the plan of all runs, to be kept in the study's folder; None where there is nothing to keep.
        before: the plan that lies there, which `stored` goes on with; None for none.

    Example:
        >>> planned = StudyPlan(populations=(), alone=(), reasons={}, finished=3)
        >>> planned.finished
        3
    """

    populations: tuple[PlannedPopulation, ...]
    alone: tuple[RunSpec, ...]
    reasons: Mapping[str, str]
    finished: int
    executions: Mapping[str, Execution] = field(default_factory=dict)
    stored: StoredPlan | None = None
    before: StoredPlan | None = None

    def of(self, runs: Collection[str]) -> "StudyPlan":
        """Returns the plan of some runs, by their ids, which hold populations whole."""
        populations = tuple(p for p in self.populations if p.specs[0].run_id in runs)
        return replace(self, populations=populations, alone=tuple(s for s in self.alone if s.run_id in runs))


def plan_study(
    specs: Sequence[RunSpec],
    study_dir: Path,
    size: DataSize,
    executor: str,
    options: Options,
    *,
    replan: bool = False,
    stored: bool = True,
) -> StudyPlan:
    """Returns how an executor would train these runs: as the plan in the study's folder says, if there is one.

    Args:
        specs: of one dataset and its options.
        study_dir: the study's folder, which may not exist.
        size: of the dataset.
        executor: a name in `EXECUTORS`; one of another package decides for itself, as "serial".
        options: see `Options`.
        replan: whether runs that are not finished are planned anew.
        stored: whether they are a study's, which has a plan in its folder.

    Raises:
        ValueError: "population" with an optimizer, activation, measure or part that can't be stacked; sparse execution
            that is asked for and impossible; a stored plan that is damaged, or not what executor or options ask for.
        RuntimeError: the stored plan is for more threads than there are cores.
        ImportError: it has networks computed by Numba, which is not installed.
        MemoryError: a network needs more than `population_memory` even alone.

    Example:
        >>> from keras_sparseflow.studies.executors.options import DEFAULT_OPTIONS
        >>> spec, size = RunSpec.of(width=68, matched_fraction=0.3), DataSize((8, 8, 1), 10, 1438, 359)
        >>> planned = plan_study([spec], Path("runs/none"), size, "population", DEFAULT_OPTIONS)
        >>> [len(population.specs) for population in planned.populations], planned.alone
        ([1], ())
    """
    from keras_sparseflow.training.distributed import device

    before = read_plan(study_dir) if stored and not replan else None
    if before is not None and before.platform.threads is not None and executor != "ray":  # it only hands tasks over
        # TensorFlow takes its threads when it starts. What plans without it leaves them to the training.
        without = not device.tensorflow_is_loaded() and all(map(_nothing_tried, specs))
        (device.check_cores if without else device.take_threads)(before.platform.threads)
    left = [spec for spec in specs if not RunFolder(study_dir, spec.run_id).finished]
    tasks = [] if before is None else before.tasks
    known = {run_id for task in tasks for run_id in task.run_ids}
    fresh = _planned_anew([spec for spec in left if spec.run_id not in known], study_dir, size, executor, options)
    by_id, all_by_id = ({spec.run_id: spec for spec in some} for some in (left, specs))
    populations = tuple(
        part
        for task in tasks
        for population in task.populations
        for part in left_of(population.planned(all_by_id), study_dir)
    )
    executions = {run_id: execution for task in tasks for run_id, execution in task.alone.items() if run_id in by_id}
    plan = StudyPlan(
        populations + fresh.populations,
        tuple(by_id[run_id] for run_id in executions) + fresh.alone,
        fresh.reasons,
        len(specs) - len(left),
        {**executions, **fresh.executions},
        before=before,
    )
    if before is not None:
        _check_asked(populations, executions, by_id, study_dir, size, executor, options)
        if executor != "ray":
            _check_kernels(executions, study_dir)
    if not stored:
        return plan
    tasks_now = _tasks(fresh, size)
    if before is not None:
        return replace(plan, stored=replace(before, parts=(*before.parts, tasks_now)) if tasks_now else before)
    if not tasks_now:
        return plan
    return replace(
        plan,
        stored=StoredPlan(
            planned_platform(executor, options), (tasks_now,), first_revisions(study_dir, len(left), replan=replan)
        ),
    )


def options_as_planned(specs: Sequence[RunSpec], study_dir: Path, executor: str, options: Options) -> Options:
    """Returns options with the choice of XLA that the plan in a study's folder was made for: it decides last bits.

    On another kind of device than the planned one, XLA compiles by default what it does there; see `Platform.unlike`.

    Args:
        specs: the study's.
        study_dir: its folder, which may not exist.
        executor: a name in `EXECUTORS`.
        options: options of the execution.

    Raises:
        ValueError: `jit` is given and says otherwise of runs that are not finished, or the plan is damaged.
    """
    before = read_plan(study_dir) if options.strategy == "none" else None
    if before is None or all(RunFolder(study_dir, spec.run_id).finished for spec in specs):
        return options
    here, planned = planned_platform(executor, options), before.platform
    if here.xla == planned.xla:
        return options
    if options.jit is not None:
        given = f"--jit={str(options.jit).lower()}" + (
            ", by --deterministic or itself" if options.deterministic else ""
        )
        raise ValueError(
            f"{study_dir / FILE} plans networks for --jit={str(planned.xla).lower()}, which decides last bits; "
            f"received {given}. Leave that out, or give --replan to plan anew."
        )
    return replace(options, jit=planned.xla) if here.device == planned.device else options


def left_of(population: PlannedPopulation, study_dir: Path) -> list[PlannedPopulation]:
    """Returns what is left of a population, runs that stand at other epochs apart; finished ones only train along."""
    folders = {spec: RunFolder(study_dir, spec.run_id) for spec in population.training}
    return population.left(
        {spec: len(folder.checkpoint_rows()) for spec, folder in folders.items() if not folder.finished}
    )


def _planned_anew(
    left: Sequence[RunSpec], study_dir: Path, size: DataSize, executor: str, options: Options
) -> StudyPlan:
    """Returns the plan of runs that no plan knows."""

    def plan(
        populations: Sequence[PlannedPopulation], alone: Sequence[RunSpec], reasons: Mapping[str, str]
    ) -> StudyPlan:
        executions = {spec.run_id: execution_of(spec, size, options) for spec in alone}
        return StudyPlan(tuple(populations), tuple(alone), reasons, 0, executions)

    if executor not in STACKING:
        return plan((), left, {})
    from keras_sparseflow.training.distributed.device import on_gpu, parallel_stacks, population_memory

    if executor == "ray" and options.strategy != "none":
        raise ValueError(f"`strategy` must be 'none' for --executor=ray; received {options.strategy!r}.")
    # Asked first: on a GPU TensorFlow takes nearly all of it with its first tensor.
    memory = options.population_memory
    if memory is None and options.strategy == "none":
        if executor == "ray" and options.task_gpus and not on_gpu():
            raise ValueError(
                "Give --population_memory_gb with --task_gpus: there is no GPU here whose memory tells it."
            )
        memory = population_memory()
    reasons = {part: reason for part, reason in _not_stackable(left, options).items() if reason is not None}
    if reasons and executor == "population":
        what, reason = next(iter(reasons.items()))
        raise ValueError(
            f"Networks with {what} cannot be trained as a population: {reason}. "
            "Use --executor=serial, or auto, for them."
        )
    if memory is None or options.strategy != "none" or options.callbacks:
        return plan((), left, reasons)
    kept = [spec for spec in left if executor == "population" or not faster_alone(spec, size, options)]
    alone = tuple(spec for spec in left if spec not in kept or reasons.keys() & _stacked_parts(spec).keys())
    populations = plan_populations(
        [spec for spec in left if spec not in alone],
        input_shape=size.input_shape,
        classes=size.classes,
        slots=_slots,
        memory=memory,
        chains=1 if executor == "ray" and options.task_gpus else parallel_stacks(),
        first_epochs={spec.run_id: len(RunFolder(study_dir, spec.run_id).checkpoint_rows()) for spec in left},
    )
    return plan(populations, alone, reasons)


def _check_asked(
    populations: Sequence[PlannedPopulation],
    executions: Mapping[str, Execution],
    specs: Mapping[str, RunSpec],
    study_dir: Path,
    size: DataSize,
    executor: str,
    options: Options,
) -> None:
    """Refuses an executor or options that ask for something else than the stored plan says of what is left."""
    together = sum(len(population.training) for population in populations)
    largest = max((population.memory for population in populations), default=0)
    others = [
        run_id
        for run_id, execution in executions.items()
        if options.execution != "auto" and execution_of(specs[run_id], size, options).name != execution.name
    ]
    room = options.population_memory
    contradictions = (
        (together and executor not in STACKING, f"--executor={executor}, which trains none together"),
        (together and options.strategy != "none", f"--strategy={options.strategy}, under which none train together"),
        (
            executions and executor == "population",
            f"--executor=population, and {counted(len(executions), 'network')} alone",
        ),
        (others, f"--execution={options.execution}, and {counted(len(others), 'network')} otherwise"),
        (
            room is not None and largest > room,
            f"a population memory of {room or 0:,} bytes, and a population that needs {largest:,}",
        ),
    )
    for contradicts, what in contradictions:
        if contradicts:
            raise ValueError(
                f"{study_dir / FILE} plans {counted(together, 'network')} together that are not finished; received "
                f"{what}. Leave that out, or give --replan to plan anew."
            )


def _check_kernels(executions: Mapping[str, Execution], study_dir: Path) -> None:
    """Refuses a stored plan whose networks are computed by a package that is not here."""
    from keras_sparseflow.layers.sparse.providers import kernels_by

    for by, networks in Counter(execution.by for execution in executions.values() if execution.by).items():
        try:
            with kernels_by(by):
                pass
        except ImportError as error:
            raise ImportError(
                f"{study_dir / FILE} plans {counted(networks, 'network')} that are not finished to be sparse, by {by}. "
                f"{error} Or give --replan to plan them anew."
            ) from error


def _tasks(plan: StudyPlan, size: DataSize) -> tuple[Task, ...]:
    """Returns the tasks of a plan: rounds of lottery tickets that begin with one network are not parted."""
    flops = {spec: cost([spec], size).flops for spec in (*plan.alone, *(s for p in plan.populations for s in p.specs))}
    chains: dict[RunSpec, list[RunSpec]] = {}
    for spec in plan.alone:
        chains.setdefault(spec if spec.sparsity.tickets is None else spec.first_round, []).append(spec)
    together = [
        Task(sum(flops[spec] for spec in population.specs), populations=(StoredPopulation.of(population),))
        for population in plan.populations
    ]
    alone = [
        Task(sum(flops[spec] for spec in chain), alone={s.run_id: plan.executions[s.run_id] for s in chain})
        for chain in chains.values()
    ]
    return (*together, *alone)


def _not_stackable(specs: Sequence[RunSpec], options: Options) -> dict[str, str | None]:
    """Returns what in these specs stacking depends on, such as "optimizer 'lamb'", and why it can't be, if so."""
    if options.strategy != "none":
        reason = "a population trains on one device"
        if options.strategy == "mirrored":
            reason += "; without a strategy --devices=2 spreads networks over two GPUs"
        return {f"--strategy={options.strategy}": reason}
    if options.callbacks:
        return {"--callbacks": "a callback sees one network"}
    checks = {part: check for spec in specs for part, check in _stacked_parts(spec).items()}
    return {part: check() for part, check in checks.items()}


def _stacked_parts(spec: RunSpec) -> dict[str, Callable[[], str | None]]:
    """Returns the parts of a network that stacking depends on, each with what tells why it can't be."""
    model, training, measurement = spec.model, spec.training, spec.measurement
    if model.architecture != "mlp":
        return {f"model {model.architecture!r}": lambda: "only multilayer perceptrons can be stacked"}
    parts: dict[str, Callable[[], str | None]] = {
        called: lambda: "what it does, it does to one network" for called in training.hooked_parts
    }
    if spec.sparsity.method not in STILL_METHODS:
        parts[f"method {spec.sparsity.method!r}"] = lambda: "a population's masks are fixed"
    for tweak in sorted(training.tweak_names & {"GSk", "GSw"}):
        parts[f"tweak {tweak!r}"] = lambda: "ghosts change the graph of one network while it trains"
    if model.dropout:
        parts["dropout"] = lambda: "each network would drop others than it does alone"
    for name in () if measurement.flow is None else measurement.flow.flow_measures:
        parts[f"flow measure {name!r}"] = functools.partial(
            stackable.why_not_measure, _own(MEASURES, name), functools.partial(MEASURES.get, name)
        )
    return {
        **parts,
        f"precision {training.precision!r}": lambda: (
            None if training.precision == "float32" else "a population's is float32"
        ),
        _named("optimizer", training.optimizer, training.optimizer_options): lambda: stackable.why_not_optimizer(
            _own_optimizer(spec), lambda: _factory(spec)
        ),
        _named("activation", model.activation, model.activation_options): lambda: stackable.why_not_activation(
            _own_activation(spec), lambda: _activation(spec)
        ),
    }


def _nothing_tried(spec: RunSpec) -> bool:
    """Returns whether all that stacking a run depends on is the package's own, so that TensorFlow is not asked."""
    flow = spec.measurement.flow
    own = [
        _own_optimizer(spec),
        _own_activation(spec),
        *(_own(MEASURES, n) for n in (flow.flow_measures if flow else ())),
    ]
    return all(own)


def _own(table: Table, name: str, options: Sequence[str] = ()) -> str:
    """Returns the name of what is the package's own and has no options; "" for anything else."""
    return name if not options and table.plugin(name).origin.built_in else ""


def _own_optimizer(spec: RunSpec) -> str:
    return _own(OPTIMIZERS, spec.training.optimizer, spec.training.optimizer_options)


def _own_activation(spec: RunSpec) -> str:
    return _own(ACTIVATIONS, spec.model.activation, spec.model.activation_options)


def _slots(spec: RunSpec) -> int:
    return stackable.slots(_own_optimizer(spec), lambda: _factory(spec))


def _factory(spec: RunSpec) -> Any:
    from keras_sparseflow.studies.run.recipe import optimizer_factory

    return optimizer_factory(spec)


def _activation(spec: RunSpec) -> Any:
    from keras_sparseflow.models.keras_network import activation_layer

    return activation_layer(spec.model.activation, arguments=spec.model.activation_arguments)


def _named(kind: str, name: str, options: Sequence[str]) -> str:
    """Returns a named thing in words: optimizer 'sgd' (sgd.clipnorm=1)."""
    return f"{kind} {name!r}{' (' + ', '.join(options) + ')' if options else ''}"
