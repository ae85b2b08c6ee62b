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
        validation_images: number of images that are held out for validation.

    Example:
        >>> KNOWN["cifar100"].inputs
        3072
    """

    input_shape: tuple[int, int, int]
    classes: int
    train_images: int
    test_images: int
    validation_images: int = 0

    @property
    def inputs(self) -> int:
        """The number of values in one image: the input width of a dense network."""
        return prod(self.input_shape)

    def subset(self, train_size: int | None, validation_size: int | None = None) -> "DataSize":
        """Returns the size with `train_size` images to train on, besides `validation_size` held out.

        Args:
            train_size: number of them; None for all that are left.
            validation_size: number of training images that are held out; None for none.
        """
        held = validation_size or 0
        left = self.train_images - held if train_size is None else train_size
        return dataclasses.replace(self, train_images=left, validation_images=held)


KNOWN = {
    "mnist": DataSize((28, 28, 1), 10, 60_000, 10_000),
    "fashion_mnist": DataSize((28, 28, 1), 10, 60_000, 10_000),
    "cifar10": DataSize((32, 32, 3), 10, 50_000, 10_000),
    "cifar100": DataSize((32, 32, 3), 100, 50_000, 10_000),
}
"""Their published sizes, by the names of TensorFlow Datasets."""


def check_train_size(
    name: str, train_size: int | None, classes: int, count: int, validation_size: int | None = None
) -> None:
    """Raises ValueError unless a dataset has that many training images, and at least one per class.

    Args:
        name: of the dataset.
        train_size: number of images to train on; None for all that are left.
        classes: number of classes.
        count: number of all training images.
        validation_size: number of these that are held out; None for none.
    """
    if validation_size is not None and not classes <= validation_size <= count - classes:
        raise ValueError(
            f"`validation_size` must be in [{classes}, {count - classes}] for dataset {name!r}, so that there is one "
            f"image per class to validate on and one to train on; received {validation_size}."
        )
    left = count - (validation_size or 0)
    if train_size is not None and not classes <= train_size <= left:
        beside = f" but the {validation_size} of `validation_size`" if validation_size else ""
        raise ValueError(
            f"`train_size` must be in [{classes}, {left}] for dataset {name!r}, from one "
            f"image per class to all{beside}; received {train_size}."
        )
