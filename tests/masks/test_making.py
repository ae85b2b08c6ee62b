"""make_masks: counts, seeds, exclusions, given counts, collapse, and what others' scores must return."""

import functools
import sys

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.masks import kernel_counts, make_masks, mask_report, set_masks, top_mask
from keras_sparseflow.twins import sparsify
from tests.backend import ON_TENSORFLOW
from tests.masks import small

layers = keras.layers


def perceptron(*units, inputs=8, layer=layers.Dense, **arguments):
    stack = [layer(count, name=f"layer_{number}", **arguments) for number, count in enumerate(units, 1)]
    return keras.Sequential([keras.Input((inputs,)), *stack], name="net")


def test_random_masks_are_those_of_the_seed_and_each_kernels_place():
    masks = make_masks(perceptron(6, 5, 4), 0.5, seed=7, exclude="layer_1")
    assert list(masks) == ["layer_2", "layer_3"]
    for place, (mask, shape) in enumerate(zip(masks.values(), [(6, 5), (5, 4)], strict=True), 1):
        scores = np.random.default_rng([7, place]).random(shape)
        np.testing.assert_array_equal(mask, top_mask(scores, round(0.5 * scores.size)))


def test_global_random_masks_share_the_weights_as_one_urn():
    masks = [make_masks(perceptron(30, 30, inputs=30), 0.5, distribution="global", seed=seed) for seed in range(20)]
    first = np.array([mask["layer_1"].sum() for mask in masks])
    assert all(sum(mask.sum() for mask in each.values()) == 900 for each in masks)
    # Hypergeometric: mean 450, standard deviation 15.
    assert len(set(first)) > 5 and abs(first.mean() - 450) < 5 * 15 / np.sqrt(20)


def test_global_magnitude_is_one_threshold():
    model = perceptron(6, 5)
    model.layers[1].kernel.assign(model.layers[1].kernel * 10)
    masks = make_masks(model, 0.4, score="magnitude", distribution="global")
    weights = np.concatenate([np.abs(np.array(layer.kernel)).ravel() for layer in model.layers])
    kept = np.concatenate([mask.ravel() for mask in masks.values()])
    assert kept.sum() == round(0.4 * 78) and weights[kept].min() > weights[~kept].max()
    assert masks["layer_2"].mean() > masks["layer_1"].mean()


def test_given_counts_match_the_capacity_of_a_narrow_dense_network():
    narrow, wide = perceptron(3, 3, 2), perceptron(12, 12, 2)
    masks = make_masks(wide, distribution=kernel_counts(narrow), seed=1)
    assert [int(mask.sum()) for mask in masks.values()] == [8 * 3, 3 * 3, 3 * 2]
    twin = sparsify(wide, distribution=kernel_counts(narrow), score="magnitude")
    assert kernel_counts(twin) == kernel_counts(narrow)


def test_given_counts_must_match_the_kernels():
    counts = {"layer_1": 4, "layer_2": 3}
    model = perceptron(3, 2)
    with pytest.raises(ValueError, match="'layer_2' is missing"):
        make_masks(model, distribution={"layer_1": 4})
    with pytest.raises(ValueError, match="'layer_2' is not one of them"):
        make_masks(model, distribution=counts, exclude="layer_2")
    with pytest.raises(ValueError, match="'layer_2' has 6 weights; received 7"):
        make_masks(model, distribution={**counts, "layer_2": 7})
    with pytest.raises(ValueError, match=r"`density` must be None.*received 0.5"):
        make_masks(model, 0.5, distribution=counts)
    with pytest.raises(ValueError, match="The counts leave 1 of 2 kernels"):
        make_masks(model, distribution={**counts, "layer_2": 0})
    with pytest.raises(ValueError, match=r"`density` must be in \[0, 1\].*received None"):
        make_masks(model)


def test_a_collapsed_kernel_is_refused_unless_allowed_by_count_or_by_score():
    model = perceptron(8, 1)
    for distribution in ("uniform", "global"):
        model.layers[1].kernel.assign(model.layers[1].kernel * 1e-6)
        make = functools.partial(make_masks, model, 0.05, score="magnitude", distribution=distribution)
        with pytest.raises(ValueError, match=r"`density` 0.05 leaves 1 of 2 .*layer_2 \(of 8\).*allow_collapse"):
            make()
        masks = make(allow_collapse=True)
        assert mask_report(model, masks).collapsed == ("layer_2",)
    assert not any(mask.any() for mask in make_masks(model, 0.0).values()), "as asked for"
    with pytest.raises(ValueError, match="leaves 2 of 2 kernels"):
        make_masks(model, 0.001)


def test_collapse_by_count_is_found_before_anything_is_scored():
    def never(problem):
        raise AssertionError("scored")

    with pytest.raises(ValueError, match="without any active weight"):
        make_masks(perceptron(8, 1), 0.05, score=never)


