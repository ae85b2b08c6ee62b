"""Architectures: kernels counted are kernels built, at any fraction of the width; one of one's own is one file."""

import re
from math import prod
from pathlib import Path

import numpy as np
import pytest

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.models import mlp
from keras_sparseflow.models.kernel_densities import kernel_densities
from keras_sparseflow.models.perceptron import MLP
from keras_sparseflow.models.residual import RESNET
from keras_sparseflow.plugins import table

SHAPE, CLASSES = (7, 8, 1), 3
SIZES = {
    "wide_resnet": (10, 2),
    "resnet": (8, 0.25),
    "vgg": (11, 0.125),
    "mobilenet": (28, 0.125),
    "vit": (2, 0.5),
    "mlp": (5, 7),
}
WITH_SKIPS = ("wide_resnet", "resnet", "vit", "mlp")


def built(model):
    """Returns the shapes of a model's kernels and the counts of those with a mask, both by name."""
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    shapes = {layer.name: tuple(layer.kernel.shape) for layer in layers}
    return shapes, {layer.name: layer.active_count for layer in layers if hasattr(layer, "mask")}


def check(architecture, depth, width, *, density, **size):
    """Checks that the kernels counted are the kernels built, and that the ends stay stock; returns the counted ones."""
    kernels = architecture.kernels(SHAPE, CLASSES, depth, width, **size)
    options = {"density": density, "dense_ends": True, "batch_norm": architecture.name != "vit"}
    model = architecture.build(SHAPE, CLASSES, depth, width, **options, **size)
    shapes, active = built(model)
    assert {kernel.name: kernel.shape for kernel in kernels} == shapes
    assert active == {kernel.name: round(density * kernel.size) for kernel in kernels[1:-1]}
    for kernel in kernels:
        assert prod(model.get_layer(kernel.name).output.shape[1:-1]) == kernel.positions, kernel.name
    return kernels


def test_every_architecture_is_tested():
    assert list(SIZES) == table("model").builtins


@pytest.mark.parametrize(
    ("name", "skip_connections"), [*((name, False) for name in SIZES), *((name, True) for name in WITH_SKIPS)]
)
def test_kernels_counted_are_the_kernels_built_and_ends_stay_stock(name, skip_connections):
    """At fraction 0.01 every layer has one channel, and there are as many kernels."""
    architecture = table("model").get(name)
    wide = check(architecture, *SIZES[name], skip_connections=skip_connections, density=0.3)
    for fraction in (0.6, 0.01):
        size = {"skip_connections": skip_connections, "fraction": fraction}
        narrow = check(architecture, *SIZES[name], density=1.0, **size)
        assert [(kernel.name, kernel.positions) for kernel in narrow] == [(k.name, k.positions) for k in wide]
        for kernel, wider in zip(narrow[1:-1], wide[1:-1], strict=True):
            if kernel.name.endswith(("query", "key", "value", "block1_output", "block2_output")):
                continue  # heads are rounded each; tested with the vit
            axes = slice(-2, -1) if "depthwise" in kernel.name else slice(-2, None)
            channels = [max(1, round(fraction * count)) for count in wider.shape[axes]]
            assert list(kernel.shape[axes]) == channels, kernel.name
        assert narrow[0].shape[:-1] == wide[0].shape[:-1] and narrow[-1].shape[-1] == CLASSES
    assert narrow[-1].shape == (1, CLASSES)


def test_a_fraction_of_a_residual_network_by_hand():
    """8, 16 and 32 channels times 0.3 are 2.4, 4.8 and 9.6; images of 7x8, 4x4 and 2x2 pixels."""
    kernels = RESNET.kernels((7, 8, 3), 4, 8, 0.5, skip_connections=True, fraction=0.3)
    assert [(kernel.name, kernel.size, kernel.positions) for kernel in kernels] == [
        ("stem", 9 * 3 * 2, 56),
        ("group1_block1_conv1", 9 * 2 * 2, 56),
        ("group1_block1_conv2", 9 * 2 * 2, 56),
        ("group2_block1_conv1", 9 * 2 * 5, 16),
        ("group2_block1_conv2", 9 * 5 * 5, 16),
        ("group2_block1_shortcut", 2 * 5, 16),
        ("group3_block1_conv1", 9 * 5 * 10, 4),
        ("group3_block1_conv2", 9 * 10 * 10, 4),
        ("group3_block1_shortcut", 5 * 10, 4),
        ("output", 10 * 4, 1),
    ]


