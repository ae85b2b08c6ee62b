"""Diagnostics at some epochs of `fit`."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import pandas as pd

from keras_sparseflow.diagnostics.activations import activation_sparsity
from keras_sparseflow.diagnostics.batches import batches_of
from keras_sparseflow.diagnostics.hessian import Hessian
from keras_sparseflow.flow.named import TOTAL
from keras_sparseflow.flow.schedule import measured_epochs
from keras_sparseflow.training.scalars import ScalarWriter

Row = dict[str, Any]


class AtEpochs(keras.callbacks.Callback, abc.ABC):
    """Base of callbacks that measure something at the end of some epochs, while the weights rest.

    Args:
        epochs: which epochs, counted from 0; None for 11, evenly spread.
        log_dir: where to write TensorBoard scalars; None for nowhere.

    Attributes:
        rows: list of dicts, of all measured epochs.
    """

    columns: ClassVar[tuple[str, ...]]
    logged: ClassVar[str]
    """The name, in logs and in TensorBoard, of the number that stands for the network."""

    def __init__(self, epochs: Sequence[int] | None, log_dir: str | None):
        super().__init__()
        self.rows: list[Row] = []
        self._epochs = epochs
        self._scalars = None if log_dir is None else ScalarWriter(log_dir)
        self._schedule: set[int] = set()

    def to_frame(self) -> pd.DataFrame:
        """Returns the rows as a DataFrame."""
        return pd.DataFrame(self.rows, columns=list(self.columns))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._schedule = set(measured_epochs(self.params["epochs"]) if self._epochs is None else self._epochs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        rows = self._measure(epoch) if epoch in self._schedule else []
        self.rows.extend(rows)
        tags = self._tags(rows)
        if logs is not None:
            logs[self.logged] = tags.get(self.logged, float("nan"))
        if self._scalars is not None and tags:
            self._scalars.write(epoch, tags)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._scalars is not None:
            self._scalars.close()

    @abc.abstractmethod
    def _measure(self, epoch: int) -> list[Row]:
        """Returns the rows of an epoch."""

    @abc.abstractmethod
    def _tags(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Returns the numbers in rows of one epoch by their TensorBoard tags."""


class TopEigenvalue(AtEpochs):
    """Measures the top eigenvalue of the loss's Hessian over the epochs of `fit`, see `Hessian.top_eigenpair`.

    It joins the epoch's logs and TensorBoard as `hessian/top_eigenvalue` (NaN in the logs of epochs that are not
    measured).

    Args:
        data: as `Hessian` takes it; read once.
        epochs: which epochs to measure, counted from 0; None for 11, evenly spread.
        loss: None for the compiled one.
        tensors: "all" trained weights or the "kernels" among them.
        training: whether layers such as BatchNorm and dropout run in training mode.
        batch_size: examples in a batch where data are arrays.
        tolerance: see `Hessian.top_eigenpair`.
        iterations: the most products with the Hessian in an epoch.
        seed: of the first vector, the same in every epoch.
        log_dir: where to write TensorBoard scalars; None for nowhere.

    Attributes:
        rows: list of dicts with `epoch`, `eigenvalue`, `residual`, `iterations` and `converged`.

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, figures 2 and 9a.
    """

    columns = ("epoch", "eigenvalue", "residual", "iterations", "converged")
    logged = "hessian/top_eigenvalue"

    def __init__(
        self,
        data: Any,
        epochs: Sequence[int] | None = None,
        loss: Any = None,
        tensors: str = "all",
        training: bool = False,
        batch_size: int = 256,
        tolerance: float = 1e-3,
        iterations: int = 100,
        seed: int = 0,
        log_dir: str | None = None,
    ):
        super().__init__(epochs, log_dir)
        self._batches = batches_of(data, batch_size)
        self._of_model: dict[str, Any] = {"loss": loss, "tensors": tensors, "training": training}
        self._of_iteration: dict[str, Any] = {"tolerance": tolerance, "iterations": iterations, "seed": seed}
        self._hessian: Hessian | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._hessian = None  # of another model, or compiled with another loss

    def _measure(self, epoch: int) -> list[Row]:
        if self._hessian is None:
            self._hessian = Hessian(self.model, self._batches, **self._of_model)
        pair = self._hessian.top_eigenpair(**self._of_iteration)
        found = (pair.value, pair.residual, pair.iterations, pair.converged)
        return [dict(zip(self.columns, (epoch, *found), strict=True))]

    def _tags(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        return {self.logged: rows[0]["eigenvalue"]} if rows else {}


class ActivationSparsity(AtEpochs):
    """Measures each layer's activation sparsity over the epochs of `fit`, see `activation_sparsity`.

    TensorBoard scalars are `activation_sparsity/<layer>`; the network's, of all activations together, joins the
    epoch's logs as `activation_sparsity/total` (NaN in epochs that are not measured).

    Args:
        data: as `Hessian` takes it; read once.
        epochs: which epochs to measure, counted from 0; None for 11, evenly spread.
        training: whether layers such as BatchNorm and dropout run in training mode.
        batch_size: examples in a batch where data are arrays.
        log_dir: where to write TensorBoard scalars; None for nowhere.

    Attributes:
        rows: list of dicts with `epoch`, `layer` and `sparsity`.
    """

    columns = ("epoch", "layer", "sparsity")
    logged = f"activation_sparsity/{TOTAL}"

    def __init__(
        self,
        data: Any,
        epochs: Sequence[int] | None = None,
        training: bool = False,
        batch_size: int = 256,
        log_dir: str | None = None,
    ):
        super().__init__(epochs, log_dir)
        self._batches = batches_of(data, batch_size)
        self._training = training

    def _measure(self, epoch: int) -> list[Row]:
        return activation_sparsity(self.model, self._batches, self._training, epoch=epoch)

    def _tags(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        return {f"activation_sparsity/{row['layer']}": row["sparsity"] for row in rows}