@keras.saving.register_keras_serializable("tests.making")
class Subclassed(keras.Model):
    def __init__(self, layer=layers.Dense, **arguments):
        super().__init__()
        self.first = layer(6, "relu", name="first", **arguments)
        self.last = layer(3, name="last", **arguments)

    def call(self, inputs):
        return self.last(self.first(inputs))


@small.EACH_SCORE
def test_subclassed_models_get_masks_too_and_a_masked_one_takes_them(score):
    x, y = np.random.default_rng(0).normal(size=(9, 4)).astype("float32"), np.arange(9) % 3
    model = Subclassed(MaskedDense)
    model(x)
    masks = make_masks(model, 0.5, score=score, data=(x, y), distribution="global")
    assert sum(mask.sum() for mask in masks.values()) == 21
    set_masks(model, masks)
    for path, mask in masks.items():
        np.testing.assert_array_equal(np.array(getattr(model, path).mask), mask)
        assert not np.array(getattr(model, path).kernel)[~mask].any()


@pytest.mark.tensorflow("SNIP and SynFlow")
def test_pruning_a_masked_model_further_gives_nested_masks():
    x, y = np.random.default_rng(0).normal(size=(9, 8)).astype("float32"), np.arange(9) % 3
    model = perceptron(10, 3, layer=MaskedDense, density=0.5, mask_seed=0)
    before = [np.array(layer.mask) for layer in model.layers]
    for score in ("magnitude", "snip", "synflow"):
        masks = make_masks(model, 0.25, score=score, data=(x, y), distribution="global")
        assert all((mask <= old).all() for mask, old in zip(masks.values(), before, strict=True)), score


@pytest.mark.tensorflow("SNIP")
def test_sparsify_takes_scores_with_data_and_the_loss_of_a_compiled_model():
    x, y = np.random.default_rng(0).normal(size=(9, 8)).astype("float32"), np.eye(3)[np.arange(9) % 3]
    model = perceptron(10, 3)
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    twin = sparsify(model, 0.3, score="snip", distribution="global", data=(x, y))
    masks = make_masks(model, 0.3, score="snip", distribution="global", data=(x, y))
    assert all(np.array_equal(np.array(layer.mask), masks[layer.name]) for layer in twin.layers)
    with pytest.raises(ValueError, match="`data` must be given"):
        sparsify(model, 0.3, score="snip")


def test_set_masks_sets_all_or_none():
    model = perceptron(4, 3, layer=MaskedDense, density=0.5, mask_seed=0)
    before = [np.array(layer.mask) for layer in model.layers]
    with pytest.raises(ValueError, match="'layer_2' must have shape"):
        set_masks(model, {"layer_1": np.ones((8, 4), bool), "layer_2": np.ones((2, 2), bool)})
    with pytest.raises(ValueError, match="must name kernels.*received 'layer_3'"):
        set_masks(model, {"layer_3": np.ones((8, 4), bool)})
    assert all(np.array_equal(np.array(layer.mask), old) for layer, old in zip(model.layers, before, strict=True))


def test_distributions_of_others_give_counts_for_each_kernel_or_one_for_all():
    model = perceptron(4, 2)
    for distribution, total in ((lambda shapes, density: np.array([9, 5]), 14), (lambda *_: np.int64(11), 11)):
        masks = make_masks(model, 0.5, distribution=distribution)
        assert sum(mask.sum() for mask in masks.values()) == total
    with pytest.raises(ValueError, match=r"a count for each of 2 kernels, or one for all; received \[3\]"):
        make_masks(model, 0.5, distribution=lambda *_: [3])


def test_what_a_score_returns_is_checked():
    model = perceptron(3)
    with pytest.raises(ValueError, match="an array for each of 1 kernels; received 0"):
        make_masks(model, 0.5, score=lambda problem: [])
    with pytest.raises(ValueError, match=r"of shape \(8, 3\) for 'layer_1'; received \(3, 8\)"):
        make_masks(model, 0.5, score=lambda problem: [np.ones((3, 8))])
    with pytest.raises(ValueError, match="The score '<lambda>' must not be NaN; received 24 NaN of 24 for 'layer_1'"):
        make_masks(model, 0.5, score=lambda problem: [np.full((8, 3), np.nan)])
    with pytest.raises(ValueError, match="The score '<lambda>' must return a list of arrays; received NoneType"):
        make_masks(model, 0.5, score=lambda problem: None)


def test_models_that_are_not_built_or_have_no_kernel_are_refused():
    with pytest.raises(ValueError, match="must be built"):
        make_masks(keras.Sequential([layers.Dense(3)]), 0.5)
    with pytest.raises(ValueError, match="no kernel that can be masked"):
        make_masks(keras.Sequential([keras.Input((3,)), layers.BatchNormalization()]), 0.5)


def test_plain_scores_import_no_tensorflow(monkeypatch):
    model = perceptron(5)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    for score in ("random", "magnitude"):
        assert mask_report(model, make_masks(model, 0.5, score=score, distribution="global")).collapsed == ()
    if ON_TENSORFLOW:
        with pytest.raises(ImportError, match="tensorflow"):
            make_masks(model, 0.5, score="synflow")
