"""What the launchers call: runs a study or a single network into a folder of results."""

import contextlib
import dataclasses
import re
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

from rich.console import Console

from keras_sparseflow.data import DataSize, ImageData, describe, load_images
from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.records import RunFolder, read_study, study_lock, write_json
from keras_sparseflow.studies.executors.devices import strategy_for
from keras_sparseflow.studies.executors.executors import (
    DEFAULT_OPTIONS,
    EXECUTORS,
    PLANNED_EXECUTORS,
    Options,
    StudyPlan,
    plan,
)
from keras_sparseflow.studies.executors.plan import counted
from keras_sparseflow.studies.executors.progress import StudyProgress
from keras_sparseflow.studies.study import Study
from keras_sparseflow.studies.printing import calibration_bar, print_estimates, print_plan, print_study
from keras_sparseflow.studies.provenance import command_line
from keras_sparseflow.studies.same_images import check_same_images, check_same_kind, describe_images
from keras_sparseflow.studies.size.capacity import default_max_width, match_capacity
from keras_sparseflow.studies.size.cost import Cost, cost
from keras_sparseflow.studies.size.estimate import estimate_plan, estimate_studies, size_of
from keras_sparseflow.studies.size.units import cost_line
from keras_sparseflow.studies.spec.arguments import check_used
from keras_sparseflow.studies.spec.fields import OPTION_FIELDS, load_plugins
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.spec.saved import saved_specs


def run_study(
    study: Study,
    *,
    runs_dir: str | Path = "runs",
    data_dir: str | None = None,
    executor: str = "auto",
    options: Options = DEFAULT_OPTIONS,
) -> Path:
    """Trains every run of a study that is not finished yet; returns the study's folder.

    Everything is checked before anything is trained. It may be interrupted at any moment; called
    again with the same study it goes on from there.

    Args:
        study: what to run.
        runs_dir: the folder that holds one folder for each study.
        data_dir: where datasets are kept, see `load_images`.
        executor: a name in `EXECUTORS`.
        options: how runs are executed.

    Raises:
        ValueError: a bad value in the study, or a dataset that can't be had.
        RuntimeError: another process is running this study.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from keras_sparseflow.records import read_results
        >>> base = {"image_size": 4, "train_size": 64, "batch_size": 32, "epochs": 1}
        >>> grid = {"hidden_layers": (1,)}
        >>> study = Study(name="small", title="", grids=[grid], seeds=(0,), width_fractions=(0.5,), base=base)
        >>> with TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
        ...     study_dir = run_study(study, runs_dir=folder, executor="serial", options=Options(tensorboard=False))
        ...     results = read_results(study_dir)
        >>> sorted(results["arm"])
        ['dense', 'sparse']
    """
    check_tensorflow("run_study")
    input_shape, classes = _describe(study.base, data_dir)
    specs = study.specs(prod(input_shape), classes)
    study_dir = Path(runs_dir) / study.name
    _run(specs, study_dir, study.kind, lambda: study.record(specs, command_line()), data_dir, executor, options)
    return study_dir


def check_data(studies: Sequence[Study], *, data_dir: str | None) -> None:
    """Loads the images of several studies once, so that a dataset that is missing is said before the first is trained.

    Args:
        studies: to be run one after the other.
        data_dir: see `run_study`.

    Raises:
        ValueError: a dataset that can't be had.

    Example:
        >>> check_data([Study(name="s", title="", base={"dataset": "digits"})], data_dir=None)
    """
    defaults = RunSpec.defaults()
    names = ("dataset", "image_size", "train_size", "subset_seed")
    chosen = [tuple({**defaults, **study.base}[name] for name in names) for study in studies]
    for dataset, *others in dict.fromkeys(chosen):
        load_images(dataset, data_dir=data_dir, **dict(zip(names[1:], others, strict=True)))


