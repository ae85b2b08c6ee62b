"""Gradient flow of any Keras model on a whole dataset, at fixed weights."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from keras_sparseflow.flow.measure_table import DEFAULT_MEASURES
from keras_sparseflow.flow.tensors import flow_kernels
from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.mask.switches import dense_gradients
from keras_sparseflow.layers.sparse.whole_gradients import Operands
from keras_sparseflow.layers.structure import Kernel
from keras_sparseflow.masks.scores.examples import Batch, batches_in_turn
from keras_sparseflow.masks.scores.gradients import gradients_of_parts
from keras_sparseflow.masks.scores.objective import EXAMPLES, BatchMean, Part, has_own_loss, objective_of, together
from keras_sparseflow.training.model import SparseModel
from keras_sparseflow.training.recorder import (
    check_cost,
    find_measures,
    flow_masks,
    flow_rows,
    losses_of_layers,
    measure_table,
    measured_gradients,
    regularizer_gradient,
)


def measure_flow(
    model: keras.Model,
    data: Any,
    measures: Sequence[str] = DEFAULT_MEASURES,
    tensors: str = "kernels",
    cost: str = "total",
    training: bool = True,
    epoch: int = 0,
    loss: Any = None,
    batch_size: int | None = None,
) -> list[dict[str, Any]]:
    """Returns the gradient flow of a model: the measures of its loss's gradient over a whole dataset.

    This is the reading "end" of the flow. The result does not depend on how the data are cut into batches, except that
    BatchNorm in training mode normalises each batch by itself. The loss's reduction says whether the loss is a sum, or
    a mean over all examples, unpadded entries or sample weights. Nothing of the model changes, not even BatchNorm
    statistics and metrics.

    Args:
        model: any built Keras model, with masked or stock layers.
        data: arrays `(x, y)` or `(x, y, sample_weight)`, each one array or a structure of several; or a
            `tf.data.Dataset` of such batches that ends.
        measures: names in `flow.MEASURES`.
        tensors: tensors that count as layers, see `flow.flow_kernels`.
        cost: "total" (the loss, weight regularisers, and losses that layers add, such as activity regularisers) or
            "data" (the loss alone).
        training: whether layers such as BatchNorm and dropout run in training mode.
        epoch: entry `epoch` of the rows.
        loss: a Keras loss, its name, or a structure of these for several outputs; None for the compiled loss. The
            model's own `compute_loss`, if it has one, is taken for a mean over the batch.
        batch_size: examples per batch where data are arrays, to bound the memory; None for all at once.

    Returns:
        Rows with `epoch`, `reading` ("end"), `measure`, `layer` ("total" for the network) and `value`.

    Raises:
        ValueError: the data are of another kind, hold no example or never end; the model has no loss; `cost` is "data"
            and the model has its own `compute_loss`; an unknown measure, `tensors` or `cost`.

    Example:
        >>> layers = [keras.Input((2,)), keras.layers.Dense(1, use_bias=False, name="output")]
        >>> model = keras.Sequential(layers, name="net")
        >>> model.set_weights([tf.constant([[2.0], [1.0]])])
        >>> data = tf.constant([[1.0, 3.0]]), tf.constant([[1.0]])
        >>> rows = measure_flow(model, data, measures=["grad_norm_1"], loss="mse")
        >>> [(row["layer"], row["value"]) for row in rows]
        [('output', 32.0), ('total', 32.0)]

    References:
        Tessera et al. 2021, eqs. 5 to 7, and section 3.1: at the end of an epoch.
    """
    check_tensorflow("measure_flow")
    return FlowProbe(model, measures, tensors, cost, training, loss).rows(data, epoch, batch_size)


class FlowProbe:
    """Measures flow as `measure_flow` does, any number of times with one compiled gradient.

    Args:
        model: built; the other arguments are those of `measure_flow`.
    """

    def __init__(
        self, model: keras.Model, measures: Sequence[str], tensors: str, cost: str, training: bool, loss: Any = None
    ):
        self._model, self._tensors = model, tensors
        self._measures, self._kernels = find_measures(measures), flow_kernels(model, tensors)
        self._parts = _parts_of(model, loss, check_cost(cost), training)
        self._of_batch = self._compiled()
        self._adds_regularizers = cost == "total" and not _is_own(model, loss)

    def _compiled(self) -> Callable[[Batch], list[tuple[list[tf.Tensor], Any]]]:
        finish = partial(measured_gradients, self._measures, self._kernels)
        return _of_batch(self._model, self._kernels, self._parts, finish)

    # The gradients of all batches are averaged first and measured once: norms are not linear, so a mean of the
    # batches' norms would be another, larger number. Each part of the loss is averaged with its own weight (examples,
    # unpadded entries or sample weights), else the last, smaller batch would count too much. The forward pass changes
    # BatchNorm statistics, random seeds and metrics, so they are put back, also after an error.
    def rows(self, data: Any, epoch: int, batch_size: int | None = None) -> list[dict[str, Any]]:
        """Returns the rows of `measure_flow` for this data."""
        kernels = flow_kernels(self._model, self._tensors)
        if any(new.variable is not old.variable for new, old in zip(kernels, self._kernels, strict=True)):
            self._kernels = kernels  # pruning of sparse layers has made new ones
            self._of_batch = self._compiled()
        variables = [*self._model.non_trainable_variables, *self._model.metrics_variables]
        before = [tf.identity(variable.value) for variable in variables]
        mean = BatchMean(divide_sums=False)
        try:
            for batch in batches_in_turn(data, batch_size):
                mean.add(self._of_batch(batch), len(keras.tree.flatten(batch)[0]))
        finally:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)
        gradients, kernels = mean.result(), self._kernels
        if self._adds_regularizers:
            added = [regularizer_gradient(kernel.variable, g) for g, kernel in zip(gradients, kernels, strict=True)]
            gradients = [g + own for g, own in zip(gradients, added, strict=True)]
        table = measure_table(self._measures, gradients, flow_masks(kernels, gradients))
        return flow_rows(epoch, "end", list(self._measures), [kernel.path for kernel in kernels], table.numpy())


def _of_batch(
    model: keras.Model,
    kernels: Sequence[Kernel],
    parts: Callable[[Batch], list[Part]],
    finish: Callable[[list[Any], Operands], list[Any]],
) -> Callable[[Batch], list[tuple[list[tf.Tensor], Any]]]:
    """Returns a compiled function: from a batch to the gradients of its loss's parts by the effective kernels."""
    variables = [kernel.variable.value for kernel in kernels]

    def of_batch(variables: list[Any], batch: Batch) -> list[tuple[list[tf.Tensor], Any]]:
        with dense_gradients(model):
            return gradients_of_parts(lambda: parts(batch), variables, batch, finish=finish)

    # TensorFlow counts traces by a function's code, of which a partial has none: several models are no retracing.
    return tf.function(partial(of_batch, variables), reduce_retracing=True, autograph=False)


