"""Runs a study, or a single network, into a folder of results."""

import contextlib
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from keras_sparseflow.data import data_size, load_images
from keras_sparseflow.data.image_fingerprint import fingerprint, same_images
from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.records import RunFolder, read_study, study_lock, write_json
from keras_sparseflow.records.provenance import command_line
from keras_sparseflow.studies.comparisons import Member, default_max_width
from keras_sparseflow.studies.executors.execution import check_memory
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.executors.options import DEFAULT_OPTIONS, Options
from keras_sparseflow.studies.executors.shards import Shard, check_shard, share
from keras_sparseflow.studies.executors.stored_plan import keep_plan, platform_here
from keras_sparseflow.studies.prepare import Prepared, as_stored, prepare
from keras_sparseflow.studies.refusals import check_images, check_masks
from keras_sparseflow.studies.run.progress import StudyProgress
from keras_sparseflow.studies.size.cost import cost_line, counted, whole_flops
from keras_sparseflow.studies.spec.run_spec import LEAVES, RunSpec
from keras_sparseflow.studies.spec.saved import saved_specs
from keras_sparseflow.studies.study import Study

__all__ = ["check_data", "prepare_network", "run_network", "run_study"]

_OF_IMAGES = ("image_size", "train_size", "subset_seed", "validation_size", "validation_seed")
"""Fields of a spec that choose images of its dataset."""


def run_study(
    study: Study,
    *,
    runs_dir: str | Path = "runs",
    data_dir: str | None = None,
    executor: str = "auto",
    options: Options = DEFAULT_OPTIONS,
    repair: bool = False,
    replan: bool = False,
    shard: Shard | None = None,
) -> Path:
    """Trains every run of a study that is not finished yet; returns the study's folder.

    Everything is checked before anything is trained. It may be interrupted at any moment; called
    again with the same study it goes on from there.

    Args:
        study: study to run.
        runs_dir: the folder that holds one folder for each study.
        data_dir: folder of datasets, see `load_images`.
        executor: a name in `EXECUTORS`.
        options: options of the execution.
        repair: whether runs with a damaged file are removed and trained anew.
        replan: whether networks that are not finished are planned anew, in place of the plan in the study's folder.
        shard: number and count, such as (0, 4), of the share of the plan that is trained; None for all of it.

    Raises:
        ValueError: a bad value in the study, a dataset that can't be had, or a stored plan that is damaged.
        RuntimeError: another process is running this study or shard, or it is planned for more cores than there are.

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
    if shard is not None:
        check_shard(shard, repair=repair, replan=replan)
    if repair:
        _repair(Path(runs_dir) / study.name)
    prepared = prepare(study, runs_dir=runs_dir, data_dir=data_dir, executor=executor, options=options, replan=replan)
    train(prepared, executor, data_dir, replan=replan, shard=shard)
    return prepared.study_dir


def run_network(
    values: dict[str, Any],
    *,
    study: str | None = None,
    runs_dir: str | Path = "runs",
    data_dir: str | None = None,
    executor: str = "serial",
    options: Options = DEFAULT_OPTIONS,
    repair: bool = False,
) -> RunFolder:
    """Trains one network, unless it is finished already; returns its folder.

    Args:
        values: fields of `RunSpec`; the `width` of an mlp is inputs + 4 where not given.
        study: name of the folder in `runs_dir` that its folder joins; None for one that is named after
            the images it is trained on.
        runs_dir: the folder that holds one folder for each study.
        data_dir: the folder of prepared datasets, see `load_images`.
        executor: a name in `EXECUTORS`.
        options: options of the execution.
        repair: whether runs with a damaged file are removed from the study's folder, and this one trained anew.

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
    alone, spec = _alone(values, study, data_dir)
    if repair:
        _repair(Path(runs_dir) / alone.name)
    prepared = _prepared(alone, spec, runs_dir, data_dir, executor, options)
    train(prepared, executor, data_dir, beside=_specs_in)
    return RunFolder(prepared.study_dir, spec.run_id)


