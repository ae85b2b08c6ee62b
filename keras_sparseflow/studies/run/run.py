"""Trains one network from its spec into its folder, from the start or from where it was interrupted."""

import math
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_sparseflow.data import ImageData, ordered_batches, steps_per_epoch, training_batches, whole_batches
from keras_sparseflow.flow import measured_epochs
from keras_sparseflow.interruption import check_interruption
from keras_sparseflow.records import RunFolder, read_json
from keras_sparseflow.records.checkpoint_clock import CHECKPOINT_SECONDS, CheckpointClock
from keras_sparseflow.records.integrity import without_digests
from keras_sparseflow.studies.executors.options import callback_maker
from keras_sparseflow.studies.run.diagnosing import Diagnostics
from keras_sparseflow.studies.run.log import FollowerLog, RunLog
from keras_sparseflow.studies.run.mask_changes import mask_callbacks
from keras_sparseflow.studies.run.network import active_weights, build_network
from keras_sparseflow.studies.run.tickets import keep_round, rewind_points
from keras_sparseflow.studies.run.tweaking import ghost_callbacks, without_ghosts
from keras_sparseflow.studies.run.varying import part_callbacks
from keras_sparseflow.studies.spec.measurement_spec import FlowSpec
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training import GradientFlow
from keras_sparseflow.training.distributed.multiworker import check_agreement, is_chief, worker_count
from keras_sparseflow.training.distributed.strategy import (
    Strategy,
    check_batch,
    compiles,
    evaluation_batch,
    one_device,
    synchronize_norms,
)
from keras_sparseflow.training.precision import precision_policy
from keras_sparseflow.training.state import network_state, restore_state

TEST_BATCH = 1000
"""Test images evaluated at once; accuracies and losses do not depend on it."""

EpochListener = Callable[[int, dict[str, float]], None]


