"""The multilayer perceptron: its shapes, masks, initial values and connections."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.models import mlp
from tests.backend import MODEL_CLASS, gradients_of_variables

SHAPE, CLASSES = (4, 4, 1), 3


def kernels(model):
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    return [keras.ops.convert_to_numpy(getattr(layer, "kernel", None)) for layer in dense]


def images(count=5):
    return np.random.default_rng(0).normal(size=(count, *SHAPE)).astype("float32")


def test_kernels_are_named_have_no_bias_and_the_asked_for_active_weights():
    model = mlp(SHAPE, CLASSES, [20, 20], active=[100, 40, 30])
    layers = [layer for layer in model.layers if isinstance(layer, MaskedDense)]
    assert [layer.name for layer in layers] == ["hidden_1", "hidden_2", "output"]
    assert [layer.active_count for layer in layers] == [100, 40, 30]
    assert [layer.kernel.shape for layer in layers] == [(16, 20), (20, 20), (20, 3)]
    assert len(model.trainable_variables) == 3


def test_without_active_counts_layers_are_stock():
    assert not any(isinstance(layer, MaskedDense) for layer in mlp(SHAPE, CLASSES, [20]).layers)


def test_a_kernel_without_a_count_is_of_a_stock_layer_with_the_same_initial_values():
    some, all_masked = (mlp(SHAPE, CLASSES, [20, 20], active=[None, 40, last]) for last in (None, 60))
    assert [type(layer).__name__ for layer in some.layers if "Dense" in type(layer).__name__] == [
        "Dense", "MaskedDense", "Dense"
    ]  # fmt: skip
    for a, b in zip(kernels(some), kernels(all_masked), strict=True):
        np.testing.assert_array_equal(a, b)


def test_dropout_drops_inputs_of_every_kernel_but_the_first_and_no_skip_connection():
    """Inverted dropout at 1/2 of ones through kernels of ones: what is left counts twice."""
    model = mlp((1, 1, 1), 1, [400] * 3, skip_connections=True, dropout=0.5, seed=5)
    for variable in model.trainable_variables:
        variable.assign(keras.ops.full(variable.shape, 1 / variable.shape[0]))
    parts = keras.Model(model.inputs[0], {layer.name: layer.output for layer in model.layers})
    ones = np.ones((1, 1, 1, 1), "float32")
    values = {name: np.asarray(value).ravel() for name, value in parts(ones, training=True).items()}
    for name in ("hidden_2", "hidden_3", "output"):
        dropped = values[f"{name}_dropout"] == 0
        assert 0.4 < dropped.mean() < 0.6, "about half of 400"
        assert values[name][0] == pytest.approx(values[f"{name}_dropout"].mean(), rel=1e-5)
    assert "hidden_1_dropout" not in values
    np.testing.assert_allclose(values["skip_3"], values["hidden_3"] + 1, rtol=1e-6, err_msg="all of hidden_1's ones")
    first, second = (values[f"hidden_{number}_dropout"] == 0 for number in (2, 3))
    assert np.any(first != second), "each kernel has a stream of its own"
    at_rest = {name: np.asarray(value).ravel() for name, value in parts(ones, training=False).items()}
    np.testing.assert_allclose(at_rest["hidden_2_dropout"], 1)


def test_outputs_are_logits_of_the_layers_in_order():
    model = mlp(SHAPE, CLASSES, [6, 5])
    a, b, c = kernels(model)
    expected = np.maximum(np.maximum(images().reshape(5, 16) @ a, 0) @ b, 0) @ c
    np.testing.assert_allclose(model(images()), expected, rtol=1e-5)


def test_skip_connections_add_the_output_two_layers_before_ahead_of_the_activation():
    model = mlp(SHAPE, CLASSES, [7] * 5, skip_connections=True)
    k = kernels(model)
    h1 = np.maximum(images().reshape(5, 16) @ k[0], 0)
    h3 = np.maximum(np.maximum(h1 @ k[1], 0) @ k[2] + h1, 0)
    h5 = np.maximum(np.maximum(h3 @ k[3], 0) @ k[4] + h3, 0)
    np.testing.assert_allclose(model(images()), h5 @ k[5], rtol=1e-4)


def test_batch_norm_stands_before_the_skip_connection_and_the_activation():
    model = mlp(SHAPE, CLASSES, [7] * 3, skip_connections=True, batch_norm=True)
    k = kernels(model)

    def norm(z):
        return (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-3)

    h1 = np.maximum(norm(images().reshape(5, 16).astype("float64") @ k[0]), 0)
    h3 = np.maximum(norm(np.maximum(norm(h1 @ k[1]), 0) @ k[2]) + h1, 0)
    np.testing.assert_allclose(model(images(), training=True), h3 @ k[3], rtol=1e-3, atol=1e-4)


def test_skip_connections_may_span_one_layer_and_be_added_after_the_activation():
    model = mlp(SHAPE, CLASSES, [7] * 3, skip_connections=True, skip_span=1, skip_place="after")
    k = kernels(model)
    h1 = np.maximum(images().reshape(5, 16) @ k[0], 0)
    h2 = np.maximum(h1 @ k[1], 0) + h1
    h3 = np.maximum(h2 @ k[2], 0) + h2
    np.testing.assert_allclose(model(images()), h3 @ k[3], rtol=1e-4)


def test_a_skip_connection_of_span_three_ends_at_the_fourth_layer():
    model = mlp(SHAPE, CLASSES, [7] * 4, skip_connections=True, skip_span=3)
    k = kernels(model)
    h1 = np.maximum(images().reshape(5, 16) @ k[0], 0)
    h4 = np.maximum(np.maximum(np.maximum(h1 @ k[1], 0) @ k[2], 0) @ k[3] + h1, 0)
    np.testing.assert_allclose(model(images()), h4 @ k[4], rtol=1e-4)


def test_batch_norm_after_the_activation_stands_behind_the_skip_connection_there():
    model = mlp(
        SHAPE,
        CLASSES,
        [7] * 2,
        skip_connections=True,
        skip_span=1,
        skip_place="after",
        batch_norm=True,
        norm_place="after",
    )
    k = kernels(model)

    def norm(z):
        return (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-3)

    h1 = norm(np.maximum(images().reshape(5, 16).astype("float64") @ k[0], 0))
    h2 = norm(np.maximum(h1 @ k[1], 0) + h1)
    np.testing.assert_allclose(model(images(), training=True), h2 @ k[2], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("widths", "span", "message"),
    [
        ([7], 2, "must span from 1 to 0 of 1 hidden layers; received `skip_span` 2"),
        ([7, 7], 2, "must span from 1 to 1 of 2 hidden layers; received `skip_span` 2"),
        ([7, 7, 7], 0, "must span from 1 to 2 of 3 hidden layers; received `skip_span` 0"),
        ([7, 7, 6], 2, r"expected hidden layers of one width; received \[7, 7, 6\]"),
    ],
)
def test_skip_connections_need_more_layers_than_they_span_all_of_one_width(widths, span, message):
    with pytest.raises(ValueError, match=message):
        mlp(SHAPE, CLASSES, widths, skip_connections=True, skip_span=span)


def test_initial_standard_deviation_follows_the_assumed_fan_in():
    """He normal: sqrt(2 / fan_in); with 10^5 entries its estimate is good to 1%."""
    model = mlp((10, 10, 1), 1000, [1000], fan_ins=[100, 25])
    for kernel, fan_in in zip(kernels(model), [100, 25], strict=True):
        np.testing.assert_allclose(kernel.std(), np.sqrt(2 / fan_in), rtol=0.01)
    np.testing.assert_allclose(kernels(mlp((10, 10, 1), 10, [1000]))[0].std(), np.sqrt(2 / 100), rtol=0.01)


def test_everything_random_depends_on_the_seed_alone():
    first, again, other = (mlp(SHAPE, CLASSES, [9, 9], active=[70, 40, 20], seed=s) for s in (1, 1, 2))
    for a, b, c in zip(kernels(first), kernels(again), kernels(other), strict=True):
        assert np.array_equal(a, b) and not np.array_equal(a, c) and not np.array_equal(a != 0, c != 0)


def test_layers_do_not_share_initial_values():
    a, b, c, _ = kernels(mlp(SHAPE, CLASSES, [16, 16, 16]))
    assert not np.array_equal(a, b) and not np.array_equal(b, c)


def test_the_gradient_of_l2_is_lambda_times_the_kernel():
    model = mlp(SHAPE, CLASSES, [6], active=[50, 9], l2=0.25)
    variables = model.trainable_variables
    for gradient, variable in zip(gradients_of_variables(lambda: sum(model.losses), variables), variables, strict=True):
        np.testing.assert_allclose(gradient, 0.25 * variable.numpy(), rtol=1e-6)
    assert not mlp(SHAPE, CLASSES, [6]).losses


@pytest.mark.parametrize("name", ACTIVATIONS.names())
def test_every_activation_is_used_and_has_a_gradient(name):
    model = mlp(SHAPE, CLASSES, [6, 6], activation=name, model_class=MODEL_CLASS)
    a, b, c = kernels(model)
    first, second = (ACTIVATIONS.get(name) for _ in range(2))
    if isinstance(first, type):
        first, second = first(), second()
    hidden = keras.ops.convert_to_numpy(first(images(60).reshape(60, 16) @ a)) @ b
    expected = keras.ops.convert_to_numpy(second(hidden)) @ c
    np.testing.assert_allclose(model(images(60)), expected, rtol=3e-4, atol=1e-6)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images(60), np.arange(60) % 3, verbose=0)
    assert all(np.any(new != old) for new, old in zip(kernels(model), (a, b, c), strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_widths": []}, "at least one hidden layer"),
        ({"hidden_widths": [5], "active": [1]}, "`active` must have one entry for each of 2 kernels; received 1"),
        (
            {"hidden_widths": [5], "fan_ins": [1, 2, 3]},
            "`fan_ins` must have one entry for each of 2 kernels; received 3",
        ),
        ({"hidden_widths": [5], "activation": "rellu"}, "Unknown activation 'rellu'.*Did you mean 'relu'"),
        ({"hidden_widths": [5], "norm_place": "behind"}, "`norm_place` must be 'before' or 'after'.*'behind'"),
        ({"hidden_widths": [5], "skip_place": "in"}, "`skip_place` must be 'before' or 'after'.*received 'in'"),
        ({"hidden_widths": [5], "dropout": 1.0}, "`dropout` must be in \\[0, 1\\); received 1.0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        mlp(SHAPE, CLASSES, **arguments)


def test_activations_that_are_layers_take_arguments_and_functions_take_none():
    model = mlp(SHAPE, CLASSES, [6], activation="prelu", activation_arguments={"slope": 0.5})
    a, b = kernels(model)
    z = images().reshape(5, 16) @ a
    np.testing.assert_allclose(model(images()), np.where(z > 0, z, 0.5 * z) @ b, rtol=1e-5)
    with pytest.raises(TypeError, match="'relu' is a function without arguments; received slope"):
        mlp(SHAPE, CLASSES, [6], activation="relu", activation_arguments={"slope": 0.5})


def test_the_table_holds_every_activation_of_keras_that_keeps_a_shape():
    names = {name for name in dir(keras.activations) if callable(getattr(keras.activations, name))}
    assert names - {"deserialize", "get", "serialize", "glu", "threshold"} <= set(ACTIVATIONS.names())
