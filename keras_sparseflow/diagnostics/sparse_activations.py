"""The share of a network's activations that are zero, exactly or nearly."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.models.functional import Functional
from keras.src.ops.operation import Operation

from keras_sparseflow.checks import check_number
from keras_sparseflow.diagnostics.example_batches import batches_of
from keras_sparseflow.flow.measure_table import TOTAL
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.ghost import GhostActivation
from keras_sparseflow.layers.rectifiers import PReLU, SReLU
from keras_sparseflow.layers.structure import walk

_LAYERS = (
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.PReLU,
    GhostActivation,
    PReLU,
    SReLU,
)
_FUNCTIONS = {name.replace("_", "") for name in ACTIVATIONS.names()}
_LOOPS = (keras.layers.RNN, keras.layers.TimeDistributed, keras.layers.Bidirectional)


def activation_sparsity(
    model: keras.Model,
    data: Any,
    training: bool = False,
    batch_size: int = 256,
    epoch: int = 0,
    near_zero: float = 0.0,
) -> list[dict[str, Any]]:
    """Returns the share of zeros among the outputs of each activation, over all examples; of exact ones by default.

    An activation is a layer such as `Activation`, `ReLU`, `PReLU` or a ghost, a layer whose own `activation` is not
    linear, such as `Dense(8, "relu")`, or an operation such as `keras.ops.relu` in a functional model. Nested models
    count too. Layers that run in a loop over time are left out: recurrent ones, their cells, and those inside
    `TimeDistributed`. Nothing of the model changes.

    Args:
        model: built, of any kind.
        data: as `Hessian` takes it; y is not used.
        training: whether layers such as BatchNorm and dropout run in training mode.
        batch_size: examples in a batch where data are arrays.
        epoch: entry `epoch` of the rows.
        near_zero: largest size of an output that counts as zero, at least 0; ToST's authors take 0.01.

    Returns:
        Rows with `epoch`, `layer` (its path; "total" for all activations together) and `sparsity` in [0, 1],
        layers first and operations after them. A layer that is used several times has one row, of all its outputs;
        one that the forward pass leaves out has none.

    Raises:
        ValueError: the model has no activation, `data` does not fit, or `near_zero` is negative.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.ReLU(name="rectified")])
        >>> rows = activation_sparsity(model, (np.array([[-1.0, 2.0], [3.0, 4.0]]), np.zeros(2)))
        >>> [(row["layer"], row["sparsity"]) for row in rows]
        [('rectified', 0.25), ('total', 0.25)]
        >>> few = (np.array([[-1.0, 0.005], [0.01, 0.02]]), np.zeros(2))
        >>> [activation_sparsity(model, few, near_zero=size)[-1]["sparsity"] for size in (0, 0.01)]
        [0.25, 0.75]

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, table 1, which gives a mean for
        each of ResNet-18's four groups; `soft_activation/activation_analysis.py` of the authors' code counts outputs of
        at most 0.01 in size, on test images.
    """
    check_tensorflow("activation_sparsity")
    near_zero = float(check_number("near_zero", near_zero, minimum=0))
    batches, found = batches_of(data, batch_size), activations_of(model)
    if not found:
        raise ValueError(f"`model` must have an activation; received {model.name!r}, which has only linear ones.")
    counts = dict.fromkeys(found, np.zeros(2, dtype=np.int64))

    def count(path: str, outputs: Any) -> None:
        for tensor in keras.tree.flatten(outputs):
            zeros = int(tf.math.count_nonzero(tf.abs(tensor) <= tf.cast(near_zero, tensor.dtype)))
            counts[path] = counts[path] + (zeros, int(tf.size(tensor)))

    with _outputs_of(found, count), keras.StatelessScope():
        for batch in batches:
            model(keras.utils.unpack_x_y_sample_weight(batch)[0], training=training)
    counts[TOTAL] = np.sum(list(counts.values()), axis=0)
    return [
        {"epoch": epoch, "layer": path, "sparsity": float(zeros / size)}
        for path, (zeros, size) in counts.items()
        if size
    ]


def activations_of(model: keras.Model) -> dict[str, Operation]:
    """Returns the activations of a model by path, as `activation_sparsity` finds them."""
    found: dict[str, Operation] = {}
    models: list[tuple[str, keras.layers.Layer]] = [("", model)]
    for path, chain in walk(model):
        if any(isinstance(layer, _LOOPS) for layer in chain):
            continue
        models.append((f"{path}/", chain[-1]))
        if _is_activation(chain[-1]):
            found[path] = chain[-1]
    for path, layer in models:
        if isinstance(layer, Functional):
            found.update({path + op.name: op for op in layer.operations if _is_activation_function(op)})
    return found


def _is_activation(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, _LAYERS):
        return True
    return getattr(layer, "activation", None) not in (None, keras.activations.linear)


def _is_activation_function(operation: Operation) -> bool:
    """Returns whether an operation of a functional model is one of Keras' activation functions."""
    kind = type(operation)
    if isinstance(operation, keras.layers.Layer):
        return False
    return kind.__module__.startswith("keras.src.") and kind.__name__.lower() in _FUNCTIONS


@contextlib.contextmanager
def _outputs_of(operations: dict[str, Operation], see: Callable[[str, Any], None]) -> Iterator[None]:
    """Calls `see` with the path and the outputs of each call of these operations inside the context."""

    def watched(path: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def inside(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            see(path, outputs)
            return outputs

        return inside

    for path, operation in operations.items():
        vars(operation)["call"] = watched(path, operation.call)
    try:
        yield
    finally:
        for operation in operations.values():
            del vars(operation)["call"]
