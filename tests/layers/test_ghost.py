"""Ghosts: their values by formula; exactly ReLU and exactly nothing in the end, in any precision, compiled or not."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_sparseflow.layers.ghost import GhostMish, GhostSkip, GhostSwish, ghosts_of
from tests.backend import ON_TENSORFLOW, gradients

X = np.linspace(-6, 6, 25, dtype="float32")
ODD = np.array([-np.inf, -3e38, -1.0, -0.0, 0.0, 1e-38, 2.0, 3e38, np.inf, np.nan], "float32")
RNG = np.random.default_rng(0)


def swish(x, beta):
    return x / (1 + np.exp(-beta * x))


def mish(x, beta):
    return x * np.tanh(np.log1p(np.exp(beta * x)))


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def gradient(layer, x):
    return gradients(layer, x)[0]


def graphs(function):
    """Graph functions of TensorFlow, which read variables anew whenever they run; none on another backend."""
    if not ON_TENSORFLOW:
        return []
    import tensorflow as tf

    return [tf.function(function, jit_compile=jit) for jit in (False, True)]


@pytest.mark.parametrize(("kind", "formula"), [(GhostSwish, swish), (GhostMish, mish)])
@pytest.mark.parametrize("beta", [0.3, 1.0, 7.0])
def test_a_soft_activation_is_its_formula_and_so_is_its_gradient(kind, formula, beta):
    layer, x = kind(beta), X.astype("float64")
    np.testing.assert_allclose(layer(X), formula(x, beta), rtol=1e-5, atol=1e-6)
    slope = (formula(x + 1e-6, beta) - formula(x - 1e-6, beta)) / 2e-6
    np.testing.assert_allclose(gradient(layer, X), slope, rtol=1e-4, atol=1e-5)


def test_at_beta_1_they_are_those_of_keras():
    np.testing.assert_allclose(GhostSwish()(X), keras.activations.silu(X), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(GhostMish()(X), keras.activations.mish(X), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("kind", "furthest"), [(GhostSwish, 0.2785), (GhostMish, 0.3088)])
def test_the_distance_from_relu_falls_as_1_over_beta(kind, furthest):
    """The largest of |f(x) - relu(x)| at beta 1 is the minimum's depth; x -> x / beta scales both axes."""
    for beta in (1, 10, 100):
        x = np.linspace(-6, 6, 20001, dtype="float32") / beta
        distance = np.abs(array(kind(beta)(x)) - np.maximum(x, 0)).max() * beta
        assert distance == pytest.approx(furthest, abs=2e-4)


@pytest.mark.parametrize("kind", [GhostSwish, GhostMish])
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_at_infinite_beta_they_are_relu_to_the_bit_in_a_graph_that_was_traced_before(kind, dtype):
    layer, relu = kind(dtype=dtype), keras.layers.Activation("relu", dtype=dtype)
    functions, odd = [layer, *graphs(layer)], ops.convert_to_tensor(ODD)
    assert layer.is_ghost and all((array(function(odd))[2] < 0) for function in functions)
    layer.beta.assign(np.inf)
    assert not layer.is_ghost
    for function in functions:
        found, expected = array(function(odd)), array(relu(odd))
        assert found.dtype == expected.dtype and np.array_equal(
            found.astype(float), expected.astype(float), equal_nan=True
        )
    assert np.array_equal(gradient(layer, ODD), gradient(relu, ODD), equal_nan=True)


def test_they_hold_a_scalar_that_is_not_trained_and_float32_in_half_precision():
    layer = GhostSwish(dtype="mixed_float16")
    assert not layer.trainable_variables
    assert [(v.path.rpartition("/")[2], tuple(v.shape), v.dtype) for v in layer.variables] == [("beta", (), "float32")]
    assert keras.backend.standardize_dtype(layer(ops.convert_to_tensor(X)).dtype) == "float16"


def test_layers_come_back_from_their_configs():
    replaces = {"class_name": "ReLU", "config": {"name": "r"}}
    layer = GhostMish.from_config(GhostMish(2.0, replaces, name="m").get_config())
    assert (layer.first_beta, layer.replaces, layer.name) == (2.0, replaces, "m")
    skip = GhostSkip(0.5, strides=(2, 1), crop=2, data_format="channels_first")
    assert GhostSkip.from_config(skip.get_config()).get_config() == skip.get_config()


@pytest.mark.parametrize("beta", [0, -1, float("nan")])
def test_beta_is_above_zero(beta):
    with pytest.raises(ValueError, match=r"`beta` must be in \(0, inf\]; received"):
        GhostSwish(beta)


# --- skips ----------------------------------------------------------------------------------------------------------


def images(*shape):
    return RNG.normal(size=shape).astype("float32")


