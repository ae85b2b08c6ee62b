"""The containers: what a plugin may return, and what a trainer may rely on."""

import numpy as np
import pytest

from keras_sparseflow.data import ImageArrays, ImageData

GREY = np.zeros((4, 6, 5, 2), np.uint8)
LABELS = np.array([0, 1, 2, 1])


def arrays(**changes):
    values = {
        "train_images": GREY,
        "train_labels": LABELS,
        "test_images": GREY[:2],
        "test_labels": LABELS[:2],
        "class_names": ["a", "b", "c"],
    }
    return ImageArrays(**{**values, **changes})


def test_class_names_become_a_tuple_of_strings():
    assert arrays(class_names=np.array([1, 2, 3])).class_names == ("1", "2", "3")


@pytest.mark.parametrize("image", [GREY, GREY.astype(np.float64), np.ones((4, 6, 5, 2), np.float32)])
def test_grey_levels_of_either_kind_are_accepted(image):
    assert arrays(train_images=image, test_images=image[:2]).train_images is image


def test_lists_become_arrays():
    grey = GREY / 255
    made = arrays(
        train_images=grey.tolist(),
        train_labels=LABELS.tolist(),
        test_images=tuple(grey[:2]),
        test_labels=list(LABELS[:2]),
    )
    np.testing.assert_array_equal(made.train_images, grey)
    assert (made.train_labels.tolist(), made.test_labels.tolist()) == (LABELS.tolist(), LABELS[:2].tolist())
    assert made.test_images.shape == (2, 6, 5, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": GREY[0]}, r"`train_images` must have shape .*received \(6, 5, 2\)"),
        ({"test_images": GREY[:0]}, r"`test_images` must have shape .*received \(0, 6, 5, 2\)"),
        ({"train_images": GREY.astype(np.int32)}, r"`train_images` must be uint8, .*received int32"),
        ({"train_images": np.full(GREY.shape, 255.0)}, r"in \[0, 1\]; received values from 255.0 to 255.0"),
        ({"train_images": np.full(GREY.shape, -0.5)}, r"in \[0, 1\]; received values from -0.5"),
        ({"train_images": np.full(GREY.shape, np.nan)}, r"in \[0, 1\]; received values from nan"),
        ({"train_labels": LABELS[:3]}, r"`train_labels` must be integers of shape \(4,\).*received int64 .*\(3,\)"),
        ({"test_labels": np.ones(2)}, r"`test_labels` must be integers of shape \(2,\).*received float64"),
        ({"train_labels": LABELS + 1}, r"`train_labels` must be in \[0, 2\], for 3 classes; received .*1 to 3"),
        ({"test_labels": np.array([0, -1])}, r"`test_labels` must be in \[0, 2\].*received labels from -1 to 0"),
        ({"train_images": GREY.tolist()}, r"`train_images` must be uint8, .*received int64"),
        ({"train_images": [GREY[0], GREY[0, :4]]}, r"`train_images` must be an array.*received list: .*inhomogeneous"),
        ({"test_labels": [0, [1]]}, r"`test_labels` must be an array.*received list: .*inhomogeneous"),
        ({"train_labels": LABELS * 0}, r"`train_labels` must hold each of the 3 classes; received none of b, c"),
        ({"test_images": GREY[:2, :4]}, r"of `train_images`, \(6, 5, 2\) uint8; received \(4, 5, 2\) uint8"),
        ({"test_images": np.zeros((2, 6, 5, 2))}, r"\(6, 5, 2\) uint8; received \(6, 5, 2\) float64"),
    ],
)
def test_arrays_that_break_a_rule_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        arrays(**changes)


def test_image_data_knows_its_sizes_and_is_read_only():
    images = np.zeros((4, 6, 5, 2), np.float32)
    data = ImageData("x", images, LABELS, images[:2], LABELS[:2], ("a", "b", "c"), (0.0, 0.0), (1.0, 1.0))
    assert (data.input_shape, data.inputs, data.num_classes) == ((6, 5, 2), 60, 3)
    with pytest.raises(ValueError, match="read-only"):
        data.train_images[0] = 1
    with pytest.raises(AttributeError):
        data.name = "y"
