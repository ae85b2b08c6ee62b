"""Executors turn specs into finished runs; every one skips what is finished and takes up what is half done."""

from collections.abc import Callable, Sequence
from pathlib import Path

from keras_sparseflow.data import ImageData
from keras_sparseflow.experiments.progress import StudyProgress
from keras_sparseflow.experiments.spec import RunSpec
from keras_sparseflow.plugins import Table
from keras_sparseflow.records import RunFolder

Executor = Callable[[Sequence[RunSpec], Path, ImageData, StudyProgress, bool], None]
"""`(specs, study folder, data, progress, tensorboard)`; returns when every run is finished."""


def serial(
    specs: Sequence[RunSpec], study_dir: Path, data: ImageData, progress: StudyProgress, tensorboard: bool
) -> None:
    """Trains one network after the other, in the order of the specs.

    Args:
        specs: of one dataset and its options.
        study_dir: the study's folder.
        data: that dataset.
        progress: told of every epoch and every finished run.
        tensorboard: whether to write TensorBoard events.
    """
    import keras

    from keras_sparseflow.experiments.run import run

    for spec in specs:
        folder = RunFolder(study_dir, spec.run_id)
        if folder.finished:
            folder.tidy()
            progress.skip(spec)
            continue
        keras.utils.clear_session()  # graphs of the networks before; without it memory grows with every run
        progress.finish(spec, run(spec, folder, data, tensorboard=tensorboard, on_epoch=progress.epoch_of(spec)))


EXECUTORS = Table("executor", "keras_sparseflow.executors", {"serial": serial})
"""Every executor that can be named."""
