"""Prepares a study: networks, size of the data, checks, devices, plan and cost, all before the first step."""

import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_sparseflow.data import DataSize, data_size
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.comparisons import Member
from keras_sparseflow.studies.executors.options import DEFAULT_OPTIONS, Options, callback_maker, make_strategy
from keras_sparseflow.studies.executors.stored_plan import read_plan
from keras_sparseflow.studies.executors.study_plan import StudyPlan, options_as_planned, plan_study
from keras_sparseflow.studies.refusals import check_specs
from keras_sparseflow.studies.size.cost import Cost, cost
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study

__all__ = ["prepare"]


@dataclass(frozen=True)
class Prepared:
    """A study that can be trained.

    Args:
        study: the study.
        study_dir: its folder, which may not exist.
        members: every network, and as what it stands in the comparison.
        specs: every network once, in the order in which they are trained.
        size: of its dataset.
        cost: of all its networks, from their start.
        plan: unfinished networks that train together, and those that train alone.
        options: options of their execution.
        writer: numbers of the launch and the attempt that write its runs on a cluster; None where the study is locked.

    Example:
        >>> prepared = prepare(Study(name="small", title="", seeds=(0,), width_fractions=(0.5,)), executor="serial")
        >>> len(prepared.specs), len(prepared.plan.alone)
        (2, 2)
    """

    study: Study
    study_dir: Path
    members: list[Member]
    specs: list[RunSpec]
    size: DataSize
    cost: Cost
    plan: StudyPlan
    options: Options
    writer: tuple[int, int] | None = None

    @functools.cached_property
    def strategy(self) -> Any:
        """The `tf.distribute.Strategy` that trains them, made when it is first asked for."""
        return make_strategy(self.options)

    def folder(self, spec: RunSpec) -> RunFolder:
        """Returns the folder of a run."""
        return RunFolder(self.study_dir, spec.run_id, self.writer)


def prepare(
    study: Study,
    *,
    runs_dir: str | Path = "runs",
    data_dir: str | None = None,
    executor: str = "auto",
    options: Options = DEFAULT_OPTIONS,
    members: Callable[[DataSize], list[Member]] | None = None,
    replan: bool = False,
) -> Prepared:
    """Returns what follows from a study; a dataset of a known size need not be there.

    Args:
        study: study to prepare.
        runs_dir: the folder that holds one folder for each study; runs that are finished there are not planned.
        data_dir: folder of datasets, see `load_images`.
        executor: a name in `EXECUTORS`.
        options: options of the execution.
        members: gives the networks, in place of those that the study has. They are planned anew each time.
        replan: whether the plan in the study's folder gives way to another one.

    Raises:
        ValueError: a bad value in the study, a dataset that can't be had, a plugin that is broken, runs that the
            executor or the devices cannot train, a `runs_dir` that is no folder, or a stored plan that is damaged.
        RuntimeError: the study is planned for more cores than there are.
        ImportError: it is planned for kernels by Numba, which is not installed.
        MemoryError: a network needs more memory than a population may take.

    Example:
        >>> study = Study(name="small", title="", seeds=(0,), width_fractions=(0.5,), base={"image_size": 4})
        >>> prepared = prepare(study, executor="serial")
        >>> [member.labels["arm"] for member in prepared.members], prepared.cost.networks, prepared.plan.finished
        (['sparse', 'dense'], 2, 0)
    """
    _check_folder(runs_dir)
    size = size_of(study, data_dir)
    try:
        chosen = (members or study.members)(size)
        specs = list(dict.fromkeys(member.spec for member in chosen))
        check_specs(specs, size, options)
        total = cost(specs, size)
    except ValueError as error:
        error.args = (study.explained(str(error)),)
        raise
    for name in options.callbacks:
        callback_maker(name)
    if options.strategy != "none" or options.devices is not None:  # one device takes any batch, without TensorFlow
        make_strategy(options, {spec.training.batch_size for spec in specs})
    study_dir = Path(runs_dir) / study.name
    if members is None and not replan:
        options = options_as_planned(specs, study_dir, executor, options)
    planned = plan_study(specs, study_dir, size, executor, options, replan=replan, stored=members is None)
    return Prepared(study, study_dir, chosen, specs, size, total, planned, options)


def _check_folder(runs_dir: str | Path) -> None:
    """Refuses the address of an object store, which has no rename and no locks."""
    if re.match(r"\w+://", str(runs_dir)):
        raise ValueError(
            "`runs_dir` must be a folder on a file system that all machines share, such as NFS or Lustre: object "
            f"stores have no rename and no locks; received {str(runs_dir)!r}."
        )


def size_of(study: Study, data_dir: str | None) -> DataSize:
    """Returns how large the dataset of a study is, as the study reduces it.

    Raises:
        ValueError: the dataset can't be had, or not so reduced.
    """
    reduced = {name: study.value(name) for name in ("image_size", "train_size", "validation_size")}
    return data_size(study.value("dataset"), data_dir=data_dir, **reduced)


def study_costs(studies: Sequence[Study], data_dir: str | None) -> list[tuple[Study, Cost | str]]:
    """Returns what studies cost from their start, or why one can't be trained as it is.

    Networks of other seeds cost the same, so those of one seed are counted.
    """

    def cost_of(study: Study) -> Cost | str:
        try:
            size = size_of(study, data_dir)
            return cost(dataclasses.replace(study, seeds=study.seeds[:1]).specs(size), size) * len(study.seeds)
        except ValueError as error:
            return str(error)

    return [(study, cost_of(study)) for study in studies]


def as_stored(prepared: Prepared, executor: str) -> Prepared:
    """Returns a study by the plan that lies in its folder now: another process may have been faster.

    Args:
        prepared: the study.
        executor: the one that it was prepared for.
    """
    plan, study_dir = prepared.plan, prepared.study_dir
    if plan.stored is None or read_plan(study_dir) == plan.before:
        return prepared
    options = options_as_planned(prepared.specs, study_dir, executor, prepared.options)
    planned = plan_study(prepared.specs, study_dir, prepared.size, executor, options)
    return dataclasses.replace(prepared, plan=planned, options=options)
