"""Losses along directions: against a loss in NumPy; directions of filters as long as the weights'."""

import keras
import numpy as np
import pytest

from keras_sparseflow.diagnostics import Hessian, loss_along, loss_surface, random_directions
from keras_sparseflow.diagnostics.filters import filter_axes
from keras_sparseflow.layers import MaskedSeparableConv2D
from keras_sparseflow.layers.structure import kernels_of
from tests.diagnostics.networks import DATA, convolutional, same, state
from tests.masks import small

X, Y = small.data(9)


def test_a_surface_is_the_loss_at_the_weights_moved_along_both_directions():
    model, seen = small.network(masked=True), []
    before, at = state(model), small.flatten(small.kernels(model))
    found = loss_surface(model, (X, Y), span=0.5, steps=5, seed=3, batch_size=4, progress=lambda *p: seen.append(p))
    one, other = (small.flatten(direction.values()) for direction in random_directions(model, seed=3))
    assert list(found["x"][:5]) == [-0.5, -0.25, 0, 0.25, 0.5] and (found["y"][:5] == -0.5).all()
    expected = [small.loss(at + row.x * one + row.y * other, X, Y) for row in found.itertuples()]
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-7)
    assert found["loss"].std() > 1e-3
    assert seen == [(done, 25) for done in range(1, 26)]
    assert same(before, state(model))


def test_masked_entries_of_a_given_direction_are_not_moved():
    model = small.network(masked=True)
    direction = {"first/kernel": np.ones((3, 4))}
    active = small.flatten([np.array(model.layers[0].mask), np.zeros((4, 3))])
    at = small.flatten(small.kernels(model))
    found = loss_along(model, (X, Y), direction, span=2.0, steps=3)
    expected = [small.loss(at + distance * active, X, Y) for distance in (-2, 0, 2)]
    assert list(found["distance"]) == [-2, 0, 2]
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-7)


def test_along_the_top_eigenvector_the_loss_curves_as_the_eigenvalue_says():
    model = convolutional()
    pair = Hessian(model, DATA).top_eigenpair(tolerance=1e-9)
    low, centre, high = loss_along(model, DATA, pair.vector, span=1e-3, steps=3)["loss"]
    np.testing.assert_allclose((low - 2 * centre + high) / 1e-6, pair.value, rtol=1e-3)


def test_filters_of_random_directions_are_as_long_as_those_of_the_weights():
    model = convolutional()
    (one,), (again,), (other,) = (random_directions(model, 1, seed) for seed in (0, 0, 1))
    assert list(one) == ["conv/kernel", "head/kernel"], "no biases, no BatchNorm"
    for path, kernel, axes in (("conv/kernel", 0, (0, 1, 2)), ("head/kernel", -1, 0)):
        layer = model.layers[kernel]
        assert not one[path][~np.array(layer.mask)].any()
        expected = np.linalg.norm(np.array(layer.kernel).reshape(-1, layer.kernel.shape[-1]), axis=0)
        np.testing.assert_allclose(np.sqrt((one[path] ** 2).sum(axes)), expected, rtol=1e-12)
        assert np.array_equal(one[path], again[path]) and not np.allclose(one[path], other[path])
    model.get_layer("conv").set_mask(np.zeros((3, 3, 2, 3)))
    assert not random_directions(model, 1)[0]["conv/kernel"].any(), "filters of zeros stay"


@pytest.mark.parametrize(
    ("layer", "shape", "axes"),
    [
        (keras.layers.Dense(3), (2,), [(1,)]),
        (keras.layers.Conv2DTranspose(5, 3), (4, 4, 2), [(2,)]),
        (keras.layers.DepthwiseConv2D(3), (4, 4, 2), [(2, 3)]),
        (keras.layers.SeparableConv2D(5, 3), (4, 4, 2), [(2, 3), (3,)]),
        (MaskedSeparableConv2D(5, 3), (4, 4, 2), [(2, 3), (3,)]),
        (keras.layers.EinsumDense("abc,cde->abde", (6, 4, 5)), (6, 2), [(1, 2)]),
        (keras.layers.SimpleRNN(3), (5, 2), [(1,), (1,)]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_filter_is_what_makes_one_output(layer, shape, axes):
    model = keras.Sequential([keras.Input(shape), layer])
    assert [filter_axes(kernel) for kernel in kernels_of(model)] == axes


def test_what_cannot_be_drawn_is_refused():
    model = small.network()
    for options, message in [
        ({"steps": 4}, "`steps` must be odd and at least 3; received 4"),
        ({"span": 0}, "`span` must be above 0; received 0"),
        ({"directions": [{}]}, "`directions` must be two; received 1"),
        ({"directions": [{}, {"first/bias": np.ones(4)}]}, r"expected none for 'first/bias'; received \(4,\)"),
        ({"directions": [{}, {"first/kernel": np.ones(4)}]}, r"expected \(3, 4\) for .*; received \(4,\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            loss_surface(model, (X, Y), **options)
    with pytest.raises(ValueError, match="`count` must be at least 1; received 0"):
        random_directions(model, 0)
