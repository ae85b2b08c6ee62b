"""Gradients of a model's loss, and products with its Hessian, at any values of its kernels (TensorFlow).

Nothing of a model changes: values stand in for variables within a `keras.StatelessScope`, and what layers assign
there, such as BatchNorm statistics and random states, goes with it.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_sparseflow.layers.kernels import dense_gradients
from keras_sparseflow.masks.examples import Batch
from keras_sparseflow.masks.objective import objective_of
from keras_sparseflow.masks.problem import MaskProblem, as_float
from keras_sparseflow.masks.second_derivatives import second_derivatives

Arrays = Sequence[np.ndarray]


def loss_gradients(problem: MaskProblem, temperature: float = 1.0) -> list[np.ndarray]:
    """Returns the gradient of the loss with respect to each effective kernel, inactive entries included.

    It is the gradient of the mean over all examples; gradients of batches are added before anything else. The
    loss has no regularisation terms.

    Args:
        problem: with data.
        temperature: above 0; the model's outputs are divided by it.

    Raises:
        ValueError: no data, a temperature for a loss that takes no logits, a network that computes in float16.
        RuntimeError: Keras runs on another backend than TensorFlow.

    Example:
        >>> from keras_sparseflow.layers.structure import kernels_of
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.set_weights([np.array([[2.0], [1.0]])])
        >>> data = np.array([[1.0, 3.0]]), np.array([[1.0]])
        >>> problem = MaskProblem(model, kernels_of(model), 1, (), data, "mse")
        >>> loss_gradients(problem)[0].tolist()
        [[8.0], [24.0]]
    """
    loss = _batch_loss(problem, temperature)

    def gradients(values: list[Any], batch: Batch) -> list[Any]:
        return gradients_of(lambda: loss(values, batch), values)

    values, compiled = _values(problem), graph_function(gradients)
    return _mean_over_examples(problem, lambda batch: compiled(values, batch))


def hessian_products(problem: MaskProblem, vectors: Arrays, temperature: float = 1.0) -> list[np.ndarray]:
    """Returns the product of the loss's Hessian with a vector, both of all kernels of the problem together.

    Args:
        problem: as for `loss_gradients`.
        vectors: the parts of the vector, one array of each kernel's shape; constants.
        temperature: as for `loss_gradients`.

    Raises:
        ValueError: as for `loss_gradients`.

    Example:
        >>> from keras_sparseflow.layers.structure import kernels_of
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.set_weights([np.array([[2.0], [1.0]])])
        >>> data = np.array([[1.0, 3.0]]), np.array([[1.0]])
        >>> problem = MaskProblem(model, kernels_of(model), 1, (), data, "mse")
        >>> hessian_products(problem, [np.array([[1.0], [0.0]])])[0].tolist()
        [[2.0], [6.0]]
    """
    import tensorflow as tf

    loss = _batch_loss(problem, temperature)

    def products(values: list[Any], directions: list[Any], batch: Batch) -> list[Any]:
        def slope() -> Any:
            gradients = gradients_of(lambda: loss(values, batch), values)
            return tf.add_n([tf.reduce_sum(g * d) for g, d in zip(gradients, directions, strict=True)])

        return gradients_of(slope, values)

    values, compiled = _values(problem), graph_function(products)
    directions = [tf.convert_to_tensor(d, v.dtype) for d, v in zip(vectors, values, strict=True)]
    return _mean_over_examples(problem, lambda batch: compiled(values, directions, batch))


@contextlib.contextmanager
def variables_at(variables: Sequence[keras.Variable], values: Sequence[Any]) -> Iterator[None]:
    """Within it, variables have these values, tensors of any floating type, and no assignment outlasts it."""
    with keras.StatelessScope() as scope:
        for variable, value in zip(variables, values, strict=True):
            scope.add_update((variable, value))  # given at once, values would be cast to the variable's type
        yield


def check_tensorflow() -> None:
    """Raises RuntimeError unless Keras runs on TensorFlow, which gradients are taken with."""
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "This score takes gradients with TensorFlow: Keras must run on it (KERAS_BACKEND=tensorflow); "
            f"received {keras.backend.backend()!r}."
        )


def check_precision(model: keras.Model) -> None:
    """Raises ValueError for a network that computes in float16."""
    layers = [layer for layer in model._flatten_layers() if layer.compute_dtype == "float16"]
    if layers:
        raise ValueError(
            f"The network must not compute in float16, where small gradients become zero; layer {layers[0].name!r} "
            "does. Take a copy that computes in float32 or bfloat16, and train it as you like."
        )


def gradients_of(function: Callable[[], Any], values: Sequence[Any]) -> list[Any]:
    """Returns the gradients of what the function returns, zeros where it does not depend on a value."""
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        result = function()
    found = tape.gradient(result, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [tf.convert_to_tensor(gradient) for gradient in found]  # an embedding's come as slices


def graph_function(function: Callable[..., list[Any]]) -> Any:
    """Returns a graph function; as a partial, for TensorFlow warns of one that is traced anew for each network."""
    import tensorflow as tf

    return tf.function(functools.partial(function), reduce_retracing=True)


def _batch_loss(problem: MaskProblem, temperature: float) -> Callable[[Sequence[Any], Batch], Any]:
    """Returns `(values, batch) -> loss` of the problem's model with these values of its kernels."""
    check_tensorflow()
    check_precision(problem.model)
    if not temperature > 0:
        raise ValueError(f"`temperature` must be above 0; received {temperature}.")
    objective = objective_of(problem.model, problem.loss)
    if objective.takes_probabilities and temperature != 1:
        raise ValueError(
            "`loss` must take logits, because they are divided by a temperature; received one of probabilities. Leave "
            "out the last softmax or sigmoid and set from_logits=True in the loss, or temperature=1 in the score."
        )
    variables = [kernel.variable for kernel in problem.kernels]

    def loss(values: Sequence[Any], batch: Batch) -> Any:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        with dense_gradients(), second_derivatives(), variables_at(variables, values):
            outputs = problem.model(x, training=problem.training)
            outputs = keras.tree.map_structure(lambda output: output / temperature, outputs)
            return objective.function(y, outputs, sample_weight)

    return loss


def _mean_over_examples(problem: MaskProblem, of_batch: Callable[[Batch], Sequence[Any]]) -> list[np.ndarray]:
    """Returns the mean over all examples of arrays that belong to the mean, or the sum, over each batch."""
    adds_up = objective_of(problem.model, problem.loss).adds_up
    sizes = [len(keras.tree.flatten(batch)[0]) for batch in problem.batches]
    total: list[np.ndarray] = []
    for batch, size in zip(problem.batches, sizes, strict=True):
        share = (1 if adds_up else size) / sum(sizes)
        arrays = [as_float(array) * share for array in of_batch(batch)]
        total = [
            np.add(so_far, array, out=so_far) for so_far, array in zip(total, arrays, strict=bool(total))
        ] or arrays
    return total


def _values(problem: MaskProblem) -> list[Any]:
    import tensorflow as tf

    return [tf.convert_to_tensor(kernel.variable) for kernel in problem.kernels]
