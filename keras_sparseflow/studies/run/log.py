"""The log of one run: history, flow, checkpoint and result."""

import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from keras_sparseflow.flow.measure_table import READINGS, TOTAL
from keras_sparseflow.records import HISTORY_COLUMNS, RunFolder
from keras_sparseflow.records.files import written_or_named
from keras_sparseflow.records.provenance import versions
from keras_sparseflow.studies.run.dashboard import hyperparameters
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training.tensorboard.hparams import session_end, session_start
from keras_sparseflow.training.tensorboard.pictures import picture
from keras_sparseflow.training.tensorboard.scalars import ScalarWriter, diagnostic_tags, flow_tags, metric_tags


class RunLog:
    """Keeps the rows of a run and writes all its files, so that it can be interrupted at any moment and go on.

    Args:
        spec: of the run.
        folder: folder of its files; see `keras_sparseflow.records`.
        tensorboard: whether to write TensorBoard events.
        first_epoch: the epoch, from 0, that the run begins in.

    Attributes:
        history: a dict per epoch with the keys `HISTORY_COLUMNS`.
        flow: rows with the keys `FLOW_COLUMNS`.
        diagnostics: rows with the keys `DIAGNOSTICS_COLUMNS`.
        validation: rows with the keys `VALIDATION_COLUMNS`; none where no images are held out.
        diverged: whether the training or the test loss became NaN or infinite.
        seconds: time spent on this run, in earlier processes too.
    """

    def __init__(self, spec: RunSpec, folder: RunFolder, tensorboard: bool, first_epoch: int = 0):
        self.spec = spec
        self.folder = folder
        self.first_epoch = first_epoch
        self.history: list[dict[str, Any]] = []
        self.flow: list[dict[str, Any]] = []
        self.diagnostics: list[dict[str, Any]] = []
        self.validation: list[dict[str, Any]] = []
        self.diverged = False
        self.seconds = 0.0
        self._events = ScalarWriter(str(folder.events)) if tensorboard else None

    @property
    def next_epoch(self) -> int:
        return self.first_epoch + len(self.history)

    @property
    def over(self) -> bool:
        """True if nothing is left to train: all epochs are done, or the run diverged."""
        return self.diverged or self.next_epoch >= self.spec.training.epochs

    def restore(self) -> dict[str, np.ndarray] | None:
        """Takes the rows up from the checkpoint, if there is one, and returns its arrays."""
        saved = self.folder.load_checkpoint()
        if saved is None:
            return None
        arrays, progress = saved
        self.history, self.flow = progress["history"], progress["flow"]
        self.diagnostics, self.validation = (progress.get(name, []) for name in ("diagnostics", "validation"))
        self.diverged, self.seconds = progress["diverged"], progress["seconds"]
        return arrays

    def start(self, active_weights: Sequence[int]) -> None:
        """Writes what is known before training; events after the checkpoint went with the interruption.

        Args:
            active_weights: of each kernel, as realised.
        """
        shutil.rmtree(self.folder.events, ignore_errors=True)
        if self._events is not None:
            with self._named():
                self._events.write_summary(session_start(self.spec.run_id, hyperparameters(self.spec)))
        for row in self.history:
            self._write_epoch(row)
        self.folder.start(
            {
                "run_id": self.spec.run_id,
                "spec": self.spec.to_dict(),
                "plugins": list(self.spec.plugins),
                "active_weights": list(active_weights),
                "versions": versions(),
            }
        )

    def add(
        self,
        metrics: Mapping[str, float],
        flow: Sequence[dict[str, Any]],
        seconds: float,
        diagnostics: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Adds an epoch.

        Args:
            metrics: `loss`, `accuracy`, `test_loss` and `test_accuracy`; and `validation_loss` and
                `validation_accuracy` where images are held out.
            flow: its rows, none if it is not measured.
            seconds: duration of the epoch.
            diagnostics: as `flow`.

        Raises:
            WriterError: a later attempt at the run has begun.
        """
        self.folder.check_writer()
        row = {name: float(metrics[name]) for name in HISTORY_COLUMNS if name != "epoch"} | {"epoch": self.next_epoch}
        if "validation_loss" in metrics:
            held = {name: float(metrics[f"validation_{name}"]) for name in ("loss", "accuracy")}
            self.validation.append({"epoch": self.next_epoch, **held})
        self.history.append(row)
        self.flow.extend(flow)
        self.diagnostics.extend(diagnostics)
        self.seconds += seconds
        self.diverged = not (math.isfinite(row["loss"]) and math.isfinite(row["test_loss"]))
        self._write_epoch(row)

    def save(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes a checkpoint: the network's state, and all rows so far."""
        progress = {**self._tables(), "seconds": self.seconds, "diverged": self.diverged}
        self.folder.save_checkpoint(arrays, progress)

    def finish(self, active_weights: Sequence[int], landscape: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
        """Writes the rows and the result, and returns the result.

        Args:
            active_weights: of each kernel, as realised.
            landscape: rows with the keys `LANDSCAPE_COLUMNS`.
        """
        if self._events is not None:
            with self._named():
                self._write_landscape(self._events, landscape)
                self._events.write_summary(session_end(success=not self.diverged))
        self.close()
        result = self._result(active_weights)
        self.folder.finish(result, {**self._tables(), "landscape": landscape})
        return result

    def close(self) -> None:
        """Closes the events file."""
        if self._events is not None:
            with self._named():
                self._events.close()

    def _named(self) -> AbstractContextManager[None]:
        """Returns the context in which an error of writing names the folder of events, and says what to do."""
        return written_or_named(self.folder.events)

    def _tables(self) -> dict[str, list[dict[str, Any]]]:
        tables = {"history": self.history, "flow": self.flow, "diagnostics": self.diagnostics}
        return {**tables, "validation": self.validation} if self.validation else tables

    def _result(self, active_weights: Sequence[int]) -> dict[str, Any]:
        return {**self._summary(), "seconds": self.seconds, "active_weights": sum(active_weights)}

    def _summary(self) -> dict[str, Any]:
        """Returns the last epoch's metrics, the best accuracy, and each measure's mean by one reading, best the end."""
        last = self.history[-1]
        sparse = [row for row in self.history if row["epoch"] >= self.spec.sparse_from]  # none if it diverged before
        reading = max((row["reading"] for row in self.flow), key=READINGS.index, default=None)
        totals = [row for row in self.flow if row["layer"] == TOTAL and row["reading"] == reading]
        flow = {
            measure: np.mean([row["value"] for row in totals if row["measure"] == measure])
            for measure in dict.fromkeys(row["measure"] for row in totals)
        }
        return {
            "test_accuracy": last["test_accuracy"],
            "test_loss": last["test_loss"],
            "best_test_accuracy": max(row["test_accuracy"] for row in sparse or self.history),
            "train_accuracy": last["accuracy"],
            "train_loss": last["loss"],
            "diverged": self.diverged,
            "epochs_run": len(self.history),
            **self._selected(),
            "flow_reading": reading,
            **flow,
        }

    def _selected(self) -> dict[str, Any]:
        """Returns the metrics of images held out, and the test metrics after the epoch of the best accuracy on them.

        Of epochs that are alike the first counts. Where a network is pruned, epochs before it is sparse do not.
        """
        if not self.validation:
            return {}
        sparse = [row for row in self.validation if row["epoch"] >= self.spec.sparse_from]
        best = max(sparse or self.validation, key=lambda row: row["accuracy"])
        tested = next(row for row in self.history if row["epoch"] == best["epoch"])
        last = self.validation[-1]
        return {
            "validation_accuracy": last["accuracy"],
            "validation_loss": last["loss"],
            "best_validation_accuracy": best["accuracy"],
            "best_validation_epoch": best["epoch"],
            "selected_test_accuracy": tested["test_accuracy"],
            "selected_test_loss": tested["test_loss"],
        }

    @staticmethod
    def _write_landscape(events: ScalarWriter, landscape: Sequence[dict[str, Any]]) -> None:
        """Writes the loss along the eigenvector, a step for each point, and the surface as a picture."""
        along, surface = (
            [row for row in landscape if row["diagnostic"] == name] for name in ("loss_along", "loss_surface")
        )
        for step, row in enumerate(along):
            events.write(step, {"loss_along/top_eigenvector": row["loss"]})
        if surface:
            columns = len({row["x"] for row in surface})
            losses = np.array([row["loss"] for row in surface])  # x changes fastest
            events.write_summary(picture("loss_surface", losses.reshape(-1, columns)))

    def _write_epoch(self, row: Mapping[str, Any]) -> None:
        """Writes the events of an epoch, of which all rows are there."""
        if self._events is None:
            return
        epoch = row["epoch"]
        flow, diagnostics = ([r for r in rows if r["epoch"] == epoch] for rows in (self.flow, self.diagnostics))
        metrics = {name: value for name, value in row.items() if name != "epoch"}
        for held in self.validation:
            if held["epoch"] == epoch:
                metrics |= {f"validation_{name}": held[name] for name in ("loss", "accuracy")}
        with self._named():
            self._events.write(epoch, {**metric_tags(metrics), **flow_tags(flow), **diagnostic_tags(diagnostics)})


class FollowerLog(RunLog):
    """The log of a run on a worker that is not the chief: it keeps the rows that the chief's does, and writes nothing.

    Args:
        spec: of the run.
        folder: the chief's, to go on from its checkpoint.
        first_epoch: see `RunLog`.
    """

    def __init__(self, spec: RunSpec, folder: RunFolder, first_epoch: int = 0):
        super().__init__(spec, folder, tensorboard=False, first_epoch=first_epoch)

    def start(self, active_weights: Sequence[int]) -> None:
        """Does nothing."""

    def save(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Does nothing."""

    def finish(self, active_weights: Sequence[int], landscape: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
        """Returns the result, whose seconds are this worker's."""
        return self._result(active_weights)
