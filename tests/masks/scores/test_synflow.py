"""SynFlow: paths counted by hand, conservation, rounds, float64, and no collapse where single shots collapse."""

import functools
import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sparseflow.layers.tokens import HeadAttention
from keras_sparseflow.masks import MaskProblem, make_masks, mask_report, synflow_scores
from tests.masks import small
from tests.masks.scores.test_gradients import problem

pytestmark = pytest.mark.tensorflow("SynFlow")

layers = keras.layers


def perceptron(*widths, dtype="float32", seed=0, **arguments):
    draw = [keras.initializers.HeNormal(seed + number) for number in range(len(widths))]
    stack = [
        layers.Dense(
            width, "relu" if number < len(widths) - 1 else None, use_bias=False, dtype=dtype,
            kernel_initializer=draw[number], name=f"layer_{number}", **arguments,
        )
        for number, width in enumerate(widths[1:], 1)
    ]  # fmt: skip
    return keras.Sequential([keras.Input((widths[0],)), *stack])


def test_scores_are_the_paths_through_each_weight():
    model = perceptron(3, 4, 2, 3)
    first, second, third = (np.abs(np.array(layer.kernel, "float64")) for layer in model.layers)
    into, out = np.ones(3) @ first, second @ third @ np.ones(3)
    expected = [first * out, second * np.outer(into, third @ np.ones(3)), third * (into @ second)[:, None]]
    for found, by_hand in zip(synflow_scores(problem(model, None), rounds=1), expected, strict=True):
        np.testing.assert_allclose(found, by_hand, rtol=1e-12)
        assert found.dtype == np.float64


def test_scores_are_the_slopes_of_finite_differences():
    model = small.network(activation="relu")
    at = small.flatten(small.kernels(model))

    def flow(scales):
        weights = np.abs(at * scales)
        first, last = weights[:12].reshape(3, 4), weights[12:].reshape(4, 3)
        return (np.ones(3) @ first @ last).sum()

    found = small.flatten(synflow_scores(problem(model, None), rounds=1))
    np.testing.assert_allclose(found, small.gradient(flow, np.ones(len(at))), rtol=1e-6)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=3, max_size=4), st.integers(0, 9), st.sampled_from([1, 3]))
