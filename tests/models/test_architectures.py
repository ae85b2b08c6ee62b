"""Architectures: kernels counted are kernels built, and a multilayer perceptron is that of pairs at the same counts."""

import numpy as np
import pytest

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.models import mlp
from keras_sparseflow.models.architectures import MLP, WIDE_RESNET
from keras_sparseflow.models.densities import kernel_densities

SHAPE, CLASSES = (4, 4, 1), 3


def built(model):
    """Returns the shapes of a model's kernels and the counts of those with a mask, both by name."""
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    shapes = {layer.name: tuple(layer.kernel.shape) for layer in layers}
    return shapes, {layer.name: layer.active_count for layer in layers if hasattr(layer, "mask")}


@pytest.mark.parametrize("skip_connections", [True, False])
@pytest.mark.parametrize(("architecture", "depth", "width"), [(MLP, 5, 7), (WIDE_RESNET, 10, 2)], ids=["mlp", "wrn"])
def test_kernels_counted_are_the_kernels_built_and_ends_stay_stock(architecture, depth, width, skip_connections):
    kernels = architecture.kernels(SHAPE, CLASSES, depth, width, skip_connections=skip_connections)
    model = architecture.build(
        SHAPE, CLASSES, depth=depth, width=width, density=0.3, dense_ends=True, skip_connections=skip_connections
    )
    shapes, active = built(model)
    assert {kernel.name: kernel.shape for kernel in kernels} == shapes
    inner = [kernel for kernel in kernels if kernel.name not in architecture.ends]
    assert active == {kernel.name: round(0.3 * kernel.size) for kernel in inner}
    assert len(inner) == len(kernels) - 2


def test_a_multilayer_perceptron_has_as_many_kernels_as_its_depth_applied_once_an_image():
    kernels = MLP.kernels((28, 28, 1), 10, 5, 788, skip_connections=False)
    assert [kernel.shape for kernel in kernels] == [(784, 788), *[(788, 788)] * 3, (788, 10)]
    assert {kernel.positions for kernel in kernels} == {1} and kernels[-1].name == MLP.ends[1] == "output"


def test_one_of_given_densities_is_that_of_a_pair_with_the_same_counts():
    """Bit for bit: masks and initial values come from the same streams."""
    counts = {"hidden_1": 50, "hidden_2": 13, "output": 9}
    sizes = {"hidden_1": 16 * 7, "hidden_2": 7 * 7, "output": 7 * 3}
    density = {name: count / sizes[name] for name, count in counts.items()}
    ours = MLP.build(SHAPE, CLASSES, depth=3, width=7, density=density, seed=4)
    pair = mlp(SHAPE, CLASSES, [7, 7], active=list(counts.values()), seed=4)
    assert built(ours)[1] == counts
    for mine, its in zip(ours.variables, pair.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), its.numpy())


def test_without_a_density_its_layers_are_stock_and_at_density_1_they_have_masks():
    assert not built(MLP.build(SHAPE, CLASSES, depth=2, width=5))[1]
    assert built(MLP.build(SHAPE, CLASSES, depth=2, width=5, density=1.0))[1] == {"hidden_1": 80, "output": 15}


def test_every_option_of_a_study_reaches_the_network():
    model = MLP.build(
        SHAPE, CLASSES, depth=4, width=5, density=0.5, activation="prelu", activation_arguments={"slope": 0.5},
        batch_norm=True, skip_connections=True, dropout=0.2, l2=0.1, seed=3,
    )  # fmt: skip
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("BatchNormalization") == kinds.count("Dropout") == 3 and kinds.count("Add") == 1
    assert len(model.losses) == 4 and model.get_layer("activation_1").get_config()["slope"] == 0.5
    assert all(isinstance(model.get_layer(name), MaskedDense) for name in ("hidden_1", "output"))


@pytest.mark.parametrize(
    ("depth", "width", "skip_connections", "message"),
    [
        (1, 5, False, "`depth` must be at least 2 for a multilayer perceptron, .* received 1"),
        (3, 5, True, "`depth` must be at least 4 for .* skip connections .* received 3"),
        (3, 0, False, "`width` must be at least 1; received 0"),
    ],
)
def test_networks_that_there_are_not_are_refused_counted_and_built(depth, width, skip_connections, message):
    for make in (MLP.kernels, MLP.build):
        with pytest.raises(ValueError, match=message):
            make(SHAPE, CLASSES, depth, width, skip_connections=skip_connections)


SHAPES = {"hidden_1": (4, 4), "output": (4, 2)}


@pytest.mark.parametrize(
    ("density", "stock", "message"),
    [
        (0.05, (), "0.05 leaves none of the 8 of 'output'"),
        ({"hidden_1": 0.5}, (), "name each of the 2 kernels 'hidden_1' to 'output' .* 'output' is missing"),
        ({"hidden_1": 0.5, "output": 0.5}, ("output",), "'output' is not one of them"),
        (0.5, ("hidden_1", "output"), "must be None where no kernel has a mask; received 0.5"),
        (90, (), "must be in \\[0, 1\\]"),
    ],
)
def test_densities_that_do_not_fit_are_refused(density, stock, message):
    with pytest.raises(ValueError, match=message):
        kernel_densities(density, SHAPES, stock)
