"""The time that a study would take: judged by earlier runs on this machine, or by some steps trained for it."""

import dataclasses
import math
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_sparseflow.data import DataSize, ImageData
from keras_sparseflow.records import read_json
from keras_sparseflow.records.provenance import machine
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.executors.study_plan import StudyPlan, plan_study
from keras_sparseflow.studies.prepare import Prepared
from keras_sparseflow.studies.run.progress import StudyProgress
from keras_sparseflow.studies.size.cost import cost, counted, steps_an_epoch
from keras_sparseflow.studies.spec.run_spec import RunSpec

EPOCHS = 3
"""Epochs that are trained to judge the time; the first, in which programs are compiled, counts apart."""

MOST_APART = 1.5
"""Ratio of the most to the least seconds, judged by earlier runs, up to which their mean is told."""

MOST_FLOPS = 1e11
"""Floating-point operations that each of them may take, unless two steps take more."""


def time_line(prepared: Prepared, executor: str, train: bool) -> str:
    """Returns how long the networks that are left would train, in a sentence; nothing where that is not known.

    Args:
        prepared: the study.
        executor: a name in `EXECUTORS`.
        train: whether to train some steps to find out; otherwise earlier runs in the study's parent folder tell.
    """
    if not _left(prepared.plan):
        return ""
    if train:
        return f"Time: about {in_words(timed(prepared, executor))}, judged by some steps trained now."
    rows = earlier_runs(prepared.study_dir.parent)
    seconds = by_earlier_runs(_left(prepared.plan), prepared.size, rows)
    if seconds is None:
        return ""
    judged = f"judged by {counted(len(rows), 'earlier run')} on this machine"
    if seconds[1] <= MOST_APART * seconds[0]:
        return f"Time: about {in_words(sum(seconds) / 2)}, {judged}."
    words = " to ".join(map(in_words, seconds))
    return f"Time: {words}, {judged}, which are of another size; --estimate trains some steps to tell it better."


def print_time(prepared: Prepared, executor: str, train: bool) -> None:
    """Prints the sentence of `time_line`, if there is one."""
    if line := time_line(prepared, executor, train):
        print(line)


@dataclass(frozen=True)
class EarlierRun:
    """A run that finished: architecture, floating-point operations, steps and seconds.

    Example:
        >>> EarlierRun("mlp", flops=6e9, steps=600, seconds=0.3).a_step
        10000000.0
    """

    architecture: str
    flops: float
    steps: int
    seconds: float

    @property
    def a_step(self) -> float:
        """The floating-point operations of a step."""
        return self.flops / self.steps


