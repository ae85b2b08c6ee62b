"""ResNets, VGG and MobileNet: what networks for images have in common, their published sizes, NumPy's outputs."""

from math import prod

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedKernel
from keras_sparseflow.models import mobilenet, residual, resnet, vgg
from keras_sparseflow.models.plain import MOBILENET, VGG
from keras_sparseflow.models.residual import RESNET
from tests.backend import MODEL_CLASS
from tests.models import reference
from tests.models.reference import value

SHAPE, CLASSES, DENSITY = (7, 8, 3), 4, 0.3
SMALL = {"resnet": (RESNET, 8, 0.25), "vgg": (VGG, 11, 0.125), "mobilenet": (MOBILENET, 28, 0.125)}
EACH = pytest.mark.parametrize("name", SMALL)


def small(name, **options):
    architecture, depth, width = SMALL[name]
    options = {"batch_norm": True, "skip_connections": name == "resnet", **options}
    return architecture.build(SHAPE, CLASSES, depth, width, **options)


def listed(name, input_shape=SHAPE, classes=CLASSES, depth=None, width=None, **options):
    architecture, small_depth, small_width = SMALL[name]
    options = {"skip_connections": name == "resnet", **options}
    return architecture.kernels(input_shape, classes, depth or small_depth, width or small_width, **options)


def images(count=5):
    return np.random.default_rng(0).normal(size=(count, *SHAPE)).astype("float32")


def kernels(model):
    return {layer.name: value(model, layer.name) for layer in model.layers if hasattr(layer, "kernel")}


@pytest.fixture(scope="module")
def sparse():
    """One network of each kind with masks, BatchNorm and biases that show."""
    models = {name: small(name, density=DENSITY, l2=0.1, seed=3, model_class=MODEL_CLASS) for name in SMALL}
    for model in models.values():
        reference.randomize(model)
    return models


@pytest.fixture(scope="module")
def bottlenecks():
    """A network of four bottlenecks: a ResNet-14, which nobody has published."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(residual._FOUR_GROUPS, 14, ("bottleneck", (1, 1, 1, 1)))
        model = resnet(SHAPE, CLASSES, 14, 1 / 16, density=DENSITY)
        reference.randomize(model)
        return model, RESNET.kernels(SHAPE, CLASSES, 14, 1 / 16, skip_connections=True)


# --- sizes ----------------------------------------------------------------------------------------------------------


def parameters(kernels, conv_bias=False):
    """Kernels, gamma and beta of a BatchNorm after each convolution, the classifier's bias."""
    *convolutions, classifier = kernels
    channels = [prod(kernel.shape[2:]) if "depthwise" in kernel.name else kernel.shape[-1] for kernel in convolutions]
    return sum(k.size for k in kernels) + (2 + conv_bias) * sum(channels) + classifier.shape[-1]


@pytest.mark.parametrize(
    ("name", "depth", "width", "classes", "count"),
    [
        ("resnet", 18, 1, 10, 11_173_962),
        ("resnet", 34, 1, 10, 21_282_122),
        ("resnet", 50, 1, 10, 23_520_842),
        ("resnet", 101, 1, 10, 42_512_970),
        ("resnet", 152, 1, 10, 58_156_618),
        ("vgg", 11, 1, 10, 9_231_114),
        ("vgg", 13, 1, 10, 9_416_010),
        ("vgg", 16, 1, 10, 14_728_266),
        ("vgg", 19, 1, 10, 20_040_522),
        ("mobilenet", 28, 1, 10, 3_217_226),
    ],
)
def test_the_size_is_that_of_the_usual_network_for_cifar(name, depth, width, classes, count):
    found = listed(name, (32, 32, 3), classes, depth, width)
    assert parameters(found, conv_bias=name == "vgg") == count


@pytest.mark.parametrize(
    ("depth", "width", "count"), [(32, 1, 466_906), (32, 2, 1_860_522), (104, 1, 1_633_498), (104, 2, 6_516_138)]
)
def test_the_size_of_three_groups_is_that_counted_by_hand(depth, width, count):
    """At width 1 He et al. have 0.46 million in ResNet-32: theirs lacks the two projections, 2,752 parameters."""
    n, c = (depth - 2) // 6, 16 * width

    def group(inputs, channels):
        return 9 * inputs * channels + (2 * n - 1) * 9 * channels**2 + 2 * n * 2 * channels

    def projection(inputs, channels):
        return inputs * channels + 2 * channels

    by_hand = 9 * 3 * c + 2 * c + group(c, c) + group(c, 2 * c) + group(2 * c, 4 * c) + 4 * c * 10 + 10
    by_hand += projection(c, 2 * c) + projection(2 * c, 4 * c)
    assert parameters(listed("resnet", (32, 32, 3), 10, depth, width)) == by_hand == count


def test_the_depth_is_the_number_of_kernels_beside_shortcuts():
    for depth in (8, 18, 20, 32, 34, 50, 101, 104, 110, 152):
        assert len(listed("resnet", depth=depth, width=1, skip_connections=False)) == depth
    for depth in (11, 13, 16, 19):  # published with three fully connected layers for one
        assert len(listed("vgg", depth=depth, width=1)) == depth - 2
    assert len(listed("mobilenet")) == 28