def run(
    spec: RunSpec,
    folder: RunFolder,
    data: ImageData,
    *,
    tensorboard: bool = True,
    jit: bool | None = None,
    strategy: Strategy | None = None,
    on_epoch: EpochListener | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    allow_collapse: bool = False,
    max_density: float | None = None,
    callbacks: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Trains one network and returns its result; a finished run is not trained again.

    Args:
        spec: spec of the network to train.
        folder: folder of its files; see `keras_sparseflow.records`.
        data: images that `load_images` gave for the spec's dataset options.
        tensorboard: whether to write TensorBoard events.
        jit: whether XLA compiles the step; None for Keras' choice, yes on a GPU and no on a CPU.
        strategy: strategy whose replicas share each batch, which they must divide; None for the current one, one device
            unless this stands in another's scope. Of several workers, each of which calls this, the chief alone
            writes.
        on_epoch: called after each epoch with its number, from 0, and its metrics.
        checkpoint_seconds: the least time between two checkpoints.
        allow_collapse: whether masks may leave a kernel without any active weight.
        max_density: layers up to this density store and compute active weights alone; None for masked layers.
        callbacks: see `Options`.
        say: shows in a few words what happens before the first epoch, where that takes long.

    Returns:
        What `result.json` holds: accuracies and losses, mean flow, whether the run diverged.

    Raises:
        ValueError: a batch that replicas can't share equally, XLA under a strategy, or see `build_network`.
        RuntimeError: several workers do not find the same in the folder, or a callback ended the training.
    """
    if folder.finished:
        return without_digests(read_json(folder.path / "result.json"))
    strategy = one_device() if strategy is None else strategy
    check_batch(spec.training.batch_size, strategy)
    chief = is_chief(strategy)
    steps = steps_per_epoch(data, spec.training.batch_size)
    first_epoch = spec.first_step // steps
    log = RunLog(spec, folder, tensorboard, first_epoch) if chief else FollowerLog(spec, folder, first_epoch)
    saved = log.restore()
    with strategy.scope(), precision_policy(spec.training.precision):
        model = build_network(
            spec,
            data,
            jit=compiles(jit, strategy),
            study_dir=folder.path.parent,
            allow_collapse=allow_collapse,
            max_density=max_density,
            initialise=saved is None,
            say=say,
        )
        if saved is not None:
            restore_state(network_state(model), saved, folder.path)
    if worker_count(strategy) > 1:
        check_agreement(strategy, _beginning(log, model), "What a run goes on from")
    synchronize_norms(model, strategy)
    log.start(active_weights(model))
    flow, diagnostics = _flow_callback(spec, data), Diagnostics(spec, data, say)
    clock = CheckpointClock(checkpoint_seconds if chief else math.inf)
    keeper = _Keeper(log, flow, diagnostics, clock, _validation(data, strategy))
    changing = [*mask_callbacks(spec, data), *ghost_callbacks(spec, data), *part_callbacks(spec, data)]
    listeners = [*changing, flow, *diagnostics.callbacks, keeper, _Interruptions()]
    if chief:
        listeners += rewind_points(spec, folder, log.next_epoch * steps)
        listeners += made_callbacks(callbacks, spec, folder.path)
    if on_epoch is not None:
        listeners.append(keras.callbacks.LambdaCallback(on_epoch_end=on_epoch))
    _fit(model, log, data, strategy, listeners)
    if log.diverged:
        return log.finish(active_weights(model))
    if not log.over:
        raise RuntimeError(
            f"A callback ended the training of {spec.name} after {log.next_epoch} of {spec.training.epochs} epochs, so "
            "its result would not be that of its spec. Callbacks of a study may only watch."
        )
    if chief:
        keep_round(without_ghosts(model), spec, folder)
    if diagnostics.has_landscape:
        keeper.save(model)  # what follows takes long
    began = time.monotonic()
    landscape = diagnostics.landscape(model)
    log.seconds += time.monotonic() - began
    return log.finish(active_weights(model), landscape)


def made_callbacks(names: tuple[str, ...], spec: RunSpec, folder: Path) -> list[keras.callbacks.Callback]:
    """Returns the callbacks of one run.

    Raises:
        TypeError: a function returns something else.
    """
    callbacks = []
    for name in names:
        made = callback_maker(name)(spec, folder)
        for callback in made if isinstance(made, list | tuple) else [made]:
            if not isinstance(callback, keras.callbacks.Callback):
                kind = type(callback).__name__
                raise TypeError(f"{name!r} of `callbacks` must return Keras callbacks; received {kind}.")
            callbacks.append(callback)
    return callbacks


def _fit(
    model: keras.Model,
    log: RunLog,
    data: ImageData,
    strategy: Strategy,
    listeners: Sequence[keras.callbacks.Callback],
) -> None:
    """Trains a network from where its log is to the end, or until it diverges."""
    steps = steps_per_epoch(data, log.spec.training.batch_size)
    test_batch = evaluation_batch(len(data.test_images), TEST_BATCH, strategy)
    for skipped, end in _stretches(log, steps):
        if log.over:
            break
        model.fit(
            _batches(log.spec, data, log.next_epoch, skipped),
            epochs=end,
            initial_epoch=log.next_epoch,
            steps_per_epoch=steps - skipped,
            validation_data=ordered_batches(data.test_images, data.test_labels, test_batch),
            shuffle=False,  # the batches are shuffled already, by seed and epoch
            verbose=0,
            callbacks=list(listeners),
        )


class _Interruptions(keras.callbacks.Callback):
    """Ends `fit` and evaluation after the batch in which Ctrl-C came."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        check_interruption()

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        check_interruption()


class _Keeper(keras.callbacks.Callback):
    """Hands each epoch of `fit` to the run's log, saves the model's state now and then, and stops a diverged run.

    It evaluates on images held out, too: `fit` has one set for validation, which is the test set here.
    """

    def __init__(
        self, log: RunLog, flow: GradientFlow, diagnostics: Diagnostics, clock: CheckpointClock, validation: Any
    ):
        super().__init__()
        self._validation = validation
        self._log = log
        self._flow = flow
        self._diagnostics = diagnostics
        self._clock = clock
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        metrics = {name.replace("val_", "test_"): value for name, value in (logs or {}).items()}
        metrics |= self._validated()
        now = time.monotonic()
        flow = [row for row in self._flow.rows if row["epoch"] == epoch]
        self._log.add(metrics, flow, now - self._began, self._diagnostics.rows(epoch))
        self._began = now
        self.model.stop_training = self._log.diverged
        if self._clock.due():
            self.save(self.model)

    def _validated(self) -> dict[str, float]:
        """Returns loss and accuracy on the images that are held out; nothing where none are."""
        if self._validation is None:
            return {}
        found = self.model.evaluate(self._validation, verbose=0, return_dict=True, callbacks=[_Interruptions()])
        return {f"validation_{name}": value for name, value in found.items()}

    def save(self, model: keras.Model) -> None:
        """Saves the state of the run's model."""
        with self._clock.saving():
            state = network_state(model)
            self._log.save({name: keras.ops.convert_to_numpy(variable) for name, variable in state.items()})


def _validation(data: ImageData, strategy: Strategy) -> Any:
    """Returns batches of the images that are held out, or None where none are."""
    if data.validation_images is None or data.validation_labels is None:
        return None
    batch = evaluation_batch(data.validation_count, TEST_BATCH, strategy)
    return ordered_batches(data.validation_images, data.validation_labels, batch)


def _stretches(log: RunLog, steps: int) -> list[tuple[int, int]]:
    """Returns what is left of a run, as Keras can train it: `(steps skipped, end)` of epochs of one length.

    A run that begins within an epoch has the rest of that one first.

    Args:
        log: of the run.
        steps: of a whole epoch.
    """
    epochs = log.spec.training.epochs
    skipped = log.spec.first_step % steps if log.next_epoch == log.first_epoch else 0
    return [(skipped, log.next_epoch + 1), (0, epochs)] if skipped else [(0, epochs)]


def _batches(spec: RunSpec, data: ImageData, initial_epoch: int, skipped: int) -> Any:
    batches = training_batches(
        data,
        spec.training.batch_size,
        seed=spec.seed,
        epochs=spec.training.epochs,
        initial_epoch=initial_epoch,
        augment_pad=spec.batch_augment_pad(data.input_shape),
        augment_flip=spec.data.augment_flip != "never",
    )
    return batches.skip(skipped) if skipped else batches


def _beginning(log: RunLog, model: keras.Model) -> dict[str, Any]:
    """Returns where a run is, and a digest of its network's state."""
    digest = 0
    for variable in network_state(model).values():
        digest = zlib.crc32(keras.ops.convert_to_numpy(variable).tobytes(), digest)
    return {"run": log.spec.run_id, "epochs done": log.next_epoch, "state": f"{digest:08x}"}


def _flow_callback(spec: RunSpec, data: ImageData) -> GradientFlow:
    flow, epochs = spec.measurement.flow or FlowSpec(), spec.training.epochs
    return GradientFlow(
        data=whole_batches(data, spec.training.batch_size) if "end" in flow.flow_readings else None,
        epochs=measured_epochs(epochs, spec.measurement.flow_epochs),
        measures=flow.flow_measures,
        tensors=flow.flow_tensors,
        cost=flow.flow_cost,
        training=flow.flow_mode != "inference",
        readings=flow.flow_readings,
        total_epochs=epochs,
    )
