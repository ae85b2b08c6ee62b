"""Weights of a stock model in its masked twin and back: directly, through files, or an error that says how."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.masks import set_masks
from keras_sparseflow.training import rewind, weights_of
from keras_sparseflow.twins import load_stock_weights, sparsify, strip_masks
from keras_sparseflow.twins.kinds import MASKED_OF
from tests.twins.blocks import BLOCKS
from tests.twins.models import MODELS, array, masks, same

layers = keras.layers

# For each stock class, arguments and the shape of an input. Kernels of a recurrent layer have equal shapes: only their
# order tells them apart.
CASES = {
    layers.Dense: ((3,), (4,)),
    layers.EinsumDense: (("ab,bc->ac", (3,)), (4,)),
    layers.Conv1D: ((3, 2), (5, 4)),
    layers.Conv2D: ((3, 2), (5, 5, 4)),
    layers.Conv3D: ((3, 2), (3, 3, 3, 2)),
    layers.Conv1DTranspose: ((3, 2), (5, 4)),
    layers.Conv2DTranspose: ((3, 2), (5, 5, 4)),
    layers.Conv3DTranspose: ((3, 2), (3, 3, 3, 2)),
    layers.DepthwiseConv1D: ((2,), (5, 4)),
    layers.DepthwiseConv2D: ((2,), (5, 5, 4)),
    layers.SeparableConv1D: ((3, 2), (5, 4)),
    layers.SeparableConv2D: ((3, 2), (5, 5, 4)),
    layers.MultiHeadAttention: ((2, 3), (5, 4)),
    layers.GroupQueryAttention: ((3, 4, 2), (5, 4)),
    layers.SimpleRNN: ((4,), (5, 4)),
    layers.LSTM: ((4,), (5, 4)),
    layers.GRU: ((4,), (5, 4)),
}
EACH = pytest.mark.parametrize("stock", CASES, ids=lambda stock: stock.__name__)


def made(stock, seed=None, **options):
    """The stock layer, or the masked one with masks of this seed."""
    if seed is None:
        return stock(*CASES[stock][0], name="layer", **options)
    return MASKED_OF[stock](*CASES[stock][0], name="layer", density=0.5, mask_seed=seed, **options)


class Holder(keras.Model):
    """A subclassed model, in whose files a layer is named by the attribute that holds it."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, inputs):
        return self.layer(inputs, inputs) if "Attention" in type(self.layer).__name__ else self.layer(inputs)


def held(layer, shape):
    model = Holder(layer)
    model(np.zeros((1, *shape), "float32"))
    return model


def functional(layer, shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, Holder.call(type("Held", (), {"layer": layer}), inputs))


def kernels(model):
    return {kernel.path: array(kernel.variable) for kernel in kernels_of(model)}


def random_weights(model, seed=0):
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model


def assert_is_masked(twin, stock, active):
    """The twin has these masks, and the stock model's weights where they are True; all that has no mask is equal."""
    assert masks(twin).keys() == active.keys() and same(masks(twin).values(), active.values())
    kernels = {kernel.path: kernel.variable for kernel in kernels_of(stock)}
    for kernel in kernels_of(twin):
        expected = np.where(active[kernel.path], array(kernels[kernel.path]), 0)
        np.testing.assert_array_equal(array(kernel.variable.value), expected)
    biases = [
        {path: value for path, value in weights_of(model).items() if path.endswith("bias")} for model in (twin, stock)
    ]
    assert biases[0].keys() == biases[1].keys() and same(biases[0].values(), biases[1].values())


@EACH
@pytest.mark.parametrize("options", [{}, {"use_bias": False}], ids=["bias", "no bias"])
def test_a_file_of_a_stock_layer_loads_into_the_masked_one_that_stands_in_its_place(stock, options, tmp_path):
    if stock is layers.EinsumDense:
        options = {} if options else {"bias_axes": "c"}
    shape = CASES[stock][1]
    plain, twin = random_weights(held(made(stock, **options), shape)), held(made(stock, 1, **options), shape)
    active = masks(twin)
    plain.save_weights(tmp_path / "stock.weights.h5")
    twin.load_weights(tmp_path / "stock.weights.h5")
    assert_is_masked(twin, plain, active)
    other = held(made(stock, 2, **options), shape)
    twin.save_weights(tmp_path / "twin.weights.h5")
    other.load_weights(tmp_path / "twin.weights.h5")
    assert_is_masked(other, plain, active)


