"""Gradients of a model's loss, and products with its Hessian, with respect to its kernels (TensorFlow).

The model does not change: what layers assign within a `keras.StatelessScope`, such as BatchNorm statistics and random
states, is dropped with the scope.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.mask.switches import dense_gradients
from keras_sparseflow.layers.sparse.providers import operands_of_gradients
from keras_sparseflow.layers.sparse.whole_gradients import Operands
from keras_sparseflow.masks.scores.examples import Batch
from keras_sparseflow.masks.scores.objective import BatchMean, Part, objective_of, weight_in
from keras_sparseflow.masks.scores.problem import MaskProblem, as_float
from keras_sparseflow.masks.scores.second_derivatives import second_derivatives
from keras_sparseflow.masks.scores.tracing import graph_function

Arrays = Sequence[np.ndarray]


def loss_gradients(problem: MaskProblem, temperature: float = 1.0) -> list[np.ndarray]:
    """Returns the gradient of the loss with respect to each effective kernel, inactive entries included.

    The loss is the mean over all examples, without regularisation terms; the gradients of batches are added up.

    Args:
        problem: a problem with data.
        temperature: above 0; the model's outputs are divided by it.

    Raises:
        ValueError: there are no data, the loss takes no logits to divide, or the network computes in float16.
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
    check_tensorflow("loss_gradients")
    loss = _batch_loss(problem, temperature)

    variables = _variables(problem)

    def gradients(batch: Batch) -> list[Any]:
        with _at_rest(problem):
            return gradients_of_parts(lambda: loss(batch), variables, batch)

    return _mean_over_examples(problem, graph_function(gradients))


def hessian_products(problem: MaskProblem, vectors: Arrays, temperature: float = 1.0) -> list[np.ndarray]:
    """Returns the product of the loss's Hessian with a vector, both over all kernels of the problem together.

    Args:
        problem: see `loss_gradients`.
        vectors: the constant vector, as one array of each kernel's shape.
        temperature: see `loss_gradients`.

    Raises:
        ValueError: see `loss_gradients`, or a part of the model has no second derivatives.

    Example:
        >>> from keras_sparseflow.layers.structure import kernels_of
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.set_weights([np.array([[2.0], [1.0]])])
        >>> data = np.array([[1.0, 3.0]]), np.array([[1.0]])
        >>> problem = MaskProblem(model, kernels_of(model), 1, (), data, "mse")
        >>> hessian_products(problem, [np.array([[1.0], [0.0]])])[0].tolist()
        [[2.0], [6.0]]
    """
    check_tensorflow("hessian_products")
    import tensorflow as tf

    loss = _batch_loss(problem, temperature)

    variables = _variables(problem)

    # The Hessian times a vector is the gradient of the slope, the product of the gradient and the vector. So two nested
    # tapes do without the Hessian, which has the square of the number of weights as entries. Each part of the loss is
    # differentiated twice by itself, because parts have different weights in the mean over batches. Outside of
    # `second_derivatives`, BatchNorm would lose a part of its second derivative without an error.
    def products(directions: list[Any], batch: Batch) -> list[Any]:
        def slopes() -> list[Part]:
            return [
                Part(tf.add_n([tf.reduce_sum(g * d) for g, d in zip(gradients, directions, strict=True)]), weight)
                for gradients, weight in gradients_of_parts(lambda: loss(batch), variables, batch)
            ]

        with _at_rest(problem), second_derivatives():
            return gradients_of_parts(slopes, variables, batch)

    compiled = graph_function(products)
    directions = [tf.convert_to_tensor(d, v.dtype) for d, v in zip(vectors, variables, strict=True)]
    try:
        return _mean_over_examples(problem, lambda batch: compiled(directions, batch))
    except NotImplementedError as error:  # raised by tf.recompute_grad
        raise ValueError(
            f"`model` must have second derivatives; received {problem.model.name!r}, in which `tf.recompute_grad` "
            "computes a part without them. Use `keras.remat` within the layer's `call` instead."
        ) from error


@contextlib.contextmanager
def variables_at(variables: Sequence[keras.Variable], values: Sequence[Any]) -> Iterator[None]:
    """Context in which variables have other values, tensors of any floating type; assignments end with it."""
    with keras.StatelessScope() as scope:
        for variable, value in zip(variables, values, strict=True):
            scope.add_update((variable, value))  # the scope's own argument would cast values
        yield


