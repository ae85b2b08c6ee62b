import re
from importlib import resources

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.analysis.figures.drawing.colours import p_colour


def _luminance(colour):
    """Returns the relative luminance of WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@given(st.floats(0, 1))
def test_text_is_legible_on_every_colour_of_a_p_value(p_value):
    css = resources.files("keras_sparseflow.analysis").joinpath("templates", "report.css").read_text()
    (ink,) = re.findall(r"td\.cell a \{ color: (#\w+);", css)
    assert (_luminance(p_colour(p_value)) + 0.05) / (_luminance(ink) + 0.05) > 6
