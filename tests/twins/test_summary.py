"""Summaries: counts and operations by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.twins import sparsify, sparsity_summary, strip_masks
from tests.twins.models import images, layers, masks, recurrent, sequential, transformer


def uses(model, **arguments):
    """Returns the number of times that each weight is used, by the kernel's path."""
    return {
        kernel.path: kernel.dense_flops // (2 * kernel.size) for kernel in sparsity_summary(model, **arguments).kernels
    }


def test_uses_in_a_transformer_are_its_tokens():
    attention = {f"attention/{name}": 6 for name in ("query", "key", "value", "attention_output")}
    assert uses(transformer()) == {**attention, "wide": 6, "narrow": 6, "head": 1}


def test_uses_in_recurrent_layers_are_time_steps():
    layers = ["both/forward_lstm", "both/backward_lstm", "gru", "simple"]
    expected = {f"{layer}/{name}": 5 for layer in layers for name in ("kernel", "recurrent_kernel")}
    assert uses(recurrent()) == {"each/step/inner": 5, **expected}


def test_uses_in_convolutions_are_positions_and_those_of_a_layer_used_twice_add_up():
    # 8 x 8 padded; 6 x 6 after the depthwise kernel; 3 x 3 after stride 2, which the transposed kernel starts from.
    assert uses(images()) == {
        "shared": 2 * 64,
        "block/depthwise": 2 * 36,
        "separable/depthwise_kernel": 9,
        "separable/pointwise_kernel": 9,
        "up": 9,
        "class": 1,
    }


def test_uses_in_one_dimension():
    assert uses(sequential()) == {
        "inner/grouped": 10,
        "depthwise": 9,
        "separable/depthwise_kernel": 8,
        "separable/pointwise_kernel": 8,
        "up": 8,
        "einsum": 9,
        "head": 1,
    }


@pytest.mark.parametrize(
    ("equation", "shape", "output_shape", "expected"),
    [("ab,bc->ac", (5,), 7, 1), ("...x,xy->...y", (2, 3, 5), 7, 6), ("abc,cde->abde", (4, 5), (4, 2, 3), 4),
     ("abcd,cde->abe", (4, 2, 3), (4, 6), 4), ("abc,bd->adc", (4, 5), (6, 5), 5)],
)  # fmt: skip
def test_uses_of_an_einsum_are_what_its_kernel_does_not_have(equation, shape, output_shape, expected):
    layer = layers.EinsumDense(equation, output_shape, name="einsum")
    assert uses(keras.Sequential([keras.Input(shape), layer])) == {"einsum": expected}


@pytest.mark.parametrize(("return_sequences", "strides", "positions"), [(False, 1, 5 * 6), (True, 2, 3 * 3)])
def test_uses_in_convolutions_over_time_are_positions_of_each_step(return_sequences, strides, positions):
    layer = layers.ConvLSTM2D(2, 2, strides=strides, return_sequences=return_sequences, return_state=True, name="conv")
    inputs = keras.Input((3, 6, 7, 1))
    assert uses(keras.Model(inputs, layer(inputs))) == {
        "conv/kernel": 3 * positions, "conv/recurrent_kernel": 3 * positions,
    }  # fmt: skip


class Traced(layers.Layer):
    """A layer whose inner one runs in a graph that was traced before."""

    def __init__(self, wrap):
        super().__init__(name="block")
        self.inner = layers.Dense(16, name="inner")
        self.function = wrap(self.inner.__call__)

    def build(self, shape):
        self.inner.build(shape)

    def call(self, inputs):
        return self.function(inputs)


@pytest.mark.parametrize("wrap", [tf.function, keras.remat])
def test_layers_in_graphs_that_were_traced_before_are_counted(wrap):
    model = keras.Sequential([keras.Input((12,)), Traced(wrap), layers.Dense(3, name="head")])
    model(np.ones((1, 12)))
    assert uses(model) == {"block/inner": 1, "head": 1}