def plan_study(
    study: Study,
    *,
    runs_dir: str | Path = "runs",
    data_dir: str | None = None,
    executor: str = "auto",
    options: Options = DEFAULT_OPTIONS,
) -> StudyPlan:
    """Returns how `run_study` would train a study, without training or writing anything.

    Args:
        study: what to run.
        runs_dir: see `run_study`; runs that are finished there are left out.
        data_dir: see `run_study`.
        executor: "auto", "population" or "serial".
        options: see `run_study`.

    Raises:
        ValueError: a bad value in the study, a dataset that can't be had, or a plugin that is broken.
        MemoryError: a network needs more memory than a population may take.

    Example:
        >>> study = Study(name="small", title="", seeds=(0,), width_fractions=(0.5,), base={"image_size": 4})
        >>> planned = plan_study(study, executor="serial")
        >>> [spec.arm for spec in planned.alone], planned.finished
        (['sparse', 'dense'], 0)
    """
    input_shape, classes = _describe(study.base, data_dir)
    specs = study.specs(prod(input_shape), classes)
    load_plugins(specs)
    return plan(specs, Path(runs_dir) / study.name, input_shape, classes, executor, options)


def preview_study(
    study: Study, *, runs_dir: str | Path, data_dir: str | None, executor: str, options: Options
) -> None:
    """Prints what a study costs, how long it would take here, and which networks would train together.

    Args:
        study: see `run_study`, as are the rest.
        runs_dir: likewise; runs that are finished there take no time.
        data_dir: likewise; a dataset of a known size need not be there.
        executor: "auto", "population" or "serial".
        options: likewise.

    Raises:
        ValueError: a bad value in the study, or a plugin that is broken.
    """
    size = size_of(study, data_dir)
    specs = study.specs(size.inputs, size.classes)
    load_plugins(specs)
    counted = cost_line(cost(specs, size))
    planned = plan(specs, Path(runs_dir) / study.name, size.input_shape, size.classes, executor, options)
    with calibration_bar() as on_progress:
        seconds = estimate_plan(planned, size, options, on_progress)
    print_study(study, counted, seconds)
    print_plan(planned)


def preview_studies(studies: Sequence[Study], *, data_dir: str | None, executor: str, options: Options) -> None:
    """Prints what studies cost and how long they would take here from their start, a row for each.

    Args:
        studies: one that can't be trained is listed with the reason.
        data_dir: see `preview_study`, as are the rest.
        executor: likewise.
        options: likewise.
    """
    with calibration_bar() as on_progress:
        estimates = estimate_studies(
            studies, data_dir=data_dir, executor=executor, options=options, on_progress=on_progress
        )
    print_estimates(estimates)


