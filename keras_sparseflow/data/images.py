"""Containers of images: `ImageArrays` from a dataset plugin, and `ImageData` for training."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from keras_sparseflow.checks import check_number


@dataclass(frozen=True, eq=False)
class ImageArrays:
    """The raw images and labels that a dataset plugin returns.

    A dataset plugin is a callable `load(data_dir) -> ImageArrays`. `data_dir` is the user's directory of
    datasets, or None; a plugin may ignore it. The plugin divides the images into training and test images,
    in the same way at each call; `load_images` takes subsets, resizes and standardises. Make a plugin known
    by `register("dataset", name, load)`, or by an entry point of the group `keras_sparseflow.dataset`.

    Args:
        train_images: array of shape `(count, height, width, channels)`: uint8 in [0, 255], or floating
            point in [0, 1].
        train_labels: integer array of shape `(count,)`, in [0, number of classes), with each class among them.
        test_images: as `train_images`, of the same dtype, height, width and channels.
        test_labels: integer array of shape `(count,)`, in [0, number of classes).
        class_names: one name per class, in label order.

    Lists, and anything else that NumPy can convert, become arrays.

    Raises:
        ValueError: an array breaks these rules.

    Example:
        >>> grey = np.zeros((4, 8, 8, 1), "uint8")
        >>> arrays = ImageArrays(grey, np.arange(4) % 2, grey[:2], np.arange(2), ("cat", "dog"))
        >>> arrays.train_images.shape
        (4, 8, 8, 1)
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", tuple(str(name) for name in self.class_names))
        for split in ("train", "test"):
            for name in (f"{split}_images", f"{split}_labels"):
                object.__setattr__(self, name, _as_array(name, getattr(self, name)))
            images, labels = getattr(self, f"{split}_images"), getattr(self, f"{split}_labels")
            _check_images(f"{split}_images", images)
            check_labels(f"{split}_labels", labels, len(images), len(self.class_names))
        counts = np.bincount(self.train_labels, minlength=len(self.class_names))
        if missing := [name for name, count in zip(self.class_names, counts, strict=True) if not count]:
            raise ValueError(
                f"`train_labels` must hold each of the {len(self.class_names)} classes; received none of "
                f"{', '.join(missing[:10])}."
            )
        train, test = self.train_images, self.test_images
        if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
            raise ValueError(
                f"`test_images` must have the shape and dtype of `train_images`, {train.shape[1:]} "
                f"{train.dtype}; received {test.shape[1:]} {test.dtype}."
            )


@dataclass(frozen=True, eq=False)
class ImageData:
    """A dataset ready for training: standardised images in memory, made by `load_images`.

    The arrays are read-only, so several runs may share one.

    Args:
        name: the dataset's name, as given to `load_images`.
        train_images: float32 of shape `(count, height, width, channels)`, standardised.
        train_labels: int32 of shape `(count,)`.
        test_images: float32 of shape `(count, height, width, channels)`, standardised with the training
            images' statistics.
        test_labels: int32 of shape `(count,)`.
        class_names: one name per class, in label order.
        mean: per channel, the mean that was subtracted from images in [0, 1].
        std: per channel, the standard deviation that they were then divided by; 1 for a constant channel.
        validation_images: as `test_images`, held out from the training images; None where none are.
        validation_labels: int32 of shape `(count,)`, or None.

    Example:
        >>> from keras_sparseflow import load_images
        >>> digits = load_images("digits", image_size=4)
        >>> digits.input_shape, digits.inputs, digits.num_classes
        ((4, 4, 1), 16, 10)
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    validation_images: np.ndarray | None = None
    validation_labels: np.ndarray | None = None

    def __post_init__(self) -> None:
        held = self.validation_images, self.validation_labels
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels, *held):
            if array is not None:
                array.setflags(write=False)

    @property
    def validation_count(self) -> int:
        """The number of images that are held out for validation."""
        return 0 if self.validation_images is None else len(self.validation_images)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """The shape of one image: `(height, width, channels)`."""
        height, width, channels = self.train_images.shape[1:]
        return height, width, channels

    @property
    def inputs(self) -> int:
        """The number of values in one image: the input width of a dense network."""
        return prod(self.input_shape)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)


def augmentation_pad(height: int, width: int) -> int:
    """Returns the default number of pixels by which images are padded before a random crop.

    It is an eighth of the shorter side, rounded, at least 1: the usual 4 for 32 pixels, and 1 for 8, where 4 would
    shift half of the image out of sight.

    Args:
        height: height of an image in pixels.
        width: width of an image in pixels.

    Example:
        >>> [augmentation_pad(side, side) for side in (32, 16, 14, 8, 4)]
        [4, 2, 2, 1, 1]
    """
    return max(1, round(min(height, width) / 8))


def check_pad(pad: Any, height: int, width: int, name: str = "pad") -> int:
    """Returns the pixels by which images are padded; raises ValueError if they are more than the shorter side."""
    return int(check_number(name, pad, whole=True, minimum=0, maximum=min(height, width)))


def check_labels(name: str, labels: np.ndarray, count: int, num_classes: int) -> None:
    """Raises `ValueError` unless `labels` are `count` integers in [0, num_classes)."""
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"`{name}` must be integers of shape ({count},), one per image; "
            f"received {labels.dtype} of shape {labels.shape}."
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"`{name}` must be in [0, {num_classes - 1}], for {num_classes} classes; "
            f"received labels from {labels.min()} to {labels.max()}."
        )


def _as_array(name: str, values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"`{name}` must be an array, or a list of equally long lists; received {type(values).__name__}: {error}."
        ) from error


def _check_images(name: str, images: np.ndarray) -> None:
    """Raises `ValueError` unless `images` is a non-empty 4-D array of grey levels that can be scaled."""
    if images.ndim != 4 or images.size == 0:
        raise ValueError(
            f"`{name}` must have shape (count, height, width, channels), none of them 0; received {images.shape}."
        )
    if images.dtype == np.uint8:
        return
    expected = f"`{name}` must be uint8, or floating point in [0, 1]"
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"{expected}; received {images.dtype}.")
    low, high = images.min(), images.max()
    if not 0 <= low <= high <= 1:  # false for NaN too
        raise ValueError(f"{expected}; received values from {low} to {high}.")
