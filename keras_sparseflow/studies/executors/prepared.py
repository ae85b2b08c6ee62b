"""`Prepared`: everything that follows from a study before its first step."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_sparseflow.data import DataSize
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.comparisons import Member
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.study_plan import StudyPlan
from keras_sparseflow.studies.size.cost import Cost
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study


@dataclass(frozen=True)
class Prepared:
    """A study that can be trained.

    Args:
        study: what it asks.
        study_dir: its folder, which may not exist.
        members: every network, and as what it stands in the comparison.
        specs: every network once, in the order in which they are trained.
        size: of its dataset.
        cost: of all its networks, from their start.
        plan: which of those that are not finished train together.
        strategy: the `tf.distribute.Strategy` that trains them.
        options: how they are executed.
        writer: numbers of the launch and the attempt that write its runs on a cluster; None where the study is locked.

    Example:
        >>> from keras_sparseflow.studies.prepare import prepare
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
    strategy: Any
    options: Options
    writer: tuple[int, int] | None = None

    def folder(self, spec: RunSpec) -> RunFolder:
        """Returns the folder of a run."""
        return RunFolder(self.study_dir, spec.run_id, self.writer)
