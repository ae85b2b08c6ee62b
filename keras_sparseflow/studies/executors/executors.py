"""Executors: they train the runs of a study, skip finished ones and resume interrupted ones."""

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path

from keras_sparseflow.data import ImageData
from keras_sparseflow.data.memory import SMALLER, room_for
from keras_sparseflow.plugins import Table
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.prepare import Prepared
from keras_sparseflow.studies.run.progress import StudyProgress
from keras_sparseflow.studies.spec.run_spec import RunSpec


def stacked(prepared: Prepared, data: ImageData, progress: StudyProgress) -> None:
    """Trains networks as they are planned: populations, each as one program, then the others one by one.

    A round of a lottery ticket that can't be trained, because of what its earlier rounds came to, is left out with a
    note of the reason.

    Args:
        prepared: the prepared study.
        data: its images.
        progress: receives every epoch and every finished run.
    """
    from keras_sparseflow.studies.executors.populations import run_populations

    plan = prepared.plan
    alone = [*plan.alone]
    for what, reason in plan.reasons.items():
        progress.note(f"Networks with {what} are trained one after the other: {reason}.")
    skip_finished([spec for spec in prepared.specs if spec not in alone], prepared.study_dir, progress)
    run_populations(plan.populations, prepared, data, progress)
    _train_alone(prepared, data, progress, alone)


EXECUTORS = Table(
    "executor",
    "keras_sparseflow.executor",
    {
        "auto": stacked,
        "population": stacked,
        "ray": "keras_sparseflow.studies.executors.ray_driver:train_on_ray",
        "serial": stacked,
    },
    expects="callable",
)
"""Each is called with `(prepared, images, progress)`, and returns when every run is finished. Those here differ in what
is planned: "population" is "auto" where every network can be trained in one, "serial" plans each alone."""


def _train_alone(prepared: Prepared, data: ImageData, progress: StudyProgress, specs: list[RunSpec]) -> None:
    import keras

    from keras_sparseflow.layers.sparse.providers import kernels_by
    from keras_sparseflow.studies.run.run import run
    from keras_sparseflow.studies.run.tickets import RoundError
    from keras_sparseflow.training.gradient_registry import gradients_end_with_graphs

    options = prepared.options
    with _frozen_heap():
        for spec in skip_finished(specs, prepared.study_dir, progress):
            keras.utils.clear_session()  # graphs of the networks before; without it memory grows with every run
            execution = prepared.plan.executions[spec.run_id]
            progress.say_of(spec)("building the network")
            try:
                with (
                    gradients_end_with_graphs(),
                    room_for(f"the network {spec.run_id}", SMALLER),
                    kernels_by(execution.by) if execution.by else contextlib.nullcontext(),
                ):
                    result = run(
                        spec,
                        prepared.folder(spec),
                        data,
                        tensorboard=options.tensorboard,
                        jit=options.jit,
                        strategy=prepared.strategy,
                        on_epoch=progress.epoch_of(spec),
                        checkpoint_seconds=options.checkpoint_seconds,
                        allow_collapse=options.allow_collapse,
                        max_density=execution.max_density,
                        callbacks=options.callbacks,
                        say=progress.say_of(spec),
                    )
            except RoundError as refusal:
                progress.refuse(spec, str(refusal))
            else:
                progress.finish(spec, result)


@contextlib.contextmanager
def _frozen_heap() -> Iterator[None]:
    """Context in which Python's garbage collector leaves out all objects that are there now.

    They are those of imported modules, mostly. The collector runs many times while Keras builds and traces a network,
    and would look through all of them. Nothing is frozen where the program has frozen objects of its own.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.collect()  # what is garbage already would stay
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def skip_finished(specs: list[RunSpec], study_dir: Path, progress: StudyProgress) -> list[RunSpec]:
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
