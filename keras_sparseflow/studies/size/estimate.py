"""What studies cost, and how long they take here, before any of them is trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keras_sparseflow.data import DataSize, data_size
from keras_sparseflow.studies.study import Study
from keras_sparseflow.studies.executors.executors import Options, StudyPlan
from keras_sparseflow.studies.size.calibration import calibrate
from keras_sparseflow.studies.size.calibration_density import density_seconds
from keras_sparseflow.studies.size.cost import Cost, cost
from keras_sparseflow.studies.size.workload import Workload, population_workload, serial_workload
from keras_sparseflow.studies.spec.run_spec import RunSpec


@dataclass(frozen=True)
class Estimate:
    """What a study costs.

    Args:
        study: the study.
        cost: what is counted, of all its networks; None where it can't be trained as it is.
        seconds: the estimated time on this machine; None likewise.
        refusal: why it can't be trained; empty if it can.
    """

    study: Study
    cost: Cost | None = None
    seconds: float | None = None
    refusal: str = ""


def size_of(study: Study, data_dir: str | None) -> DataSize:
    """Returns how large the dataset of a study is, as the study reduces it.

    Raises:
        ValueError: the dataset can't be had, or not so reduced.
    """
    choice = {choice: study.value(choice) for choice in ("image_size", "train_size")}
    return data_size(study.value("dataset"), data_dir=data_dir, **choice)


def estimate_studies(
    studies: Sequence[Study],
    *,
    data_dir: str | None,
    executor: str,
    options: Options,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Estimate]:
    """Returns what studies cost if they are trained from their start, by one calibration for all of matched pairs.

    Args:
        studies: one that can't be trained is among the results, with the reason.
        data_dir: where datasets are kept that are not of a known size.
        executor: "serial", or another one, which trains networks together.
        options: how runs are executed.
        on_progress: see `calibrate`.
    """
    counted: list[tuple[Estimate, Workload | None]] = []
    for study in studies:
        try:
            size = size_of(study, data_dir)
            specs = study.specs(size.inputs, size.classes)
            if isinstance(study, Study):
                estimate = Estimate(study, cost(specs, size), density_seconds(specs, size, options))
                counted.append((estimate, None))
                continue
            counted.append((Estimate(study, cost(specs, size)), _workload(specs, size, executor)))
        except ValueError as error:
            counted.append((Estimate(study, refusal=str(error)), None))
    works = [work for _, work in counted if work is not None]
    if not works:
        return [estimate for estimate, _ in counted]
    speed = calibrate(_joined(works), _calibrated(executor), options, on_progress)
    return [
        estimate if work is None else Estimate(estimate.study, estimate.cost, speed.seconds(work))
        for estimate, work in counted
    ]


def estimate_plan(
    plan: StudyPlan, size: DataSize, options: Options, on_progress: Callable[[int, int], None] = lambda *_: None
) -> float:
    """Returns the estimated seconds of the runs that are left of a study.

    Args:
        plan: which of them train together, and which alone.
        size: of their dataset.
        options: how runs are executed.
        on_progress: see `calibrate`.
    """
    together = [spec for population in plan.populations for spec in population.specs]
    alone = [spec for spec in plan.alone if isinstance(spec, RunSpec)]
    at_densities = [spec for spec in plan.alone if isinstance(spec, RunSpec)]
    seconds = density_seconds(at_densities, size, options, on_progress) if at_densities else 0.0
    for specs, executor in ((together, "population"), (alone, "serial")):
        if specs:
            work = _workload(specs, size, executor)
            seconds += calibrate(work, executor, options, on_progress).seconds(work)
    return seconds


def _workload(specs: Sequence[RunSpec], size: DataSize, executor: str) -> Workload:
    if executor == "serial":
        return serial_workload(specs, size)
    from keras_sparseflow.training.distributed.device import parallel_stacks  # loads TensorFlow

    return population_workload(specs, size, parallel_stacks())


def _calibrated(executor: str) -> str:
    return "serial" if executor == "serial" else "population"


def _joined(works: Sequence[Workload]) -> Workload:
    return Workload(
        tuple(load for work in works for load in work.loads),
        tuple(load for work in works for load in work.augmented),
        sum(work.kernels_built for work in works),
    )
