"""Products of activations with a sparse matrix, and their gradients, by Numba or by TensorFlow's CSR operations."""

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from keras_sparseflow.layers.backend import has_gpu
from keras_sparseflow.layers.sparse.places import Places
from keras_sparseflow.plugins import unknown_name

BREAK_EVEN = {"numba": 0.15, "tensorflow": 0.12}
"""For each provider of kernels: up to this density a step of both measured networks was faster by sparse layers.

By Numba it would be up to 0.19: `docs/sparse_execution.md` has the measurements.
"""

MIN_ENTRIES = 2**14
"""Kernels with fewer entries stay masked by default: calls of sparse kernels cost more than their dense products."""

_chosen: ContextVar[str | None] = ContextVar("provider", default=None)
_operands: ContextVar[dict[int, list[tuple[Any, Any]]] | None] = ContextVar("operands", default=None)

_NO_FUNCTIONS = ("keras.src.export", "tensorflow.python.saved_model")
"""Modules that save graphs, in which Python functions cannot be saved."""


def provider() -> str:
    """Returns what computes sparse layers: "numba" where it is installed and there is no GPU, else "tensorflow"."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    if importlib.util.find_spec("numba") is None or has_gpu():
        return "tensorflow"
    return "numba"


@contextlib.contextmanager
def kernels_by(name: str) -> Iterator[None]:
    """Within it, sparse layers that are traced compute by this provider.

    Args:
        name: "numba" or "tensorflow".

    Raises:
        ValueError: another name.
        ImportError: Numba is not installed.

    Example:
        >>> with kernels_by("tensorflow"):
        ...     provider()
        'tensorflow'
    """
    if name not in BREAK_EVEN:
        raise unknown_name("provider", name, list(BREAK_EVEN))
    if name == "numba" and importlib.util.find_spec("numba") is None:
        raise ImportError("Kernels by Numba need the extra `fast`: pip install 'keras_sparseflow[fast]'.")
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)


@contextlib.contextmanager
def operands_of_gradients() -> Iterator[dict[int, list[tuple[Any, Any]]]]:
    """Within it, backward passes keep the inputs and the outputs' gradients of each call of a sparse layer.

    Their product is the gradient of the whole kernel, inactive weights included, which nothing else computes.

    Yields:
        Lists of `(inputs, gradient)` by the `id` of the layer's values.
    """
    kept: dict[int, list[tuple[Any, Any]]] = {}
    token = _operands.set(kept)
    try:
        yield kept
    finally:
        _operands.reset(token)


def multiply(x: Any, values: Any, bias: Any, mask: Any) -> Any:
    """Returns `x @ kernel + bias` for a kernel of which only active weights are stored.

    Args:
        x: tensor of shape `(examples, inputs)`.
        values: variable of the active weights.
        bias: tensor of shape `(units,)`, or None.
        mask: the kernel's `SparseMask`, asked for the places of active weights whenever the product is computed.

    Returns:
        Tensor of shape `(examples, units)` and the type of `x`; sums are taken in float32.
    """
    import tensorflow as tf

    units = mask.places.units
    x32, b = tf.cast(x, tf.float32), tf.zeros(units) if bias is None else tf.cast(bias, tf.float32)
    if _exporting():
        return tf.cast(tf.ensure_shape(_served(x32, mask), (x.shape[0], units)) + b, x.dtype)
    product: Any = _by_numba(lambda: mask.places) if provider() == "numba" else _by_tensorflow(mask)
    key = id(values)

    def computed(x: Any, values: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
        y, backward = product(x, values, b)

        def gradient(dy: Any) -> tuple[Any, Any, Any]:
            kept = _operands.get()
            if kept is not None:
                kept.setdefault(key, []).append((x, dy))
            return backward(dy)

        return y, gradient

    y = tf.custom_gradient(computed)(x32, tf.cast(values.value, tf.float32), b)
    y.set_shape((x.shape[0], units))
    return tf.cast(y, x.dtype)


def _exporting() -> bool:
    """Returns whether this call is traced to be saved, which no tensor, graph or argument tells."""
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_NO_FUNCTIONS):
            return True
        frame = frame.f_back
    return False


def _served(x: Any, mask: Any) -> Any:
    """Returns `x @ kernel` by TensorFlow's own operations, in a graph that is saved and only computes forward."""
    import tensorflow as tf

    pairs, values = mask.served()
    matrix = _csr(pairs, tf.cast(values, tf.float32), (mask.places.units, mask.places.inputs))
    return tf.transpose(tf.raw_ops.SparseMatrixMatMul(a=matrix, b=tf.transpose(x)))