def check_precision(model: keras.Model) -> None:
    """Raises ValueError for a network that computes in float16."""
    layers = [layer for layer in model._flatten_layers() if layer.compute_dtype == "float16"]
    if layers:
        raise ValueError(
            f"The network must not compute in float16, where small gradients become zero; received layer "
            f"{layers[0].name!r} in float16. Use a copy of the network in float32 or bfloat16 for this."
        )


def gradients_of_parts(
    function: Callable[[], list[Part]],
    values: Sequence[Any],
    batch: Batch,
    names: Sequence[str] | None = None,
    finish: Callable[[list[Any], Operands], list[Any]] | None = None,
) -> list[tuple[list[Any], Any]]:
    """Returns the gradients of each part of a loss, zeros where it does not depend on a value, and its weight.

    Args:
        function: function without arguments that returns the parts.
        values: tensors or variables to differentiate by.
        batch: the batch of the loss.
        names: names of the values, if the loss must depend on each of them; else None.
        finish: what is made of the gradients, None where there is none, and of the operands that sparse layers keep for
            them; None for tensors, see `full_gradient`.

    Raises:
        ValueError: the loss does not depend on a value although `names` is given.
    """
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
        tape.watch(values)
        parts = function()
    found = []
    for part in parts:
        with operands_of_gradients() as operands:
            gradients = tape.gradient(part.value, values)
        found.append((gradients, operands))
    for name, gradients in zip(
        names or (), zip(*(gradients for gradients, _ in found), strict=True), strict=bool(names)
    ):
        if all(gradient is None for gradient in gradients):
            raise ValueError(
                f"The loss must depend on the weight {name!r}, but has no gradient for it: no output uses its layer, "
                "or `tf.recompute_grad` recomputes the layer from the stored weight. Leave the weight out, or use "
                "`keras.remat` within the layer's `call` instead."
            )
    complete = finish or (lambda gradients, _: list(map(full_gradient, gradients, values)))
    weights = [weight_in(part, batch) for part in parts]
    return [(complete(*each), weight) for each, weight in zip(found, weights, strict=True)]


def full_gradient(gradient: Any, value: Any) -> Any:
    """Returns a gradient as a tensor: zeros if there is none, and slices of an embedding at their places."""
    import tensorflow as tf

    return tf.zeros_like(value) if gradient is None else tf.convert_to_tensor(gradient)


@contextlib.contextmanager
def _at_rest(problem: MaskProblem) -> Iterator[None]:
    """Context in which gradients are those of whole effective kernels; assignments end with it."""
    with dense_gradients(problem.model), keras.StatelessScope():
        yield


def _batch_loss(problem: MaskProblem, temperature: float) -> Callable[[Batch], list[Part]]:
    """Returns the function that gives the parts of the loss of a batch."""
    check_precision(problem.model)
    if not temperature > 0:
        raise ValueError(f"`temperature` must be above 0; received {temperature}.")
    objective = objective_of(problem.model, problem.loss)
    if objective.takes_probabilities and temperature != 1:
        raise ValueError(
            "`loss` must take logits, because they are divided by a temperature; received a loss of probabilities. "
            "Remove the last softmax or sigmoid and set from_logits=True in the loss, or temperature=1 in the score."
        )

    def loss(batch: Batch) -> list[Part]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        outputs = problem.model(x, training=problem.training)
        outputs = keras.tree.map_structure(lambda output: _divided(output, temperature), outputs)
        return objective.parts(y, outputs, sample_weight)

    return loss


def _divided(output: Any, temperature: float) -> Any:
    """Returns an output divided by the temperature, with the padding mask that Keras attaches to outputs."""
    divided, padding = output / temperature, getattr(output, "_keras_mask", None)
    if padding is not None:
        divided._keras_mask = padding
    return divided


def _mean_over_examples(problem: MaskProblem, of_batch: Callable[[Batch], Sequence[Any]]) -> list[np.ndarray]:
    """Returns the mean over all examples of the arrays that `of_batch` gives for each part of a batch's loss."""
    mean = BatchMean()
    for batch in problem.batches:
        parts = [([as_float(tensor) for tensor in tensors], weight) for tensors, weight in of_batch(batch)]
        mean.add(parts, len(keras.tree.flatten(batch)[0]))
    return mean.result()


def _variables(problem: MaskProblem) -> list[Any]:
    """Returns the TensorFlow variables of the kernels."""
    return [kernel.variable.value for kernel in problem.kernels]
