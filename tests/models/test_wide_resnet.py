"""Wide ResNets: their published sizes, a forward pass in NumPy, densities, seeds and variants."""

from math import prod

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedKernel
from keras_sparseflow.models import wide_resnet
from keras_sparseflow.models.residual import WIDE_RESNET
from keras_sparseflow.training import GradientFlow
from tests.backend import MODEL_CLASS, gradients_of_variables
from tests.models.reference import classify, convolve, norm, randomize, relu, value

SHAPE, CLASSES = (6, 6, 3), 4
VARIANTS = [(True, True), (True, False), (False, True), (False, False)]


def small(**options):
    return wide_resnet(SHAPE, CLASSES, **{"depth": 10, "width": 1, **options})


def kernel_shapes(input_shape, classes, depth, width, *, skip_connections=True):
    found = WIDE_RESNET.kernels(input_shape, classes, depth, width, skip_connections=skip_connections)
    return {kernel.name: kernel.shape for kernel in found}


def images(count=5):
    return np.random.default_rng(0).normal(size=(count, *SHAPE)).astype("float32")


def kernels(model):
    return {layer.name: value(model, layer.name) for layer in model.layers if hasattr(layer, "kernel")}


@pytest.fixture(scope="module")
def sparse():
    return small(density=0.2, l2=0.25, seed=3, model_class=MODEL_CLASS)


# --- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "width", "millions"),
    [
        *((40, 1, 0.6), (40, 2, 2.2), (40, 4, 8.9), (40, 8, 35.7), (28, 10, 36.5)),
        *((28, 12, 52.5), (22, 8, 17.2), (22, 10, 26.8), (16, 8, 11.0), (16, 10, 17.1)),
    ],
)
def test_the_family_has_the_published_millions_of_weights(depth, width, millions):
    """Zagoruyko & Komodakis 2016, on CIFAR-10. BatchNorm precedes each 3x3 convolution of a block, and the mean."""
    shapes = kernel_shapes((32, 32, 3), 10, depth, width)
    norms = [shape[-2] for name, shape in shapes.items() if name.endswith(("conv1", "conv2", "output"))]
    assert round((sum(map(prod, shapes.values())) + 2 * sum(norms) + 10) / 1e6, 1) == millions


def test_28_10_has_36479194_weights():
    """Counted by hand: kernels and BatchNorm's gamma and beta of each part, then the classifier with its bias."""
    blocks = 0
    for narrow, wide in ((16, 160), (160, 320), (320, 640)):
        first = 2 * narrow + 9 * narrow * wide + 2 * wide + 9 * wide * wide + narrow * wide
        other = 2 * (2 * wide + 9 * wide * wide)
        blocks += first + 3 * other
    by_hand = 9 * 3 * 16 + blocks + 2 * 640 + 640 * 10 + 10
    assert by_hand == 36_479_194
    model = wide_resnet((32, 32, 3), 10, depth=28, width=10, density=0.1)
    assert sum(prod(variable.shape) for variable in model.trainable_variables) == by_hand
    assert len(kernels(model)) == 29
    for name, shape in kernel_shapes((32, 32, 3), 10, 28, 10).items():
        assert model.get_layer(name).active_count == round(0.1 * prod(shape))


def test_a_group_of_a_cifar_network_has_half_the_resolution_of_the_one_before():
    model = wide_resnet((32, 32, 3), 10, depth=16, width=2)
    outputs = [model.get_layer(f"group{group}_block2_sum").output.shape[1:] for group in (1, 2, 3)]
    assert outputs == [(32, 32, 32), (16, 16, 64), (8, 8, 128)]
    assert model.output_shape == (None, 10)


