"""Trains one network from its spec into its folder, from the start or from where it was interrupted."""

import shutil
from collections.abc import Callable
from typing import Any

import keras

from keras_sparseflow.data import ImageData, ordered_batches, steps_per_epoch, training_batches
from keras_sparseflow.experiments.keeper import RunKeeper
from keras_sparseflow.experiments.network import active_weights, build_network
from keras_sparseflow.experiments.provenance import versions
from keras_sparseflow.experiments.spec import RunSpec
from keras_sparseflow.flow import measured_epochs
from keras_sparseflow.records import RunFolder, read_json
from keras_sparseflow.training import GradientFlow
from keras_sparseflow.training.callbacks import EpochScalars, ScalarWriter, flow_tags, metric_tags

CHECKPOINT_SECONDS = 20.0
"""A run that takes longer is saved this often, and loses no more than that when it is killed."""

TEST_BATCH = 1000
"""Test images evaluated at once; results do not depend on it."""

EpochListener = Callable[[int, dict[str, float]], None]


def run(
    spec: RunSpec,
    folder: RunFolder,
    data: ImageData,
    *,
    tensorboard: bool = True,
    on_epoch: EpochListener | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> dict[str, Any]:
    """Trains one network and returns its result; a finished run is not trained again.

    Args:
        spec: what to train.
        folder: where its files go; see `keras_sparseflow.records`.
        data: what `load_images` gave for the spec's dataset options.
        tensorboard: whether to write TensorBoard events.
        on_epoch: called after each epoch with its number, from 0, and its metrics.
        checkpoint_seconds: how often a half-finished run is saved.

    Returns:
        What `result.json` holds: accuracies and losses, mean flow, whether the run diverged.
    """
    if folder.finished:
        return read_json(folder.path / "result.json")
    saved = folder.load_checkpoint()
    model = build_network(spec, data)
    flow = _flow_callback(spec, data, str(folder.events) if tensorboard else None)
    keeper = RunKeeper(model, folder, flow, checkpoint_seconds)
    if saved is not None:
        keeper.restore(*saved)
    shutil.rmtree(folder.events, ignore_errors=True)
    if tensorboard:
        _write_events(str(folder.events), keeper.history, flow.rows)
    folder.start(
        {"run_id": spec.run_id, "spec": spec.to_dict(), "active_weights": active_weights(model), "versions": versions()}
    )
    listeners: list[keras.callbacks.Callback] = [flow, keeper]
    if tensorboard:
        listeners.append(EpochScalars(str(folder.events)))
    if on_epoch is not None:
        listeners.append(keras.callbacks.LambdaCallback(on_epoch_end=on_epoch))
    if keeper.next_epoch < spec.epochs and not keeper.diverged:
        model.fit(
            training_batches(
                data,
                spec.batch_size,
                seed=spec.seed,
                epochs=spec.epochs,
                initial_epoch=keeper.next_epoch,
                augment_pad=spec.augment_pad if "DA" in spec.parts else None,
            ),
            epochs=spec.epochs,
            initial_epoch=keeper.next_epoch,
            steps_per_epoch=steps_per_epoch(data, spec.batch_size),
            validation_data=ordered_batches(data.test_images, data.test_labels, TEST_BATCH),
            shuffle=False,  # the batches are shuffled already, by seed and epoch
            verbose=0,
            callbacks=listeners,
        )
    result = {
        **keeper.summary(),
        "seconds": keeper.seconds,
        "active_weights": sum(active_weights(model)),
    }
    folder.finish(result, keeper.history, flow.rows)
    return result


def _write_events(log_dir: str, history: list[dict[str, Any]], flow: list[dict[str, Any]]) -> None:
    """Writes the events of epochs that a checkpoint holds; those after it went with the interruption."""
    scalars = ScalarWriter(log_dir)
    for row in history:
        measured = [item for item in flow if item["epoch"] == row["epoch"]]
        metrics = {name: value for name, value in row.items() if name != "epoch"}
        scalars.write(row["epoch"], {**metric_tags(metrics), **flow_tags(measured)})
    scalars.close()


def _flow_callback(spec: RunSpec, data: ImageData, log_dir: str | None) -> GradientFlow:
    probe = None
    if spec.flow_data != "batches":
        probe = ordered_batches(data.train_images, data.train_labels, TEST_BATCH)
    return GradientFlow(
        data=probe,
        epochs=measured_epochs(spec.epochs, spec.flow_epochs),
        measures=spec.flow_measures,
        tensors=spec.flow_tensors,
        cost=spec.flow_cost,
        training=spec.flow_data == "probe_training",
        log_dir=log_dir,
    )
