"""Collects gradient flow inside a training step, in the epochs that ask for it."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_sparseflow.flow.kernels import FlowKernel, flow_kernels
from keras_sparseflow.flow.measures import BLOCK_ENTRIES, FlowMeasure, layer_values
from keras_sparseflow.flow.named import DEFAULT_MEASURES, MEASURES

TOTAL = "total"
"""The `layer` of a row that holds the measure of the whole network."""

COSTS = ("total", "data")


class FlowRecorder:
    """Measures the gradients of a model's steps and keeps their mean over the steps of an epoch.

    Args:
        model: a built model.
        measures: names in `flow.MEASURES`.
        tensors: which tensors count as layers, see `flow.flow_kernels`.
        cost: "total" for the gradient of what the optimizer descends, or "data" to leave out the
            weight regularisers.

    Raises:
        ValueError: an unknown measure, `tensors` or `cost`.
    """

    def __init__(
        self,
        model: keras.Model,
        measures: Sequence[str] = DEFAULT_MEASURES,
        tensors: str = "kernels",
        cost: str = "total",
    ):
        if cost not in COSTS:
            raise ValueError(f"`cost` must be one of {', '.join(COSTS)}; received {cost!r}.")
        self.measures: dict[str, FlowMeasure] = {name: MEASURES.get(name) for name in measures}
        self.kernels: list[FlowKernel] = flow_kernels(model, tensors)
        self.cost = cost
        with model.distribute_strategy.scope():
            self._active = _state(False, tf.bool)
            self._steps = _state(0.0, tf.float32)
            self._sums = _state(np.zeros((len(self.measures), len(self.kernels) + 1)), tf.float32)
        # Large gradients on a CPU are measured by a function of their own under XLA, in blocks that stay in its cache.
        largest = max(int(np.prod(kernel.variable.shape)) for kernel in self.kernels)
        replicas = model.distribute_strategy.num_replicas_in_sync
        self._in_blocks = largest > BLOCK_ENTRIES and replicas == 1 and not tf.config.list_logical_devices("GPU")

    def start(self, active: bool) -> None:
        """Begins an epoch, which is measured or not."""
        self._active.assign(active)
        self._steps.assign(0.0)
        self._sums.assign(tf.zeros_like(self._sums))

    def record(self, gradients: dict[int, Any], scale: Any) -> None:
        """Adds one step, if the epoch is measured; otherwise the step does none of the work.

        Args:
            gradients: each trainable variable's gradient by the variable's `id`, not masked.
            scale: what the loss was multiplied by (mixed precision).
        """
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        measured = [gradients[id(kernel.variable)] for kernel in self.kernels]
        if replicas == 1:
            tf.cond(self._active, lambda: self._add(measured, scale), tf.no_op)
        else:
            # Norms are of the whole batch's gradient: reduce first. A reduction can't stand in a branch.
            context = tf.distribute.get_replica_context()
            self._add(context.all_reduce(tf.distribute.ReduceOp.SUM, measured), scale)

    def _table(self, gradients: Sequence[Any]) -> tf.Tensor:
        def table(gradients: Sequence[Any]) -> tf.Tensor:
            return measure_table(self.measures, self.kernels, gradients, self._in_blocks)

        return tf.function(table, jit_compile=True, autograph=False)(gradients) if self._in_blocks else table(gradients)

    def rows(self, epoch: int) -> list[dict[str, Any]]:
        """Returns a row for each measure and layer, and one for each measure's total; none if not measured."""
        steps = float(self._steps)
        if not bool(self._active) or not steps:
            return []
        return flow_rows(epoch, self.measures, self.kernels, self._sums.numpy() / steps)

    def _add(self, gradients: Sequence[Any], scale: Any) -> tf.Operation:
        values = self._table(self.of_cost(gradients, scale))
        weight = tf.cast(self._active, tf.float32)
        self._sums.assign_add(tf.where(self._active, values, tf.zeros_like(values)))
        self._steps.assign_add(weight)
        return tf.no_op()

    def of_cost(self, gradients: Sequence[Any], scale: Any = None) -> list[Any]:
        """Undoes the loss scale, and takes the regularisers' gradient away where the data's is asked for."""
        if scale is not None:
            gradients = [gradient / tf.cast(scale, gradient.dtype) for gradient in gradients]
        if self.cost == "total":
            return list(gradients)
        return [g - _regularizer_gradient(kernel.variable) for g, kernel in zip(gradients, self.kernels, strict=True)]


def measure_table(
    measures: dict[str, FlowMeasure], kernels: Sequence[FlowKernel], gradients: Sequence[Any], in_blocks: bool = False
) -> tf.Tensor:
    """Returns every measure of these gradients, shape `(measures, layers + 1)`; the last column is the total."""
    masks = [None if kernel.mask is None else tf.convert_to_tensor(kernel.mask) for kernel in kernels]
    layers = [
        layer_values(list(measures.values()), gradient, mask, in_blocks=in_blocks)
        for gradient, mask in zip(gradients, masks, strict=True)
    ]
    columns = [list(column) for column in zip(*layers, strict=True)]
    return tf.stack([tf.stack([*c, m.total(c)]) for m, c in zip(measures.values(), columns, strict=True)])


def flow_rows(
    epoch: int, measures: Sequence[str] | dict[str, Any], kernels: Sequence[FlowKernel], table: np.ndarray
) -> list[dict[str, Any]]:
    """Returns the entries of a `measure_table` as rows with `epoch`, `measure`, `layer` and `value`."""
    layers = [*(kernel.name for kernel in kernels), TOTAL]
    return [
        {"epoch": epoch, "measure": measure, "layer": layer, "value": float(value)}
        for measure, values in zip(measures, table, strict=True)
        for layer, value in zip(layers, values, strict=True)
    ]


def _regularizer_gradient(variable: keras.Variable) -> Any:
    if variable.regularizer is None:
        return tf.zeros((), variable.dtype)
    with tf.GradientTape() as tape:
        loss = variable.regularizer(variable)
    return tape.gradient(loss, variable.value)


def _state(value: Any, dtype: tf.DType) -> tf.Variable:
    return tf.Variable(value, trainable=False, dtype=dtype, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
