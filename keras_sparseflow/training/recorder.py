"""Gradient flow measured inside training steps, in the epochs that are chosen."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_sparseflow.checks import check_names
from keras_sparseflow.flow.measure_table import DEFAULT_MEASURES, MEASURES, READINGS, TOTAL
from keras_sparseflow.flow.measures import BLOCK_ENTRIES, FlowMeasure, NormMeasure, layer_values
from keras_sparseflow.flow.tensors import check_tensors, flow_kernels
from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.sparse.sparse_kernel import SparseValues
from keras_sparseflow.layers.sparse.whole_gradients import Operands, in_whole_kernel, whole_gradient
from keras_sparseflow.layers.structure import Kernel
from keras_sparseflow.masks.scores.gradients import full_gradient

COSTS = ("total", "data")


class FlowRecorder:
    """Measures the gradients of a model's training steps and keeps the mean over an epoch.

    Args:
        model: the model whose steps call `record`; it may be built in its first step.
        measures: names in `flow.MEASURES`, at least one.
        tensors: tensors that count as layers, see `flow.flow_kernels`.
        cost: "total" for the loss that the optimizer minimises, or "data" to leave out weight regularisers.

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
        self.measures = find_measures(measures)
        self.cost = check_cost(cost)
        self._model = model
        self._tensors = check_tensors(tensors)
        self.calls = 0
        """Number of calls of `record`; under `tf.function`, the number of times that it was traced."""
        self._kernels: list[Kernel] = []
        self._in_blocks = False
        with model.distribute_strategy.scope():
            self._active = _state(False, tf.bool)
            if model.built:
                self._build()

    def start(self, active: bool) -> None:
        """Begins an epoch; `active` says whether it is measured."""
        self._active.assign(active)
        if self._kernels:
            self._steps.assign(0.0)
            self._sums.assign(np.zeros(self._sums.shape))

    # Flow is measured from the gradients that the step has computed anyway, so it needs no second backward pass. A
    # variable that `tf.cond` reads says whether the epoch is measured: one compiled step serves all epochs, where a
    # Python flag would need a new trace. The norm of a sum is not the sum of norms, so gradients are first summed over
    # replicas. Such a reduction can't stand in a branch, so under a strategy every step computes the measures, and
    # zeros are added if they do not count.
    def record(self, gradients: dict[int, Any], scale: Any, operands: Operands) -> None:
        """Adds one step if the epoch is measured; otherwise, without a strategy, nothing is computed.

        Args:
            gradients: each trainable variable's gradient by the variable's `id`, not masked; None for
                a variable that the loss does not depend on.
            scale: factor of the loss under mixed precision, or None.
            operands: tensors that sparse layers have kept in the backward pass, see `whole_gradients`.
        """
        self.calls += 1
        if self.cost == "data" and losses_of_layers(self._model):
            raise ValueError(
                f"`cost` must be 'total': layers of {self._model.name!r} add losses, such as activity regularisers, "
                "whose gradient a training step cannot separate; received 'data'. Pass `data` for the reading 'end'."
            )
        if not self._kernels:
            with tf.init_scope():  # outside of the step's graph
                self._build()
        if any(id(kernel.variable) not in gradients for kernel in self._kernels):  # pruning has made new ones
            self._kernels = flow_kernels(self._model, self._tensors)
        found = [gradients[id(kernel.variable)] for kernel in self._kernels]

        def measured() -> list[Any]:
            return measured_gradients(self.measures, self._kernels, found, operands)

        if not tf.distribute.has_strategy():
            tf.cond(self._active, lambda: self._add(measured(), scale), tf.no_op)
        else:
            context = tf.distribute.get_replica_context()
            self._add(context.all_reduce(tf.distribute.ReduceOp.SUM, measured()), scale)

    def rows(self, epoch: int) -> list[dict[str, Any]]:
        """Returns the rows of the reading "steps", of each layer and the network; none if the epoch is not measured."""
        if not self._kernels or not bool(self._active.read_value()):
            return []
        steps = float(self._steps.read_value())
        means = self._sums.read_value().numpy() / (steps or np.nan)
        return flow_rows(epoch, "steps", list(self.measures), [kernel.path for kernel in self._kernels], means)

    def _build(self) -> None:
        """Finds the kernels and makes the variables that sum their measures up."""
        self._kernels = flow_kernels(self._model, self._tensors)
        self._steps = _state(0.0, tf.float32)
        self._sums = _state(np.zeros((len(self.measures), len(self._kernels) + 1)), tf.float32)
        # On a CPU, large gradients are measured faster under XLA, in blocks that stay in the cache.
        largest = max(int(np.prod(kernel.variable.shape)) for kernel in self._kernels)
        on_cpu = not tf.distribute.has_strategy() and not tf.config.list_logical_devices("GPU")
        self._in_blocks = largest > BLOCK_ENTRIES and on_cpu

    def _add(self, gradients: Sequence[Any], scale: Any) -> tf.Operation:
        values = self._table(gradients_of_cost(self.cost, self._kernels, gradients, scale))
        counts = self._active.read_value()
        if scale is not None:  # the optimizer skips a step whose scaled gradients overflow
            counts = tf.logical_and(counts, tf.reduce_all(tf.math.is_finite(values)))
        self._sums.assign_add(tf.where(counts, values, tf.zeros_like(values)))
        self._steps.assign_add(tf.cast(counts, tf.float32))
        return tf.no_op()

    def _table(self, gradients: Sequence[Any]) -> tf.Tensor:
        def table(gradients: Sequence[Any]) -> tf.Tensor:
            return measure_table(self.measures, gradients, flow_masks(self._kernels, gradients), self._in_blocks)

        return tf.function(table, jit_compile=True, autograph=False)(gradients) if self._in_blocks else table(gradients)


