"""Twins with ghosts: what they compute by hand, what they share with the model, and the way back to it."""

import json
import re
import zipfile

import h5py
import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedConv2D
from keras_sparseflow.layers.ghost import GhostActivation, GhostMish, GhostSkip, GhostSwish, ghosts_of
from keras_sparseflow.training import SparseModel
from keras_sparseflow.twins import ghostify, load_compressed, save_compressed, sparsify, strip_ghosts
from tests.twins.models import array, masks, outputs, same, weights

layers = keras.layers
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(3, 8, 8, 3)).astype("float32")


def swish(x):
    return x / (1 + np.exp(-x))


def residual():
    """A stem, a residual block that halves positions and doubles channels, and a classifier; masked in part."""
    keras.utils.set_random_seed(1)
    images = keras.Input((8, 8, 3), name="images")
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="stem")(images)
    stem = layers.ReLU(name="stem_relu")(layers.BatchNormalization(name="stem_norm")(x))
    x = MaskedConv2D(8, 3, strides=2, padding="same", use_bias=False, density=0.4, mask_seed=1, name="conv1")(stem)
    x = layers.Activation("relu", name="relu1")(layers.BatchNormalization(name="norm1")(x))
    x = MaskedConv2D(8, 3, padding="same", use_bias=False, density=0.4, mask_seed=2, name="conv2")(x)
    x = layers.BatchNormalization(name="norm2")(x)
    shortcut = layers.Conv2D(8, 1, strides=2, name="shortcut")(stem)
    x = layers.ReLU(name="relu2")(layers.Add(name="sum")([x, shortcut]))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = SparseModel(images, layers.Dense(5, name="output")(x), name="residual")
    for layer in model.layers:  # as after some training
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([RNG.uniform(0.5, 1.5, v.shape) for v in layer.weights])
    return model


def nested():
    """Activations of layers' own, convolutions without padding, a shared layer, operations, and a frozen model."""
    inner = keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            layers.Conv2D(4, 3, activation="relu", name="narrow"),
            layers.Conv2D(6, 3, strides=2, activation="relu", name="wide"),
            layers.Conv2D(3, 3, padding="same", name="fewer"),
        ],
        name="inner",
    )
    inner.trainable = False
    inner.layers[1].trainable = True
    images = keras.Input((8, 8, 3), name="images")
    shared = layers.Conv2D(4, 3, padding="same", activation="relu", name="shared")
    x = shared(shared(layers.Conv2D(4, 1, name="stem")(images)))
    x = keras.ops.relu(inner(keras.activations.relu(x - 0.1)))
    x = layers.Dense(7, activation="relu", name="hidden")(layers.Flatten()(x))
    return keras.Model(images, {"class": layers.Dense(2, name="class")(x), "hidden": x}, name="nested")


def row():
    """A network in a row, as VGG."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", use_bias=False, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="second"),
            layers.Flatten(name="flat"),
            layers.Dense(64, name="head"),
        ],
        name="row",
    )


MODELS = {make.__name__: make for make in (residual, nested, row)}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]()


@pytest.fixture(scope="module")
def block():
    return residual()


def fade(twin):
    """Ends all ghosts, as the end of a schedule does; returns the model."""
    for ghost in ghosts_of(twin):
        ghost.beta.assign(np.inf) if isinstance(ghost, GhostActivation) else ghost.alpha.assign(0)
    return twin


def named(twin, kind):
    return sorted(ghost.name for ghost in ghosts_of(twin) if isinstance(ghost, kind))


def test_a_residual_block_by_hand(block):
    """Each 3x3 convolution's input joins its output behind BatchNorm, at half the positions by their mean."""
    twin = ghostify(block)
    for ghost in ghosts_of(twin):
        if isinstance(ghost, GhostSkip):
            ghost.alpha.assign(0.75)
    assert named(twin, GhostSkip) == ["conv1_skip", "conv2_skip"]
    assert named(twin, GhostSwish) == ["relu1", "relu2", "stem_relu"]

    def through(x, *names):
        for name in names:
            x = array(block.get_layer(name)(x))
        return x

    stem = swish(through(IMAGES, "stem", "stem_norm"))
    pooled = stem.reshape(3, 4, 2, 4, 2, 4).mean((2, 4))
    first = swish(through(stem, "conv1", "norm1") + 0.75 * np.pad(pooled, [(0, 0)] * 3 + [(0, 4)]))
    second = through(first, "conv2", "norm2") + 0.75 * first
    last = swish(second + through(stem, "shortcut"))
    np.testing.assert_allclose(twin(IMAGES), through(last, "pool", "output"), rtol=1e-4, atol=1e-5)