def test_operations_of_a_layer_that_was_not_seen_to_run_are_not_known():
    class Uncalled(layers.Layer):
        def __init__(self):
            super().__init__(name="block")
            self.inner = layers.Dense(2, name="inner")

        def build(self, shape):
            self.inner.build(shape)

        def call(self, inputs):
            return keras.ops.matmul(inputs, self.inner.kernel)

    class Cell(layers.Layer):
        state_size = output_size = 2

        def build(self, shape):
            self.own = self.add_weight(name="kernel", shape=(shape[-1], 2))

        def call(self, inputs, states):
            return keras.ops.matmul(inputs, self.own), states

    model = keras.Sequential([keras.Input((4, 3)), Uncalled(), layers.RNN(Cell(), name="rnn"), layers.Dense(5)])
    summary = sparsity_summary(model)
    assert [kernel.dense_flops for kernel in summary.kernels] == [None, None, 2 * 2 * 5]
    assert summary.dense_flops is None and summary.sparse_flops is None
    assert summary.to_frame()["dense_flops"].isna().tolist() == [True, True, False]
    rows = [line.split("│")[-3:-1] for line in str(summary).splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [["?", "?"], ["?", "?"], ["20", "20"], ["?", "?"]]
    assert "was not seen to run" in str(summary)


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have a `quantize` method")
@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_quantized_layers_have_the_weights_and_operations_of_the_model_that_they_come_from(mode):
    einsum = layers.EinsumDense("btd,de->bte", (5, 9), name="einsum")
    model = keras.Sequential([keras.Input((5, 7)), layers.Dense(11, name="dense"), einsum])
    before = [(kernel.shape, kernel.size, kernel.dense_flops) for kernel in sparsity_summary(model).kernels]
    stripped = strip_masks(sparsify(model, 0.5))
    stripped.quantize(mode)
    after = sparsity_summary(stripped)
    assert [(kernel.shape, kernel.size, kernel.dense_flops) for kernel in after.kernels] == before
    assert before[0] == ((7, 11), 77, 2 * 77 * 5) and after.dense_flops == 2 * 5 * (77 + 99)


def test_counts_totals_and_density(twin):
    summary = sparsity_summary(twin)
    counted = {path: (mask.size, mask.sum()) for path, mask in masks(twin).items()}
    assert {kernel.path: (kernel.size, kernel.active) for kernel in summary.kernels} == counted
    assert summary.active == sum(active for _, active in counted.values())
    assert summary.density == summary.active / summary.size
    for kernel in summary.kernels:
        assert kernel.masked and kernel.sparse_flops * kernel.size == kernel.dense_flops * kernel.active
    assert summary.sparse_flops == sum(kernel.sparse_flops for kernel in summary.kernels)


def test_counting_changes_neither_states_nor_the_layers(stock):
    before = [np.array(variable) for variable in stock.get_weights()]
    sparsity_summary(stock)
    assert all(np.array_equal(a, b) for a, b in zip(before, stock.get_weights(), strict=True))
    assert not [layer.name for layer in stock._flatten_layers() if "call" in vars(layer)]


def test_matrices_without_a_mask_are_named():
    summary = sparsity_summary(sparsify(transformer(), 0.5, exclude=["head", "query"]))
    assert summary.unmasked == (("tokens", "Embedding", 160), ("head", "Dense", 24))
    head, query = summary.kernels[-1], summary.kernels[0]
    assert not head.masked and head.density == 1 and query.masked and query.density == 1


def test_the_table_shows_every_kernel_with_its_numbers_and_what_has_no_mask():
    twin = sparsify(transformer(), 0.25, exclude="head")
    text = str(sparsity_summary(twin))
    row = next(line for line in text.splitlines() if "wide" in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        "wide", "MaskedDense", "8 x 16", "0.2500", "32", "128", "384", "1,536",
    ]  # fmt: skip
    assert "head" in text and "no mask" in text and "tokens (Embedding, 160)" in text
    assert all(len(line) <= 140 for line in text.splitlines())


def test_the_frame_has_a_row_for_each_kernel():
    frame = sparsity_summary(sparsify(images(), 0.5)).to_frame()
    assert list(frame.columns) == ["path", "layer", "shape", "masked", "size", "active", "dense_flops",
                                   "sparse_flops", "density"]  # fmt: skip
    row = frame.set_index("path").loc["shared"]
    assert (row["shape"], row["size"], row["active"], row["density"]) == ((3, 3, 3, 4), 108, 54, 0.5)
    assert row["dense_flops"] == 2 * 108 * 128 and frame["active"].sum() == sum(frame["size"]) / 2


def test_operations_are_not_known_without_the_inputs_dimensions_and_known_with_an_example():
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, MaskedDense(3, density=0.5, mask_seed=0, name="each")(inputs))
    unknown = sparsity_summary(model)
    assert unknown.sparse_flops is None and unknown.kernels[0].dense_flops is None and "?" in str(unknown)
    assert unknown.to_frame()["sparse_flops"].isna().all()
    assert uses(model, inputs=np.ones((9, 7, 4))) == {"each": 7}, "of one example of nine"


def test_a_kernel_of_an_unknown_layer_has_no_operations_and_makes_the_total_unknown():
    class Own(keras.layers.Layer):
        def build(self, shape):
            self.own = self.add_weight(name="kernel", shape=(shape[-1], 2))

        def call(self, inputs):
            return keras.ops.matmul(inputs, self.own)

    summary = sparsity_summary(keras.Sequential([keras.Input((3,)), Own(name="own"), layers.Dense(2)]))
    assert [kernel.dense_flops for kernel in summary.kernels] == [None, 8]
    assert summary.dense_flops is None and summary.unmasked[0] == ("own", "Own", 6)


def test_a_subclassed_model_can_be_summarised_with_an_example_and_an_unbuilt_one_is_refused():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = MaskedDense(3, density=0.5, mask_seed=0, name="dense")

        def call(self, inputs):
            return self.dense(inputs)

    model = Subclassed()
    with pytest.raises(ValueError, match="must be built"):
        sparsity_summary(model)
    model(np.ones((1, 4)))
    assert uses(model, inputs=np.ones((2, 4))) == {"dense": 1}


def test_what_is_printed_has_the_frames_names(twin):
    summary = sparsity_summary(twin)
    assert {column.header for column in summary.__rich__().columns} <= set(summary.to_frame().columns)
