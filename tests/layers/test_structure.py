"""The one name of each kernel: its path below the model."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_sparseflow import RigL, measure_flow
from keras_sparseflow.layers import MaskedDense, kernels_of
from keras_sparseflow.layers.structure import variables_of, walk
from keras_sparseflow.masks import make_masks, set_masks
from keras_sparseflow.training import GradientFlow, SparseModel, weights_of
from keras_sparseflow.training.tensorboard.scalars import flow_tags
from keras_sparseflow.twins import load_compressed, save_compressed, sparsify, sparsity_summary
from tests.backend import MODEL_CLASS


def paths(model):
    return [kernel.path for kernel in kernels_of(model)]


def tower(name):
    inputs = keras.Input((6,))
    return keras.Model(inputs, layers.Dense(4, "relu", name="fc")(inputs), name=name)


def two_towers(kind=keras.Model):
    inputs = keras.Input((6,))
    both = layers.Concatenate()([tower("rgb")(inputs), tower("flow")(inputs)])
    return kind(inputs, layers.Dense(3, name="head")(both))


def sequential():
    inner = keras.Sequential([layers.Dense(3, name="fc")], name="inner")
    return keras.Sequential([keras.Input((6,)), layers.Dense(4, name="fc"), inner], name="row")


def sequence():
    inputs = keras.Input((5, 6))
    x = layers.MultiHeadAttention(2, 3, name="att1")(inputs, inputs)
    x = layers.SeparableConv1D(6, 2, name="separable")(x)
    x = layers.TimeDistributed(layers.Dense(4), name="each")(x)
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="both")(x)
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.GRU(2, name="gru")(x)))


@keras.saving.register_keras_serializable("tests_of_names")
class Scale(layers.Layer):
    """Two weights that nobody has named."""

    def build(self, shape):
        self.gain = self.add_weight(shape=(shape[-1],), initializer="ones")
        self.shift = self.add_weight(shape=(shape[-1],), initializer="zeros")

    def call(self, inputs):
        return inputs * self.gain + self.shift


@keras.saving.register_keras_serializable("tests_of_names")
class Block(layers.Layer):
    """A layer that holds layers in lists and dicts, unnamed and named alike."""

    def __init__(self, **options):
        super().__init__(**options)
        self.row = [MaskedDense(6, density=0.5, mask_seed=0), MaskedDense(6, density=0.5, mask_seed=1)]
        self.by_name = {"one": layers.Dense(6, name="fc"), "two": layers.Dense(6, name="fc")}
        self.inside = keras.Sequential([layers.Dense(6), Scale()])
        self.scale = Scale()

    def build(self, shape):
        for layer in (*self.row, *self.by_name.values(), self.inside, self.scale):
            layer.build(shape)

    def call(self, inputs):
        for layer in (*self.row, *self.by_name.values(), self.inside, self.scale):
            inputs = layer(inputs)
        return inputs


class Net(MODEL_CLASS):
    """A subclassed model that owns a kernel itself."""

    def __init__(self):
        super().__init__()
        self.own = self.add_weight(shape=(6, 6), name="kernel")
        self.block = Block()
        self.head = layers.Dense(3)

    def call(self, inputs):
        return self.head(self.block(inputs @ self.own))


def subclassed():
    model = Net()
    model(np.ones((1, 6), "float32"))
    return model


IN_BLOCK = ["masked_dense", "masked_dense#2", "fc", "fc#2", "sequential/dense"]
MODELS = {
    "functional": (two_towers, ["rgb/fc", "flow/fc", "head"]),
    "sequential": (sequential, ["fc", "inner/fc"]),
    "parts": (
        sequence,
        [f"att1/{name}" for name in ("query", "key", "value", "attention_output")]
        + ["separable/depthwise_kernel", "separable/pointwise_kernel", "each/dense"]
        + [f"{layer}/{name}" for layer in ("both/forward_lstm", "both/backward_lstm", "gru") for name in
           ("kernel", "recurrent_kernel")]
        + ["head"],
    ),
    "subclassed": (subclassed, ["kernel", *(f"block/{name}" for name in IN_BLOCK), "dense"]),
}  # fmt: skip


@pytest.fixture(params=MODELS)
def named(request):
    make, expected = MODELS[request.param]
    return make(), expected


@pytest.mark.untraced
@pytest.mark.tensorflow("measure_flow")
def test_one_name_in_masks_flow_and_summaries(named):
    model, expected = named
    assert paths(model) == expected
    assert list(make_masks(model, 0.5)) == expected
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    shape = (4, *getattr(model, "input_shape", (None, 6))[1:])
    rows = measure_flow(model, (np.ones(shape, "float32"), np.zeros(4)), measures=["egf_2"])
    assert [row["layer"] for row in rows] == [*expected, "total"]
    assert list(flow_tags(rows)) == [*(f"flow_by_layer/end/egf_2/{path}" for path in expected), "flow/end/egf_2"]
    example = np.ones(shape, "float32")
    assert sparsity_summary(model, example).to_frame()["path"].tolist() == expected


@pytest.mark.parametrize("kind", ["functional", "sequential", "parts"])
def test_a_twin_has_the_names_of_its_model(kind):
    model = MODELS[kind][0]()
    twin = sparsify(model, 0.5)
    assert paths(twin) == paths(model) and all(kernel.mask is not None for kernel in kernels_of(twin))
    assert weights_of(twin).keys() == weights_of(model).keys()


def test_every_variable_has_one_name_of_its_own():
    model = sequence()
    found = {weight.path: weight.variable for weight in variables_of(model)}
    states = [generator.state for _, chain in walk(model) for generator in chain[-1]._seed_generators]
    assert {id(variable) for variable in found.values()} == {id(v) for v in (*model.weights, *states)}
    assert {"att1/query/kernel", "att1/query/bias", "gru/recurrent_kernel", "gru/bias", "head/kernel"} <= found.keys()
    assert not any("cell" in path for path in found)


def test_the_numbers_that_keras_gives_in_every_process_anew_do_not_count():
    first, second = subclassed(), subclassed()
    assert first.head.name != second.head.name and first.block.scale.gain.name != second.block.scale.gain.name
    assert list(weights_of(first)) == list(weights_of(second))
    assert {"block/sequential/scale/variable", "block/scale/variable", "block/scale/variable#2"} <= {*weights_of(first)}
    masked = [kernel for kernel in kernels_of(first) if kernel.mask is not None]
    masks = make_masks(first, 0.25, kernels=masked)
    set_masks(second, masks)
    assert [layer.active_count for layer in second.block.row] == [9, 9]


def test_a_file_names_weights_that_keras_names_anew(tmp_path):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(3)(Scale()(Block()(inputs))))
    save_compressed(model, tmp_path / "model.sparse")
    loaded = load_compressed(tmp_path / "model.sparse")
    before, after = weights_of(model), weights_of(loaded)
    assert list(before) == list(after) and all(np.array_equal(before[path], after[path]) for path in before)


def test_a_name_that_is_taken_is_numbered_on():
    class Alike(keras.Model):
        def __init__(self, names):
            super().__init__()
            self.row = [layers.Dense(2, name=name) for name in names]

        def call(self, inputs):
            return sum(layer(inputs) for layer in self.row)

    def numbered(*names):
        model = Alike(names)
        model(np.ones((1, 2), "float32"))
        return paths(model)

    assert numbered("fc", "fc", "fc") == ["fc", "fc#2", "fc#3"]
    assert numbered("fc", "fc#2", "fc") == ["fc", "fc#2", "fc#3"]
    assert numbered("fc", "fc", "fc#2") == ["fc", "fc#2", "fc#2#2"]
    assert numbered("dense_1", "my_dense_1", "fc_1") == ["dense", "my_dense_1", "fc_1"]


def test_a_shared_layer_counts_once_by_its_first_path():
    shared = layers.Dense(6, name="shared")
    ends = [keras.Input((6,)) for _ in range(2)]
    inner = [keras.Model(end, shared(end), name=name) for end, name in zip(ends, ("first", "second"), strict=True)]
    inputs = keras.Input((6,))
    model = keras.Model(inputs, inner[1](inner[0](inputs)))
    assert paths(model) == ["first/shared"]
    assert list(weights_of(model)) == ["first/shared/kernel", "first/shared/bias"]


def test_a_kernel_of_two_layers_is_the_inner_ones():
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.SpectralNormalization(layers.Dense(4, name="inner"), name="norm")(inputs))
    assert paths(model) == ["norm/inner"]
    summary = sparsity_summary(model)
    assert summary.size == 24 and summary.unmasked == (("norm/inner", "Dense", 24),)
    assert list(weights_of(model)) == ["norm/inner/kernel", "norm/vector_u", "norm/inner/bias"]


@pytest.mark.untraced
@pytest.mark.tensorflow("GradientFlow and RigL")
def test_callbacks_name_kernels_of_one_name_apart(tmp_path):
    twin = sparsify(two_towers(SparseModel), 0.5, exclude="head")
    twin.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    flow, rigl = GradientFlow(), RigL(frequency=1, end_step=9)
    one, fc = (RigL(frequency=1, end_step=9, layers=[name]) for name in ("flow/fc", "fc"))
    twin.fit(np.ones((4, 6), "float32"), np.zeros(4), epochs=2, verbose=0, callbacks=[flow, rigl])
    assert rigl.to_frame()["layer"].unique().tolist() == ["rgb/fc", "flow/fc"]
    frame = flow.to_frame()
    assert not frame.duplicated(["epoch", "measure", "layer"]).any()
    assert frame["layer"].unique().tolist() == ["rgb/fc", "flow/fc", "head", "total"]
    for callback, expected in ((one, ["flow/fc"]), (fc, ["rgb/fc", "flow/fc"])):
        twin.fit(np.ones((4, 6), "float32"), np.zeros(4), verbose=0, callbacks=[callback])
        assert callback.to_frame()["layer"].tolist() == expected
    with pytest.raises(ValueError, match="masked layer.*'rgb/fx'.*Did you mean 'rgb/fc'"):
        twin.fit(np.ones((4, 6)), np.zeros(4), verbose=0, callbacks=[RigL(frequency=1, end_step=9, layers=["rgb/fx"])])