def flow_of_gradients(
    model: keras.Model,
    gradients: Sequence[Any],
    measures: Sequence[str] = DEFAULT_MEASURES,
    tensors: str = "kernels",
    epoch: int = 0,
    reading: str = "steps",
) -> list[dict[str, Any]]:
    """Returns the gradient flow of gradients from your own training loop.

    Args:
        model: built.
        gradients: one, or None, for each of `model.trainable_variables`. Compute them within `dense_gradients(model)`,
            else raw norms (`grad_norm_1`, `grad_norm_2`) leave inactive weights out. Mask such gradients before you
            apply them.
        measures: names in `flow.MEASURES`.
        tensors: tensors that count as layers, see `flow.flow_kernels`.
        epoch: entry `epoch` of the rows.
        reading: entry `reading` of the rows: "steps" for gradients of a training step, "end" for those of the whole
            training set after the epoch.

    Returns:
        Rows like those of `measure_flow`.

    Raises:
        ValueError: a wrong number of gradients, an unknown measure, `tensors` or reading, or measures of inactive
            weights, whose gradient a sparse layer does not give.

    Example:
        >>> from keras_sparseflow import MaskedDense, dense_gradients
        >>> model = keras.Sequential([keras.Input((2,)), MaskedDense(1, density=0.5, mask_seed=0, name="output")])
        >>> with dense_gradients(model), tf.GradientTape() as tape:
        ...     loss = tf.reduce_sum(model(tf.ones((1, 2))))
        ...     gradients = tape.gradient(loss, model.trainable_variables)
        >>> rows = flow_of_gradients(model, gradients, measures=["grad_norm_1", "egf_1"])
        >>> [(row["measure"], row["layer"], row["value"]) for row in rows[::2]]
        [('grad_norm_1', 'output', 2.0), ('egf_1', 'output', 1.0)]
    """
    check_tensorflow("flow_of_gradients")
    variables = model.trainable_variables
    if len(gradients) != len(variables):
        raise ValueError(
            f"`gradients` must hold {len(variables)}, one for each trainable variable of {model.name!r}; received "
            f"{len(gradients)}."
        )
    (reading,) = check_readings([reading])
    found, kernels = find_measures(measures), flow_kernels(model, tensors)
    by_variable = dict(zip(map(id, variables), gradients, strict=True))
    measured = [full_gradient(by_variable[id(kernel.variable)], kernel.variable.value) for kernel in kernels]
    sparse = [kernel.path for kernel in kernels if isinstance(kernel.variable, SparseValues)]
    if sparse and measures_inactive(found):
        raise ValueError(
            f"`measures` must be of active weights alone, such as egf_2: the gradients that sparse layers give, here "
            f"{sparse[0]!r}, have no others; received {', '.join(found)}. Measure these by `GradientFlow` or "
            "`measure_flow`."
        )
    table = measure_table(found, measured, flow_masks(kernels, measured))
    return flow_rows(epoch, reading, list(found), [kernel.path for kernel in kernels], table.numpy())


def losses_of_layers(model: keras.Model) -> list[Any]:
    """Returns the losses that a model's layers added in its last call, without weight regularisers."""
    losses: list[Any] = model.losses
    return losses[: len(losses) - len(model._get_regularization_losses())]


def find_measures(names: Sequence[str]) -> dict[str, FlowMeasure]:
    """Returns the measures of these names; at least one must be named."""
    return {name: MEASURES.get(name) for name in check_names("measures", names, MEASURES.names())}


def check_cost(cost: str) -> str:
    """Returns the cost if it is known, else raises ValueError."""
    if cost not in COSTS:
        raise ValueError(f"`cost` must be one of {', '.join(COSTS)}; received {cost!r}.")
    return cost


