"""The forward pass of stacked networks: each layer is computed for all members at once."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

Values = Mapping[str, tf.Tensor]
"""Stacked variables by the template's paths, each of shape `(members, *template_shape)`."""

Outcome = tuple[tf.Tensor, dict[str, tf.Tensor]]
"""A layer's outputs, and the new values of its statistics."""


# Keras walks the template's graph, in which each layer is replaced by its form in `FORMS`: one batched matrix product
# for all members, for instance, instead of one for each. Any other layer goes through `tf.vectorized_map`, which is
# slower but works for every layer. Forms are found by exact type, because a subclass may compute something else. None
# may sum over the member axis: a diverging member would spoil the others.
def stacked_call(template: keras.Model, values: Values, inputs: tf.Tensor, *, training: bool) -> Outcome:
    """Returns a template's outputs for every member, and the members' new statistics.

    Args:
        template: functional Keras model with one input and one output.
        values: values of all its variables.
        inputs: shape `(members, batch, ...)`, or `(1, batch, ...)` for a batch that all members share.
        training: whether layers run in training mode.

    Returns:
        Outputs of shape `(members, batch, ...)`, and new values of statistics such as BatchNorm's, by path.

    Example:
        >>> images = keras.Input((2,))
        >>> template = keras.Model(images, keras.layers.Dense(1, use_bias=False, name="output")(images))
        >>> kernels = tf.constant([[[1.0], [0.0]], [[0.0], [10.0]]])
        >>> outputs, _ = stacked_call(template, {"output/kernel": kernels}, tf.constant([[[3.0, 4.0]]]), training=False)
        >>> outputs.numpy().ravel().tolist()
        [3.0, 40.0]
    """
    changed: dict[str, tf.Tensor] = {}

    def of_all_members(layer: keras.Operation) -> Callable[..., tf.Tensor]:
        def call(*arguments: Any, **options: Any) -> tf.Tensor:
            form: Callable[..., Outcome] = FORMS.get(type(layer), mapped)
            outputs, new = form(layer, values, *arguments, training=training, **_given(options))
            changed.update(new)
            return outputs

        return call

    return template._run_through_graph(inputs, operation_fn=of_all_members), changed


def mapped(layer: keras.Operation, values: Values, *inputs: Any, training: bool, **options: Any) -> Outcome:
    """Returns the outputs and new statistics of any layer, mapped over the members by `tf.vectorized_map`.

    Args:
        layer: a layer or another operation of the template's graph.
        values: see `stacked_call`.
        *inputs: the layer's inputs, stacked.
        training: whether the layer runs in training mode.
        **options: other arguments of the layer's call, the same for all members.
    """
    if "training" in inspect.signature(layer.call).parameters:
        options["training"] = training
    weights = [values[variable.path] for variable in getattr(layer, "trainable_variables", ())]
    statistics = [values[variable.path] for variable in getattr(layer, "non_trainable_variables", ())]
    arguments = tf.nest.flatten(inputs)
    tensors = {place: x for place, x in enumerate(arguments) if tf.is_tensor(x)}
    members = max(tensor.shape[0] for tensor in (*weights, *statistics, *tensors.values()))

    def member(own: Any) -> Any:
        weights, statistics, tensors = own
        inputs_of_one = tf.nest.pack_sequence_as(inputs, [tensors.get(i, x) for i, x in enumerate(arguments)])
        if not isinstance(layer, keras.layers.Layer):
            return layer(*inputs_of_one, **options), []
        return layer.stateless_call(weights, statistics, *inputs_of_one, **options)

    stacked = {place: tf.broadcast_to(x, (members, *x.shape[1:])) for place, x in tensors.items()}
    outputs, new = tf.vectorized_map(member, (weights, statistics, stacked))
    changed = getattr(layer, "non_trainable_variables", ())
    return outputs, {variable.path: value for variable, value in zip(changed, new, strict=True)}


def _flatten(layer: keras.layers.Flatten, values: Values, inputs: tf.Tensor, *, training: bool) -> Outcome:
    return tf.reshape(inputs, (*inputs.shape[:2], -1)), {}


def _add(layer: keras.layers.Add, values: Values, inputs: Sequence[tf.Tensor], *, training: bool) -> Outcome:
    return tf.add_n(list(inputs)), {}


