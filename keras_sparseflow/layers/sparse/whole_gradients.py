"""Gradients of whole kernels, inactive weights included, of layers that store active weights alone (TensorFlow).

A sparse layer computes the gradient of its active weights only. The gradient of the whole kernel is the product of the
layer's inputs and of its outputs' gradients, which a backward pass within `operands_of_gradients` keeps. The product is
computed where it is asked for, such as in a branch of a graph that few steps take.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from keras_sparseflow.layers.sparse.sparse_kernel import SparseValues

Operands = Mapping[int, Sequence[tuple[Any, Any]]]


def whole_gradient(variable: Any, gradient: Any, operands: Operands) -> Any:
    """Returns the gradient of a whole kernel.

    Args:
        variable: that a layer trains; for any but the values of a sparse layer the gradient is returned as it is.
        gradient: of the variable.
        operands: what `operands_of_gradients` kept in the backward pass of the gradient.

    Raises:
        ValueError: the layer was called within another graph than the backward pass, where its inputs are not known.
    """
    import tensorflow as tf

    if not isinstance(variable, SparseValues) or tuple(gradient.shape) != tuple(variable.shape):
        return gradient
    indices, shape = variable.mask.index_tensor(), variable.mask.shape
    kept = operands.get(id(variable), ())
    _check_known([x for x, _ in kept], variable)
    products = [tf.matmul(x, dy, transpose_a=True) for x, dy in kept]
    whole = tf.reshape(tf.add_n(products), [-1]) if products else tf.zeros([math.prod(shape)])
    # At active weights the gradient is the layer's own, to the bit, penalties included.
    return tf.reshape(tf.tensor_scatter_nd_update(whole, indices, tf.cast(gradient, whole.dtype)), shape)


def in_whole_kernel(variable: Any, values: Any) -> Any:
    """Returns values of a variable's entries in the shape of the kernel, with zeros at inactive weights."""
    import tensorflow as tf

    if not isinstance(variable, SparseValues):
        return values
    shape = variable.mask.shape
    return tf.reshape(tf.scatter_nd(variable.mask.index_tensor(), values, [math.prod(shape)]), shape)


def _check_known(inputs: Sequence[Any], variable: SparseValues) -> None:
    """Raises ValueError unless each of the inputs is of the graph that is traced, or of one around it."""
    import tensorflow as tf

    graph, around = tf.compat.v1.get_default_graph(), []
    while graph is not None:
        around.append(graph)
        graph = getattr(graph, "outer_graph", None)
    if any(tf.is_symbolic_tensor(x) and x.graph not in around for x in inputs):
        raise ValueError(
            f"The gradient of the whole kernel {variable.path!r} is not known: its sparse layer runs within a "
            "`tf.function` or a loop of its own. Measure EGF alone, or the model that `to_masked` returns."
        )