def run_network(
    values: dict[str, Any],
    *,
    study: str | None = None,
    runs_dir: str | Path = "runs",
    data_dir: str | None = None,
    executor: str = "serial",
    options: Options = DEFAULT_OPTIONS,
) -> RunFolder:
    """Trains one network, unless it is finished already; returns its folder.

    Args:
        values: `RunSpec` fields; `max_width` is inputs + 4 and `dense_width` half of it where not given.
        study: name of the folder in `runs_dir` that its folder joins; None for one that is named after
            the images it is trained on.
        runs_dir: see `run_study`, as are the rest.
        data_dir: likewise.
        executor: likewise.
        options: likewise.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> tiny = {"image_size": 4, "train_size": 64, "batch_size": 32, "hidden_layers": 1, "epochs": 1}
        >>> with TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
        ...     run = run_network(tiny, runs_dir=folder, options=Options(tensorboard=False))
        ...     finished = run.finished
        >>> finished
        True
    """
    check_tensorflow("run_network")
    input_shape, classes = _describe(values, data_dir)
    max_width = values.get("max_width") or default_max_width(prod(input_shape))
    spec = RunSpec(**{"dense_width": max(1, max_width // 2), **values, "max_width": max_width})
    for field in OPTION_FIELDS:
        check_used(field, values.get(field, ()), [getattr(spec, field.removesuffix("_options"))])
    match_capacity(prod(input_shape), classes, spec.model.hidden_layers, spec.dense_width, max_width)
    images = [spec.data.dataset, spec.data.image_size and f"{spec.data.image_size}px", spec.data.train_size, spec.data.subset_seed or None]
    name = study or "-".join(["networks", *(re.sub(r"[^\w.-]", "_", str(part)) for part in images if part is not None)])
    study_dir = Path(runs_dir) / name

    def record() -> dict[str, Any]:
        before = []
        if (study_dir / "study.json").exists():
            run_ids = [run_id for run_id in read_study(study_dir)["run_ids"] if run_id != spec.run_id]
            before = saved_specs(study_dir, run_ids, RunSpec)
        return Study.of_networks(name, [*before, spec]).record([*before, spec], command_line())

    _run([spec], study_dir, Study.kind, record, data_dir, executor, options)
    return RunFolder(study_dir, spec.run_id)


def _run(
    specs: Sequence[RunSpec],
    study_dir: Path,
    kind: str,
    record: Callable[[], dict[str, Any]],
    data_dir: str | None,
    executor: str,
    options: Options,
) -> None:
    """Loads the data of the specs, checks them against it, and lets the executor finish them all."""
    from keras_sparseflow.studies.run.density_network import check_collapse  # these load TensorFlow
    from keras_sparseflow.studies.run.mask_changes import check_pruning
    from keras_sparseflow.studies.run.recipe import check_arguments
    from keras_sparseflow.training.distributed.multiworker import check_agreement, is_chief, lost_workers_named

    train = EXECUTORS.get(executor)
    load_plugins(specs)
    check_arguments(specs)
    check_pruning(specs)
    strategy = strategy_for(specs, options)
    data, planned = _load(specs, data_dir)
    images = describe_images(data)
    chief = is_chief(strategy)
    with lost_workers_named(strategy), study_lock(study_dir) if chief else contextlib.nullcontext():
        check_same_kind(study_dir, kind)
        check_same_images(study_dir, images)
        if executor in PLANNED_EXECUTORS:  # refuses what they can't train, before anything is written
            plan(specs, study_dir, data.input_shape, data.num_classes, executor, options)
        with StudyProgress(specs, None if chief else Console(quiet=True, force_terminal=False)) as progress:
            progress.note(cost_line(planned))
            if not options.allow_collapse:
                left = [spec for spec in specs if not RunFolder(study_dir, spec.run_id).finished]
                check_collapse(left, data, progress.show)
            check_agreement(strategy, _common(specs, study_dir, images), "Study, images and networks left to train")
            if chief:
                write_json(study_dir / "study.json", {**record(), "cost": dataclasses.asdict(planned), "data": images})
                _write_experiment(specs, study_dir, options)
            _note_others(specs, study_dir, progress)
            train(specs, study_dir, data, progress, options)


def _load(specs: Sequence[RunSpec], data_dir: str | None) -> tuple[ImageData, Cost]:
    """Returns the images of runs and what these cost, if the images are enough for all of them."""
    from keras_sparseflow.studies.run.mask_changes import check_mask_changes
    from keras_sparseflow.studies.run.masking import check_samples
    from keras_sparseflow.studies.run.tweaking import check_tweaks

    chosen = {name: getattr(specs[0], name) for name in ("image_size", "train_size", "subset_seed")}
    data = load_images(specs[0].dataset, data_dir=data_dir, **chosen)
    size = DataSize(data.input_shape, data.num_classes, len(data.train_images), len(data.test_images))
    planned = cost(specs, size)  # refuses a batch larger than the training set
    check_mask_changes(specs, size)
    check_samples(specs, data)
    check_tweaks(specs, data)
    return data, planned


def _note_others(specs: Sequence[RunSpec], study_dir: Path, progress: StudyProgress) -> None:
    """Says how many finished networks of the folder the study no longer plans, and its report so leaves out."""
    planned = {spec.run_id for spec in specs}
    others = sum(file.parent.name not in planned for file in study_dir.glob("*/result.json"))
    if others:
        progress.note(f"{counted(others, 'finished network')} in {study_dir} not planned now, and so in no report.")


def _common(specs: Sequence[RunSpec], study_dir: Path, images: dict[str, Any]) -> dict[str, Any]:
    """Returns what workers that train together must find alike; images may differ in their last bits."""
    left = [spec.run_id for spec in specs if not RunFolder(study_dir, spec.run_id).finished]
    exact = {name: images[name] for name in ("name", "train_images", "test_images", "labels")}
    return {"study": study_dir.name, "images": exact, "networks": left}


def _write_experiment(specs: Sequence[RunSpec], study_dir: Path, options: Options) -> None:
    if options.tensorboard:
        from keras_sparseflow.studies.executors.dashboard import write_experiment

        write_experiment(study_dir, specs)


def _describe(values: dict[str, Any], data_dir: str | None) -> tuple[tuple[int, ...], int]:
    """Returns image shape and number of classes of the dataset that fields of a spec name."""
    defaults = RunSpec.defaults()
    chosen = {**defaults, **values}
    return describe(chosen["dataset"], data_dir=data_dir, image_size=chosen["image_size"])