def test_a_fraction_of_a_perceptron_narrows_each_hidden_layer():
    shapes, active = built(mlp((4, 4, 1), 3, [20, 10], active=[50, 9, 6], fraction=0.33))
    assert shapes == {"hidden_1": (16, 7), "hidden_2": (7, 3), "output": (3, 3)}
    assert active == {"hidden_1": 50, "hidden_2": 9, "output": 6}


RECIPES = Path(__file__).parents[2] / "docs" / "recipes.md"


def test_the_recipe_of_an_architecture_is_one_file_that_counts_and_builds():
    recipe = re.search(r"^## Add an architecture\n(.*?)^## ", RECIPES.read_text(), re.MULTILINE | re.DOTALL)[1]
    code, *_ = re.findall(r"^```python\n(.*?)^```", recipe, re.MULTILINE | re.DOTALL)
    defined = {}
    exec(code, defined)
    try:
        architecture = table("model").get("short_blocks")
        assert architecture is defined["SHORT_BLOCKS"]
        for fraction in (1.0, 0.3):
            wide = check(architecture, 6, 2, density=0.5, skip_connections=True, fraction=fraction)
            plain = check(architecture, 6, 2, density=0.5, skip_connections=False, fraction=fraction)
            assert plain == [kernel for kernel in wide if "shortcut" not in kernel.name] != wide
        with pytest.raises(ValueError, match="`depth` must be at least 3"):
            architecture.build(SHAPE, CLASSES, 2, 2)
    finally:
        table("model").unregister("short_blocks")


def test_a_multilayer_perceptron_has_as_many_kernels_as_its_depth_applied_once_an_image():
    kernels = MLP.kernels((28, 28, 1), 10, 5, 788, skip_connections=False)
    assert [kernel.shape for kernel in kernels] == [(784, 788), *[(788, 788)] * 3, (788, 10)]
    assert {kernel.positions for kernel in kernels} == {1} and kernels[-1].name == "output"


def test_one_of_given_densities_is_that_of_a_pair_with_the_same_counts():
    """Bit for bit: masks and initial values come from the same streams."""
    counts = {"hidden_1": 50, "hidden_2": 13, "output": 9}
    sizes = {"hidden_1": 56 * 7, "hidden_2": 7 * 7, "output": 7 * 3}
    density = {name: count / sizes[name] for name, count in counts.items()}
    ours = MLP.build(SHAPE, CLASSES, depth=3, width=7, density=density, seed=4)
    pair = mlp(SHAPE, CLASSES, [7, 7], active=list(counts.values()), seed=4)
    assert built(ours)[1] == counts
    for mine, its in zip(ours.variables, pair.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), its.numpy())


def test_without_a_density_its_layers_are_stock_and_at_density_1_they_have_masks():
    assert not built(MLP.build(SHAPE, CLASSES, depth=2, width=5))[1]
    assert built(MLP.build(SHAPE, CLASSES, depth=2, width=5, density=1.0))[1] == {"hidden_1": 280, "output": 15}


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
        (3, 5, True, r"Skip connections \(SC\) must span from 1 to 1 of 2 hidden layers; received `skip_span` 2"),
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
        (0.5, ("hidden_1", "output"), "must be None where no kernel can have a mask; received 0.5"),
        (90, (), "must be in \\[0, 1\\]"),
    ],
)
def test_densities_that_do_not_fit_are_refused(density, stock, message):
    with pytest.raises(ValueError, match=message):
        kernel_densities(density, SHAPES, stock)
