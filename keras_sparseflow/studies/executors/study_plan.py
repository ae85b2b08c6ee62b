"""Which networks of a study train together, and which alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from keras_sparseflow.data import DataSize
from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.executors.execution import Execution, execution_of, faster_alone
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.plan import PlannedPopulation, plan_populations
from keras_sparseflow.studies.spec.run_spec import RunSpec

STILL_METHODS = (None, "static")
"""Methods under which masks stay as they are from the first step on."""


@dataclass(frozen=True)
class StudyPlan:
    """Which runs of a study are trained together, and which alone.

    Args:
        populations: trained as one program each.
        alone: trained one after the other.
        reasons: why, for each optimizer, activation, measure or part that can't be stacked.
        finished: how many runs are finished already.
        executions: how each of those that train alone is computed, by the run's id.

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


def plan_study(specs: Sequence[RunSpec], study_dir: Path, size: DataSize, executor: str, options: Options) -> StudyPlan:
    """Returns how an executor would train these runs.

    Args:
        specs: of one dataset and its options.
        study_dir: the study's folder, which may not exist.
        size: of the dataset.
        executor: a name in `EXECUTORS`; one of another package decides for itself, as "serial".
        options: see `Options`.

    Raises:
        ValueError: "population" with an optimizer, activation, measure or part that can't be stacked; sparse execution
            that is asked for and impossible.
        MemoryError: a network needs more than `population_memory` even alone.

    Example:
        >>> from keras_sparseflow.studies.executors.options import DEFAULT_OPTIONS
        >>> spec, size = RunSpec.of(width=68, matched_fraction=0.3), DataSize((8, 8, 1), 10, 1438, 359)
        >>> planned = plan_study([spec], Path("runs/none"), size, "population", DEFAULT_OPTIONS)
        >>> [len(population.specs) for population in planned.populations], planned.alone
        ([1], ())
    """
    folders = {spec.run_id: RunFolder(study_dir, spec.run_id) for spec in specs}
    left = [spec for spec in specs if not folders[spec.run_id].finished]
    finished = len(specs) - len(left)

    def plan(
        populations: Sequence[PlannedPopulation], alone: Sequence[RunSpec], reasons: Mapping[str, str]
    ) -> StudyPlan:
        executions = {spec.run_id: execution_of(spec, size, options) for spec in alone}
        return StudyPlan(tuple(populations), tuple(alone), reasons, finished, executions)

    if executor not in ("auto", "population"):
        return plan((), left, {})
    from keras_sparseflow.studies.run.recipe import optimizer_factory
    from keras_sparseflow.training.distributed.device import parallel_stacks, population_memory
    from keras_sparseflow.training.population.elementwise import slots_per_weight

    # Asked first: on a GPU TensorFlow takes nearly all of it with its first tensor.
    memory = options.population_memory
    if memory is None and options.strategy == "none":
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
        slots=lambda spec: slots_per_weight(optimizer_factory(spec)),
        memory=memory,
        chains=parallel_stacks(),
        first_epochs={spec.run_id: len(folders[spec.run_id].checkpoint_rows()) for spec in left},
    )
    return plan(populations, alone, reasons)


def _not_stackable(specs: Sequence[RunSpec], options: Options) -> dict[str, str | None]:
    """Returns what in these specs stacking depends on, such as "optimizer 'lamb'", and why it can't be, if so."""
    if options.strategy != "none":
        return {f"--strategy={options.strategy}": "a population trains on one device"}
    if options.callbacks:
        return {"--callbacks": "a callback sees one network"}
    checks = {part: check for spec in specs for part, check in _stacked_parts(spec).items()}
    return {part: check() for part, check in checks.items()}


def _stacked_parts(spec: RunSpec) -> dict[str, Callable[[], str | None]]:
    """Returns the parts of a network that stacking depends on, each with what tells why it can't be."""
    from keras_sparseflow.models.keras_network import activation_layer
    from keras_sparseflow.studies.run.recipe import optimizer_factory
    from keras_sparseflow.training.population.elementwise import why_not_elementwise, why_not_unitwise, why_not_unpadded

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
        parts[f"flow measure {name!r}"] = lambda name=name: why_not_unpadded(MEASURES.get(name))  # type: ignore[misc]
    return {
        **parts,
        f"precision {training.precision!r}": lambda: (
            None if training.precision == "float32" else "a population's is float32"
        ),
        _named("optimizer", training.optimizer, training.optimizer_options): lambda: why_not_elementwise(
            optimizer_factory(spec)
        ),
        _named("activation", model.activation, model.activation_options): lambda: why_not_unitwise(
            lambda: activation_layer(model.activation, arguments=model.activation_arguments)
        ),
    }


def _named(kind: str, name: str, options: Sequence[str]) -> str:
    """Returns a named thing in words: optimizer 'sgd' (sgd.clipnorm=1)."""
    return f"{kind} {name!r}{' (' + ', '.join(options) + ')' if options else ''}"