@EACH
@pytest.mark.filterwarnings("ignore:Skipping nested container")  # Keras', before it raises the error
def test_where_a_file_names_layers_by_their_class_an_error_says_how_and_that_works(stock, tmp_path):
    shape = CASES[stock][1]
    plain, twin = random_weights(functional(made(stock), shape)), functional(made(stock, 1), shape)
    active = masks(twin)
    plain.save_weights(tmp_path / "stock.weights.h5")
    plain.save(tmp_path / "stock.keras")
    for name in ("stock.weights.h5", "stock.keras"):
        with pytest.raises(ValueError, match=r"received 0.*`load_stock_weights\(model, path\)`"):
            twin.load_weights(tmp_path / name)
        random_weights(twin, seed=2)
        load_stock_weights(twin, tmp_path / name)
        assert_is_masked(twin, plain, active)
    random_weights(twin, seed=2)
    rewind(twin, weights_of(plain))
    assert_is_masked(twin, plain, active)
    with pytest.raises(ValueError, match=r"arrays, its masks? among them; received \d+, as a stock layer has.*`rewind"):
        twin.layers[-1].set_weights(plain.layers[-1].get_weights())

    again = functional(made(stock), shape)
    rewind(again, weights_of(twin))
    assert_is_masked(twin, again, active)
    again = random_weights(functional(made(stock), shape), seed=1)
    twin.save_weights(tmp_path / "twin.weights.h5")
    with pytest.raises(ValueError, match="could not be loaded"):
        again.load_weights(tmp_path / "twin.weights.h5")
    strip_masks(twin).save_weights(tmp_path / "stripped.weights.h5")
    again.load_weights(tmp_path / "stripped.weights.h5")
    assert_is_masked(twin, again, active)


@pytest.mark.parametrize("make", [*BLOCKS.values(), *MODELS.values()])
def test_a_file_of_a_stock_model_of_any_kind_loads_into_its_twin_with_layers_left_out(make, tmp_path):
    plain = random_weights(make())
    twin = sparsify(make(), 0.5, exclude=kernels_of(plain)[-1].path)
    active = {path: masks(twin).get(path, np.ones(array.shape, bool)) for path, array in kernels(plain).items()}
    plain.save_weights(tmp_path / "stock.weights.h5")
    load_stock_weights(twin, tmp_path / "stock.weights.h5")
    assert all(
        np.array_equal(value, np.where(active[path], kernels(plain)[path], 0)) for path, value in kernels(twin).items()
    )
    vectors = [
        sorted(value.tobytes() for value in weights_of(each).values() if value.ndim == 1 and value.dtype == "float32")
        for each in (twin, plain)
    ]
    assert vectors[0] == vectors[1]


@pytest.mark.filterwarnings("ignore:Skipping nested container")  # Keras', before it raises the error
def test_files_of_other_kinds_and_lora_are_refused_and_change_nothing(tmp_path):
    plain, shape = made(layers.Dense), CASES[layers.Dense][1]
    twin = functional(made(layers.Dense, 1), shape)
    twin.save_weights(tmp_path / "twin.weights.h5")
    functional(layers.Dense(5), shape).save_weights(tmp_path / "other.weights.h5")
    before = weights_of(random_weights(twin))
    for name in ("twin", "other"):
        with pytest.raises(ValueError, match="could not be loaded"):
            load_stock_weights(twin, tmp_path / f"{name}.weights.h5")
    assert same(weights_of(twin).values(), before.values())
    functional(plain, shape).save_weights(tmp_path / "stock.weights.h5")
    twin.layers[-1].enable_lora(2)
    with pytest.raises(ValueError, match="must be without LoRA.* received 'layer' with LoRA"):
        load_stock_weights(twin, tmp_path / "stock.weights.h5")


@EACH
def test_the_twin_of_a_twin_has_its_weights(stock):
    twin = random_weights(
        functional(made(stock, 1, **({} if stock is layers.EinsumDense else {"use_bias": False})), CASES[stock][1])
    )
    active = masks(twin)
    again = sparsify(twin, 1.0)
    assert same(weights_of(again).values(), weights_of(twin).values())
    set_masks(again, active)
    assert_is_masked(again, twin, active)


@pytest.mark.parametrize("wrapper", [layers.Bidirectional, layers.TimeDistributed])
def test_a_file_of_a_stock_model_loads_where_wrappers_hold_the_masked_layers(wrapper, tmp_path):
    stock, shape = (layers.LSTM, (5, 4)) if wrapper is layers.Bidirectional else (layers.Dense, (5, 4))
    plain, twin = (functional(wrapper(made(stock, seed), name="wrapper"), shape) for seed in (None, 1))
    active = masks(twin)
    random_weights(plain).save_weights(tmp_path / "stock.weights.h5")
    twin.load_weights(tmp_path / "stock.weights.h5")
    assert_is_masked(twin, plain, active)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_file_of_a_layer_with_lora_brings_its_mask_and_the_merged_kernel(seed, tmp_path):
    one, other = (held(MaskedDense(4, density=0.5, mask_seed=each, name="layer"), (6,)) for each in (1, seed))
    for model in (one, other):
        model.layer.enable_lora(2, b_initializer="ones")
    one.save_weights(tmp_path / "lora.weights.h5")
    other.load_weights(tmp_path / "lora.weights.h5")
    assert same(masks(other).values(), masks(one).values())
    np.testing.assert_allclose(other(np.eye(6)), one(np.eye(6)), rtol=1e-6)
