import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis import NotApplicableError, activation_functions


def _curves(*names):
    x = np.linspace(-5, 5, 21)
    return pd.concat(
        [
            pd.DataFrame({"activation": name, "x": x, "value": x * index, "derivative": float(index)})
            for index, name in enumerate(names)
        ]
    )


def _drawn(axes):
    return [line for line in axes.get_lines() if line.get_label() != "_grid"]


def test_functions_stand_left_and_derivatives_right():
    left, right = activation_functions(_curves("relu", "swish")).axes
    assert (left.get_title(), right.get_title()) == ("Activation", "Derivative")
    for axes, expected in ((left, np.linspace(-5, 5, 21)), (right, np.ones(21))):
        lines = {line.get_label(): line for line in axes.get_lines() if line.get_label() != "_grid"}
        assert list(lines) == ["relu", "swish"]
        assert lines["swish"].get_ydata() == pytest.approx(expected)


def test_lines_that_coincide_are_told_apart_by_markers_at_different_places():
    names = ["relu", "prelu", "elu", "swish", "srelu", "sigmoid"]
    lines = _drawn(activation_functions(_curves(*names)).axes[0])
    assert len({line.get_marker() for line in lines}) == len(names)
    curves = pd.concat([_curves("relu").assign(activation=name) for name in names for _ in range(20)])
    places = [line.get_markevery() for line in _drawn(activation_functions(curves).axes[0])]
    assert len(set(places)) == len(names)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(NotApplicableError, match="at least one activation; received none"):
        activation_functions(_curves("relu").iloc[:0])
    with pytest.raises(ValueError, match="missing: derivative"):
        activation_functions(_curves("relu").drop(columns="derivative"))
