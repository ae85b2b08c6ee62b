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


def whole_gradient(variable: SparseValues, gradient: Any, operands: Operands) -> Any:
    """Returns the gradient of the whole kernel of a sparse layer.

    Args:
        variable: the values of a sparse layer.
        gradient: of the values; None if the loss does not depend on them.
        operands: tensors that `operands_of_gradients` kept in the backward pass of the gradient.

    Raises:
        ValueError: the layer was called within another graph than the backward pass, where its inputs are not known.
    """
    import tensorflow as tf

    indices, shape = variable.mask.index_tensor(), variable.mask.shape
    if gradient is None:
        return tf.zeros(shape)
    kept = operands.get(id(variable), ())
    _check_known([x for x, _ in kept], variable)
    whole = tf.reshape(tf.add_n([tf.matmul(x, dy, transpose_a=True) for x, dy in kept]), [-1])
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
    """Raises ValueError unless there are inputs, each of the graph that is traced, or of one around it."""
    import tensorflow as tf

    graph, around = tf.compat.v1.get_default_graph(), []
    while graph is not None:
        around.append(graph)
        graph = getattr(graph, "outer_graph", None)
    if not inputs or any(tf.is_symbolic_tensor(x) and x.graph not in around for x in inputs):
        raise ValueError(
            f"The gradient of the whole kernel {variable.path!r} is not known: its sparse layer runs within a "
            "`tf.function` or a loop of its own. Measure EGF alone, or the model that `to_masked` returns."
        )