@pytest.mark.parametrize("variant", VARIANTS)
def test_kernels_are_those_that_are_listed_in_their_order(variant):
    batch_norm, skip_connections = variant
    model = small(batch_norm=batch_norm, skip_connections=skip_connections)
    found = {name: kernel.shape for name, kernel in kernels(model).items()}
    assert found == kernel_shapes(SHAPE, CLASSES, 10, 1, skip_connections=skip_connections)
    assert sum("shortcut" in name for name in found) == (2 if skip_connections else 0)


# --- the forward pass -----------------------------------------------------------------------------------------------


def forward(model, x, batch_norm, skip_connections, training):
    """The logits of a WRN-10 in NumPy."""

    def activate(name, x):
        if batch_norm:
            x = norm(model, f"{name}_norm", x, training)
        return relu(x)

    x = convolve(x.astype("float64"), value(model, "stem"))
    for group, stride in ((1, 1), (2, 2), (3, 2)):
        block = f"group{group}_block1"
        active = activate(f"{block}_1", x)
        y = convolve(active, value(model, f"{block}_conv1"), stride)
        y = convolve(activate(f"{block}_2", y), value(model, f"{block}_conv2"))
        if skip_connections:
            y += convolve(active, value(model, f"{block}_shortcut"), stride) if group > 1 else x
        x = y
    return classify(model, activate("final", x))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_are_those_of_numpy(variant, training):
    batch_norm, skip_connections = variant
    model = small(density=0.4, batch_norm=batch_norm, skip_connections=skip_connections)
    randomize(model)
    expected = forward(model, images(), batch_norm, skip_connections, training)
    np.testing.assert_allclose(model(images(), training=training), expected, rtol=1e-3, atol=1e-4)