def test_tiny_imagenet_has_200_classes_at_twice_the_size():
    found = {kernel.name: kernel for kernel in listed("resnet", (64, 64, 3), 200, 50, 1)}
    assert found["stem"].positions == 64 * 64 and found["output"].shape == (2048, 200)
    assert found["group4_block3_conv2"].positions == 8 * 8
    # A bottleneck has its stride in the middle.
    assert found["group2_block1_conv1"].positions == 64 * 64 and found["group2_block1_conv2"].positions == 32 * 32


# --- what is built --------------------------------------------------------------------------------------------------


@pytest.fixture
def built(request, sparse, bottlenecks):
    name = request.param
    return bottlenecks if name == "bottlenecks" else (sparse[name], listed(name))


EACH_BUILT = pytest.mark.parametrize("built", [*SMALL, "bottlenecks"], indirect=True)


@EACH_BUILT
def test_kernels_are_those_that_are_listed_with_exact_masks(built):
    model, found = built
    layers = {layer.name: layer for layer in model.layers if isinstance(layer, MaskedKernel)}
    assert {name: value(model, name).shape for name in layers} == {kernel.name: kernel.shape for kernel in found}
    assert {name: layer.active_count for name, layer in layers.items()} == {
        kernel.name: round(DENSITY * kernel.size) for kernel in found
    }


@EACH_BUILT
def test_kernels_are_applied_at_as_many_places_as_is_listed(built):
    model, found = built
    for kernel in found:
        assert prod(model.get_layer(kernel.name).output.shape[1:-1]) == kernel.positions, kernel.name


@EACH_BUILT
def test_parameters_are_kernels_norms_and_biases(built):
    model, found = built
    count = sum(prod(variable.shape) for variable in model.trainable_variables)
    assert count == parameters(found, conv_bias="vgg" in model.name)


def resnet_forward(model, x, training):
    def step(kernel, normed, x, stride=1):
        return reference.norm(model, normed, reference.convolve(x, value(model, kernel), stride), training)

    x = reference.relu(step("stem", "stem_norm", x))
    names = [layer.name for layer in model.layers]
    for block in [name.removesuffix("_conv1") for name in names if name.endswith("_conv1")]:
        count = sum(name.startswith(f"{block}_conv") for name in names)
        first = block.endswith("block1") and not block.startswith("group1_")
        y = x
        for number in range(1, count + 1):
            stride = 2 if first and number == (2 if count == 3 else 1) else 1
            y = step(f"{block}_conv{number}", f"{block}_norm{number}", reference.relu(y) if number > 1 else y, stride)
        shortcut = f"{block}_shortcut"
        x = reference.relu(y + (step(shortcut, f"{shortcut}_norm", x, 1 + first) if shortcut in names else x))
    return reference.classify(model, x)


def vgg_forward(model, x, training):
    for group, count in enumerate((1, 1, 2, 2, 2), 1):
        for number in range(1, count + 1):
            kernel = f"group{group}_conv{number}"
            x = reference.convolve(x, value(model, kernel)) + value(model, kernel, "bias")
            x = reference.relu(reference.norm(model, f"group{group}_norm{number}", x, training))
        x = reference.largest_of_four(x)
    return reference.classify(model, x)


def mobilenet_forward(model, x, training):
    x = reference.relu(reference.norm(model, "stem_norm", reference.convolve(x, value(model, "stem")), training))
    for number in range(1, 14):
        stride = 2 if number in (2, 4, 6, 12) else 1
        x = reference.convolve_depthwise(x, value(model, f"block{number}_depthwise"), stride)
        x = reference.relu(reference.norm(model, f"block{number}_norm1", x, training))
        x = reference.convolve(x, value(model, f"block{number}_pointwise"))
        x = reference.relu(reference.norm(model, f"block{number}_norm2", x, training))
    return reference.classify(model, x)


@pytest.mark.parametrize("training", [False, True])
@EACH_BUILT
def test_outputs_are_those_of_numpy(built, training):
    model, _ = built
    forward = {"resnet": resnet_forward, "vgg": vgg_forward, "mobilenet": mobilenet_forward}
    expected = forward[model.name.partition("_")[0]](model, images().astype("float64"), training)
    before = [variable.numpy() for variable in model.variables]
    outputs = model(images(), training=training)
    for variable, old in zip(model.variables, before, strict=True):  # a call in training moves BatchNorm's statistics
        variable.assign(old)
    assert keras.backend.standardize_dtype(outputs.dtype) == "float32" and outputs.shape == (5, CLASSES)
    np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@EACH
