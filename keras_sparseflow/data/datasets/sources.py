"""Sources of images for `load_images`: their protocol, and the source of arrays in memory."""

from collections.abc import Iterator
from math import prod
from typing import Protocol

import numpy as np

from keras_sparseflow.data.images import ImageArrays
from keras_sparseflow.data.resizing import Shape

_CHUNK_VALUES = 8_000_000  # of float32: 32 MB
_CHUNK_IMAGES = 1024  # tf.data prepares a whole batch, so huge batches of tiny images are slow


class ImageSource(Protocol):
    """A source of images, read in chunks so that memory never holds all of them twice.

    `split` is "train" or "test" everywhere.
    """

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per class, in label order."""

    @property
    def image_shape(self) -> Shape:
        """`(height, width, channels)` of every image; height and width are None where images vary."""

    @property
    def white(self) -> float:
        """The value that becomes 1 when images are scaled to [0, 1]."""

    def common_shape(self) -> tuple[int, int, int]:
        """Returns the shape of all images; raises `ValueError` if it finds different ones."""

    def count(self, split: str) -> int:
        """Returns the number of images."""

    def labels(self, split: str) -> np.ndarray:
        """Returns all labels, without decoding images."""

    def batches(
        self, split: str, indices: np.ndarray | None, image_size: int | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields images and labels, those of the sorted `indices` or all, always in the same order.

        Images of varying size are down-sampled to `image_size`; all others are unchanged.
        """


class ArraySource:
    """The source of a built-in or third-party dataset that is loaded as arrays."""

    def __init__(self, arrays: ImageArrays):
        self._images = {"train": arrays.train_images, "test": arrays.test_images}
        self._labels = {"train": arrays.train_labels, "test": arrays.test_labels}
        self.class_names = arrays.class_names
        self.image_shape: Shape = self.common_shape()
        self.white = 255.0 if arrays.train_images.dtype == np.uint8 else 1.0

    def common_shape(self) -> tuple[int, int, int]:
        """Returns the shape of all images."""
        height, width, channels = self._images["train"].shape[1:]
        return height, width, channels

    def count(self, split: str) -> int:
        """Returns the number of images."""
        return len(self._images[split])

    def labels(self, split: str) -> np.ndarray:
        """Returns all labels."""
        return self._labels[split]

    def batches(
        self, split: str, indices: np.ndarray | None, image_size: int | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields images and labels, those of the sorted `indices` or all."""
        images, labels = self._images[split], self._labels[split]
        if indices is None:
            indices = np.arange(len(images))
        size = chunk_size(self.common_shape())
        for start in range(0, len(indices), size):
            chunk = indices[start : start + size]
            yield images[chunk], labels[chunk]


def chunk_size(shape: tuple[int, int, int]) -> int:
    """Returns how many images of that shape make one chunk."""
    return min(_CHUNK_IMAGES, max(1, _CHUNK_VALUES // prod(shape)))
