"""A network that is described: fractions, sums, skip connections that are not made, other layers of Keras."""

from math import prod

import pytest

from keras_sparseflow.models import Architecture, Network

SHAPE = (5, 6, 2)


@pytest.mark.parametrize("fraction", [0, -0.5, 1.01])
def test_a_fraction_is_above_0_and_at_most_1(fraction):
    with pytest.raises(ValueError, match=rf"`fraction` must be in \(0, 1\]; received {fraction}"):
        Network(fraction=fraction)


@pytest.mark.parametrize(("fraction", "channels"), [(1.0, 7), (0.5, 4), (0.3, 2), (0.01, 1)])
def test_channels_are_rounded_and_at_least_one(fraction, channels):
    assert Network(fraction=fraction).channels(7) == channels


def test_what_stands_on_a_skip_connection_is_listed_only_where_there_are_some():
    def describe(net):
        x = net.images(SHAPE)
        skipped = net.norm("norm", net.conv("shortcut", net.skip(x), 4, size=1))
        x = net.add("sum", net.conv("conv", x, 4), net.max_pool("pool", skipped, size=1))
        return [kernel.name for kernel in net.kernels], net.streams

    assert describe(Network(skip_connections=True, batch_norm=True)) == (["shortcut", "conv"], 2)
    assert describe(Network(batch_norm=True)) == (["conv"], 2), "the next kernel keeps its random streams"


def test_a_sum_is_of_features_of_one_shape():
    net = Network(skip_connections=True)
    x = net.images(SHAPE)
    with pytest.raises(ValueError, match=r"The sum 'sum' must be of .* one shape; received \(3, 3, 4\), \(5, 6, 2\)"):
        net.add("sum", net.conv("conv", x, 4, strides=2), net.skip(x))


def branches(net, images, classes, depth, width):
    """Two branches side by side, by layers of Keras that `Network` has no method for."""
    left = net.dense("mix", net.layer("LayerNormalization", "centre", images), 3 * width)
    pooled = net.layer("AveragePooling2D", "average", left, shape=(2, 3, left.shape[-1]), pool_size=2)
    right = net.conv("reduce", images, width, strides=2)
    right = net.layer("Cropping2D", "crop", right, shape=(2, 3, right.shape[-1]), cropping=((0, 1), (0, 0)))
    shape = (2, 3, pooled.shape[-1] + right.shape[-1])
    x = net.layer("Concatenate", "both", pooled, right, shape=shape)
    return net.classify("output", net.flatten("flat", x), classes)


@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_any_layer_of_keras_that_has_no_kernel_can_be_applied(fraction):
    architecture = Architecture("branches", branches)
    kernels = architecture.kernels(SHAPE, 4, 1, 6, fraction=fraction)
    model = architecture.build(SHAPE, 4, 1, 6, fraction=fraction, density=0.5)
    assert model.name == "branches_1_6" and model.output_shape == (None, 4)
    for kernel in kernels:
        layer = model.get_layer(kernel.name)
        assert tuple(layer.kernel.shape) == kernel.shape and layer.active_count == round(0.5 * kernel.size)
        assert prod(layer.output.shape[1:-1]) == kernel.positions
    assert [kernel.positions for kernel in kernels] == [30, 9, 1]
