"""The Keras callback that measures gradient flow over training."""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import pandas as pd

from keras_sparseflow.checks import check_flag, check_number
from keras_sparseflow.flow.flow_plot import plot_flow
from keras_sparseflow.flow.measure_table import DEFAULT_MEASURES, TOTAL
from keras_sparseflow.flow.schedule import check_epochs, measured_epochs
from keras_sparseflow.flow.tensors import check_tensors
from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.training.model import SparseModel
from keras_sparseflow.training.probe import FlowProbe
from keras_sparseflow.training.recorder import FlowRecorder, check_cost, check_readings, find_measures
from keras_sparseflow.training.tensorboard.scalars import ScalarWriter, flow_tags


class GradientFlow(keras.callbacks.Callback):
    """Measures gradient flow over the epochs of `fit`, for any Keras model, masked or not.

    There are two readings of an epoch. "steps" measures the training steps of a `SparseModel`; a value is
    the mean over the steps of the epoch. "end" works for any compiled model and needs `data`: after the epoch
    it measures the gradient of the loss over that data. For the paper's reading, `data` is the whole training
    set without augmentation, in batches of the training's size; this costs about as much as one epoch of training.

    The epoch's logs get the measures of the whole network (`flow/end/egf_2`; NaN in epochs that are not
    measured), for `History` and other callbacks; `rows` also holds those of each layer.

    Args:
        data: None, or what `measure_flow` takes, for the reading "end".
        epochs: epochs to measure, a sequence of integers counted from 0; None for 11, evenly spread.
        measures: names in `flow.MEASURES`.
        tensors: tensors that count as layers: "kernels" or "all".
        cost: "total" (the loss that the optimizer minimises) or "data" (without regularisers).
        training: whether the reading "end" runs layers such as BatchNorm and dropout in training mode.
        log_dir: folder for TensorBoard scalars `flow/<reading>/<measure>` and
            `flow_by_layer/<reading>/<measure>/<layer>`; None for nowhere.
        readings: "steps", "end" or both; None for "end" with `data` and for "steps" without.
        total_epochs: epochs of a training that several calls of `fit` share; None for the epochs of this `fit`.

    Raises:
        ValueError: an argument is out of its range; when `fit` begins: an epoch that it will not reach, or the reading
            "steps" of a model that is no SparseModel; after the first step: a `train_step` that records nothing.

    Attributes:
        rows: list of dicts with `epoch`, `reading`, `measure`, `layer` ("total" for the network) and `value`.

    Example:
        >>> flow = GradientFlow(epochs=[0, 9])
        >>> flow.to_frame().columns.tolist()
        ['epoch', 'reading', 'measure', 'layer', 'value']

    References:
        Tessera et al. 2021, section 3.1: flow is measured "at the end of" epochs.
    """

    def __init__(
        self,
        data: Any = None,
        epochs: Sequence[int] | None = None,
        measures: Sequence[str] = DEFAULT_MEASURES,
        tensors: str = "kernels",
        cost: str = "total",
        training: bool = True,
        log_dir: str | None = None,
        readings: Sequence[str] | None = None,
        total_epochs: int | None = None,
    ):
        super().__init__()
        check_tensorflow("GradientFlow")
        self._readings = check_readings(_default_readings(data) if readings is None else readings)
        if ("end" in self._readings) != (data is not None):
            raise ValueError(
                "`data` must be given if `readings` has 'end', and only then; received "
                f"data={'None' if data is None else type(data).__name__} and readings={self._readings!r}."
            )
        if not training and data is None:
            raise ValueError("`training` must be True unless `data` is measured; received False and data=None.")
        find_measures(measures), check_tensors(tensors), check_cost(cost)  # raise before training begins
        self.rows: list[dict[str, Any]] = []
        self._data = data
        self._epochs = None if epochs is None else check_epochs(epochs)
        self._training = check_flag("training", training)
        self._total_epochs = None
        if total_epochs is not None:
            self._total_epochs = check_number("total_epochs", total_epochs, whole=True, minimum=1)
        self._options: dict[str, Any] = {"measures": tuple(measures), "tensors": tensors, "cost": cost}
        if not isinstance(log_dir, str | None):
            raise ValueError(f"`log_dir` must be a path or None; received {log_dir!r}.")
        self._scalars = None if log_dir is None else ScalarWriter(log_dir)
        self._schedule: set[int] = set()
        self._recorder: FlowRecorder | None = None
        self._probe: FlowProbe | None = None

    def to_frame(self) -> pd.DataFrame:
        """Returns the rows as a DataFrame."""
        return pd.DataFrame(self.rows, columns=["epoch", "reading", "measure", "layer", "value"])

    def plot(self, measure: str | None = None, layers: bool = True) -> Any:
        """Returns a matplotlib figure of the flow over epochs, which a notebook shows: see `plot_flow`."""
        return plot_flow(self.to_frame(), measure, layers)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        last = (self._total_epochs or self.params["epochs"]) - 1
        self._schedule = set(measured_epochs(last + 1) if self._epochs is None else self._epochs)
        if max(self._schedule, default=0) > last:
            raise ValueError(
                f"`epochs` must be in [0, {last}], the epochs of this training; received {max(self._schedule)}."
            )
        self._detach()  # needed after a `fit` that an exception ended
        if "steps" not in self._readings:
            return
        if not isinstance(self.model, SparseModel):
            raise ValueError(
                "The reading 'steps' of GradientFlow measures the training steps of a SparseModel; received a "
                f"{type(self.model).__name__}. Make the model a SparseModel, or pass `data` and read 'end' alone."
            )
        self._recorder = FlowRecorder(self.model, **self._options)
        self.model.attach(self._recorder)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._recorder is not None:
            self._recorder.start(epoch in self._schedule)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._recorder is not None and not self._recorder.calls:
            raise ValueError(
                f"The training steps of {type(self.model).__name__} record no gradient flow: its own `train_step` does "
                "not call that of SparseModel. Pass `data` for the reading 'end', or call `flow_of_gradients` in it."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        rows = self._measure(epoch) if epoch in self._schedule else []
        self.rows.extend(rows)
        if logs is not None:
            totals = {(row["reading"], row["measure"]): row["value"] for row in rows if row["layer"] == TOTAL}
            for place in itertools.product(self._readings, self._options["measures"]):
                logs["/".join(("flow", *place))] = totals.get(place, float("nan"))
        if self._scalars is not None and rows:
            self._scalars.write(epoch, flow_tags(rows))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._detach()
        if self._scalars is not None:
            self._scalars.close()

    def _measure(self, epoch: int) -> list[dict[str, Any]]:
        rows = [] if self._recorder is None else self._recorder.rows(epoch)
        if "end" not in self._readings:
            return rows
        if self._probe is None:  # the model is built by now
            self._probe = FlowProbe(self.model, training=self._training, **self._options)
        return rows + self._probe.rows(self._data, epoch)

    def _detach(self) -> None:
        self._probe = None
        if self._recorder is not None:
            self.model.detach(self._recorder)
            self._recorder = None


def _default_readings(data: Any) -> tuple[str, ...]:
    return ("steps",) if data is None else ("end",)
