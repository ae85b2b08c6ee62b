"""Executors turn specs into finished runs; every one skips what is finished and takes up what is half done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_sparseflow.data import ImageData
from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.plugins import Table, unknown_name
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.executors.devices import STRATEGIES, strategy_for
from keras_sparseflow.studies.executors.plan import Population, plan_populations
from keras_sparseflow.studies.executors.progress import StudyProgress
from keras_sparseflow.studies.spec.density_spec import DensitySpec
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.spec.training_spec import TrainingSpec

CHECKPOINT_SECONDS = 20.0
"""Half-finished runs are saved at the first end of an epoch after this time; that is what a kill can lose."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How runs are executed; none of it changes what they come to.

    Args:
        tensorboard: whether to write TensorBoard events.
        jit: whether XLA compiles the training; None for the measured default, yes on a GPU and no on a CPU.
        population_memory: bytes that a population may take; None for half of what the device has free.
        checkpoint_seconds: half-finished runs are saved at the ends of epochs, so many seconds apart at least.
        strategy: a name in `STRATEGIES`, how several devices train one network; "none" for one device.
        devices: how many share each batch, at least 1; None for all that the strategy finds.
        allow_collapse: whether masks may leave a kernel without any active weight, which is refused otherwise.

    Raises:
        ValueError: an unknown strategy, or less than one device.

    Example:
        >>> Options(strategy="mirrored", devices=2).devices
        2
    """

    tensorboard: bool = True
    jit: bool | None = None
    population_memory: int | None = None
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    strategy: str = "none"
    devices: int | None = None
    allow_collapse: bool = False

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise unknown_name(STRATEGIES.kind, self.strategy, STRATEGIES.names())
        if self.devices is not None and self.devices < 1:
            raise ValueError(f"`devices` must be a whole number of at least 1; received {self.devices}.")


DEFAULT_OPTIONS = Options()


def serial(
    specs: Sequence[TrainingSpec], study_dir: Path, data: ImageData, progress: StudyProgress, options: Options
) -> None:
    """Trains one network after the other, in the order of the specs.

    A round of a lottery ticket that can't be trained, because of what its earlier rounds came to, is left out with a
    note of the reason.

    Args:
        specs: of one dataset and its options.
        study_dir: the study's folder.
        data: that dataset.
        progress: told of every epoch and every finished run.
        options: see `Options`.

    Raises:
        ValueError, RuntimeError: see `strategy_for`; nothing is trained then.
    """
    import keras

    from keras_sparseflow.studies.run.run import run
    from keras_sparseflow.studies.run.tickets import RoundError

    strategy = strategy_for(specs, options)
    for spec in _unfinished(specs, study_dir, progress):
        keras.utils.clear_session()  # graphs of the networks before; without it memory grows with every run
        try:
            result = run(
                spec,
                RunFolder(study_dir, spec.run_id),
                data,
                tensorboard=options.tensorboard,
                jit=options.jit,
                strategy=strategy,
                on_epoch=progress.epoch_of(spec),
                checkpoint_seconds=options.checkpoint_seconds,
                allow_collapse=options.allow_collapse,
                say=progress.say_of(spec),
            )
        except RoundError as refusal:
            progress.refuse(spec, str(refusal))
        else:
            progress.finish(spec, result)


def population(
    specs: Sequence[TrainingSpec], study_dir: Path, data: ImageData, progress: StudyProgress, options: Options
) -> None:
    """Trains the networks that share a graph and an optimizer together, as one program.

    Args:
        specs: of one dataset and its options.
        study_dir: the study's folder.
        data: that dataset.
        progress: told of every epoch and every finished run.
        options: see `Options`.

    Raises:
        ValueError: an optimizer, an activation, a measure or a part of a variant that can't be stacked.
        MemoryError: a network needs more than `population_memory` even alone.
    """
    planned = plan(specs, study_dir, data.input_shape, data.num_classes, "population", options)
    _run(planned, specs, study_dir, data, progress, options)


def auto(
    specs: Sequence[TrainingSpec], study_dir: Path, data: ImageData, progress: StudyProgress, options: Options
) -> None:
    """Trains as populations what can be, and the rest one after the other.

    Args:
        specs: of one dataset and its options.
        study_dir: the study's folder.
        data: that dataset.
        progress: told of every epoch and every finished run.
        options: see `Options`.

    Raises:
        MemoryError: a network needs more than `population_memory` even alone.
    """
    planned = plan(specs, study_dir, data.input_shape, data.num_classes, "auto", options)
    for what, reason in planned.reasons.items():
        progress.note(f"Networks with {what} are trained one after the other: {reason}.")
    _run(planned, specs, study_dir, data, progress, options)


EXECUTORS = Table(
    "executor",
    "keras_sparseflow.executor",
    {"auto": auto, "population": population, "serial": serial},
    expects="callable",
)
"""Each is called with `(specs, study folder, data, progress, options)`, and returns when every run is finished."""

PLANNED_EXECUTORS = ("auto", "population", "serial")
"""Those whose way with a study is known beforehand: see `plan`."""


@dataclass(frozen=True)
class StudyPlan:
    """Which runs of a study are trained together, and which alone.

    Args:
        populations: trained as one program each.
        alone: trained one after the other.
        reasons: why, for each optimizer, activation, measure or part that can't be stacked.
        finished: how many runs are finished already.

    Example:
        >>> planned = StudyPlan(populations=(), alone=(), reasons={}, finished=3)
        >>> planned.finished
        3
    """

    populations: tuple[Population, ...]
    alone: tuple[TrainingSpec, ...]
    reasons: Mapping[str, str]
    finished: int


def plan(
    specs: Sequence[TrainingSpec],
    study_dir: Path,
    input_shape: Sequence[int],
    classes: int,
    executor: str,
    options: Options,
) -> StudyPlan:
    """Returns how an executor would train these runs.

    Args:
        specs: of one dataset and its options.
        study_dir: the study's folder, which may not exist.
        input_shape: of one image.
        classes: number of classes.
        executor: "auto", "population" or "serial".
        options: see `Options`.

    Raises:
        ValueError: "population" with an optimizer, activation, measure or part that can't be stacked, or another
            executor.
        MemoryError: a network needs more than `population_memory` even alone.

    Example:
        >>> spec = RunSpec(dense_width=20, max_width=68)
        >>> planned = plan([spec], Path("runs/none"), (8, 8, 1), 10, "population", DEFAULT_OPTIONS)
        >>> [len(population.specs) for population in planned.populations], planned.alone
        ([1], ())
    """
    if executor not in PLANNED_EXECUTORS:
        raise ValueError(f"The plan of executor {executor!r} is not known; expected auto, population or serial.")
    folders = {spec.run_id: RunFolder(study_dir, spec.run_id) for spec in specs}
    left = [spec for spec in specs if not folders[spec.run_id].finished]
    finished = len(specs) - len(left)
    strategy_for(left, options)
    if executor == "serial":
        return StudyPlan((), tuple(left), {}, finished)
    if options.strategy != "none":
        return StudyPlan((), tuple(left), _only_on_one_device(executor, options), finished)
    from keras_sparseflow.studies.run.recipe import check_arguments, optimizer_factory
    from keras_sparseflow.training.distributed.device import parallel_stacks, population_memory
    from keras_sparseflow.training.population.elementwise import slots_per_weight

    # Asked first: on a GPU TensorFlow takes nearly all of it with its first tensor.
    memory = population_memory() if options.population_memory is None else options.population_memory
    check_arguments(left)
    reasons = not_stackable(left)
    if reasons and executor == "population":
        what, reason = next(iter(reasons.items()))
        raise ValueError(
            f"Networks with {what} cannot be trained as a population: {reason}. "
            "Use --executor=serial, or auto, for them."
        )
    alone = tuple(spec for spec in left if reasons.keys() & _stacked_parts(spec).keys())
    populations = plan_populations(
        [spec for spec in left if isinstance(spec, RunSpec) and spec not in alone],
        input_shape=input_shape,
        classes=classes,
        slots=lambda spec: slots_per_weight(optimizer_factory(spec)),
        memory=memory,
        chains=parallel_stacks(),
        first_epochs={spec.run_id: len(folders[spec.run_id].checkpoint_rows()) for spec in left},
    )
    return StudyPlan(tuple(populations), alone, reasons, finished)


def _only_on_one_device(executor: str, options: Options) -> dict[str, str]:
    """Returns why nothing is stacked under a strategy; refuses an executor that would have to."""
    if executor == "population":
        raise ValueError(
            f"A population trains on one device; received --strategy={options.strategy}. Use --executor=serial, or "
            "auto, with it."
        )
    return {f"--strategy={options.strategy}": "a population trains on one device"}


def not_stackable(specs: Sequence[TrainingSpec]) -> dict[str, str]:
    """Returns what in these specs can't be stacked, such as "optimizer 'lamb'", and why.

    Args:
        specs: of any runs.

    Example:
        >>> specs = [RunSpec(dense_width=20, max_width=68, activation=name) for name in ("relu", "softmax")]
        >>> sorted(not_stackable(specs))
        ["activation 'softmax'"]
    """
    checks = {part: check for spec in specs for part, check in _stacked_parts(spec).items()}
    reasons = {part: check() for part, check in checks.items()}
    return {part: reason for part, reason in reasons.items() if reason is not None}


def _stacked_parts(spec: TrainingSpec) -> dict[str, Callable[[], str | None]]:
    """Returns the parts of a network that stacking depends on, each with what tells why it can't be."""
    from keras_sparseflow.models.keras_network import activation_layer
    from keras_sparseflow.studies.run.recipe import optimizer_factory
    from keras_sparseflow.studies.run.varying import hooked_parts
    from keras_sparseflow.training.population.elementwise import why_not_elementwise, why_not_unitwise, why_not_unpadded

    if isinstance(spec, DensitySpec):
        return {f"model {spec.model!r}": lambda: "only the multilayer perceptrons of matched pairs can be stacked"}
    return {
        **{called: lambda: "what it does, it does to one network" for called in hooked_parts(spec)},
        **{
            f"flow measure {name!r}": lambda name=name: why_not_unpadded(MEASURES.get(name))  # type: ignore[misc]
            for name in spec.flow_measures
            if spec.flow_epochs
        },
        f"precision {spec.precision!r}": lambda: None if spec.precision == "float32" else "a population's is float32",
        _named("optimizer", spec.optimizer, spec.optimizer_options): lambda: why_not_elementwise(
            optimizer_factory(spec)
        ),
        _named("activation", spec.activation, spec.activation_options): lambda: why_not_unitwise(
            lambda: activation_layer(spec.activation, arguments=spec.activation_arguments)
        ),
    }


def _named(kind: str, name: str, options: Sequence[str]) -> str:
    """Returns a named thing in words: optimizer 'sgd' (sgd.clipnorm=1)."""
    return f"{kind} {name!r}{' (' + ', '.join(options) + ')' if options else ''}"


def _run(
    planned: StudyPlan,
    specs: Sequence[TrainingSpec],
    study_dir: Path,
    data: ImageData,
    progress: StudyProgress,
    options: Options,
) -> None:
    from keras_sparseflow.studies.executors.populations import run_populations

    _unfinished([spec for spec in specs if spec not in planned.alone], study_dir, progress)
    run_populations(planned.populations, study_dir, data, progress, options)
    serial(planned.alone, study_dir, data, progress, options)


def _unfinished(specs: Sequence[TrainingSpec], study_dir: Path, progress: StudyProgress) -> list[TrainingSpec]:
    """Returns the specs that are left to train, and counts the others as skipped."""
    left = []
    for spec in specs:
        folder = RunFolder(study_dir, spec.run_id)
        if folder.finished:
            folder.tidy()
            progress.skip(spec)
        else:
            left.append(spec)
    return left
