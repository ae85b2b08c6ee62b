"""Twins: same graph, weights and outputs, exact masks that hold in training and survive saving, and back."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sparseflow import SparseModel
from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.masks import make_masks, mask_report
from keras_sparseflow.twins import sparsify, strip_masks
from tests.twins.models import alike, array, data, images, masks, outputs, recurrent, same, transformer, weights

layers = keras.layers


def dense_model(*units, inputs=8, **arguments):
    named = [layers.Dense(count, name=f"layer_{number}", **arguments) for number, count in enumerate(units, 1)]
    return keras.Sequential([keras.Input((inputs,)), *named])


# --- the twin ---------------------------------------------------------------------------------------------------


def test_at_density_one_outputs_and_variables_are_the_models(stock):
    twin, inputs = sparsify(stock, 1.0), data(stock)
    assert alike(outputs(twin, inputs), outputs(stock, inputs))
    (kernels, others), (twin_kernels, twin_others) = weights(stock), weights(twin)
    assert kernels.keys() == twin_kernels.keys() == masks(twin).keys(), "every kernel got a mask"
    assert all(np.array_equal(kernels[path], twin_kernels[path]) for path in kernels)
    assert same(others, twin_others)
    assert twin.name == stock.name and [layer.name for layer in twin.layers] == [layer.name for layer in stock.layers]


def test_counts_are_exact_and_active_weights_are_the_models(stock, twin):
    before = {kernel.path: array(kernel.variable) for kernel in kernels_of(stock)}
    for kernel in kernels_of(twin):
        kept = array(kernel.variable)
        mask = array(kernel.mask)
        assert mask.sum() == round(0.3 * mask.size), kernel.path
        np.testing.assert_array_equal(kept, np.where(mask, before[kernel.path], 0))


def test_the_model_itself_is_not_changed(stock, twin):
    assert not masks(stock)
    assert not {id(v) for v in stock.variables} & {id(v) for v in twin.variables}


def test_which_layers_train_is_kept(stock, twin):
    trained = [{kernel.path for kernel in kernels_of(model) if kernel.variable.trainable} for model in (stock, twin)]
    assert trained[0] == trained[1] and len(stock.trainable_variables) == len(twin.trainable_variables)


@settings(max_examples=15, deadline=None)
@given(density=st.floats(0.2, 1), seed=st.integers(0, 2**40), score=st.sampled_from(["random", "magnitude"]))
def test_uniform_counts_are_exact_whatever_the_density(density, seed, score):
    twin = sparsify(dense_model(5, 3), density, score=score, seed=seed)
    assert [mask.sum() for mask in masks(twin).values()] == [round(density * 40), round(density * 15)]


def test_magnitude_keeps_the_largest_weights_and_random_depends_on_the_seed_alone():
    model = dense_model(6)
    kernel = array(model.layers[0].kernel)
    mask = masks(sparsify(model, 0.25, score="magnitude"))["layer_1"]
    assert np.abs(kernel[mask]).min() > np.abs(kernel[~mask]).max()
    drawn = [masks(sparsify(dense_model(6), 0.25, seed=seed))["layer_1"] for seed in (0, 0, 1)]
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[1], drawn[2])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ["0c6a80300604", "b20600"]),
        ({"distribution": "erk", "seed": 5}, ["c04702580800", "907012"]),
        ({"exclude": "layer_1", "seed": 2}, ["d02240"]),
    ],
)
def test_random_masks_stay_what_they_have_always_been(arguments, expected):
    drawn = masks(sparsify(dense_model(6, 4), 0.25, **arguments))
    assert [np.packbits(mask).tobytes().hex() for mask in drawn.values()] == expected


def test_kernels_of_one_shape_get_different_random_masks_and_excluding_one_changes_no_other():
    model = dense_model(8, 8)
    both, one = masks(sparsify(model, 0.5)), masks(sparsify(model, 0.5, exclude="layer_1"))
    assert not np.array_equal(both["layer_1"], both["layer_2"])
    assert np.array_equal(both["layer_2"], one["layer_2"])


def test_erk_gives_small_kernels_more_and_the_same_total():
    twin = sparsify(dense_model(40, 4, inputs=40), 0.1, distribution="erk")
    counts = {path: int(mask.sum()) for path, mask in masks(twin).items()}
    assert sum(counts.values()) == round(0.1 * (1600 + 160))
    # Raw * size is 80 and 44, and 176 * 80 / 124 = 113.5: equal remainders go to the first.
    assert counts == {"layer_1": 114, "layer_2": 62}


def test_masks_that_a_model_has_are_replaced():
    model = keras.Sequential([keras.Input((8,)), MaskedDense(5, density=0.5, mask_seed=0)])
    assert masks(sparsify(model, 0.2, score="magnitude")).popitem()[1].sum() == 8
    assert model.layers[0].active_count == 20


# --- exclusion --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ("head", {"head"}),
        (["head", "wide"], {"head", "wide"}),
        ("attention", {"attention/query", "attention/key", "attention/value", "attention/attention_output"}),
        ("query", {"attention/query"}),
        ("attention/*e*", {"attention/query", "attention/key", "attention/value", "attention/attention_output"}),
        ("*w*", {"wide", "narrow"}),
        (layers.Dense, {"head", "wide", "narrow"}),
        ((layers.MultiHeadAttention, "head"), {"attention/query", "attention/key", "attention/value",
                                              "attention/attention_output", "head"}),
    ],
)  # fmt: skip
def test_exclusion_by_name_pattern_path_and_class(exclude, left):
    twin = sparsify(transformer(), 0.5, exclude=exclude)
    found = {kernel.path for kernel in kernels_of(twin) if kernel.mask is None or array(kernel.mask).all()}
    assert found == left
    assert {type(layer).__name__ for layer in twin.layers if layer.name in left} <= {"Dense"}, "they stay stock layers"


def test_an_exclusion_that_matches_nothing_or_everything_is_refused():
    model = dense_model(4, 2)
    with pytest.raises(ValueError, match=r"names 'layer_3', which no kernel matches.*layer_1, layer_2.*Did you mean"):
        sparsify(model, 0.5, exclude="layer_3")
    with pytest.raises(ValueError, match="names Conv2D, but no such layer has a kernel"):
        sparsify(model, 0.5, exclude=layers.Conv2D)
    with pytest.raises(ValueError, match="leaves nothing to mask: it matches all 2"):
        sparsify(model, 0.5, exclude="layer_*")
    with pytest.raises(TypeError, match=r"names, patterns or classes of layers; received 3"):
        sparsify(model, 0.5, exclude=[3])


# --- refused ----------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(3)

    def call(self, inputs):
        return self.dense(inputs)


def test_a_subclassed_model_within_another_is_masked():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, name="outer")(Subclassed(name="inner")(inputs)))
    twin, x = sparsify(model, 1.0), np.ones((1, 4))
    assert masks(twin).keys() == {"outer", "inner/dense"}
    assert alike(outputs(twin, x), outputs(model, x))


def test_percentages_and_unknown_names_are_refused():
    model = dense_model(3)
    with pytest.raises(ValueError, match="a fraction and not a percentage; received 90"):
        sparsify(model, 90)
    with pytest.raises(ValueError, match="Unknown sparsity distribution 'erc'.*erk, er, global"):
        sparsify(model, 0.5, distribution="erc")
    with pytest.raises(ValueError, match="Unknown mask score 'snap'"):
        sparsify(model, 0.5, score="snap")


def test_models_that_are_not_built_or_have_no_kernel_are_refused():
    with pytest.raises(ValueError, match="must be built"):
        sparsify(keras.Sequential([layers.Dense(3)]), 0.5)
    with pytest.raises(ValueError, match="has no kernel that can be masked"):
        sparsify(keras.Sequential([keras.Input((3,)), layers.BatchNormalization()]), 0.5)


def test_a_kernel_that_would_be_empty_is_refused_by_name_unless_all_are_asked_to_be():
    model = dense_model(8, 1)
    with pytest.raises(ValueError, match=r"1 of 2 kernels without any active weight: layer_2 \(of 8\)"):
        sparsify(model, 0.05)
    assert sum(mask.sum() for mask in masks(sparsify(model, 0.0)).values()) == 0


# --- training and saving ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "precision"),
    [
        (transformer, "float32"),
        pytest.param(transformer, "mixed_bfloat16", marks=pytest.mark.untraced),
        pytest.param(recurrent, "mixed_bfloat16", marks=pytest.mark.untraced),
        pytest.param(images, "float32", marks=pytest.mark.untraced),
    ],
)
def test_plain_fit_keeps_inactive_weights_at_zero_in_every_kind_of_layer(make, precision):
    keras.config.set_dtype_policy(precision)
    try:
        twin = sparsify(make(), 0.5, seed=1)
    finally:
        keras.config.set_dtype_policy("float32")
    before = {kernel.path: array(kernel.variable) for kernel in kernels_of(twin)}
    x = data(twin, 8)
    twin.compile(keras.optimizers.Adam(0.01), "mse")
    twin.fit(x, keras.tree.map_structure(lambda y: np.ones(y.shape, "f"), twin(x)), epochs=2, verbose=0)
    for kernel in kernels_of(twin):
        mask, kept = array(kernel.mask), array(kernel.variable)
        assert not kept[~mask].any(), kernel.path
        # A key's gradient may vanish where all queries see alike; most of each kernel has moved.
        assert np.mean(kept[mask] != before[kernel.path][mask]) > 0.5, kernel.path
    assert alike(outputs(strip_masks(twin), x), outputs(twin, x))


def test_masks_survive_a_keras_file_and_a_clone(twin, tmp_path):
    inputs = data(twin)
    twin.save(tmp_path / "twin.keras")
    loaded = keras.models.load_model(tmp_path / "twin.keras", safe_mode=False)
    assert same(masks(loaded).values(), masks(twin).values())
    assert alike(outputs(loaded, inputs), outputs(twin, inputs))
    again = sparsify(loaded, 1.0)
    assert all(mask.all() for mask in masks(again).values())


# --- back -------------------------------------------------------------------------------------------------------


def test_stripping_gives_stock_layers_with_zeros_in_place_and_the_same_outputs(stock, twin):
    stripped, inputs = strip_masks(twin), data(twin)
    assert alike(outputs(stripped, inputs), outputs(twin, inputs))
    classes = {type(layer) for layer in stripped._flatten_layers()}
    assert not {kind for kind in classes if kind.__module__.startswith("keras_sparseflow")}
    kernels = {kernel.path: array(kernel.variable) for kernel in kernels_of(stripped)}
    for path, mask in masks(twin).items():
        assert not kernels[path][~mask].any() and np.count_nonzero(kernels[path]) == mask.sum()
    assert [v.shape for v in stripped.weights] == [v.shape for v in stock.weights]


def test_a_sparse_model_becomes_a_plain_one_and_lora_is_merged():
    inputs = keras.Input((6,))
    layer = MaskedDense(4, density=0.5, mask_seed=0)
    model = SparseModel(inputs, layer(inputs), name="mine")
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(np.ones(layer.lora_kernel_b.shape))
    stripped, x = strip_masks(model), np.random.default_rng(0).normal(size=(2, 6)).astype("f")
    np.testing.assert_allclose(stripped(x), model(x), rtol=1e-6)
    assert isinstance(sparsify(model, 0.5), SparseModel), "whereas a twin is of the model's own class"
    assert "keras_sparseflow" not in type(stripped).__module__ and stripped.name == "mine"
    assert not stripped.layers[1].lora_enabled and len(stripped.weights) == 2


def with_lora():
    """A model of stock layers, two of three with LoRA, and one that computes the same with stored kernels alone."""
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        einsum = layers.EinsumDense("ab,bc->ac", (5,), name="einsum")
        models.append(keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu", name="dense"), einsum,
                                        layers.Dense(3, name="head")]))  # fmt: skip
    model, merged = models
    for name in ("dense", "einsum"):
        model.get_layer(name).enable_lora(2, lora_alpha=3, b_initializer=keras.initializers.RandomNormal(seed=1))
        merged.get_layer(name).kernel.assign(model.get_layer(name).kernel)
    return model, merged


@pytest.mark.untraced
@pytest.mark.parametrize("score", ["random", "magnitude", "snip", "grasp", "synflow"])
def test_masks_of_layers_with_lora_are_those_of_their_effective_kernels(score):
    model, merged = with_lora()
    before = [array(weight) for weight in model.weights]
    rng = np.random.default_rng(0)
    examples = rng.normal(size=(32, 6)).astype("f"), rng.integers(0, 3, 32)
    found, expected = (
        make_masks(each, 0.4, score=score, distribution="global", data=examples) for each in (model, merged)
    )
    assert found.keys() == {"dense", "einsum", "head"} and same(found.values(), expected.values())
    assert same(model.weights, before) and model.layers[0].lora_enabled
    assert mask_report(model, found, paths=True) == mask_report(merged, expected, paths=True)


@pytest.mark.untraced
def test_the_twin_of_a_model_with_lora_computes_with_masked_effective_kernels_and_trains_on(tmp_path):
    model, merged = with_lora()
    twin = sparsify(model, 0.4, score="magnitude", exclude="einsum")
    expected = sparsify(merged, 0.4, score="magnitude", exclude="einsum")
    x = np.random.default_rng(0).normal(size=(4, 6)).astype("f")
    assert same(masks(twin).values(), masks(expected).values())
    np.testing.assert_allclose(twin(x), expected(x), rtol=1e-5)
    assert [layer.lora_enabled for layer in twin.layers] == [True, True, False]
    assert same(twin.trainable_variables[:3], model.trainable_variables[:3])
    twin.compile("adam", "mse")
    twin.fit(x, np.ones((4, 3)), verbose=0)
    assert not same(twin.trainable_variables[:2], model.trainable_variables[:2])
    assert np.array_equal(array(twin.layers[0].kernel) != 0, masks(twin)["dense"])
    twin.save(tmp_path / "twin.keras")
    loaded = keras.models.load_model(tmp_path / "twin.keras")
    np.testing.assert_allclose(loaded(x), twin(x), rtol=1e-5)
    assert same(masks(loaded).values(), masks(twin).values())
    np.testing.assert_allclose(strip_masks(twin)(x), twin(x), rtol=1e-5)


def quantized(mode):
    model = dense_model(6, 7, 3)
    model.layers[1].quantize(mode)
    return model


@pytest.mark.parametrize("mode", ["int8", "int4"])
@pytest.mark.parametrize("function", [make_masks, sparsify])
def test_quantized_kernels_get_no_masks_unless_they_are_left_out(function, mode):
    model = quantized(mode)
    path = kernels_of(model)[1].path
    with pytest.raises(ValueError, match=f"received '{path}' of int8, .*quantized.*`exclude='{path}'`"):
        function(model, 0.5)
    twin = sparsify(model, 1.0, exclude=path)
    assert len(masks(twin)) == 2
    np.testing.assert_array_equal(twin(data(model)), model(data(model)))


def test_a_report_refuses_masks_of_quantized_kernels():
    model = quantized("int8")
    kernel = kernels_of(model)[1]
    with pytest.raises(ValueError, match=f"received '{kernel.path}' of int8"):
        mask_report(model, {kernel.path: np.ones(kernel.shape, bool)})


def test_the_twin_of_a_layer_that_computes_in_float8_has_a_mask_and_does_so_too():
    model = quantized("float8")
    twin = sparsify(model, 1.0)
    assert len(masks(twin)) == 3 and twin.layers[1].dtype_policy.name == model.layers[1].dtype_policy.name
    np.testing.assert_array_equal(twin(data(model)), model(data(model)))


def test_the_twin_of_a_compiled_model_is_not_compiled_and_the_model_stays_so():
    model = dense_model(2)
    model.compile("adam", loss=lambda y, p: keras.ops.mean((y - p) ** 2))
    twin = sparsify(model, 0.5)
    assert model.compiled and not twin.compiled


def test_shared_layers_stay_shared_within_and_across_nested_models():
    shared = layers.Dense(4, name="shared")
    first = keras.Input((4,))
    nested = keras.Model(first, shared(first), name="nested")
    second = keras.Input((4,))
    model = keras.Model(second, shared(nested(shared(second))))
    twin = sparsify(model, 0.5)
    assert len(twin.trainable_variables) == 2 and twin.get_layer("nested").layers[1] is twin.get_layer("shared")
    assert alike(outputs(sparsify(model, 1.0), np.ones((1, 4))), outputs(model, np.ones((1, 4))))