def _csr(pairs: Any, values: Any, shape: tuple[int, int]) -> Any:
    """Returns a matrix, given the row and the column of each of its values in the order of rows."""
    import tensorflow as tf

    return tf.raw_ops.SparseTensorToCSRSparseMatrix(indices=pairs, values=values, dense_shape=shape)


def _by_rows(matrix: Any, x: Any) -> Any:
    """Returns `x @ matrix.T`; oneDNN's kernels, which take what is transposed before, refuse a batch of no example."""
    import tensorflow as tf

    return tf.raw_ops.SparseMatrixMatMul(a=matrix, b=x, transpose_b=True, transpose_output=True)


def _by_numba(places: Callable[[], Places]) -> Callable[[Any, Any, Any], Any]:
    import tensorflow as tf

    def forward(x: np.ndarray, values: np.ndarray, bias: np.ndarray) -> Any:
        from keras_sparseflow.layers.sparse import numba_kernels

        blocks, _ = numba_kernels.feature_major(x)
        return numba_kernels.forward(values, bias, places(), blocks, len(x)), blocks

    def backward(values: np.ndarray, blocks: np.ndarray, dy: np.ndarray) -> Any:
        from keras_sparseflow.layers.sparse import numba_kernels

        gradients, db = numba_kernels.feature_major(dy)
        return *numba_kernels.backward(values, places(), blocks, gradients, len(dy)), db

    def product(x: Any, values: Any, bias: Any) -> Any:
        y, blocks = tf.numpy_function(forward, [x, values, bias], [tf.float32] * 2, stateful=False)

        def gradient(dy: Any) -> tuple[Any, Any, Any]:
            dx, dv, db = tf.numpy_function(backward, [values, blocks, dy], [tf.float32] * 3, stateful=False)
            return tf.ensure_shape(dx, x.shape), tf.ensure_shape(dv, values.shape), tf.ensure_shape(db, bias.shape)

        return y, gradient

    return product


def _by_tensorflow(mask: Any) -> Callable[[Any, Any, Any], Any]:
    import tensorflow as tf

    # Read out here: custom gradients capture no variables.
    (pairs, unit_pairs, order), indices = mask.pair_tensors(), mask.index_tensor()
    shape = (mask.places.inputs, mask.places.units)

    # The threads of a product with a transposed CSR matrix add to the same sums, in an order that changes from call to
    # call. So each of both products has a matrix of its own.
    def product(x: Any, values: Any, bias: Any) -> Any:
        y = _by_rows(_csr(unit_pairs, tf.gather(values, order), shape[::-1]), x)

        # TensorFlow has no product that is computed at given places alone. The whole one is, and is dropped at once: no
        # gradient of that size stays. So a step costs a third of a masked one at any density.
        def gradient(dy: Any) -> tuple[Any, Any, Any]:
            dx = _by_rows(_csr(pairs, values, shape), dy)
            whole = tf.reshape(tf.matmul(x, dy, transpose_a=True), [-1])
            return tf.ensure_shape(dx, x.shape), tf.gather_nd(whole, indices), tf.reduce_sum(dy, 0)

        return y + bias, gradient

    return product