def test_dropout_stands_ahead_of_each_second_convolution_and_acts_in_training_alone():
    plain, model = (small(dropout=rate) for rate in (0.0, 0.5))
    dropped = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.rate for layer in dropped] == [0.5] * 3
    for group in (1, 2, 3):
        block = f"group{group}_block1"
        assert model.get_layer(f"{block}_dropout").input is model.get_layer(f"{block}_2_activation").output
        assert model.get_layer(f"{block}_conv2").input is model.get_layer(f"{block}_dropout").output
    np.testing.assert_array_equal(model(images()), plain(images()))
    assert not np.allclose(model(images(), training=True), plain(images(), training=True))
    first, again = (small(dropout=0.5)(images(), training=True) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(("name", "layer"), [("swish", "Activation"), ("prelu", "PReLU")])
def test_activations_are_those_named(name, layer):
    model = small(activation=name)
    found = [type(each).__name__ for each in model.layers if each.name.endswith("_activation")]
    assert found == [layer] * 7
    assert not np.allclose(model(images()), small()(images()))


# --- sparsity -------------------------------------------------------------------------------------------------------


def test_one_density_is_that_of_every_kernel(sparse):
    layers = {layer.name: layer for layer in sparse.layers if isinstance(layer, MaskedKernel)}
    shapes = kernel_shapes(SHAPE, CLASSES, 10, 1)
    assert {name: layer.active_count for name, layer in layers.items()} == {
        name: round(0.2 * prod(shape)) for name, shape in shapes.items()
    }


def test_ends_may_stay_dense_and_each_kernel_may_have_its_own_density():
    names = [name for name in kernel_shapes(SHAPE, CLASSES, 10, 1) if name not in ("stem", "output")]
    model = small(density={name: 0.1 * (1 + i) for i, name in enumerate(names)}, dense_ends=True)
    assert type(model.get_layer("stem")) is keras.layers.Conv2D
    assert type(model.get_layer("output")) is keras.layers.Dense
    for i, name in enumerate(names):
        layer = model.get_layer(name)
        assert layer.active_count == round(0.1 * (1 + i) * prod(layer.mask.shape))


def test_without_a_density_every_layer_is_stock():
    assert not any(isinstance(layer, MaskedKernel) for layer in small().layers)


@pytest.mark.untraced
@pytest.mark.tensorflow("GradientFlow")
def test_training_moves_active_weights_alone_and_measures_every_kernel(sparse):
    before = kernels(sparse)
    sparse.compile(
        keras.optimizers.SGD(0.1, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    flow = GradientFlow()
    sparse.fit(images(8), np.arange(8) % CLASSES, epochs=2, batch_size=8, verbose=0, callbacks=[flow])
    assert set(flow.to_frame()["layer"]) == {"total", *before}
    for name, kernel in kernels(sparse).items():
        mask = value(sparse, name, "mask")
        assert not kernel[~mask].any() and np.mean(kernel[mask] != before[name][mask]) > 0.9
    for name in before:  # as it was, for other tests
        sparse.get_layer(name).kernel.assign(before[name])


# --- initial values -------------------------------------------------------------------------------------------------


def test_kernels_are_he_normal_for_their_fan_in():
    """sqrt(2 / fan-in); estimates from 10^4 to 10^5 entries are good to a few percent."""
    model = wide_resnet((4, 4, 3), CLASSES, depth=10, width=4)
    for name in ("group1_block1_conv2", "group2_block1_conv1", "group3_block1_shortcut"):
        kernel = value(model, name)
        np.testing.assert_allclose(kernel.std(), np.sqrt(2 / prod(kernel.shape[:3])), rtol=0.03)


def test_everything_random_depends_on_the_seed_and_variants_share_it(sparse):
    """The same seed gives the kernels of the stock network too, and of one without skip connections."""
    again, other = (small(density=0.2, seed=seed) for seed in (3, 4))
    stock, plain = small(seed=3), small(seed=3, density=0.2, skip_connections=False)
    for name, kernel in kernels(sparse).items():
        mask = value(sparse, name, "mask")
        np.testing.assert_array_equal(value(again, name), kernel)
        np.testing.assert_array_equal(np.where(mask, value(stock, name), 0), kernel)
        assert not np.array_equal(value(other, name, "mask"), mask)
        assert not np.array_equal(value(other, name)[mask], kernel[mask])
        if "shortcut" not in name:
            np.testing.assert_array_equal(value(plain, name), kernel)


def test_the_gradient_of_l2_is_lambda_times_each_kernel_and_nothing_else(sparse):
    variables = sparse.trainable_variables
    for gradient, variable in zip(
        gradients_of_variables(lambda: sum(sparse.losses), variables), variables, strict=True
    ):
        if variable.name == "kernel":
            np.testing.assert_allclose(gradient, 0.25 * variable.numpy(), rtol=1e-6)
        else:
            assert not gradient.any()
    assert len(sparse.losses) == len(kernels(sparse)) and not small().losses


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 27}, r"`depth` must be 6 n \+ 4 .* received 27"),
        ({"depth": 4}, "`depth` must be .* received 4"),
        ({"width": 0}, "`width` must be at least 1; received 0"),
        ({"dropout": 1}, r"`dropout` must be in \[0, 1\); received 1"),
        ({"density": 90}, r"`density` must be in \[0, 1\].*received 90"),
        ({"density": 0.001}, "at least one active weight; 0.001 leaves none of the 432 of 'stem'"),
        ({"density": {"stem": 0.5}}, "each of the 10 kernels 'stem' to 'output' and no other; '.*' is missing"),
        ({"density": {"stm": 0.5}}, "'.*' is missing|'stm' is not one of them"),
        ({"activation": "rellu"}, "Unknown activation 'rellu'.*Did you mean 'relu'"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        small(**arguments)


def test_an_image_without_channels_is_refused():
    with pytest.raises(ValueError, match=r"`input_shape` must be \(height, width, channels\); received \(28, 28\)"):
        wide_resnet((28, 28), 10)


@pytest.mark.parametrize("density", [None, 0.5])
def test_logits_have_the_precision_of_the_weights_in_mixed_precision_too(density):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = wide_resnet((4, 4, 1), 3, depth=10, width=1, density=density)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32" and model.get_layer("stem").compute_dtype == "bfloat16"
