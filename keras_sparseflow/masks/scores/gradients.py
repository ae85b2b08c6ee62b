"""Gradients of a model's loss, and products with its Hessian, with respect to its kernels (TensorFlow).

Nothing of a model changes: what layers assign within a `keras.StatelessScope`, such as BatchNorm statistics and random
states, goes with it.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.mask.switches import dense_gradients
from keras_sparseflow.masks.scores.examples import Batch
from keras_sparseflow.masks.scores.objective import BatchMean, Part, objective_of, weight_in
from keras_sparseflow.masks.scores.problem import MaskProblem, as_float
from keras_sparseflow.masks.scores.second_derivatives import second_derivatives
from keras_sparseflow.masks.scores.tracing import graph_function

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
    check_tensorflow("loss_gradients")
    loss = _batch_loss(problem, temperature)

    variables = _variables(problem)

    def gradients(batch: Batch) -> list[Any]:
        with _at_rest(problem):
            return gradients_of_parts(lambda: loss(batch), variables, batch)

    return _mean_over_examples(problem, graph_function(gradients))


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
    check_tensorflow("hessian_products")
    import tensorflow as tf

    loss = _batch_loss(problem, temperature)

    variables = _variables(problem)

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
    except NotImplementedError as error:  # of tf.recompute_grad
        raise ValueError(
            f"`model` must have second derivatives, which a part of {problem.model.name!r} that `tf.recompute_grad` "
            "computes anew has not; use `keras.remat` within the layer's `call` instead."
        ) from error


@contextlib.contextmanager
def variables_at(variables: Sequence[keras.Variable], values: Sequence[Any]) -> Iterator[None]:
    """Within it, variables have these values, tensors of any floating type, and no assignment outlasts it."""
    with keras.StatelessScope() as scope:
        for variable, value in zip(variables, values, strict=True):
            scope.add_update((variable, value))  # given at once, values would be cast to the variable's type
        yield


def check_precision(model: keras.Model) -> None:
    """Raises ValueError for a network that computes in float16."""
    layers = [layer for layer in model._flatten_layers() if layer.compute_dtype == "float16"]
    if layers:
        raise ValueError(
            f"The network must not compute in float16, where small gradients become zero; layer {layers[0].name!r} "
            "does. Take a copy that computes in float32 or bfloat16, and train it as you like."
        )


def gradients_of_parts(
    function: Callable[[], list[Part]], values: Sequence[Any], batch: Batch, names: Sequence[str] | None = None
) -> list[tuple[list[Any], Any]]:
    """Returns, for each part of a loss, its gradients, zeros where it does not depend on a value, and its weight.

    Args:
        function: without arguments, gives the parts.
        values: tensors or variables.
        batch: of the loss.
        names: of the values, on each of which the loss must depend; None where it need not.

    Raises:
        ValueError: the loss does not depend on one of them, although it must.
    """
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
        tape.watch(values)
        parts = function()
    found = [tape.gradient(part.value, values) for part in parts]
    for name, gradients in zip(names or (), zip(*found, strict=True), strict=bool(names)):
        if all(gradient is None for gradient in gradients):
            raise ValueError(
                f"The loss has no gradient for the weight {name!r}: no output depends on its layer, or "
                "`tf.recompute_grad` computes that anew, where no other value can stand in for a weight. Leave it out, "
                "or use `keras.remat` within the layer's `call` instead."
            )
    return [
        ([full_gradient(gradient, value) for gradient, value in zip(gradients, values, strict=True)], weight)
        for gradients, weight in zip(found, [weight_in(part, batch) for part in parts], strict=True)
    ]


def full_gradient(gradient: Any, value: Any) -> Any:
    """Returns a gradient as a tensor: zeros where there is none, and an embedding's slices put in place."""
    import tensorflow as tf

    return tf.zeros_like(value) if gradient is None else tf.convert_to_tensor(gradient)


@contextlib.contextmanager
def _at_rest(problem: MaskProblem) -> Iterator[None]:
    """Within it, gradients are those of effective kernels, and no assignment outlasts it."""
    with dense_gradients(problem.model), keras.StatelessScope():
        yield


def _batch_loss(problem: MaskProblem, temperature: float) -> Callable[[Batch], list[Part]]:
    """Returns the loss of a batch as the problem's model is."""
    check_precision(problem.model)
    if not temperature > 0:
        raise ValueError(f"`temperature` must be above 0; received {temperature}.")
    objective = objective_of(problem.model, problem.loss)
    if objective.takes_probabilities and temperature != 1:
        raise ValueError(
            "`loss` must take logits, because they are divided by a temperature; received one of probabilities. Leave "
            "out the last softmax or sigmoid and set from_logits=True in the loss, or temperature=1 in the score."
        )

    def loss(batch: Batch) -> list[Part]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        outputs = problem.model(x, training=problem.training)
        outputs = keras.tree.map_structure(lambda output: _divided(output, temperature), outputs)
        return objective.parts(y, outputs, sample_weight)

    return loss


def _divided(output: Any, temperature: float) -> Any:
    """Returns an output divided by the temperature, with the mask of padding that Keras has attached to it."""
    divided, padding = output / temperature, getattr(output, "_keras_mask", None)
    if padding is not None:
        divided._keras_mask = padding
    return divided


def _mean_over_examples(problem: MaskProblem, of_batch: Callable[[Batch], Sequence[Any]]) -> list[np.ndarray]:
    """Returns the mean over all examples of arrays that belong to the loss of each batch."""
    mean = BatchMean()
    for batch in problem.batches:
        parts = [([as_float(tensor) for tensor in tensors], weight) for tensors, weight in of_batch(batch)]
        mean.add(parts, len(keras.tree.flatten(batch)[0]))
    return mean.result()


def _variables(problem: MaskProblem) -> list[Any]:
    """Returns TensorFlow's variables of the kernels."""
    return [kernel.variable.value for kernel in problem.kernels]
