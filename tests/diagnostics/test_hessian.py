"""Products with the Hessian and its top eigenvalue: against the explicit Hessian, in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.diagnostics import Hessian
from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.masks import MaskProblem, hessian_products
from keras_sparseflow.training.tost.loss_at import LossAt
from tests.diagnostics.networks import DATA, convolutional, same, state
from tests.masks import small

X, Y = small.data(9)


def masks_of(model, masked):
    kernels = [layer.mask if masked else np.ones(layer.kernel.shape, bool) for layer in model.layers]
    return small.flatten([np.array(kernel) for kernel in kernels])


def explicit(model, active):
    """The Hessian of the small network's loss in NumPy, over the active weights."""
    whole = small.hessian(lambda flat: small.loss(flat, X, Y), small.flatten(small.kernels(model)))
    return np.where(np.outer(active, active), whole, 0)


def random_vector(shapes, seed=5):
    generator = np.random.default_rng(seed)
    return {path: generator.normal(size=shape) for path, shape in shapes.items()}


@pytest.mark.parametrize("masked", [False, True])
def test_products_and_the_top_eigenpair_are_those_of_the_explicit_hessian(masked):
    model = small.network(masked)
    before, active = state(model), masks_of(model, masked)
    expected = explicit(model, active)
    hessian = Hessian(model, (X, Y), batch_size=4)
    assert hessian.paths == ["first/kernel", "last/kernel"]
    vector = random_vector({"first/kernel": (3, 4), "last/kernel": (4, 3)})
    found = small.flatten(hessian.product(vector).values())
    np.testing.assert_allclose(found, expected @ small.flatten(vector.values()), rtol=1e-5, atol=1e-8)

    pair = hessian.top_eigenpair(tolerance=1e-10, iterations=1000)
    values, vectors = np.linalg.eigh(expected)
    top = np.abs(values).argmax()
    flat = small.flatten(pair.vector.values())
    assert pair.converged and pair.residual < 1e-4
    np.testing.assert_allclose(pair.value, values[top], rtol=1e-6)
    np.testing.assert_allclose(abs(flat @ vectors[:, top]), 1, rtol=1e-6)
    assert not flat[~active].any()
    assert same(before, state(model))


def test_products_are_those_that_grasp_takes():
    model = small.network(masked=True)
    kernels = kernels_of(model)
    problem = MaskProblem(model, kernels, 10, [np.random.default_rng(0)] * 2, (X, Y))
    active = [np.array(kernel.mask) for kernel in kernels]
    vectors = [np.random.default_rng(5).normal(size=mask.shape) * mask for mask in active]
    expected = [product * mask for product, mask in zip(hessian_products(problem, vectors), active, strict=True)]
    found = Hessian(model, (X, Y)).product(dict(zip(["first/kernel", "last/kernel"], vectors, strict=True)))
    for one, other in zip(found.values(), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("training", [False, True])
def test_products_behind_batch_norm_are_differences_of_gradients(training):
    model, step = convolutional(), 1e-5
    hessian, loss_at = Hessian(model, DATA, training=training), LossAt(model, training=training)
    before = state(model)
    vector = random_vector({path: weight.variable.shape for path, weight in loss_at.weights.items()})
    masked = loss_at.masked([tf.constant(part) for part in vector.values()])
    ends = [
        loss_at.gradients([v + side * step * m for v, m in zip(loss_at.values(), masked, strict=True)], DATA)
        for side in (1, -1)
    ]
    expected = [(one - other) / (2 * step) for one, other in zip(*ends, strict=True)]
    for path, other in zip(loss_at.weights, expected, strict=True):
        np.testing.assert_allclose(hessian.product(vector)[path], other, rtol=1e-4, atol=1e-7, err_msg=path)
    assert same(before, state(model))


def test_an_operator_follows_weights_masks_and_statistics():
    model = convolutional()
    hessian = Hessian(model, DATA, tensors="kernels")
    vector = random_vector({path: w.variable.shape for path, w in LossAt(model, tensors="kernels").weights.items()})
    before = hessian.product(vector)
    model.get_layer("norm").moving_variance.assign([2.0, 3.0, 4.0])
    model.get_layer("head").set_mask(~np.array(model.get_layer("head").mask))
    model.get_layer("head").kernel.assign(np.where(model.get_layer("head").mask, 0.3, 0))
    after = hessian.product(vector)
    fresh = Hessian(model, DATA, tensors="kernels").product(vector)
    for path in ("conv/kernel", "head/kernel"):
        np.testing.assert_allclose(after[path], fresh[path], rtol=1e-9, atol=1e-14)
        assert not np.allclose(after[path], before[path])


def test_the_seed_decides_and_iterations_end():
    hessian, seen = Hessian(small.network(masked=True), (X, Y)), []
    one, again, other = (hessian.top_eigenpair(1e-12, 3, seed) for seed in (0, 0, 1))
    assert one.value == pytest.approx(again.value, rel=1e-12) != pytest.approx(other.value, rel=1e-12)
    assert (one.iterations, one.converged) == (3, False)
    pair = hessian.top_eigenpair(progress=lambda done, most: seen.append((done, most)))
    assert pair.converged and seen == [(done, 100) for done in range(1, pair.iterations + 1)]


def test_a_saddle_with_two_eigenvalues_of_one_size_does_not_converge():
    """The product of two weights at (1, 0): eigenvalues 1 and -1; the value stays where the first vector has it."""
    layers = [keras.layers.Dense(1, use_bias=False, kernel_initializer=start) for start in ("ones", "zeros")]
    model = keras.Sequential([keras.Input((1,)), *layers])
    ones = np.ones((4, 1), "float32")
    pair = Hessian(model, (ones, ones), loss=lambda y, outputs: outputs[:, 0]).top_eigenpair(iterations=20)
    assert not pair.converged and pair.iterations == 20
    assert pair.residual**2 + pair.value**2 == pytest.approx(1, rel=1e-4)


def test_a_flat_loss_has_the_eigenvalue_zero_and_one_that_is_not_finite_has_none():
    flat = Hessian(small.network(), (X, Y), loss=lambda y, outputs: outputs[:, 0] * 0).top_eigenpair()
    assert (flat.value, flat.residual, flat.converged) == (0.0, 0.0, True)
    pair = Hessian(small.network(), (X * np.nan, Y)).top_eigenpair()
    assert np.isnan(pair.value) and not pair.converged and pair.iterations == 1


def test_what_cannot_be_computed_is_refused():
    hessian = Hessian(small.network(), (X, Y))
    with pytest.raises(ValueError, match=r"`vector` must have.*'last/kernel' is missing"):
        hessian.product({"first/kernel": np.ones((3, 4))})
    with pytest.raises(ValueError, match=r"`tolerance` must be above 0.*received 0 and 100"):
        hessian.top_eigenpair(tolerance=0)
    with pytest.raises(ValueError, match="received ndarray"):
        Hessian(small.network(), X)
    with pytest.raises(ValueError, match="`tensors` must be"):
        Hessian(small.network(), (X, Y), tensors="biases")
