"""Learned rectifiers: their values, gradients, parameters for each unit, and saving."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_sparseflow.layers.rectifiers import PReLU, SReLU
from tests.backend import gradients_of_variables

X = np.array([[-3.0, -0.5, 0.0, 0.4, 1.0, 2.5]], "float32")


def test_prelu_by_hand():
    np.testing.assert_allclose(PReLU()(X), [[-0.75, -0.125, 0.0, 0.4, 1.0, 2.5]])
    np.testing.assert_allclose(PReLU(slope=-1)(X), np.abs(X))


def test_srelu_starts_as_a_leaky_rectifier():
    np.testing.assert_allclose(SReLU()(X), [[-0.6, -0.1, 0.0, 0.4, 1.0, 2.5]], rtol=1e-6)


def test_srelu_by_hand():
    layer = SReLU(right_threshold=0.5, right_slope=2, left_threshold=-1, left_slope=0.1)
    np.testing.assert_allclose(layer(X), [[-1.2, -0.5, 0.0, 0.4, 1.5, 4.5]], rtol=1e-6)


def test_where_srelu_thresholds_have_crossed_the_right_line_counts():
    """t_r = -1 and t_l = 1: at -0.5 and 0.4 both would hold."""
    layer = SReLU(right_threshold=-1, right_slope=2, left_threshold=1, left_slope=0.5)
    np.testing.assert_allclose(layer(X), [[-1.0, 0.0, 1.0, 1.8, 3.0, 6.0]], rtol=1e-6)


@pytest.mark.parametrize(("layer", "parameters"), [(PReLU(), 1), (SReLU(left_slope=0.3, right_slope=1.5), 4)])
def test_each_unit_learns_its_own(layer, parameters):
    """The gradient of a unit's parameter, against central differences."""
    x = np.random.default_rng(0).normal(scale=2, size=(7, 3)).astype("float32")
    layer(x)
    variables = layer.trainable_variables
    assert [tuple(v.shape) for v in variables] == [(3,)] * parameters

    def total():
        return ops.sum(ops.square(layer(x)))

    for variable, gradient in zip(variables, gradients_of_variables(total, variables), strict=True):
        start = ops.convert_to_numpy(variable)
        for unit in range(3):
            sides = []
            for sign in (1, -1):
                variable.assign(start + sign * 1e-3 * np.eye(3, dtype="float32")[unit])
                sides.append(float(ops.convert_to_numpy(total())))
            variable.assign(start)
            np.testing.assert_allclose(gradient[unit], (sides[0] - sides[1]) / 2e-3, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("layer", [PReLU, SReLU])
def test_nan_passes_through(layer):
    assert np.isnan(ops.convert_to_numpy(layer()(np.array([[np.nan]], "float32")))).all()


@pytest.mark.parametrize("layer", [PReLU(slope=0.1), SReLU(left_slope=0.3, right_threshold=2)])
def test_saved_and_loaded_with_what_was_learned(layer, tmp_path):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layer(inputs))
    for variable in model.trainable_variables:
        variable.assign(variable + np.arange(6, dtype="float32") / 10)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(X), model(X))
    assert loaded.layers[1].get_config() == layer.get_config()