def check_readings(readings: Sequence[str]) -> tuple[str, ...]:
    """Returns readings in the order of `READINGS`; raises ValueError if none or an unknown one is named."""
    if not set(check_names("readings", readings, READINGS)) <= set(READINGS):
        raise ValueError(f"`readings` must list at least one of {', '.join(READINGS)}; received {readings!r}.")
    return tuple(reading for reading in READINGS if reading in readings)


def gradients_of_cost(cost: str, kernels: Sequence[Kernel], gradients: Sequence[Any], scale: Any = None) -> list[Any]:
    """Returns gradients without the loss scale and, for the cost "data", without those of weight regularisers."""
    if scale is not None:
        gradients = [gradient / tf.cast(scale, gradient.dtype) for gradient in gradients]
    if cost == "total":
        return list(gradients)
    return [g - regularizer_gradient(kernel.variable, g) for g, kernel in zip(gradients, kernels, strict=True)]


def measures_inactive(measures: Mapping[str, FlowMeasure]) -> bool:
    """Returns whether a measure may depend on the gradient of inactive weights."""
    return not all(isinstance(measure, NormMeasure) and measure.masked for measure in measures.values())


def measured_gradients(
    measures: Mapping[str, FlowMeasure], kernels: Sequence[Kernel], gradients: Sequence[Any], operands: Operands
) -> list[Any]:
    """Returns the gradients that measures are taken of: of whole kernels if a measure looks at inactive weights.

    Otherwise those of sparse layers stay what they are, of the active weights alone.

    Args:
        measures: by name.
        kernels: the kernels that count as layers.
        gradients: of the kernels' variables; None where the loss does not depend on one.
        operands: tensors that sparse layers have kept in the backward pass of the gradients.
    """
    if measures_inactive(measures):
        return whole_gradients(kernels, gradients, operands)
    return [full_gradient(g, kernel.variable.value) for kernel, g in zip(kernels, gradients, strict=True)]


def whole_gradients(kernels: Sequence[Kernel], gradients: Sequence[Any], operands: Operands) -> list[Any]:
    """Returns the gradients of whole kernels as tensors; for the arguments see `measured_gradients`."""
    return [
        whole_gradient(kernel.variable, g, operands)
        if isinstance(kernel.variable, SparseValues)
        else full_gradient(g, kernel.variable.value)
        for kernel, g in zip(kernels, gradients, strict=True)
    ]


def measure_table(
    measures: dict[str, FlowMeasure], gradients: Sequence[Any], masks: Sequence[Any], in_blocks: bool = False
) -> tf.Tensor:
    """Returns every measure of these gradients, shape `(measures, layers + 1)`; the last column is the total."""
    layers = [
        layer_values(list(measures.values()), gradient, mask, in_blocks=in_blocks)
        for gradient, mask in zip(gradients, masks, strict=True)
    ]
    columns = [list(column) for column in zip(*layers, strict=True)]
    return tf.stack([tf.stack([*c, m.total(c)]) for m, c in zip(measures.values(), columns, strict=True)])


def flow_masks(kernels: Sequence[Kernel], gradients: Sequence[Any]) -> list[tf.Tensor | None]:
    """Returns each kernel's mask as a tensor; None where all entries of the gradient are of active weights."""
    return [
        None if kernel.mask is None or tuple(gradient.shape) != kernel.shape else tf.convert_to_tensor(kernel.mask)
        for kernel, gradient in zip(kernels, gradients, strict=True)
    ]


def flow_rows(
    epoch: int, reading: str, measures: Sequence[str], layers: Sequence[str], table: np.ndarray
) -> list[dict[str, Any]]:
    """Returns the entries of a `measure_table` as rows with the keys `FLOW_COLUMNS`."""
    return [
        {"epoch": epoch, "reading": reading, "measure": measure, "layer": layer, "value": float(value)}
        for measure, values in zip(measures, table, strict=True)
        for layer, value in zip([*layers, TOTAL], values, strict=True)
    ]


def regularizer_gradient(variable: keras.Variable, like: Any) -> Any:
    """Returns the gradient of a variable's regulariser, inactive entries included; zero if it has none.

    Args:
        variable: the stored kernel, or another weight.
        like: a gradient of the variable, or of the whole kernel of a sparse layer, whose shape it gets.
    """
    if variable.regularizer is None:
        return tf.zeros((), variable.dtype)
    values = tf.convert_to_tensor(variable.value)  # a plain tensor: inactive entries get their gradient too
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        loss = variable.regularizer(values)
    gradient = tape.gradient(loss, values)
    return gradient if tuple(gradient.shape) == tuple(like.shape) else in_whole_kernel(variable, gradient)


def _state(value: Any, dtype: tf.DType) -> tf.Variable:
    return tf.Variable(value, trainable=False, dtype=dtype, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
