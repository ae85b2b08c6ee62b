"""Callbacks that compute diagnostics at some epochs of `fit`."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import keras
import pandas as pd

from keras_sparseflow.checks import check_number, check_seed
from keras_sparseflow.diagnostics.example_batches import batches_of
from keras_sparseflow.diagnostics.hessian import Hessian
from keras_sparseflow.diagnostics.sparse_activations import activation_sparsity
from keras_sparseflow.flow.measure_table import TOTAL
from keras_sparseflow.flow.schedule import measured_epochs
from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.training.tensorboard.scalars import ScalarWriter, diagnostic_tags

Row = dict[str, Any]

NEAR_ZERO = "near_zero_activations"
"""The measure of activation sparsity that counts activations near zero."""


class AtEpochs(keras.callbacks.Callback, abc.ABC):
    """Base of callbacks that measure something at the end of some epochs.

    Args:
        epochs: epochs to measure, counted from 0; None for 11, evenly spread.
        log_dir: folder for TensorBoard scalars; None for nowhere.

    Attributes:
        rows: list of dicts, of all measured epochs.
        columns: their keys.
    """

    columns: ClassVar[tuple[str, ...]]
    measure: str
    """Name of the measure; logs and TensorBoard have the network's value as `<measure>/total`."""

    def __init__(self, epochs: Sequence[int] | None, log_dir: str | None):
        super().__init__()
        check_tensorflow(type(self).__name__)
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
        tags = diagnostic_tags([row for measured in rows for row in self._by_measure(measured)])
        if logs is not None:
            total = f"{self.measure}/{TOTAL}"
            logs[total] = tags.get(total, float("nan"))
        if self._scalars is not None and tags:
            self._scalars.write(epoch, tags)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._scalars is not None:
            self._scalars.close()

    def rows_by_measure(self, epoch: int) -> list[Row]:
        """Returns the numbers of an epoch as rows with `epoch`, `measure`, `layer` and `value`, as flow has them."""
        return [row for measured in self.rows if measured["epoch"] == epoch for row in self._by_measure(measured)]

    @abc.abstractmethod
    def _measure(self, epoch: int) -> list[Row]:
        """Returns the rows of an epoch."""

    @abc.abstractmethod
    def _by_measure(self, row: Mapping[str, Any]) -> list[Row]:
        """Returns the numbers of one row as rows with `epoch`, `measure`, `layer` and `value`."""


class TopEigenvalue(AtEpochs):
    """Measures the top eigenvalue of the loss's Hessian over the epochs of `fit`, see `Hessian.top_eigenpair`.

    The epoch's logs get it as `top_eigenvalue/total` (NaN in epochs that are not measured); TensorBoard also gets
    the residual, as `top_eigenvalue_residual/total`.

    Args:
        data: as `Hessian` takes it; read once.
        epochs: epochs to measure, counted from 0; None for 11, evenly spread.
        loss: None for the compiled one.
        tensors: "all" trained weights or the "kernels" among them.
        training: whether layers such as BatchNorm and dropout run in training mode.
        batch_size: examples in a batch where data are arrays.
        tolerance: see `Hessian.top_eigenpair`.
        iterations: largest number of products with the Hessian in an epoch.
        seed: seed of the first vector, the same in every epoch.
        progress: called with the number of products done in an epoch, and `iterations`.
        log_dir: folder for TensorBoard scalars; None for nowhere.

    Attributes:
        rows: list of dicts with `epoch`, `eigenvalue`, `residual`, `iterations` and `converged`.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.compile("sgd", "mse")
        >>> data = keras.ops.ones((4, 2)), keras.ops.zeros((4, 1))
        >>> curvature = TopEigenvalue(data)
        >>> history = model.fit(*data, epochs=1, verbose=0, callbacks=[curvature])
        >>> round(curvature.rows[0]["eigenvalue"], 3)
        4.0

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, figures 2 and 9a.
    """

    columns = ("epoch", "eigenvalue", "residual", "iterations", "converged")
    measure = "top_eigenvalue"

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
        progress: Callable[[int, int], None] | None = None,
        log_dir: str | None = None,
    ):
        super().__init__(epochs, log_dir)
        self._batches = batches_of(data, batch_size)
        self._of_model: dict[str, Any] = {"loss": loss, "tensors": tensors, "training": training}
        limits = {"tolerance": tolerance, "iterations": iterations}
        self._of_iteration: dict[str, Any] = {**limits, "seed": check_seed(seed), "progress": progress}
        self._hessian: Hessian | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._hessian = None  # the last one may be of another model or loss

    def _measure(self, epoch: int) -> list[Row]:
        if self._hessian is None:
            self._hessian = Hessian(self.model, self._batches, **self._of_model)
        pair = self._hessian.top_eigenpair(**self._of_iteration)
        found = (pair.value, pair.residual, pair.iterations, pair.converged)
        return [dict(zip(self.columns, (epoch, *found), strict=True))]

    def _by_measure(self, row: Mapping[str, Any]) -> list[Row]:
        values = {self.measure: row["eigenvalue"], f"{self.measure}_residual": row["residual"]}
        return [
            {"epoch": row["epoch"], "measure": measure, "layer": TOTAL, "value": value}
            for measure, value in values.items()
        ]


class ActivationSparsity(AtEpochs):
    """Measures each layer's activation sparsity over the epochs of `fit`, see `activation_sparsity`.

    TensorBoard scalars are `activation_sparsity/<layer>`. The epoch's logs get the network's, of all activations
    together, as `activation_sparsity/total` (NaN in epochs that are not measured). With `near_zero` the measure is
    `near_zero_activations` instead.

    Args:
        data: as `Hessian` takes it; read once.
        epochs: epochs to measure, counted from 0; None for 11, evenly spread.
        training: whether layers such as BatchNorm and dropout run in training mode.
        batch_size: examples in a batch where data are arrays.
        log_dir: folder for TensorBoard scalars; None for nowhere.
        near_zero: largest size of an activation that counts as zero, at least 0.

    Attributes:
        rows: list of dicts with `epoch`, `layer` and `sparsity`.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.ReLU(name="rectified"), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> data = keras.ops.array([[-1.0, 2.0], [3.0, -4.0]]), keras.ops.zeros((2, 1))
        >>> sparsity = ActivationSparsity(data)
        >>> history = model.fit(*data, epochs=1, verbose=0, callbacks=[sparsity])
        >>> [(row["layer"], row["sparsity"]) for row in sparsity.rows]
        [('rectified', 0.5), ('total', 0.5)]
    """

    columns = ("epoch", "layer", "sparsity")
    measure = "activation_sparsity"

    def __init__(
        self,
        data: Any,
        epochs: Sequence[int] | None = None,
        training: bool = False,
        batch_size: int = 256,
        log_dir: str | None = None,
        near_zero: float = 0.0,
    ):
        super().__init__(epochs, log_dir)
        self._batches = batches_of(data, batch_size)
        self._training = training
        self._near_zero = float(check_number("near_zero", near_zero, minimum=0))
        if self._near_zero:
            self.measure = NEAR_ZERO

    def _measure(self, epoch: int) -> list[Row]:
        return activation_sparsity(self.model, self._batches, self._training, epoch=epoch, near_zero=self._near_zero)

    def _by_measure(self, row: Mapping[str, Any]) -> list[Row]:
        return [{"epoch": row["epoch"], "measure": self.measure, "layer": row["layer"], "value": row["sparsity"]}]