def prepare_network(
    values: dict[str, Any],
    *,
    study: str | None = None,
    runs_dir: str | Path = "runs",
    data_dir: str | None = None,
    executor: str = "serial",
    options: Options = DEFAULT_OPTIONS,
) -> Prepared:
    """Returns the checked and planned run that `run_network` would train; the arguments have the same meaning.

    Example:
        >>> prepare_network({"image_size": 4, "epochs": 1}).cost.networks
        1
    """
    alone, spec = _alone(values, study, data_dir)
    return _prepared(alone, spec, runs_dir, data_dir, executor, options)


def _alone(values: dict[str, Any], study: str | None, data_dir: str | None) -> tuple[Study, RunSpec]:
    """Returns a study for a single network, and its spec; for the arguments see `run_network`."""
    given = {**{name: leaf.default for name, leaf in LEAVES.items()}, **values}
    if given["width"] is None and given["model"] == "mlp":
        reduced = {name: given[name] for name in ("image_size", "train_size", "validation_size")}
        values = {
            **values,
            "width": default_max_width(data_size(given["dataset"], data_dir=data_dir, **reduced).inputs),
        }
    spec = RunSpec.of(**values)
    of_data = {name: spec.values[name] for name in ("dataset", *_OF_IMAGES)}
    images = [of_data["dataset"], of_data["image_size"] and f"{of_data['image_size']}px", of_data["train_size"]]
    images.append(of_data["subset_seed"] or None)
    images.append(of_data["validation_size"] and f"validation_{of_data['validation_size']}")
    images.append(of_data["validation_seed"] or None)
    name = study or "-".join(["networks", *(re.sub(r"[^\w.-]", "_", str(part)) for part in images if part is not None)])
    alone = Study(
        name=name,
        title="Single networks",
        comparison="densities",
        seeds=(spec.seed,),
        base={field: value for field, value in of_data.items() if value is not None},
    )
    return alone, spec


def _prepared(
    alone: Study, spec: RunSpec, runs_dir: str | Path, data_dir: str | None, executor: str, options: Options
) -> Prepared:
    return prepare(
        alone,
        runs_dir=runs_dir,
        data_dir=data_dir,
        executor=executor,
        options=options,
        members=lambda size: [Member(spec, {})],
    )


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
    names = ("dataset", *_OF_IMAGES)
    for dataset, *others in dict.fromkeys(tuple(study.value(name) for name in names) for study in studies):
        load_images(dataset, data_dir=data_dir, **_as_loaded(dict(zip(_OF_IMAGES, others, strict=True))))


