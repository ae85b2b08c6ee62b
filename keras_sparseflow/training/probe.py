"""Gradient flow of any Keras model on a dataset, with its weights at rest."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_sparseflow.flow.kernels import flow_kernels
from keras_sparseflow.flow.named import DEFAULT_MEASURES
from keras_sparseflow.layers import dense_gradients
from keras_sparseflow.layers.structure import Kernel
from keras_sparseflow.training.recorder import (
    check_cost,
    find_measures,
    flow_masks,
    flow_rows,
    gradients_of_cost,
    measure_table,
)


def measure_flow(
    model: keras.Model,
    data: Any,
    measures: Sequence[str] = DEFAULT_MEASURES,
    tensors: str = "kernels",
    cost: str = "total",
    training: bool = False,
    epoch: int = 0,
) -> list[dict[str, Any]]:
    """Returns the gradient flow of a compiled model: the measures of its mean gradient over a dataset.

    Nothing of the model changes, BatchNorm statistics included.

    Args:
        model: any compiled Keras model, with masked or stock layers.
        data: a `tf.data.Dataset` of batches `(x, y)` or `(x, y, sample_weight)`, or a pair of arrays
            `(x, y)`, taken as one batch.
        measures: names in `flow.MEASURES`.
        tensors: which tensors count as layers, see `flow.flow_kernels`.
        cost: "total" (the compiled loss and the regularisers) or "data" (the compiled loss).
        training: whether layers such as BatchNorm and dropout run in training mode.
        epoch: what the rows say of the epoch.

    Returns:
        Rows with `epoch`, `measure`, `layer` ("total" for the network) and `value`.

    Example:
        >>> layers = [keras.Input((2,)), keras.layers.Dense(1, use_bias=False, name="output")]
        >>> model = keras.Sequential(layers)
        >>> model.set_weights([tf.constant([[2.0], [1.0]])])
        >>> model.compile(loss="mse")
        >>> rows = measure_flow(model, (tf.constant([[1.0, 3.0]]), tf.constant([[1.0]])), measures=["grad_norm_1"])
        >>> [(row["layer"], row["value"]) for row in rows]
        [('output', 32.0), ('total', 32.0)]

    References:
        Tessera et al. 2021, eqs. 5 to 7; the paper leaves open on which data.
    """
    found, kernels = find_measures(measures), flow_kernels(model, tensors)
    check_cost(cost)
    before = [tf.identity(variable.value) for variable in model.non_trainable_variables]
    try:
        gradients = _mean_gradients(model, kernels, _batches(data), training)
    finally:
        for variable, value in zip(model.non_trainable_variables, before, strict=True):
            variable.assign(value)
    table = measure_table(found, gradients_of_cost(cost, kernels, gradients), flow_masks(kernels))
    return flow_rows(epoch, list(found), [kernel.path for kernel in kernels], table.numpy())


def _mean_gradients(
    model: keras.Model, kernels: Sequence[Kernel], batches: Iterable[Any], training: bool
) -> list[tf.Tensor]:
    """Returns the mean over all examples of the gradient of each kernel's effective values."""
    variables = [kernel.variable.value for kernel in kernels]

    @tf.function(reduce_retracing=True)
    def batch_gradients(batch: Any) -> list[tf.Tensor]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        with dense_gradients(model), tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            predictions = model(x, training=training)
            loss = model.compute_loss(x=x, y=y, y_pred=predictions, sample_weight=sample_weight, training=training)
            found = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [tf.convert_to_tensor(gradient) for gradient in found]  # an embedding's come as slices

    total, count = [tf.zeros_like(variable) for variable in variables], 0
    for batch in batches:
        size = len(keras.tree.flatten(batch)[0])
        total = [s + size * g for s, g in zip(total, batch_gradients(batch), strict=True)]
        count += size
    if not count:
        raise ValueError("`data` must hold at least one batch; received none.")
    return [s / count for s in total]


def _batches(data: Any) -> Iterable[Any]:
    if isinstance(data, tf.data.Dataset):
        return data
    if isinstance(data, tuple) and len(data) in (2, 3):
        return [tuple(tf.convert_to_tensor(part) for part in data)]
    raise ValueError(
        "`data` must be a tf.data.Dataset of batches, or arrays (x, y) or (x, y, sample_weight); "
        f"received {type(data).__name__}."
    )
