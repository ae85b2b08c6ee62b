import base64
import io
import re

import matplotlib.image
import numpy as np

from keras_sparseflow.masks.mask_pictures import Masks


def pictures(masks):
    found = re.findall(r"base64,([^\"]+)", masks._repr_html_())
    return [matplotlib.image.imread(io.BytesIO(base64.b64decode(png)), format="png")[..., 0] for png in found]


def test_active_weights_are_dark():
    mask = np.array([[True, False], [False, False]])
    (picture,) = pictures(Masks(a=mask))
    assert np.array_equal(picture < 0.5, mask)


def test_large_masks_become_averages_of_blocks():
    mask = np.zeros((600, 3), bool)
    mask[:300] = True
    (picture,) = pictures(Masks(a=mask))
    assert picture.shape == (256, 3)
    assert (picture[:127] < 0.1).all() and (picture[129:] > 0.9).all()


def test_convolutions_have_a_row_per_place_and_channel():
    (picture,) = pictures(Masks(conv=np.ones((3, 3, 2, 5), bool)))
    assert picture.shape == (18, 5)


def test_names_are_escaped_and_counts_said():
    shown = Masks({"a<b": np.array([[True, False]])})._repr_html_()
    assert "a&lt;b: 1 of 2 active" in shown