def test_what_flows_into_a_hidden_unit_flows_out_of_it(widths, seed, rounds):
    model = perceptron(*widths, seed=seed)
    scores = synflow_scores(problem(model, None), rounds=rounds)
    scores = [np.where(np.isfinite(array), array, 0) for array in scores]
    for before, after in itertools.pairwise(scores):
        np.testing.assert_allclose(before.sum(axis=0), after.sum(axis=1), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose([array.sum() for array in scores], scores[0].sum(), rtol=1e-9)


def residual(activation="relu", dtype="float32"):
    """A convolutional network with BatchNorm, whose statistics are not their first ones, and a skip connection."""
    inputs = keras.Input((6, 6, 2))
    x = skip = layers.Conv2D(3, 3, padding="same", use_bias=False, name="stem", dtype=dtype)(inputs)
    x = layers.BatchNormalization(name="norm", dtype=dtype)(x)
    x = layers.Activation(activation, dtype=dtype)(x)
    x = layers.Conv2D(3, 3, padding="same", use_bias=False, name="conv", dtype=dtype)(x)
    x = layers.GlobalAveragePooling2D(dtype=dtype)(layers.Add(dtype=dtype)([x, skip]))
    model = keras.Model(inputs, layers.Dense(4, use_bias=False, name="head", dtype=dtype)(x))
    model.get_layer("norm").gamma.assign([-2.0, 1, 0.5])
    model.get_layer("norm").moving_mean.assign([3.0, -1, 0])
    model.get_layer("norm").moving_variance.assign([4.0, 1, 0.25])
    return model


def test_a_residual_network_conserves_its_flow_and_is_not_changed():
    model = residual()
    before = [np.array(variable) for variable in model.variables]
    stem, conv, head = synflow_scores(problem(model, None), rounds=1)
    # Channels of the sum get what the head takes; the stem's channels feed the block and the skip.
    np.testing.assert_allclose(stem.sum(), head.sum(), rtol=1e-9)
    gain = np.abs([-2, 1, 0.5]) / np.sqrt(np.array([4, 1, 0.25]) + 1e-3)
    assert (gain > 0).all() and 0 < conv.sum() < head.sum()
    np.testing.assert_allclose(
        stem.sum(axis=(0, 1, 2)) - conv.sum(axis=(0, 1, 3)), skip_share(model), rtol=1e-9, err_msg="the skip's share"
    )
    assert all(np.array_equal(one, np.array(v)) for one, v in zip(before, model.variables, strict=True))
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def skip_share(model):
    """Returns for each channel of the stem what reaches the output over the skip connection."""
    stem = np.abs(np.array(model.get_layer("stem").kernel, "float64"))
    ones = np.pad(np.ones((6, 6, 2)), ((1, 1), (1, 1), (0, 0)))
    pixels = [np.einsum("hwi,hwio->o", ones[row : row + 3, column : column + 3], stem)
              for row in range(6) for column in range(6)]  # fmt: skip
    return np.mean(pixels, axis=0) * np.abs(np.array(model.get_layer("head").kernel, "float64")).sum(axis=1)


def test_flows_beyond_float32_are_finite_and_ranked_exactly():
    model = perceptron(30, *[30] * 10, 3)
    for layer in model.layers:
        layer.kernel.assign(layer.kernel * 3000)
    scores = synflow_scores(problem(model, None), rounds=1)
    assert min(array.max() for array in scores) > np.finfo("float32").max
    scaled = synflow_scores(problem(perceptron(30, *[30] * 10, 3), None), rounds=1)
    for one, other in zip(scores, scaled, strict=True):
        np.testing.assert_allclose(one, other * 3000.0**11, rtol=1e-4)


def test_normalisations_that_take_inputs_as_they_are_compute_in_float64_too():
    rows = [keras.layers.LayerNormalization(), keras.layers.Conv2D(4, 3)]
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.Sequential(rows)])
    masks = make_masks(model, 0.5, score="synflow")
    assert [int(mask.sum()) for mask in masks.values()] == [54, 72]
    assert not rows[0].autocast and rows[0].dtype_policy.name == "float32"


NORMS = {
    "layer": lambda: keras.layers.LayerNormalization(axis=[1, -1]),
    "plain": lambda: keras.layers.LayerNormalization(scale=False, center=False),
    "group": lambda: keras.layers.GroupNormalization(2),
    "rms": keras.layers.RMSNormalization,
}