def _parts_of(model: keras.Model, loss: Any, cost: str, training: bool) -> Callable[[Batch], list[Part]]:
    """Returns a function from a batch to its loss's parts; only a model's own loss includes weight regularisers."""
    own = _is_own(model, loss)
    if own and cost == "data":
        raise ValueError(
            f"`cost` must be 'total': {type(model).__name__} has a `compute_loss` of its own, in which the data's loss "
            "and regularisation cannot be told apart; received 'data'. Give the data's `loss`."
        )
    if loss is None and not own and not model.compiled:
        raise ValueError(f"`loss` must be given, because {model.name!r} is not compiled; received None.")
    if loss is None and type(model).train_step not in (keras.Model.train_step, SparseModel.train_step):
        warnings.warn(
            f"{type(model).__name__} has a `train_step` of its own, and may train another loss than the one measured "
            f"here, {'its own `compute_loss`' if own else 'the compiled one'}; give `loss` to say which.",
            stacklevel=4,
        )
    objective = None if own else objective_of(model, loss)

    def parts(batch: Batch) -> list[Part]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        predictions = model(x, training=training) if model._call_has_training_arg else model(x)
        if objective is None:
            return [Part(model._compute_loss(x, y, predictions, sample_weight, training), EXAMPLES)]
        found = objective.parts(y, predictions, sample_weight)
        if cost == "total":
            found += [Part(tf.cast(added, found[0].value.dtype), EXAMPLES) for added in losses_of_layers(model)]
        return together(found)

    return parts


def _is_own(model: keras.Model, loss: Any) -> bool:
    return loss is None and has_own_loss(model)
