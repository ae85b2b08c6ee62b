"""The flow through a network with the absolute values of its weights, in float64 (TensorFlow)."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_sparseflow.layers.mask.switches import dense_gradients
from keras_sparseflow.layers.structure import Kernel, input_tensors
from keras_sparseflow.masks.scores.tracing import graph_function

Flow = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


def absolute_flow(model: keras.Model, kernels: Sequence[Kernel], example: Any = None) -> Flow:
    """Returns a function of the kernels' weights w: abs(w * dR/dw), where R sums the outputs for inputs of ones.

    All other variables of the network have absolute values, too, as in the published code of SynFlow. BatchNorm runs
    in inference mode with moving means of zero, as at initialisation, because shifted signals could become negative.
    So do layers that normalise each example by its own statistics: with a mean of zero and a variance of one. Their own
    mean would make equal signals zero and others negative, and their variance would let no path grow with its weights.
    The network computes in float64: R grows by a factor with each layer, in a deep network beyond float32. The model
    does not change.

    Args:
        model: a built model.
        kernels: kernels of the model, from `kernels_of`.
        example: inputs with the shapes of the ones, except for the first axis; needed where the model does
            not know its input shapes.

    Raises:
        ValueError: the input shapes are unknown.
    """
    import tensorflow as tf

    inputs = _ones(model, example)
    variables = [kernel.variable for kernel in kernels]
    chosen = {id(variable) for variable in variables}
    others = [v for v in model.variables if id(v) not in chosen and keras.backend.is_float_dtype(v.dtype)]
    means = _moving_means(model)
    magnitudes = [tf.cast(tf.abs(v), tf.float64) * (0 if id(v) in means else 1) for v in others]
    # New variables, not tensors: a layer that is recomputed has gradients with respect to variables only.
    stored = [tf.Variable(tf.zeros(v.shape, tf.float64)) for v in variables]
    fixed = [tf.Variable(magnitude, trainable=False) for magnitude in magnitudes]

    def shares() -> list[Any]:
        with (
            _in_float64(model),
            _without_statistics(model),
            dense_gradients(model),
            _stored_in([*variables, *others], [*stored, *fixed]),
            tf.GradientTape(watch_accessed_variables=False) as tape,
        ):
            tape.watch(stored)
            outputs = keras.tree.flatten(model(inputs, training=False))
            total = tf.add_n([tf.reduce_sum(tf.cast(output, tf.float64)) for output in outputs])
            gradients = tape.gradient(total, stored, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [tf.abs(values * gradient) for values, gradient in zip(stored, gradients, strict=True)]

    compiled = graph_function(shares)

    def flow(weights: Sequence[np.ndarray]) -> list[np.ndarray]:
        for variable, values in zip(stored, weights, strict=True):
            variable.assign(values)
        return [array.numpy() for array in compiled()]

    return flow


def check_flow(model: keras.Model, scores: Sequence[np.ndarray]) -> None:
    """Raises ValueError if scores from `absolute_flow` are not finite, or zero everywhere."""
    largest = max((float(array.max(initial=0)) for array in scores), default=0.0)  # NaN if one is
    if not np.isfinite(largest):
        raise ValueError(
            f"The flow through {model.name!r} with absolute weights exceeds float64; received {largest}. Look for "
            "weights that are very large or not finite."
        )
    if largest == 0:
        raise ValueError(
            f"Nothing flows through {model.name!r} with absolute weights. Either no path from inputs to outputs is "
            "left, or an activation is constant for large inputs, such as a softmax at its end or a saturated sigmoid, "
            "or a layer makes inputs negative, such as Normalization."
        )


def _moving_means(model: keras.Model) -> set[int]:
    """Returns the `id` of each moving mean of BatchNorm."""
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    return {id(layer.moving_mean) for layer in norms if layer.built}


_OWN_STATISTICS = (keras.layers.LayerNormalization, keras.layers.GroupNormalization, keras.layers.RMSNormalization)


@contextlib.contextmanager
def _without_statistics(model: keras.Model) -> Iterator[None]:
    """Context in which layers that normalise each example only scale and shift, by their variables."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, _OWN_STATISTICS)]
    for layer in layers:
        vars(layer)["call"] = functools.partial(_scaled, layer)
    try:
        yield
    finally:
        for layer in layers:
            del vars(layer)["call"]


def _scaled(layer: Any, inputs: Any) -> Any:
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    axes = [axis % len(inputs.shape) for axis in axes]
    shape = [length if axis in axes else 1 for axis, length in enumerate(inputs.shape)]
    scale = layer.scale if isinstance(layer, keras.layers.RMSNormalization) else layer.gamma
    shift = getattr(layer, "beta", None)
    outputs = inputs if scale is None else inputs * ops.reshape(scale, shape)
    return outputs if shift is None else outputs + ops.reshape(shift, shape)


@contextlib.contextmanager
def _stored_in(variables: Sequence[keras.Variable], storage: Sequence[Any]) -> Iterator[None]:
    """Context in which Keras variables keep their values in other TensorFlow variables, of any floating type."""
    own = [variable._value for variable in variables]
    try:
        for variable, other in zip(variables, storage, strict=True):
            variable._value = other
        yield
    finally:
        for variable, value in zip(variables, own, strict=True):
            variable._value = value


@contextlib.contextmanager
def _in_float64(model: keras.Model) -> Iterator[None]:
    """Context in which every layer of a model computes in float64."""
    layers = model._flatten_layers()
    before = [(layer._dtype_policy, layer.autocast) for layer in layers]
    try:
        for layer in layers:
            layer.autocast = True  # normalisations take inputs as they are, which the model has made float32
            layer._dtype_policy = keras.DTypePolicy("float64")  # the public setter would quantize on the way back
        yield
    finally:
        for layer, (policy, autocast) in zip(layers, before, strict=True):
            layer._dtype_policy, layer.autocast = policy, autocast


def _ones(model: keras.Model, example: Any) -> Any:
    """Returns one example of ones in the structure of the model's inputs."""
    if example is not None:
        return keras.tree.map_structure(lambda part: ops.ones_like(ops.convert_to_tensor(part)[:1]), example)
    tensors = input_tensors(model)
    if tensors is None or any(None in tensor.shape[1:] for tensor in keras.tree.flatten(tensors)):
        raise ValueError(
            f"`data` must be given: the shape of the inputs of {model.name!r} is unknown without an example."
        )
    return keras.tree.map_structure(
        lambda tensor: ops.ones((tensor.shape[0] or 1, *tensor.shape[1:]), tensor.dtype), tensors
    )