def _activation(layer: keras.layers.Activation, values: Values, inputs: tf.Tensor, *, training: bool) -> Outcome:
    if not _treats_each_example(layer.activation):
        return mapped(layer, values, inputs, training=training)
    return layer.activation(inputs), {}


def _dense(layer: keras.layers.Dense, values: Values, inputs: tf.Tensor, *, training: bool) -> Outcome:
    if layer.lora_enabled or layer.quantization_mode or not _treats_each_example(layer.activation):
        return mapped(layer, values, inputs, training=training)
    outputs = tf.matmul(inputs, values[layer.kernel.path])
    if layer.use_bias:
        outputs += _per_unit(values, layer.bias)
    return layer.activation(outputs), {}


def _batch_norm(
    layer: keras.layers.BatchNormalization, values: Values, inputs: tf.Tensor, *, training: bool, **options: Any
) -> Outcome:
    plain = layer.center and layer.scale and layer.trainable and not layer.renorm and len(inputs.shape) == 3
    if not plain or options:
        return mapped(layer, values, inputs, training=training, **options)
    gamma, beta = _per_unit(values, layer.gamma), _per_unit(values, layer.beta)
    means, variances = _per_unit(values, layer.moving_mean), _per_unit(values, layer.moving_variance)
    if not training:
        scale = gamma * tf.math.rsqrt(variances + layer.epsilon)
        return inputs * scale + (beta - means * scale), {}
    outputs, mean, variance = normalize(inputs, gamma, beta, layer.epsilon)
    return outputs, {
        kept.path: tf.squeeze(old * layer.momentum + new * (1.0 - layer.momentum), axis=1)
        for kept, old, new in ((layer.moving_mean, means, mean), (layer.moving_variance, variances, variance))
    }


def normalize(
    inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns values of mean `beta` and standard deviation `gamma` over the batch, and the batch's mean and variance.

    The gradient is written by hand: automatic differentiation would read and write the values twice as often
    (docs/performance.md). Only the first result has a gradient, with respect to `inputs`, `gamma` and `beta`.

    Args:
        inputs: shape `(members, batch, units)`.
        gamma: shape `(members, 1, units)`.
        beta: shape `(members, 1, units)`.
        epsilon: added to the variance.

    Returns:
        A tensor of the shape of `inputs`, and two of the shape of `gamma`.

    Example:
        >>> ones = tf.ones((1, 1, 1))
        >>> values, mean, variance = normalize(tf.constant([[[2.0], [6.0]]]), 3 * ones, ones, epsilon=0.0)
        >>> [tensor.numpy().ravel().tolist() for tensor in (values, mean, variance)]
        [[-2.0, 4.0], [4.0], [4.0]]

    References:
        Ioffe & Szegedy 2015, Batch Normalization, section 3.
    """
    values = tf.stop_gradient(inputs)
    mean = tf.reduce_mean(values, axis=1, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(values, mean), axis=1, keepdims=True)
    root = tf.math.rsqrt(variance + epsilon)

    @tf.custom_gradient
    def scaled(inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> Any:
        scale = gamma * root

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            centred = inputs - mean  # exactly zero for a unit that is constant, as its gradient has to be
            of_beta = tf.reduce_sum(upstream, axis=1, keepdims=True)
            of_gamma = root * tf.reduce_sum(upstream * centred, axis=1, keepdims=True)
            through_mean, through_variance = (
                scale * of_beta / inputs.shape[1],
                scale * root * of_gamma / inputs.shape[1],
            )
            return upstream * scale - (centred * through_variance + through_mean), of_gamma, of_beta

        return inputs * scale + (beta - mean * scale), gradient

    return scaled(inputs, gamma, beta), mean, variance


def _per_unit(values: Values, variable: keras.Variable) -> tf.Tensor:
    """Returns each member's vector, together of shape `(members, 1, units)`."""
    return tf.expand_dims(values[variable.path], axis=1)


def _treats_each_example(function: Callable[..., Any]) -> bool:
    """Returns whether a function is an activation of Keras: these treat each example by itself."""
    return str(function.__module__).startswith("keras.")


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


FORMS: dict[type, Callable[..., Outcome]] = {
    keras.layers.Activation: _activation,
    keras.layers.Add: _add,
    keras.layers.BatchNormalization: _batch_norm,
    keras.layers.Dense: _dense,
    keras.layers.Flatten: _flatten,
}
"""Forms by exact layer type, called with the layer, all values, its inputs and `training`."""
