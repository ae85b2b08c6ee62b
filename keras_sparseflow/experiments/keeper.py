"""Keeps what a run has come to, so that it can be interrupted at any moment and go on."""

import math
import time
from typing import Any

import keras
import numpy as np

from keras_sparseflow.flow.named import TOTAL
from keras_sparseflow.records import HISTORY_COLUMNS, RunFolder
from keras_sparseflow.training import GradientFlow


class RunKeeper(keras.callbacks.Callback):
    """Collects the history of a run, saves it with the model's state now and then, and stops it when it diverges.

    Args:
        model: the compiled model.
        folder: where checkpoints go.
        flow: whose rows belong to the state.
        checkpoint_seconds: how often to save, at the ends of epochs.

    Attributes:
        history: a dict per epoch with the keys `HISTORY_COLUMNS`.
        diverged: whether the training or the test loss became NaN or infinite.
    """

    def __init__(self, model: keras.Model, folder: RunFolder, flow: GradientFlow, checkpoint_seconds: float):
        super().__init__()
        self.history: list[dict[str, Any]] = []
        self.diverged = False
        self._network = model
        self._folder = folder
        self._flow = flow
        self._checkpoint_seconds = checkpoint_seconds
        self._seconds_before = 0.0
        self._started = self._saved = time.monotonic()

    @property
    def next_epoch(self) -> int:
        return len(self.history)

    @property
    def seconds(self) -> float:
        """Time spent on this run, in earlier processes too."""
        return self._seconds_before + time.monotonic() - self._started

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        values = {name.replace("val_", "test_"): float(value) for name, value in logs.items()}
        self.history.append({name: values[name] for name in HISTORY_COLUMNS if name != "epoch"} | {"epoch": epoch})
        if not (math.isfinite(values["loss"]) and math.isfinite(values["test_loss"])):
            self.diverged = True
            self._network.stop_training = True
        if time.monotonic() - self._saved >= self._checkpoint_seconds:
            self.save()

    def save(self) -> None:
        """Writes a checkpoint: weights, masks, BatchNorm statistics, optimizer slots, and all rows so far."""
        arrays = {name: keras.ops.convert_to_numpy(variable) for name, variable in self._variables().items()}
        self._folder.save_checkpoint(
            arrays,
            {"history": self.history, "flow": self._flow.rows, "seconds": self.seconds, "diverged": self.diverged},
        )
        self._saved = time.monotonic()

    def restore(self, arrays: dict[str, np.ndarray], progress: dict[str, Any]) -> None:
        """Takes the run up from a checkpoint.

        Raises:
            ValueError: the checkpoint is of another network.
        """
        variables = self._variables()
        shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
        if {name: array.shape for name, array in arrays.items()} != shapes:
            raise ValueError(
                f"The checkpoint in {self._folder.path} is of another network: expected variables of shapes "
                f"{list(shapes.values())}; received {[array.shape for array in arrays.values()]}. Remove that folder."
            )
        for name, variable in variables.items():
            variable.assign(arrays[name])
        self.history = progress["history"]
        self.diverged = progress["diverged"]
        self._flow.rows = progress["flow"]
        self._seconds_before = progress["seconds"]

    def summary(self) -> dict[str, Any]:
        """Returns the run's result so far: the last epoch's metrics, the best accuracy, each measure's mean."""
        last = self.history[-1]
        flow = {
            measure: np.mean([r["value"] for r in self._flow.rows if r["layer"] == TOTAL and r["measure"] == measure])
            for measure in dict.fromkeys(row["measure"] for row in self._flow.rows)
        }
        return {
            "test_accuracy": last["test_accuracy"],
            "test_loss": last["test_loss"],
            "best_test_accuracy": max(row["test_accuracy"] for row in self.history),
            "train_accuracy": last["accuracy"],
            "train_loss": last["loss"],
            "diverged": self.diverged,
            "epochs_run": len(self.history),
            **flow,
        }

    def _variables(self) -> dict[str, keras.Variable]:
        optimizer = self._network.optimizer.variables
        return {
            **{f"model_{index}": variable for index, variable in enumerate(self._network.variables)},
            **{f"optimizer_{index}": variable for index, variable in enumerate(optimizer)},
        }