@pytest.mark.parametrize("name", NORMS)
def test_layers_that_normalise_each_example_only_scale_and_shift(name):
    """They take the absolute values of their variables, so that signals stay positive behind any other layers."""
    first, last = keras.layers.Dense(4, use_bias=False), keras.layers.Dense(3, use_bias=False)
    norm = NORMS[name]()
    model = keras.Sequential([keras.Input((5, 4)), norm, first, NORMS[name](), last])
    for number, variable in enumerate(norm.weights):
        variable.assign(-np.arange(1.0, 1 + np.prod(variable.shape)).reshape(variable.shape) * (number + 1))
    gamma, beta = (*(np.abs(v).reshape(-1, 4) for v in norm.get_weights()), *[1.0, 0.0][len(norm.weights) :])
    x = np.ones((5, 4)) * gamma + beta
    one, two = (np.abs(np.array(layer.kernel, "float64")) for layer in (first, last))
    scores = synflow_scores(problem(model, None), rounds=1)
    np.testing.assert_allclose(scores[0], one * x.sum(axis=0)[:, None] * two.sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(scores[1], two * (x @ one).sum(axis=0)[:, None], rtol=1e-6)
    assert "call" not in vars(norm)


@pytest.mark.parametrize("distribution", ["uniform", "global"])
def test_queries_and_keys_of_an_attention_are_refused_with_the_reason_and_can_be_left_out(distribution):
    inputs = keras.Input((5, 8))
    x = keras.layers.MultiHeadAttention(2, 4, name="att")(inputs, inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, name="head")(x))
    with pytest.raises(ValueError, match=r"'att/query', 'att/key': for inputs .* tokens, which are equal .* `exclude="):
        make_masks(model, 0.5, score="synflow", distribution=distribution)
    masks = make_masks(model, 0.5, score="synflow", distribution=distribution, exclude=["att/query", "att/key"])
    assert list(masks) == ["att/value", "att/attention_output", "head"]
    assert sum(int(mask.sum()) for mask in masks.values()) == 76


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_any_precision_of_the_network_gives_the_scores_of_float64(dtype):
    reference, model = residual(dtype="float64"), residual(dtype=dtype)
    for variable, other in zip(model.variables, reference.variables, strict=True):
        other.assign(keras.ops.cast(variable, "float64"))
    for one, other in zip(*(synflow_scores(problem(m, None), rounds=1) for m in (model, reference)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert model.get_layer("conv").dtype_policy.name == dtype


def by_hand(model, density, rounds, together):
    """Returns the masks of SynFlow on a perceptron, round by round in NumPy."""
    weights = [np.abs(np.array(layer.kernel, "float64")) for layer in model.layers]
    masks = [np.ones(array.shape, bool) for array in weights]
    for number in range(1, rounds + 1):
        active = [array * mask for array, mask in zip(weights, masks, strict=True)]
        chain = [np.ones(len(active[0]))]
        for array in active:
            chain.append(chain[-1] @ array)
        back = [np.ones(active[-1].shape[1])]
        for array in reversed(active):
            back.insert(0, array @ back[0])
        scores = [a * np.outer(i, o) for a, i, o in zip(active, chain[:-1], back[1:], strict=True)]
        groups = [range(len(scores))] if together else [[index] for index in range(len(scores))]
        for group in groups:
            flat = np.concatenate([np.where(masks[i], scores[i], -1).ravel() for i in group])
            share = round(len(flat) * density) / len(flat) if not together else density
            gone = int((1 - share ** (number / rounds)) * len(flat))
            count = len(flat) - gone if number < rounds else round(len(flat) * density)
            kept = np.zeros(len(flat), bool)
            kept[np.argsort(-flat, kind="stable")[:count]] = True
            start = 0
            for i in group:
                masks[i] = kept[start : start + scores[i].size].reshape(scores[i].shape)
                start += scores[i].size
    return masks


@pytest.mark.parametrize("distribution", ["global", "uniform"])
def test_a_hundred_rounds_are_those_of_numpy(distribution):
    model = perceptron(8, 10, 10, 10)
    found = make_masks(model, 0.1, score="synflow", distribution=distribution)
    for one, other in zip(found.values(), by_hand(model, 0.1, 100, distribution == "global"), strict=True):
        np.testing.assert_array_equal(one, other)
    single = make_masks(model, 0.1, score=functools.partial(synflow_scores, rounds=1), distribution=distribution)
    assert any((single[path] != found[path]).any() for path in found)


def masks_of_the_authors(kernels, density, rounds=100, rounded=False):
    """Returns SynFlow's masks as the authors' code makes them, and how many weights are left after each round.

    With the names that they have there: `k` scores are gone, the smallest, of the gradient of a forward pass with
    absolute weights on ones. Theirs drops all that equal the k-th; here, as in the package, the first of them stay.
    With `rounded` as many stay as the rounded density asks for.
    """
    linearized = [np.abs(kernel).astype("float64") for kernel in kernels]
    masks, left = [np.ones(kernel.shape) for kernel in kernels], []
    for epoch in range(rounds):
        weights = [mask * kernel for mask, kernel in zip(masks, linearized, strict=True)]
        outputs = [np.ones((1, len(weights[0])))]
        for weight in weights:
            outputs.append(outputs[-1] @ weight)
        grads, grad = [], np.ones_like(outputs[-1])
        for weight, inputs in zip(weights[::-1], outputs[-2::-1], strict=True):
            grads.insert(0, inputs.T @ grad)
            grad = grad @ weight.T
        scores = [np.abs(grad * weight) for grad, weight in zip(grads, weights, strict=True)]
        global_scores = np.concatenate([score.ravel() for score in scores])
        sparsity = density ** ((epoch + 1) / rounds)
        k = int((1.0 - sparsity) * global_scores.size)
        if rounded:
            k = global_scores.size - round(sparsity * global_scores.size)
        kept = np.zeros(global_scores.size)
        kept[np.argsort(-global_scores, kind="stable")[: global_scores.size - k]] = 1
        ends = np.cumsum([score.size for score in scores])[:-1]
        masks = [part.reshape(score.shape) for part, score in zip(np.split(kept, ends), scores, strict=True)]
        left.append(int(sum(mask.sum() for mask in masks)))
    return [mask.astype(bool) for mask in masks], left


@pytest.mark.parametrize("density", [0.25, 0.1, 0.05])
def test_masks_are_those_of_the_authors_with_as_many_weights_after_each_round(density, monkeypatch):
    model = perceptron(20, 20, 20, 10)  # of 1,000 weights, so that the last count is exact in their code too
    kernels = [np.array(layer.kernel) for layer in model.layers]
    counts, select = [], MaskProblem.select

    def counted(self, scores, progress=1.0):
        masks = select(self, scores, progress)
        counts.append(sum(int(mask.sum()) for mask in masks))
        return masks

    monkeypatch.setattr(MaskProblem, "select", counted)
    found = make_masks(model, density, score="synflow", distribution="global")
    expected, left = masks_of_the_authors(kernels, density)
    assert counts == left and counts[-1] == round(density * 1000)
    for one, other in zip(found.values(), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    _, other_left = masks_of_the_authors(kernels, density, rounded=True)
    assert other_left != left, "or rounding to the nearest would pass"


def test_rounds_follow_the_density_that_was_asked_for_not_its_rounded_count():
    scores, left = [np.arange(1001.0)], {}
    for density in (0.02, None):
        given = MaskProblem(None, [], 20, [], density=density)
        left[density] = [int(given.select(scores, number / 100)[0].sum()) for number in range(1, 101)]
    assert left[0.02] == [1001 - int((1 - 0.02 ** (number / 100)) * 1001) for number in range(1, 100)] + [20]
    assert left[None] == [1001 - int((1 - (20 / 1001) ** (number / 100)) * 1001) for number in range(1, 100)] + [20]
    assert left[0.02] != left[None]


def test_layers_do_not_collapse_where_one_round_and_magnitude_do():
    model = perceptron(60, 60, 60, 4, 60, 60)
    size = 3 * 60 * 60 + 2 * 4 * 60
    scores = {"one round": functools.partial(synflow_scores, rounds=1), "magnitude": "magnitude", "all": "synflow"}
    found = {
        name: make_masks(model, 20 / size, score=score, distribution="global", allow_collapse=True)
        for name, score in scores.items()
    }
    assert mask_report(model, found["one round"]).collapsed and mask_report(model, found["magnitude"]).collapsed
    report = mask_report(model, found["all"], paths=True)
    assert not report.collapsed and sum(kernel.active for kernel in report.kernels) == 20


def test_what_cannot_be_computed_is_refused():
    with pytest.raises(ValueError, match="`rounds` must be at least 1; received 0"):
        synflow_scores(problem(perceptron(2, 2), None), rounds=0)
    softmax = keras.Sequential([keras.Input((2,)), layers.Dense(3, "softmax", name="end")])
    with pytest.raises(ValueError, match="Nothing flows through.*softmax at its end"):
        synflow_scores(problem(softmax, None))
    unknown = keras.Sequential([keras.Input((None, 2)), layers.Conv1D(3, 2), layers.GlobalAveragePooling1D()])
    with pytest.raises(ValueError, match="`data` must be given: the shape of the inputs"):
        synflow_scores(problem(unknown, None))
    assert synflow_scores(problem(unknown, (np.zeros((4, 6, 2), "f"), np.zeros(4))))[0].all()
    tokens = keras.Input((4, 2))
    heads = keras.Model(tokens, layers.Dense(2)(HeadAttention(1, name="heads")([tokens] * 3)))
    with pytest.raises(ValueError, match=r"SynFlow, such as 'snip', .* attention; received .*'heads'.*equal shares"):
        synflow_scores(problem(heads, None))
    deep = perceptron(2, 2)
    deep.layers[0].kernel.assign(np.full((2, 2), np.inf))
    with pytest.raises(ValueError, match="exceeds float64"):
        synflow_scores(problem(deep, None))