def test_a_skip_adds_alpha_times_the_input():
    outputs, inputs = images(2, 5, 4, 3), images(2, 5, 4, 3)
    np.testing.assert_allclose(GhostSkip(0.25)([outputs, inputs]), outputs + 0.25 * inputs, rtol=1e-6)


@pytest.mark.parametrize("size", [6, 7])
def test_strides_are_average_pooling_and_new_channels_zeros(size):
    """In images of an odd size the last window is smaller, and its mean is that of its pixels."""
    inputs, outputs = images(1, size, 4, 2), images(1, -(-size // 2), 2, 3)
    pooled = np.zeros_like(outputs)
    for row in range(outputs.shape[1]):
        for column in range(2):
            pooled[0, row, column, :2] = inputs[0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean((0, 1))
    np.testing.assert_allclose(GhostSkip(strides=2)([outputs, inputs]), outputs + pooled, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (3, 2), (2, 1), (5, 1)])
def test_without_padding_the_positions_are_those_of_the_kernels_centre(kernel, dilation):
    """A convolution whose kernel is 1 at its centre is what the skip adds."""
    inputs = images(1, 9, 10, 2)
    centre = keras.layers.Conv2D(2, kernel, dilation_rate=dilation, use_bias=False)
    centre.build(inputs.shape)
    weights = np.zeros(centre.kernel.shape)
    weights[(kernel - 1) // 2, (kernel - 1) // 2] = np.eye(2)
    centre.set_weights([weights])
    expected = array(centre(inputs))
    found = GhostSkip(crop=(kernel - 1) * dilation)([np.zeros_like(expected), inputs])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_channels_can_come_first_and_axes_be_one_three_or_none():
    inputs, outputs = images(2, 6, 4, 2), images(2, 3, 2, 4)
    last = array(GhostSkip(strides=2)([outputs, inputs]))
    first = GhostSkip(strides=2, data_format="channels_first")([a.transpose(0, 3, 1, 2) for a in (outputs, inputs)])
    np.testing.assert_allclose(array(first).transpose(0, 2, 3, 1), last, rtol=1e-6)
    for shape, less in (((2, 8, 3), (2, 4, 3)), ((1, 4, 4, 4, 2), (1, 2, 2, 2, 2))):
        assert GhostSkip(strides=2)([np.zeros(less, "float32"), images(*shape)]).shape == less
    np.testing.assert_allclose(GhostSkip()([np.zeros((1, 3)), np.ones((1, 2))]), [[1, 1, 0]])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_at_alpha_0_outputs_pass_as_they_are_and_inputs_get_no_gradient(bad):
    skip = GhostSkip(strides=2)
    outputs, inputs = ops.convert_to_tensor(images(1, 2, 2, 3)), ops.full((1, 4, 4, 2), bad)

    def skipped(outputs, inputs):
        return skip([outputs, inputs])

    functions = [skipped, *graphs(skipped)]
    assert skip.is_ghost and not any(np.isfinite(array(function(outputs, inputs))).all() for function in functions)
    skip.alpha.assign(0)
    for function in functions:
        of_outputs, of_inputs = gradients(function, outputs, inputs)
        assert array(function(outputs, inputs)).tobytes() == array(outputs).tobytes() and not skip.is_ghost
        assert (of_outputs == 1).all() and (of_inputs == 0).all()


@pytest.mark.parametrize(
    ("options", "outputs", "inputs"),
    [
        ({}, (1, 4, 4, 2), (1, 4, 4, 3)),
        ({}, (1, 3, 3, 2), (1, 4, 4, 2)),
        ({"strides": 2}, (1, 4, 4, 2), (1, 4, 4, 2)),
        ({"crop": 1}, (1, 4, 4, 2), (1, 4, 4, 2)),
        ({}, (1, 4), (1, 4, 4)),
    ],
    ids=str,
)
def test_shapes_that_a_skip_cannot_reach_are_refused_with_both(options, outputs, inputs):
    with pytest.raises(ValueError, match="cannot reach an output of shape") as error:
        GhostSkip(**options)([np.zeros(outputs, "float32"), np.zeros(inputs, "float32")])
    assert str(outputs) in str(error.value) and str(inputs) in str(error.value)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_alpha_is_a_share(alpha):
    with pytest.raises(ValueError, match=r"`alpha` must be in \[0, 1\]; received"):
        GhostSkip(alpha)


def test_ghosts_are_found_wherever_they_are():
    inner = keras.Sequential([keras.Input((3,)), GhostSwish(name="inner")])
    model = keras.Sequential([keras.Input((3,)), inner, keras.layers.Dense(2, activation=GhostMish(name="own"))])
    assert sorted(ghost.name for ghost in ghosts_of(model)) == ["inner", "own"]