def test_a_step_moves_active_weights_alone(name, sparse):
    model = sparse[name]
    before = {layer.name: layer.get_weights() for layer in model.layers}
    old = kernels(model)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,
    )
    model.train_on_batch(images(8), np.arange(8) % CLASSES)
    for kernel, new in kernels(model).items():
        mask = value(model, kernel, "mask")
        assert not new[~mask].any() and np.mean(new[mask] != old[kernel][mask]) > 0.9, kernel
    for layer in model.layers:  # as it was, for other tests
        layer.set_weights(before[layer.name])


# --- options --------------------------------------------------------------------------------------------------------


@EACH
def test_ends_may_stay_dense_and_each_kernel_may_have_its_own_density(name):
    first, *inner, _ = listed(name)
    density = {kernel.name: 0.3 + 0.6 * i / len(inner) for i, kernel in enumerate(inner)}
    model = small(name, density=density, dense_ends=True, activation="swish", dropout=0.5)
    masked = {layer.name: layer for layer in model.layers if isinstance(layer, MaskedKernel)}
    assert {name: layer.active_count for name, layer in masked.items()} == {
        kernel.name: round(density[kernel.name] * kernel.size) for kernel in inner
    }
    assert type(model.get_layer(first.name)) is keras.layers.Conv2D
    assert {layer.activation for layer in model.layers if "activation" in layer.name} == {keras.activations.silu}
    dropped = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    behind = [model.get_layer(f"group{i}_block1_conv2") for i in (1, 2, 3)] if name == "resnet" else [model.layers[-1]]
    assert [layer.rate for layer in dropped] == [0.5] * len(behind)
    assert [layer.output for layer in dropped] == [layer.input for layer in behind]


@EACH
def test_everything_random_depends_on_the_seed_and_variants_share_it(name, sparse):
    """The same seed gives the kernels of the stock network without BatchNorm, and without skip connections, too."""
    other = kernels(small(name, density=DENSITY, seed=4))
    stock = small(name, seed=3, batch_norm=False, skip_connections=False)
    assert not any(isinstance(layer, (MaskedKernel, keras.layers.BatchNormalization)) for layer in stock.layers)
    plain = {layer.name: layer.kernel.numpy() for layer in stock.layers if hasattr(layer, "kernel")}
    for kernel, found in kernels(sparse[name]).items():
        mask = value(sparse[name], kernel, "mask")
        assert not np.array_equal(other[kernel] != 0, mask), kernel
        assert ("shortcut" in kernel) == (kernel not in plain)
        if kernel in plain:
            np.testing.assert_array_equal(np.where(mask, plain[kernel], 0), found)


def test_kernels_are_he_normal_for_their_fan_in_depthwise_ones_too():
    """sqrt(2 / fan-in): 9 for a depthwise kernel, which has one input for each of its filters."""
    model = mobilenet((4, 4, 3), 10)
    assert sum(prod(variable.shape) for variable in model.trainable_variables) == 3_217_226
    depthwise = [value(model, f"block{number}_depthwise", "kernel") for number in range(7, 13)]
    np.testing.assert_allclose(np.std(depthwise), np.sqrt(2 / 9), rtol=0.03)
    np.testing.assert_allclose(value(model, "block9_pointwise", "kernel").std(), np.sqrt(2 / 512), rtol=0.01)


def test_networks_without_skip_connections_add_nothing():
    model = small("resnet", skip_connections=False)
    assert not any(isinstance(layer, keras.layers.Add) for layer in model.layers)


@pytest.mark.parametrize(
    ("build", "arguments", "message"),
    [
        (resnet, {"depth": 33}, r"`depth` must be one of 18, 34, 50, 101, 152, or 6 n \+ 2 .* received 33"),
        (resnet, {"depth": 2}, "`depth` must be one of .* received 2"),
        (resnet, {"width": 0.3}, "`width` must make a whole number .* of the 64 of the first layer; received 0.3"),
        (resnet, {"depth": 32, "width": 1 / 64}, "of the 16 of the first layer; received 0.015625"),
        (vgg, {"depth": 12}, "`depth` must be one of 11, 13, 16, 19; received 12"),
        (vgg, {"width": 0}, "`width` must make a whole number .* received 0"),
        (vgg, {"skip_connections": True}, r"vgg has no skip connections \(SC\)"),
        (mobilenet, {"depth": 27}, "`depth` must be 28, the only one of a MobileNet; received 27"),
        (mobilenet, {"width": 0.01}, "of the 32 of the first layer; received 0.01"),
        (mobilenet, {"skip_connections": True}, r"mobilenet has no skip connections \(SC\)"),
        (mobilenet, {"density": 0.001}, "at least one active weight; 0.001 leaves none of the 288 of"),
        (vgg, {"density": {"group1_conv1": 0.5}}, "each of the 14 kernels 'group1_conv1' to 'output' and no other"),
        *[
            (build, {"dropout": 1.0}, r"`dropout` must be in \[0, 1\); received 1")
            for build in (resnet, vgg, mobilenet)
        ],
        *[(build, {"input_shape": (8, 8)}, r"\(height, width, channels\)") for build in (resnet, vgg, mobilenet)],
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_bad_arguments_are_refused(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**{"input_shape": SHAPE, "classes": CLASSES, **arguments})