def earlier_runs(runs_dir: Path) -> list[EarlierRun]:
    """Returns each run of all studies in a folder that finished on a machine like this."""
    rows = []
    for file in sorted(runs_dir.glob("*/study.json")):
        study = read_json(file)
        for run_id, flops in study.get("run_flops", {}).items() if study.get("machine") == machine() else ():
            result = file.parent / run_id / "result.json"
            if result.is_file():
                spec = read_json(result.with_name("spec.json"))["spec"]
                training, seconds = spec["training"], float(read_json(result)["seconds"])
                steps = training["epochs"] * (study["data"]["train_images"] // training["batch_size"])
                rows.append(EarlierRun(spec["model"]["model"], float(flops), steps, seconds))
    return rows


def by_earlier_runs(specs: Iterable[RunSpec], size: DataSize, rows: Sequence[EarlierRun]) -> tuple[float, float] | None:
    """Returns the least and the most seconds of networks, judged by the runs whose steps are nearest in size.

    A step of few operations takes as long as a smaller one, since starting them takes the time; a step of many takes
    time in proportion to them. So the truth lies between as many seconds a step, and as many an operation, as those
    runs took.

    Args:
        specs: the networks.
        size: of their dataset.
        rows: see `earlier_runs`.

    Returns:
        None where an architecture was never run.

    Example:
        >>> size, spec = DataSize((8, 8, 1), 10, 1438, 359), RunSpec.of(width=20, batch_size=100, epochs=10)
        >>> flops = cost([spec], size).flops  # in 140 steps
        >>> rows = [EarlierRun("mlp", flops / 4, 70, 3.0), EarlierRun("mlp", 9e15, 1, 9.0)]
        >>> by_earlier_runs([spec, spec], size, rows)
        (12.0, 24.0)
    """
    least = most = 0.0
    sizes = Counter(
        (spec.model.architecture, cost([spec], size).flops, spec.training.epochs * steps_an_epoch(spec, size))
        for spec in specs
    )
    for (architecture, flops, steps), networks in sizes.items():
        alike = [row for row in rows if row.architecture == architecture]
        if not alike:
            return None
        distances = [abs(math.log(row.a_step * steps / flops)) for row in alike]
        near = [row for row, distance in zip(alike, distances, strict=True) if distance <= min(distances) + 1e-6]
        by_steps = statistics.median(row.seconds / row.steps for row in near) * steps
        by_flops = statistics.median(row.seconds / row.flops for row in near) * flops
        least += networks * min(by_steps, by_flops)
        most += networks * max(by_steps, by_flops)
    return least, most


def timed(prepared: Prepared, executor: str) -> float:
    """Returns the seconds that the networks that are left would take, by training some steps on random images.

    Of networks that train alone the costliest of each architecture and kind of computation is trained, of populations
    the costliest one. The others are taken to do as many operations in a second.

    Args:
        prepared: the study; its dataset need not be there.
        executor: a name in `EXECUTORS`.
    """
    plan, size = prepared.plan, prepared.size
    programs = [population.specs for population in plan.populations]
    kinds: dict[tuple[str, str], list[tuple[RunSpec, ...]]] = {("population", ""): programs} if programs else {}
    for spec in plan.alone:
        kinds.setdefault((spec.model.architecture, plan.executions[spec.run_id].name), []).append((spec,))
    seconds = 0.0
    for same in kinds.values():
        costs = [cost(specs, size).flops for specs in same]
        rate, start = _trained(prepared, executor, same[costs.index(max(costs))])
        seconds += sum(costs) * rate + start * len(same)
    return seconds


def in_words(seconds: float) -> str:
    """Returns a time in the largest unit of which there are two.

    Example:
        >>> in_words(42), in_words(600), in_words(9000), in_words(10**6)
        ('42 s', '10 min', '2.5 h', '12 days')
    """
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{_short(seconds / length)} {unit}"
    return f"{_short(seconds)} s"


def _short(number: float) -> str:
    return f"{number:.1f}" if number < 9.95 else f"{number:,.0f}"


def _left(plan: StudyPlan) -> list[RunSpec]:
    return [*(spec for population in plan.populations for spec in population.specs), *plan.alone]


def _trained(prepared: Prepared, executor: str, specs: Sequence[RunSpec]) -> tuple[float, float]:
    """Returns seconds for each operation of these networks, trained as one program, and seconds until they start."""
    first, size = specs[0], prepared.size
    steps = steps_an_epoch(first, size)
    an_epoch = cost(specs, size).flops / first.training.epochs
    steps = max(2, min(steps, round(steps * MOST_FLOPS / an_epoch)))
    data = _images(size, steps * first.training.batch_size)
    counts = len(data.train_images), len(data.test_images), data.validation_count
    small = DataSize(size.input_shape, size.classes, *counts)
    short = [_brief(spec) for spec in specs]
    options = dataclasses.replace(prepared.options, tensorboard=False, checkpoint_seconds=1e9)
    with tempfile.TemporaryDirectory() as folder:
        planned = plan_study(short, Path(folder), small, executor, options)
        trial = dataclasses.replace(
            prepared, study_dir=Path(folder), members=[], specs=short, size=small, plan=planned, options=options
        )
        clock, began = _Clock(short), time.monotonic()
        EXECUTORS.get(executor)(trial, data, clock)
    steady = (clock.ends[EPOCHS - 1] - clock.ends[0]) / (EPOCHS - 1)
    return steady * EPOCHS / cost(short, small).flops, max(0.0, clock.ends[0] - began - steady)


def _brief(spec: RunSpec) -> RunSpec:
    """Returns the spec of a training that costs the same for each step, and lasts `EPOCHS` epochs."""
    still = {"method": "static", "score": "random", "earlier_densities": ()}
    quiet = {"flow_epochs": 0, "diagnostics": (), "rescale_iterations": 1, "learning_rate": 1e-6}
    return spec.but(epochs=EPOCHS, **still, **quiet)


def _images(size: DataSize, count: int) -> ImageData:
    """Returns random images of a dataset's shape, as many for training as given, and as large a share of others."""
    rng = np.random.default_rng(0)
    others = (size.test_images, size.validation_images)
    counts = (count, *(max(1, round(count * images / size.train_images)) for images in others if images))
    arrays = [rng.standard_normal((number, *size.input_shape), "float32") for number in counts]
    labels = [rng.integers(0, size.classes, number, "int32") for number in counts]
    names = tuple(map(str, range(size.classes)))
    held = (arrays[2], labels[2]) if size.validation_images else ()
    return ImageData("random", arrays[0], labels[0], arrays[1], labels[1], names, (0.0,), (1.0,), *held)


class _Clock(StudyProgress):
    """Notes when each epoch of the first network ends, and shows nothing."""

    def __init__(self, specs: Sequence[RunSpec]):
        super().__init__(specs, Console(quiet=True, force_terminal=False))
        self.ends: dict[int, float] = {}

    def epoch_of(self, spec: RunSpec) -> Callable[[int, dict[str, float]], None]:
        """Returns a function that notes the time of the first call for each epoch."""

        def on_epoch(epoch: int, logs: dict[str, float] | None = None) -> None:
            self.ends.setdefault(epoch, time.monotonic())

        return on_epoch