def test_the_twin_has_the_models_layers_weights_and_masks_and_nothing_to_train_beside_them(model):
    twin = ghostify(model)
    (kernels, _), (of_twin, _) = weights(model), weights(twin)
    assert kernels.keys() == of_twin.keys() and same(kernels.values(), of_twin.values())
    assert masks(twin).keys() == masks(model).keys() and same(masks(twin).values(), masks(model).values())
    assert [v.path for v in twin.trainable_variables] == [v.path for v in model.trainable_variables]
    assert not same(outputs(twin, IMAGES), outputs(model, IMAGES)) and not twin.compiled
    assert same(outputs(fade(twin), IMAGES), outputs(model, IMAGES)), "ReLU and nothing, to the bit"


def contents(path):
    """Returns the content of a .keras file: its config, and the places, shapes and values of its arrays."""
    with zipfile.ZipFile(path) as archive:
        # Keras numbers the objects that layers share by where they lie in memory.
        text = re.sub(r', "shared_object_id": \d+', "", archive.read("config.json").decode())
        with archive.open("model.weights.h5") as file, h5py.File(file) as h5:
            arrays = {}
            h5.visititems(lambda name, item: arrays.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return json.loads(text), arrays


def test_stripped_it_is_the_architecture_again_in_graph_parameters_outputs_and_file(model, tmp_path):
    stripped = strip_ghosts(fade(ghostify(model)))
    assert type(stripped) is type(model) and stripped.count_params() == model.count_params()
    assert stripped.get_config() == model.get_config()
    assert [layer.trainable for layer in stripped._flatten_layers()] == [
        layer.trainable for layer in model._flatten_layers()
    ]
    assert same(outputs(stripped, IMAGES), outputs(model, IMAGES))
    for name, each in (("model", model), ("stripped", stripped)):
        each.save(tmp_path / f"{name}.keras")
    (config, arrays), (of_stripped, stripped_arrays) = (
        contents(tmp_path / f"{n}.keras") for n in ("model", "stripped")
    )
    assert of_stripped == config and "ghost" not in json.dumps(config).lower()
    assert arrays.keys() == stripped_arrays.keys() and same(arrays.values(), stripped_arrays.values())


def test_a_twin_is_saved_loaded_and_copied_with_its_ghosts_midway(model, tmp_path):
    twin = ghostify(model, swish="mish")
    for number, ghost in enumerate(ghosts_of(twin)):
        ghost.beta.assign(1 + number) if isinstance(ghost, GhostMish) else ghost.alpha.assign(0.5)
    twin.save(tmp_path / "twin.keras")
    save_compressed(twin, tmp_path / "twin.sparse")
    expected = outputs(twin, IMAGES)
    for loaded in (
        keras.models.load_model(tmp_path / "twin.keras"),
        load_compressed(tmp_path / "twin.sparse"),
        sparsify(twin, 1.0),
    ):
        assert np.allclose(outputs(loaded, IMAGES)[0], expected[0], rtol=1e-5, atol=1e-6)
        assert type(loaded) is type(twin)
    again = strip_ghosts(fade(keras.models.load_model(tmp_path / "twin.keras")))
    assert json.dumps(again.get_config(), default=str) == json.dumps(model.get_config(), default=str)


def test_layers_of_twins_and_stripped_models_have_outputs_to_look_at(model):
    for each in (ghostify(model), strip_ghosts(fade(ghostify(model)))):
        middle = keras.Model(each.inputs[0], each.layers[2].output)
        assert np.isfinite(outputs(middle, IMAGES)[0]).all()


def test_activations_of_layers_stand_behind_them_and_skips_in_between():
    twin = ghostify(nested())
    assert named(twin, GhostSkip) == ["narrow_skip", "shared_skip", "shared_skip_1", "wide_skip"]
    inner = twin.get_layer("inner")
    assert [layer.name for layer in inner.layers if "wide" in layer.name] == ["wide", "wide_skip", "wide_activation"]
    assert twin.get_layer("shared").activation is keras.activations.linear
    values = array(inner.get_layer("narrow")(RNG.normal(size=(1, 8, 8, 4))))
    assert (values < 0).any(), "its ReLU has left it"
    wide = inner.get_layer("wide_skip")
    assert (wide.strides, wide.crop) == ((2, 2), (2, 2))


@pytest.mark.parametrize(
    ("options", "activations", "skips"),
    [
        ({"skips": False}, 3, 0),
        ({"swish": False}, 0, 2),
        ({"skips": "conv1"}, 3, 1),
        ({"skips": ["conv*", "stem", "shortcut"]}, 3, 4),
    ],
    ids=str,
)
def test_what_gets_a_ghost_can_be_chosen(block, options, activations, skips):
    twin = ghostify(block, **options)
    assert (len(named(twin, GhostActivation)), len(named(twin, GhostSkip))) == (activations, skips)
    assert strip_ghosts(fade(twin)).get_config() == block.get_config()


def test_ghosts_compute_in_the_precision_of_what_they_replace():
    inputs = keras.Input((4,))
    half = layers.Dense(4, activation="relu", dtype="mixed_bfloat16", name="half")(inputs)
    model = keras.Model(inputs, [half, keras.ops.relu(half), layers.ReLU(dtype="float32", name="full")(half)])
    twin = ghostify(model)
    assert [tensor.dtype for tensor in twin.outputs] == ["bfloat16", "bfloat16", "float32"]
    assert strip_ghosts(fade(twin)).get_config() == model.get_config()


def test_where_only_skips_are_asked_for_activations_are_relu_from_the_start():
    model = row()
    twin = ghostify(model, swish=False)
    activation = twin.get_layer("second_activation")
    assert activation.first_beta == np.inf and not activation.is_ghost
    assert twin.get_layer("relu").__class__ is layers.ReLU
    twin.get_layer("second_skip").alpha.assign(0)
    assert same(outputs(twin, IMAGES), outputs(model, IMAGES))


def test_in_a_perceptron_hidden_layers_get_skips_where_none_narrows():
    inputs = x = keras.Input((6,))
    for name, units in (("first", 8), ("second", 8), ("third", 9), ("fourth", 4)):
        x = layers.ReLU()(layers.Dense(units, name=name)(x))
    twin = ghostify(keras.Model(inputs, layers.Dense(10, name="output")(x)))
    assert named(twin, GhostSkip) == ["second_skip", "third_skip"]


def test_what_is_not_exactly_relu_stays():
    inputs = keras.Input((4, 6))
    x = layers.ReLU(6.0, name="relu6")(inputs)
    x = layers.LeakyReLU(name="leaky")(layers.Activation("elu", name="elu")(x))
    x = layers.SimpleRNN(3, activation="relu", return_sequences=True, name="rnn")(x)
    x = layers.TimeDistributed(layers.Dense(3, activation="relu", name="each"), name="times")(x)
    twin = ghostify(keras.Model(inputs, layers.Dense(3, activation="relu", name="last")(x)))
    assert [ghost.name for ghost in ghosts_of(twin)] == ["last_activation"]


def test_ghosts_of_ones_own_become_relu_and_nothing():
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="dense")(inputs)
    model = keras.Model(inputs, GhostSwish(np.inf, name="soft")(GhostSkip(0, name="skip")([x, inputs])))
    stripped = strip_ghosts(model)
    assert [layer.name for layer in stripped.layers[1:]] == ["dense", "soft"]
    assert stripped.layers[-1].activation is keras.activations.relu
    within = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation=GhostSwish(np.inf, name="own"))])
    with pytest.raises(ValueError, match="Ghost 'own' is part of another layer"):
        strip_ghosts(within)


