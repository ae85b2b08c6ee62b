"""Sizes of well-known datasets, known without their files."""

import dataclasses
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class DataSize:
    """The number of a dataset's images, and their shape.

    Args:
        input_shape: `(height, width, channels)` of one image.
        classes: number of classes.
        train_images: number of images to train on.
        test_images: number of images to test on.

    Example:
        >>> KNOWN["cifar100"].inputs
        3072
    """

    input_shape: tuple[int, int, int]
    classes: int
    train_images: int
    test_images: int

    @property
    def inputs(self) -> int:
        """The number of values in one image: the input width of a dense network."""
        return prod(self.input_shape)

    def subset(self, train_size: int | None) -> "DataSize":
        """Returns the size with `train_size` images to train on; all of them where it is None."""
        return self if train_size is None else dataclasses.replace(self, train_images=train_size)


KNOWN = {
    "mnist": DataSize((28, 28, 1), 10, 60_000, 10_000),
    "fashion_mnist": DataSize((28, 28, 1), 10, 60_000, 10_000),
    "cifar10": DataSize((32, 32, 3), 10, 50_000, 10_000),
    "cifar100": DataSize((32, 32, 3), 100, 50_000, 10_000),
}
"""Their published sizes, by the names of TensorFlow Datasets."""


def check_train_size(name: str, train_size: int | None, classes: int, count: int) -> None:
    """Raises ValueError unless a dataset has that many training images, and at least one per class."""
    if train_size is not None and not classes <= train_size <= count:
        raise ValueError(
            f"`train_size` must be in [{classes}, {count}] for dataset {name!r}, from one "
            f"image per class to all; received {train_size}."
        )
