"""The tensors that count as layers."""

import keras
import pytest

from keras_sparseflow.flow import flow_kernels
from keras_sparseflow.layers import MaskedDense


def network():
    inner = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.SeparableConv2D(4, 3)], name="inner")
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(3, 1, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(inner(x))
    x = keras.layers.PReLU(name="prelu")(keras.layers.Flatten()(x))
    return keras.Model(inputs, MaskedDense(2, density=0.5, name="head")(x))


def test_kernels_are_those_of_dense_and_convolutional_layers_nested_ones_included():
    kernels = flow_kernels(network())
    names = [kernel.path for kernel in kernels]
    assert names[0] == "conv" and names[-1] == "head" and len(set(names)) == 4
    assert [name.rpartition("/")[2] for name in names[1:3]] == ["depthwise_kernel", "pointwise_kernel"]


def test_masks_are_those_of_masked_layers():
    model = network()
    masks = {kernel.path: kernel.mask for kernel in flow_kernels(model)}
    assert masks["head"] is model.get_layer("head").mask and masks["conv"] is None


def test_all_tensors_are_every_trainable_weight():
    model = network()
    assert [k.variable for k in flow_kernels(model, "all")] == model.trainable_variables
    assert len({k.path for k in flow_kernels(model, "all")}) == len(model.trainable_variables)


def test_frozen_layers_do_not_count():
    model = network()
    model.get_layer("conv").trainable = False
    assert "conv" not in [kernel.path for kernel in flow_kernels(model)]


@pytest.mark.parametrize("head", [keras.layers.Dense(2, name="head"), MaskedDense(2, density=0.5, name="head")])
def test_kernels_that_lora_trains_in_their_place_are_refused_and_counted_among_all_tensors(head):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="first"), head])
    head.enable_lora(1)
    with pytest.raises(
        ValueError, match="`tensors` must be 'all'.*received 'kernels', and the kernel of 'head' is froz"
    ):
        flow_kernels(model)
    assert [kernel.path for kernel in flow_kernels(model, "all")][2:] == [
        "head/bias", "head/lora_kernel_a", "head/lora_kernel_b",
    ]  # fmt: skip
    head.trainable = False
    assert [kernel.path for kernel in flow_kernels(model)] == ["first"], "as any frozen layer"


def test_quantized_kernels_are_refused():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="first"), keras.layers.Dense(2)])
    model.layers[0].quantize("int8")
    with pytest.raises(ValueError, match="`tensors` must be 'all'.*the kernel of 'first' is quantized"):
        flow_kernels(model)


def test_errors_say_what_is_expected():
    with pytest.raises(ValueError, match="'kernels' or 'all'; received 'biases'"):
        flow_kernels(network(), "biases")
    with pytest.raises(ValueError, match="no trainable kernels"):
        flow_kernels(keras.Sequential([keras.Input((2,)), keras.layers.ReLU()]))
