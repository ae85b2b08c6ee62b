"""Keras' own tests of its layers, run on their masked twins: `make test-keras`.

Keras ships these tests in its wheel. Each test module is imported while `keras.src.layers` shows masked classes in
place of the stock ones, so every layer that the module names is masked, and nothing else of Keras is. The tests know
of no mask, so they are told two things: `run_layer_test` expects a non-trainable weight more for each kernel, and the
tests of `differences.py` must fail.
"""

import fnmatch
import importlib
import types
from unittest import mock

import keras
import pytest
from keras.src import layers as stock_layers
from keras.src import testing

import keras_sparseflow.layers
from tests.keras_layers.differences import DIFFERENCES, KERAS

KERNELS = {
    "Dense": 1,
    "EinsumDense": 1,
    "Conv1D": 1,
    "Conv2D": 1,
    "Conv3D": 1,
    "Conv1DTranspose": 1,
    "Conv2DTranspose": 1,
    "Conv3DTranspose": 1,
    "DepthwiseConv1D": 1,
    "DepthwiseConv2D": 1,
    "SeparableConv1D": 2,
    "SeparableConv2D": 2,
    "SimpleRNN": 2,
    "LSTM": 2,
    "GRU": 2,
    "MultiHeadAttention": 4,
    "GroupQueryAttention": 4,
}
"""The stock layers that have a masked twin, each with the number of its kernels; a gate is one more."""

MODULES = (
    "core.dense_test",
    "core.einsum_dense_test",
    "convolutional.conv_test",
    "convolutional.conv_transpose_test",
    "convolutional.depthwise_conv_test",
    "convolutional.separable_conv_test",
    "rnn.simple_rnn_test",
    "rnn.lstm_test",
    "rnn.gru_test",
    "attention.multi_head_attention_test",
    "attention.grouped_query_attention_test",
)
"""Keras' test modules of these layers, below `keras.src.layers`."""


def masked(name):
    return getattr(keras_sparseflow.layers, f"Masked{name}")


# Keras' sources know a layer by the name of its class, which may differ from the public one.
IN_PLACE = {getattr(keras.layers, name).__name__: masked(name) for name in KERNELS}
KERNELS_OF = {masked(name): kernels for name, kernels in KERNELS.items()}


def with_masked_layers(module):
    """Imports a test module of Keras so that its `layers` are masked, in arguments of decorators too."""
    seen = types.SimpleNamespace(**{**vars(stock_layers), **IN_PLACE})
    with mock.patch("keras.src.layers", seen):
        return importlib.import_module(f"keras.src.layers.{module}")


class ExpectsMasks(testing.TestCase):
    def run_layer_test(self, layer_cls, init_kwargs, *args, **options):
        masks = KERNELS_OF[layer_cls] + bool(init_kwargs.get("use_gate"))
        for name in ("expected_num_non_trainable_weights", "expected_num_non_trainable_variables"):
            if options.get(name) is not None:
                options[name] += masks
        super().run_layer_test(layer_cls, init_kwargs, *args, **options)


def adapted_cases():
    """Returns the test cases of all modules by name, adapted to masks."""
    found = [
        case
        for module in MODULES
        for case in vars(with_masked_layers(module)).values()
        if isinstance(case, type) and issubclass(case, testing.TestCase)
    ]
    adapted = {case.__name__: type(case.__name__, (case, ExpectsMasks), {"__module__": __name__}) for case in found}
    assert len(adapted) == len(found), "Two of Keras' test cases have one name."
    expect_differences(adapted)
    return adapted


def expect_differences(cases):
    """Marks every test that a pattern of `DIFFERENCES` names: it must fail, and in no other way than is said there."""
    tests = {f"{name}.{test}": (case, test) for name, case in cases.items() for test in dir(case)}
    version = tuple(map(int, keras.__version__.split(".")[:2]))
    for difference in DIFFERENCES:
        mark = pytest.mark.xfail(strict=True, reason=difference.reason, raises=difference.raises)
        for pattern in difference.tests:
            named = fnmatch.filter(tests, pattern)
            assert named or version < KERAS, f"Keras {keras.__version__} has no test {pattern!r}."
            for test in named:
                case, method = tests.pop(test)  # a test has one reason
                setattr(case, method, mark(getattr(case, method)))


globals().update(adapted_cases())


@pytest.mark.parametrize("module", MODULES)
def test_keras_tests_see_masked_layers(module):
    layers = importlib.import_module(f"keras.src.layers.{module}").layers
    assert {name: getattr(layers, name) for name in IN_PLACE} == IN_PLACE


def test_every_masked_layer_is_tested():
    public = {name.removeprefix("Masked") for name in keras_sparseflow.layers.__all__ if name.startswith("Masked")}
    assert public - {"Kernel", "Parts"} == set(KERNELS)
