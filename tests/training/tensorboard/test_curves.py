import numpy as np
import pytest

from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.training.tensorboard.curves import activation_curves

PAPER = ["relu", "prelu", "elu", "swish", "srelu", "sigmoid"]


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


# Each function and its derivative, worked out by hand; parameters as training begins.
EXPECTED = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
    "prelu": (lambda x: np.where(x > 0, x, 0.25 * x), lambda x: np.where(x > 0, 1, 0.25)),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(x)), lambda x: np.where(x > 0, 1, np.exp(x))),
    "swish": (lambda x: x * _sigmoid(x), lambda x: _sigmoid(x) + x * _sigmoid(x) * (1 - _sigmoid(x))),
    "srelu": (lambda x: np.where(x > 0, x, 0.2 * x), lambda x: np.where(x > 0, 1, 0.2)),
    "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * (1 - _sigmoid(x))),
}


@pytest.mark.parametrize("name", PAPER)
def test_values_and_derivatives_are_those_worked_out_by_hand(name):
    curve = activation_curves([name], points=100)  # none at a kink
    value, derivative = EXPECTED[name]
    assert curve["x"].to_numpy() == pytest.approx(np.linspace(-5, 5, 100))
    assert curve["value"].to_numpy() == pytest.approx(value(curve["x"].to_numpy()), abs=1e-5)
    assert curve["derivative"].to_numpy() == pytest.approx(derivative(curve["x"].to_numpy()), abs=1e-5)


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS.names()) - {"softmax", "log_softmax", "sparsemax"}))
def test_derivatives_are_the_slopes_of_the_values(name):
    curve = activation_curves([name], -3.1, 2.9, 7)
    steps = activation_curves([name], -3.1 - 1e-2, 2.9 - 1e-2, 7), activation_curves([name], -3.1 + 1e-2, 2.9 + 1e-2, 7)
    slopes = (steps[1]["value"] - steps[0]["value"]) / 2e-2
    assert curve["derivative"].to_numpy() == pytest.approx(slopes.to_numpy(), rel=1e-3, abs=1e-2)


def test_rows_are_those_of_each_name_in_turn():
    curves = activation_curves(["swish", "relu"], low=-1, high=1, points=3)
    assert list(curves.columns) == ["activation", "x", "value", "derivative"]
    assert curves["activation"].tolist() == ["swish"] * 3 + ["relu"] * 3
    assert curves["x"].tolist() == [-1, 0, 1] * 2
    assert curves.loc[3:, "derivative"].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ["swihs"]}, "Unknown activation 'swihs'.*Did you mean 'swish'"),
        ({"names": []}, "`names` must name at least one activation, and each once; received none"),
        ({"names": ["relu", "relu"]}, "each once; received relu, relu"),
        ({"names": ["relu"], "low": 1, "high": 1}, "`low` must be below `high`, both finite; received 1 and 1"),
        ({"names": ["relu"], "high": np.inf}, "received -5.0 and inf"),
        ({"names": ["relu"], "points": 1}, "`points` must be at least 2; received 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        activation_curves(**arguments)