def test_ghosts_that_have_not_faded_are_refused_with_what_is_left(block):
    twin = ghostify(block)
    with pytest.raises(ValueError, match="5 ghosts of 'residual' have not faded: .*received `beta` 1 in"):
        strip_ghosts(twin)
    fade(twin).get_layer("conv2_skip").alpha.assign(1e-6)
    with pytest.raises(ValueError, match="1 ghosts .*received `alpha` 1e-06 in 'conv2_skip'"):
        strip_ghosts(twin)


def test_errors_say_what_was_expected(block):
    with pytest.raises(ValueError, match="Unknown ghost activation 'swisch'.*Did you mean 'swish'"):
        ghostify(block, swish="swisch")
    with pytest.raises(ValueError, match="Unknown layer for a ghost skip 'conv3'; expected one of stem, conv1, conv2"):
        ghostify(block, skips=["conv3"])
    with pytest.raises(ValueError, match="has ghosts already"):
        ghostify(ghostify(block))
    with pytest.raises(ValueError, match="no place for a ghost: .*`swish=False` and `skips=False`"):
        ghostify(block, swish=False, skips=False)
    with pytest.raises(ValueError, match="must be built"):
        ghostify(keras.Sequential([layers.Dense(3)]))

    class Own(keras.Model):
        pass

    for function in (ghostify, strip_ghosts):
        with pytest.raises(TypeError, match="received 'Own', which is subclassed"):
            function(Own())