def _as_loaded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those fields of a spec that choose images as `load_images` takes them: seeds that do not apply are 0."""
    return {name: (values[name] or 0) if name.endswith("_seed") else values[name] for name in _OF_IMAGES}


def train(
    prepared: Prepared,
    executor: str,
    data_dir: str | None,
    *,
    beside: Callable[[Path], list[RunSpec]] = lambda study_dir: [],
    replan: bool = False,
    shard: Shard | None = None,
) -> None:
    """Loads the images of a prepared study, checks them, and lets the executor finish every run.

    Args:
        prepared: see `prepare`.
        executor: the name that it was prepared for.
        data_dir: folder of datasets.
        beside: gives runs that the study's record goes on naming beside those that are trained now.
        replan: whether it was prepared without the plan in the study's folder.
        shard: number and count, such as (0, 4), of the share that is trained; None for all of it.

    Raises:
        ValueError: images that can't be had, or that runs are not made for.
        RuntimeError: another process is running this study.
        MemoryError: a network is larger than the memory that is free.
    """
    from keras_sparseflow.training.distributed.device import take_threads
    from keras_sparseflow.training.distributed.multiworker import check_agreement, is_chief, lost_workers_named

    stored = prepared.plan.stored
    if stored is not None and stored.platform.threads is not None and executor != "ray":
        take_threads(stored.platform.threads)
    check_memory(prepared.plan.alone, prepared.plan.executions, prepared.size)
    specs, study_dir, options, strategy = prepared.specs, prepared.study_dir, prepared.options, prepared.strategy
    train_all = EXECUTORS.get(executor)
    of_data, chief = specs[0].data, is_chief(strategy)
    console = None if chief else Console(quiet=True, force_terminal=False)
    (console or Console()).print(f"Reading {of_data.dataset}.", highlight=False)
    data = load_images(
        of_data.dataset,
        data_dir=data_dir,
        **_as_loaded(vars(of_data)),
    )
    check_images(specs, data)
    images = fingerprint(data)
    lock = study_lock(study_dir, shard) if chief else contextlib.nullcontext(lambda: None)
    with lost_workers_named(strategy), lock as started:
        _check_same_images(study_dir, images)
        prepared = prepared if replan else as_stored(prepared, executor)
        part = prepared if shard is None else share(prepared, shard)
        left = [spec for spec in part.specs if not RunFolder(study_dir, spec.run_id).finished]
        with StudyProgress(part.specs, console) as progress:
            progress.note(cost_line(part.cost))
            if not options.allow_collapse:
                check_masks(left, data, progress.show)
            check_agreement(strategy, _common(study_dir, images, left), "Study, images and networks left to train")
            if chief:
                if prepared.plan.stored is not None:
                    keep_plan(study_dir, prepared.plan.stored, prepared.plan.before, replan=replan)
                _write_record(prepared, images, beside(study_dir))
                _note_others(study_dir, progress)
                if executor != "ray":  # whose tasks say it themselves
                    _note_platform(prepared, progress)
            started()
            train_all(part, data, progress)


def _check_same_images(study_dir: Path, images: dict[str, Any]) -> None:
    """Raises ValueError where runs of a study, finished or begun, were trained on other images than these."""
    begun = any(study_dir.glob("*/result.json")) or any(study_dir.glob("*/checkpoint.npz"))
    before = read_study(study_dir).get("data") if begun and (study_dir / "study.json").exists() else None
    if before is not None and not same_images(before, images):
        raise ValueError(
            f"The images of this study are not those its runs in {study_dir} were trained on: expected "
            f"{before}; received {images}. Choose another --study name."
        )


def _note_platform(prepared: Prepared, progress: StudyProgress) -> None:
    """Says where last bits may differ because the study was planned elsewhere."""
    stored = prepared.plan.stored
    if stored is not None and (unlike := stored.platform.unlike(platform_here(prepared.options))):
        progress.note(f"Last bits may differ from those of where the study was planned: {unlike}.")


def _repair(study_dir: Path) -> None:
    """Removes runs with a damaged file from a study's folder, and prints which."""
    if not (study_dir / "study.json").is_file():
        return
    with study_lock(study_dir):
        for run_id in read_study(study_dir)["run_ids"]:
            if (study_dir / run_id).is_dir() and (damage := RunFolder(study_dir, run_id).repair()):
                print(f"Trained anew: {run_id}. {damage}")


def _specs_in(study_dir: Path) -> list[RunSpec]:
    """Returns the specs of runs that a folder's record names already."""
    return saved_specs(study_dir, read_study(study_dir)["run_ids"]) if (study_dir / "study.json").exists() else []


def _write_record(prepared: Prepared, images: dict[str, Any], beside: Sequence[RunSpec]) -> None:
    """Writes `study.json`, and what TensorBoard shows of the study as a whole."""
    members = [*(Member(spec, {}) for spec in beside if spec not in prepared.specs), *prepared.members]
    record = prepared.study.record(members, command_line())
    cost = dataclasses.asdict(prepared.cost)
    specs = dict.fromkeys(member.spec for member in members)
    flops = {spec.run_id: whole_flops(spec, prepared.size) for spec in specs}
    data = {**images, "classes": prepared.size.classes}
    write_json(prepared.study_dir / "study.json", {**record, "cost": cost, "run_flops": flops, "data": data})
    if prepared.options.tensorboard:
        from keras_sparseflow.studies.run.dashboard import write_experiment

        write_experiment(prepared.study_dir, prepared.specs)


def _note_others(study_dir: Path, progress: StudyProgress) -> None:
    """Says how many finished networks of the folder the study no longer plans, and its report so leaves out."""
    planned = set(read_study(study_dir)["run_ids"])
    others = sum(file.parent.name not in planned for file in study_dir.glob("*/result.json"))
    if others:
        progress.note(f"{counted(others, 'finished network')} in {study_dir} not planned now, and so in no report.")


def _common(study_dir: Path, images: dict[str, Any], left: Sequence[RunSpec]) -> dict[str, Any]:
    """Returns what workers that train together must find alike; images may differ in their last bits."""
    exact = {name: images[name] for name in ("name", "train_images", "test_images", "labels")}
    return {"study": study_dir.name, "images": exact, "networks": [spec.run_id for spec in left]}
